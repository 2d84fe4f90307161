// SPDX-License-Identifier: Apache-2.0
// Threads that share one lock, as Python's do: who computes holds it, who waits lets it go. Somebody who has waited 5
// ms for it asks the holder to hand it over, which the holder does between two small steps. Waiting overlaps, computing
// takes turns.
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "tasks.hpp"

class GlobalLock {
 public:
  void lock() {
    std::unique_lock guard(mutex_);
    while (held_) {
      const auto turn = turn_;
      if (changed_.wait_for(guard, std::chrono::milliseconds(5)) == std::cv_status::timeout && held_ && turn == turn_) {
        handover_wanted_ = true;
      }
    }
    held_ = true;
    handover_wanted_ = false;
    ++turn_;
    changed_.notify_all();
  }
  void unlock() {
    const std::lock_guard guard(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  // Between two steps of the holder.
  void step() {
    std::unique_lock guard(mutex_);
    if (!handover_wanted_) return;
    held_ = false;
    changed_.notify_all();
    const auto turn = turn_;
    changed_.wait(guard, [&] { return turn != turn_; });  // somebody else has it, and may have let it go since
    guard.unlock();
    lock();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  bool handover_wanted_ = false;
  long turn_ = 0;  // how often it has been taken
};

GlobalLock global_lock;

template <class Task>
void run_all(Task task) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < tasks; ++i) {
    threads.emplace_back([task, i] {
      const std::lock_guard guard(global_lock);
      task(i);
    });
  }
}

int main() {
  show("wait", [] {
    run_all([](int) {
      global_lock.unlock();
      std::this_thread::sleep_for(delay);
      global_lock.lock();
    });
  });
  show("compute", [] {
    std::array<int, tasks> primes{};
    run_all([&](int task) {
      for (int step = 0; step < 100; ++step) {
        primes[task] += primes_among(task * share + step * (share / 100), share / 100);
        global_lock.step();
      }
    });
    check(primes);
  });
}
