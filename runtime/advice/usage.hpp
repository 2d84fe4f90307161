// SPDX-License-Identifier: Apache-2.0
// What the calling thread has taken of the machine so far.
#pragma once

#include <vector>

namespace speedwell::advice {

double now_ns();

// CPU time of the whole process.
double process_cpu_ns();

// What the kernel has counted of the CPUs' time as taken, by whomever, in its ticks; 0 where it doesn't say.
double busy_ns(const std::vector<int>& cpus);

struct Usage {
  double cpu_ns = 0;
  double queue_ns = 0;  // that it could have run and had no core; 0 where the kernel doesn't say
  double voluntary_switches = 0;
  double involuntary_switches = 0;
};

Usage usage_of_this_thread();
Usage operator-(const Usage& after, const Usage& before);

}  // namespace speedwell::advice
