// SPDX-License-Identifier: Apache-2.0
// What the tasks' results must be, computed in other ways than by the tasks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "bench/models/job.hpp"

namespace speedwell::bench::models {

// Who computes: Speedwell's kernels, or loops in Python on something smaller.
enum class Work { kernels, python };

struct Expected {
  std::uint64_t low = 0, high = 0;  // both the same but for times
};
std::vector<Expected> expected_results(const Job& job, Work work);

// What is wrong with a child's results; empty: nothing.
std::string mistake(const std::vector<std::string>& results, const std::vector<Expected>& expected);

// Writes the file that the tasks of Nature::files read, so many blocks of it, through to the disk.
void write_blocks(const std::filesystem::path& file, int blocks);

}  // namespace speedwell::bench::models
