// SPDX-License-Identifier: Apache-2.0
// What follows from a machine's cores for the number of threads.
#pragma once

#include <vector>

#include <speedwell/machine.hpp>

namespace speedwell::runtime {

// What `threads = 0` means: a thread for each core, capped by the quota (0: none) rounded up.
int threads_within(int cores, double quota_cpus);

// Numbers of threads, from 2 to below the most, at which the first last-level cache's cores are all in use, the first
// package's, and the fastest ones: beyond each of them another thread brings less.
std::vector<int> group_ends(const std::vector<Core>& cores, int most_threads);

}  // namespace speedwell::runtime
