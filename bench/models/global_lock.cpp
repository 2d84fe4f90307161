// SPDX-License-Identifier: Apache-2.0
// Threads under one global lock: only its holder computes, and it lets go of the lock while it waits for something
// outside. This is what CPython's interpreter lock does to threads.
#include "bench/models/global_lock.hpp"

#include <latch>
#include <vector>

#include "bench/models/techniques.hpp"

namespace speedwell::bench::models {

void GlobalLock::take() {
  std::unique_lock lock(mutex_);
  while (held_) {
    const long before = switches_;
    const bool came_free = free_.wait_for(lock, interval_, [this] { return !held_; });
    if (!came_free && switches_ == before) asked_for_ = true;
  }
  held_ = true;
  asked_for_ = false;
  if (last_ != std::this_thread::get_id()) {
    last_ = std::this_thread::get_id();
    ++switches_;
    switched_.notify_all();
  }
}

void GlobalLock::drop() {
  const std::lock_guard lock(mutex_);
  held_ = false;
  free_.notify_one();
}

void GlobalLock::checkpoint() {
  {
    std::unique_lock lock(mutex_);
    if (!asked_for_) return;
    held_ = false;
    free_.notify_one();
    // Otherwise this thread, which runs already, would mostly be the next holder too.
    const long before = switches_;
    switched_.wait(lock, [&] { return switches_ != before; });
  }
  take();
}

namespace {

class Holding {
 public:
  explicit Holding(GlobalLock& lock) : lock_(lock) { lock_.take(); }
  ~Holding() { lock_.drop(); }
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;

 private:
  GlobalLock& lock_;
};

class LetGo {
 public:
  explicit LetGo(GlobalLock& lock) : lock_(lock) { lock_.drop(); }
  ~LetGo() { lock_.take(); }
  LetGo(const LetGo&) = delete;
  LetGo& operator=(const LetGo&) = delete;

 private:
  GlobalLock& lock_;
};

void run_locked(Lane& lane, int number, GlobalLock& lock) {
  Task task(lane, number);
  task.begin();
  if (task.waits()) {
    {
      const Computing computing(lane.board, number, lane.index);
      task.ask();
    }
    {
      const LetGo others_run(lock);
      const Waiting waiting(lane.board, number, lane.index);
      task.wait();
    }
    const Computing computing(lane.board, number, lane.index);
    task.take();
  }
  for (int unit = 0; unit < task.units(); ++unit) {
    {
      const Computing computing(lane.board, number, lane.index);
      task.compute(unit);
    }
    lock.checkpoint();
  }
  task.finish();
}

}  // namespace

void run_global_lock(Stage& stage) {
  FirstError error;
  GlobalLock lock;
  std::latch there(static_cast<std::ptrdiff_t>(stage.lanes.size()));
  Gate gate;
  {
    std::vector<std::jthread> threads;
    const Opening opening(gate);  // at the end, also where a thread can't be made
    for (Lane& lane : stage.lanes) {
      threads.emplace_back([&stage, &lane, &there, &gate, &error, &lock] {
        there.count_down();
        gate.wait();
        error.guard([&] {
          const Holding holding(lock);
          for (int task; (task = stage.board.take_task()) < stage.board.tasks();) run_locked(lane, task, lock);
        });
      });
    }
    there.wait();
    stage.board.ready();
  }
  error.rethrow();
}

}  // namespace speedwell::bench::models
