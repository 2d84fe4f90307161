// SPDX-License-Identifier: Apache-2.0
#include "bench/child/sampling.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "runtime/process.hpp"

namespace speedwell::bench {
namespace {

std::int64_t read_clock(clockid_t clock) {
  timespec now = {};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Of the whole system: "0.20 0.18 0.12 1/80 11206" is one of 80.
int running_in_system() {
  std::ifstream file("/proc/loadavg");
  double load = 0;
  int running = 0;
  file >> load >> load >> load >> running;
  return running;
}

}  // namespace

std::int64_t wall_ns() { return read_clock(CLOCK_MONOTONIC); }

std::int64_t cpu_ns() { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

Disturbance read_disturbance(const std::vector<int>& cpus) {
  Disturbance disturbance;
  std::ifstream stat("/proc/stat");
  for (std::string name; stat >> name && name.starts_with("cpu");) {
    // user nice system idle iowait irq softirq steal
    std::int64_t ticks[8] = {};
    for (std::int64_t& field : ticks) stat >> field;
    stat.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    const bool ours =
        std::any_of(cpus.begin(), cpus.end(), [&name](int cpu) { return name == "cpu" + std::to_string(cpu); });
    if (ours) disturbance.steal_ticks += ticks[7];
  }
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  disturbance.voluntary_switches = usage.ru_nvcsw;
  disturbance.involuntary_switches = usage.ru_nivcsw;
  // Our own first: a thread that falls asleep in between must not look like another's.
  const int own = runtime::running_threads();
  disturbance.others_running = std::max(0, running_in_system() - own);
  return disturbance;
}

std::int64_t calibration_spin_ns() {
  // Each step waits for the one before: a multiplication and an addition, 4 to 5 cycles on any core of today.
  constexpr int steps = 100'000;
  std::uint64_t state = 1;
  const std::int64_t begin = wall_ns();
  for (int i = 0; i < steps; ++i) {
    state = state * 6364136223846793005 + 1442695040888963407;
    asm volatile("" : "+r"(state));  // or the compiler takes several steps at once
  }
  return wall_ns() - begin;
}

void wait_until_idle() {
  constexpr std::int64_t longest = 1'000'000'000;
  constexpr timespec nap = {0, 200'000};
  const std::int64_t begin = wall_ns();
  while (runtime::running_threads() > 1 && wall_ns() - begin < longest) ::nanosleep(&nap, nullptr);
}

}  // namespace speedwell::bench
