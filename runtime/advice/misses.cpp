// SPDX-License-Identifier: Apache-2.0
#include "runtime/advice/misses.hpp"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>

namespace speedwell::advice {

MissCounter::MissCounter() {
  perf_event_attr wanted{};
  wanted.type = PERF_TYPE_HARDWARE;
  wanted.size = sizeof wanted;
  wanted.config = PERF_COUNT_HW_CACHE_MISSES;
  wanted.exclude_kernel = 1;
  wanted.exclude_hv = 1;
  // Counters are shared out among those who want them: the share of time that this one counted scales it.
  wanted.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  constexpr int this_thread = 0, any_cpu = -1, no_group = -1;
  file_ = static_cast<int>(syscall(SYS_perf_event_open, &wanted, this_thread, any_cpu, no_group,
                                   static_cast<unsigned long>(PERF_FLAG_FD_CLOEXEC)));
}

MissCounter::~MissCounter() {
  if (file_ >= 0) close(file_);
}

double MissCounter::count() const {
  std::array<std::uint64_t, 3> values{};  // count, time enabled, time running
  if (file_ < 0 || read(file_, values.data(), sizeof values) != sizeof values || values[2] == 0) return -1;
  return static_cast<double>(values[0]) * static_cast<double>(values[1]) / static_cast<double>(values[2]);
}

}  // namespace speedwell::advice
