// SPDX-License-Identifier: Apache-2.0
// Where the workers of a technique write down what they did, and when. It lies in one piece of memory without pointers,
// so that processes can share it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace speedwell::bench::models {

// A task on a lane, which is a thread or a process: it waits, or it computes.
struct Slice {
  int task = 0, lane = 0;
  std::int64_t begin_ns = 0, end_ns = 0;  // CLOCK_MONOTONIC
  bool cpu = false;
};

// What a process used.
struct Usage {
  std::int64_t cpu_ns = 0, voluntary_switches = 0, involuntary_switches = 0;
};
Usage usage_of_process();
inline Usage operator-(Usage a, Usage b) {
  return {a.cpu_ns - b.cpu_ns, a.voluntary_switches - b.voluntary_switches,
          a.involuntary_switches - b.involuntary_switches};
}

// The most memory that the process had at a time, without what it shares with others.
std::int64_t peak_private_bytes();

// A worker process says so when it is done.
struct WorkerReport {
  Usage usage;
  std::int64_t peak_bytes = 0;
};

class Board {
 public:
  static std::size_t bytes(int tasks, int lanes);
  // `memory` is zeroed and aligned to a cache line.
  static Board* make(std::byte* memory, int tasks, int lanes);

  int tasks() const { return tasks_; }
  int lanes() const { return lanes_; }

  // The next task that nobody has, or tasks() and more.
  int take_task() { return next_.fetch_add(1, std::memory_order_relaxed); }

  // Called by the technique once all its workers stand ready; the first task begins after it.
  void ready();

  void record(const Slice& slice);
  void begin_task(int task);
  void end_task(int task, std::uint64_t result);

  std::int64_t ready_ns() const { return ready_ns_; }
  Usage ready_usage() const { return ready_usage_; }
  std::vector<Slice> slices() const;
  std::int64_t began_ns(int task) const;
  std::int64_t ended_ns(int task) const;
  std::uint64_t result(int task) const;
  WorkerReport& report(int lane);

 private:
  struct Task {
    std::int64_t began_ns = 0, ended_ns = 0;
    std::uint64_t result = 0;
  };
  struct alignas(64) Lane {
    int slices = 0;
    WorkerReport report;
  };

  Board(int tasks, int lanes) : tasks_(tasks), lanes_(lanes) {}
  Task* task_list();
  const Task* task_list() const;
  Lane* lane_list();
  const Lane* lane_list() const;
  Slice* slice_list(int lane);
  const Slice* slice_list(int lane) const;
  int most_slices() const;

  alignas(64) std::atomic<int> next_{0};
  alignas(64) int tasks_;
  int lanes_;
  std::int64_t ready_ns_ = 0;
  Usage ready_usage_;
};

static_assert(std::atomic<int>::is_always_lock_free, "processes share it");

// A stretch of waiting, written down at its end.
class Waiting {
 public:
  Waiting(Board& board, int task, int lane);
  ~Waiting();
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  Board& board_;
  Slice slice_;
};

// A stretch of computing, written down at its end. What the system took from the thread meanwhile is left out, as if it
// had all been at the end.
class Computing {
 public:
  Computing(Board& board, int task, int lane);
  ~Computing();
  Computing(const Computing&) = delete;
  Computing& operator=(const Computing&) = delete;

 private:
  Board& board_;
  Slice slice_;
  std::int64_t thread_cpu_ns_;
};

}  // namespace speedwell::bench::models
