// SPDX-License-Identifier: Apache-2.0
// A fork and a join as each model's own manual has it.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include <speedwell/backend.hpp>

namespace speedwell::bench {

// What each thread of a call does: next to nothing.
class ThreadsAtWork {
 public:
  explicit ThreadsAtWork(int most) : slots_(static_cast<std::size_t>(most)) {}

  int most() const { return static_cast<int>(slots_.size()); }

  // Before a call with so many threads, one index each.
  void begin(int threads) {
    threads_ = threads;
    arrived_.store(0, std::memory_order_relaxed);
  }

  // The index's work.
  void arrive(std::ptrdiff_t i) {
    slots_[static_cast<std::size_t>(i)].value = seed_;
    arrived_.fetch_add(1, std::memory_order_relaxed);
  }

  // The same where a model gives out indices to whoever comes: nobody goes on before every index has begun, or one
  // thread would do two. Not for ever, as a model may have fewer threads than it was asked for.
  void arrive_and_wait(std::ptrdiff_t i);

  int threads() const { return threads_; }
  int arrived() const { return arrived_.load(std::memory_order_relaxed); }

  static constexpr unsigned written = 0x5eed;
  unsigned value(std::ptrdiff_t i) const { return slots_[static_cast<std::size_t>(i)].value; }
  void set(std::ptrdiff_t i, unsigned value) { slots_[static_cast<std::size_t>(i)].value = value; }

 private:
  // Threads write on lines of their own: sharing one would be measured too.
  struct alignas(128) Slot {
    unsigned value = 0;
  };

  std::vector<Slot> slots_;
  int threads_ = 1;
  volatile unsigned seed_ = written;  // so that no compiler leaves out the loop
  alignas(128) std::atomic<int> arrived_ = 0;
};

// One call, with all of the model's threads.
void fork_join(Sequential model, ThreadsAtWork& at_work);
void fork_join(Threads model, ThreadsAtWork& at_work);
void fork_join(OpenMp model, ThreadsAtWork& at_work);  // in a file that is built with its model
void fork_join(Tbb model, ThreadsAtWork& at_work);     // likewise

}  // namespace speedwell::bench
