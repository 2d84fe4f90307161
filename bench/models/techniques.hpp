// SPDX-License-Identifier: Apache-2.0
// The ways to run many tasks, each in a file of its own, as its own manual would write it.
#pragma once

#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/models/board.hpp"
#include "bench/models/task.hpp"

namespace speedwell::bench::models {

// Where a technique works: as many lanes as it has workers.
struct Stage {
  const Inputs& inputs;
  Board& board;
  std::vector<Lane> lanes;
};

// Each calls board.ready() when its workers stand ready, and returns when all tasks are done. What a task throws comes
// out of it.
void run_sequential(Stage& stage);
void run_coroutines(Stage& stage);
void run_threads(Stage& stage);
void run_global_lock(Stage& stage);
void run_openmp(Stage& stage);
void run_tbb(Stage& stage);

struct Technique {
  std::string_view name;
  void (*run)(Stage& stage);
  std::string runtime;  // "GNU libgomp (OpenMP 4.5)"
};
// Those of this build, in the order in which they are shown. Processes are apart: they share memory.
std::vector<Technique> techniques();

// A task from its begin to its end on the calling thread.
inline void run_task(Lane& lane, int number) {
  Task task(lane, number);
  task.begin();
  if (task.waits()) {
    {
      const Computing computing(lane.board, number, lane.index);
      task.ask();
    }
    {
      const Waiting waiting(lane.board, number, lane.index);
      task.wait();
    }
    const Computing computing(lane.board, number, lane.index);
    task.take();
  }
  for (int unit = 0; unit < task.units(); ++unit) {
    const Computing computing(lane.board, number, lane.index);
    task.compute(unit);
  }
  task.finish();
}

// Threads wait at it for each other. They stay awake: those that sleep are woken on the core where they fell asleep,
// which may be the same for all.
class Gate {
 public:
  void wait() const {
    while (!open_) std::this_thread::yield();
  }
  void open() { open_ = true; }

 private:
  std::atomic<bool> open_ = false;
};

// Opens it at the end of a block.
class Opening {
 public:
  explicit Opening(Gate& gate) : gate_(gate) {}
  ~Opening() { gate_.open(); }
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;

 private:
  Gate& gate_;
};

// Takes what is thrown on threads that nothing may be thrown out of.
class FirstError {
 public:
  template <class Function>
  void guard(Function function) noexcept {
    try {
      function();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }
  void rethrow() {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace speedwell::bench::models
