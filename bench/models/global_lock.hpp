// SPDX-License-Identifier: Apache-2.0
// One lock for all that a process computes, as CPython has it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace speedwell::bench::models {

// Whoever waits for the lock longer than the interval asks for it, and its holder gives it away at its next checkpoint
// and stands back until another has it: CPython's take_gil and drop_gil, with its own interval of 5 ms.
class GlobalLock {
 public:
  explicit GlobalLock(std::chrono::milliseconds interval = std::chrono::milliseconds(5)) : interval_(interval) {}

  void take();
  void drop();
  // The holder calls it between small units of work.
  void checkpoint();

 private:
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable free_, switched_;
  bool held_ = false;
  bool asked_for_ = false;
  long switches_ = 0;  // of holders
  std::thread::id last_;
};

}  // namespace speedwell::bench::models
