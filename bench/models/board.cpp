// SPDX-License-Identifier: Apache-2.0
#include "bench/models/board.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <new>
#include <string>

#include <sys/resource.h>
#include <time.h>

#include "bench/child/sampling.hpp"

namespace speedwell::bench::models {

namespace {

// In all, so that a child's answer stays short.
constexpr int most_slices_of_all = 4000;
// Between two slices of the same task on the same lane, nothing that could be seen.
constexpr std::int64_t gap_ns = 100'000;
// The clocks of the thread and of the wall differ by less without the thread having been off its CPU.
constexpr std::int64_t off_cpu_ns = 100'000;

std::int64_t thread_cpu_ns() {
  timespec now = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::int64_t ns_of(const timeval& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_usec} * 1000;
}

}  // namespace

Usage usage_of_process() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return {ns_of(usage.ru_utime) + ns_of(usage.ru_stime), usage.ru_nvcsw, usage.ru_nivcsw};
}

std::int64_t peak_private_bytes() {
  // Not ru_maxrss: that also counts what the process was before it became this program.
  std::ifstream status("/proc/self/status");
  std::int64_t peak = 0, shared = 0;
  for (std::string field; status >> field;) {
    if (field == "VmHWM:") status >> peak;
    if (field == "RssShmem:") status >> shared;
    status.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::max<std::int64_t>(0, peak - shared) * 1024;
}

std::size_t Board::bytes(int tasks, int lanes) {
  const auto slices = static_cast<std::size_t>(most_slices_of_all + 8 * lanes);
  return sizeof(Board) + sizeof(Lane) * static_cast<std::size_t>(lanes + 1) +
         sizeof(Task) * static_cast<std::size_t>(tasks) + sizeof(Slice) * slices;
}

Board* Board::make(std::byte* memory, int tasks, int lanes) { return new (memory) Board(tasks, lanes); }

Board::Lane* Board::lane_list() { return reinterpret_cast<Lane*>(this + 1); }
const Board::Lane* Board::lane_list() const { return reinterpret_cast<const Lane*>(this + 1); }
Board::Task* Board::task_list() { return reinterpret_cast<Task*>(lane_list() + lanes_); }
const Board::Task* Board::task_list() const { return reinterpret_cast<const Task*>(lane_list() + lanes_); }
Slice* Board::slice_list(int lane) {
  return reinterpret_cast<Slice*>(task_list() + tasks_) + static_cast<std::ptrdiff_t>(lane) * most_slices();
}
const Slice* Board::slice_list(int lane) const {
  return reinterpret_cast<const Slice*>(task_list() + tasks_) + static_cast<std::ptrdiff_t>(lane) * most_slices();
}
int Board::most_slices() const { return most_slices_of_all / lanes_ + 8; }

void Board::ready() {
  ready_usage_ = usage_of_process();
  ready_ns_ = wall_ns();
}

void Board::begin_task(int task) { task_list()[task].began_ns = wall_ns(); }

void Board::end_task(int task, std::uint64_t result) {
  task_list()[task].result = result;
  task_list()[task].ended_ns = wall_ns();
}

void Board::record(const Slice& slice) {
  int& count = lane_list()[slice.lane].slices;
  Slice* const list = slice_list(slice.lane);
  if (count > 0) {
    Slice& last = list[count - 1];
    const bool same = last.task == slice.task && last.cpu == slice.cpu;
    if (same && slice.begin_ns - last.end_ns < gap_ns) {
      last.end_ns = slice.end_ns;
      return;
    }
  }
  if (count < most_slices()) list[count++] = slice;
}

std::vector<Slice> Board::slices() const {
  std::vector<Slice> all;
  for (int lane = 0; lane < lanes_; ++lane) {
    all.insert(all.end(), slice_list(lane), slice_list(lane) + lane_list()[lane].slices);
  }
  return all;
}

std::int64_t Board::began_ns(int task) const { return task_list()[task].began_ns; }
std::int64_t Board::ended_ns(int task) const { return task_list()[task].ended_ns; }
std::uint64_t Board::result(int task) const { return task_list()[task].result; }
WorkerReport& Board::report(int lane) { return lane_list()[lane].report; }

Waiting::Waiting(Board& board, int task, int lane) : board_(board), slice_{task, lane, wall_ns(), 0, false} {}

Waiting::~Waiting() {
  slice_.end_ns = wall_ns();
  board_.record(slice_);
}

Computing::Computing(Board& board, int task, int lane)
    : board_(board), slice_{task, lane, wall_ns(), 0, true}, thread_cpu_ns_(thread_cpu_ns()) {}

Computing::~Computing() {
  const std::int64_t now = wall_ns();
  const std::int64_t computed = thread_cpu_ns() - thread_cpu_ns_;
  slice_.end_ns = now - slice_.begin_ns - computed > off_cpu_ns ? slice_.begin_ns + computed : now;
  board_.record(slice_);
}

}  // namespace speedwell::bench::models
