// SPDX-License-Identifier: Apache-2.0
// The one process-wide runtime: its lock, what happens at fork, and the budget of threads. All other state that
// outlives a call hangs from here or from the file that owns it, and is guarded by this lock.
#pragma once

#include <mutex>

namespace speedwell::runtime {

// Guards every list of kept things (workers, arenas, buffers). Held for a few list operations only, and over a fork, so
// that a child finds the lists whole and the lock free.
std::mutex& process_lock();

// While one lives, its thread makes something that all threads wait for and that is made once (see Once): one thread at
// a time, and none during a fork. Making one thing may need another. Not to be taken under process_lock().
class FirstTime {
 public:
  FirstTime();
  ~FirstTime();
  FirstTime(const FirstTime&) = delete;
  FirstTime& operator=(const FirstTime&) = delete;
};

// Notes that threads exist from now on, so that a later fork leaves a child without them.
void note_parallel_use() noexcept;

// Whether this process was forked from one in which the library had run in parallel. Its parallel runtimes may be in
// any state then: calls run sequentially.
bool in_forked_child() noexcept;

// Keeps the shared library that `code` is in loaded until the process ends, for threads that still run in it.
void keep_loaded(const void* code) noexcept;

// The threads of this process, the calling one among them, that run or would if they were given a CPU.
int running_threads();

// Threads that calls now running had made for them (a call's own thread isn't counted), whatever the model.
class ThreadBudget {
 public:
  // Takes `wanted` threads, or as many as are left of `limit`, but at least none.
  ThreadBudget(int wanted, int limit) noexcept;
  ~ThreadBudget();
  ThreadBudget(const ThreadBudget&) = delete;
  ThreadBudget& operator=(const ThreadBudget&) = delete;

  int taken() const { return taken_; }
  static int in_use() noexcept;

 private:
  int taken_;
};

}  // namespace speedwell::runtime
