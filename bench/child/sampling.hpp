// SPDX-License-Identifier: Apache-2.0
// What the system says while a sample is taken.
#pragma once

#include <cstdint>
#include <vector>

namespace speedwell::bench {

std::int64_t wall_ns();  // CLOCK_MONOTONIC
std::int64_t cpu_ns();   // of the whole process

// What disturbed the process so far: subtract two readings. The last is of the moment.
struct Disturbance {
  std::int64_t steal_ticks = 0;         // that the hypervisor gave others, on `cpus`
  std::int64_t voluntary_switches = 0;  // of all threads of the process
  std::int64_t involuntary_switches = 0;
  int others_running = 0;  // threads of other processes that run, or would if they were given a CPU
};
Disturbance read_disturbance(const std::vector<int>& cpus);

// The time of a fixed loop on this thread, about 0.1 ms.
std::int64_t calibration_spin_ns();

// Returns once no other thread of the process wants a CPU, or after a second. libgomp spins for some
// milliseconds, OpenBLAS about 25 ms, libomp 200 ms.
void wait_until_idle();

}  // namespace speedwell::bench
