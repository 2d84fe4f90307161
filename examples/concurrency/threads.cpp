// SPDX-License-Identifier: Apache-2.0
// A thread for each task. Threads wait at the same time, and as many as there are cores compute at the same time. In
// Python: threading, but for the global lock.
#include <thread>
#include <vector>

#include "tasks.hpp"

template <class Task>
void run_all(Task task) {
  std::vector<std::jthread> threads;  // joined where they go out of scope
  for (int i = 0; i < tasks; ++i) threads.emplace_back(task, i);
}

int main() {
  show("wait", [] { run_all([](int) { std::this_thread::sleep_for(delay); }); });
  show("compute", [] {
    std::array<int, tasks> primes;
    run_all([&](int task) { primes[task] = compute(task); });
    check(primes);
  });
}
