// SPDX-License-Identifier: Apache-2.0
// What one child process of `speedwell models` is asked to do: so many tasks of one nature, by one technique.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace speedwell::bench::models {

// The first three wait for something outside, the next two compute, triad moves memory, and mixed fetches and then
// filters.
enum class Nature { requests, timers, files, matmul, filter, triad, mixed };
inline constexpr Nature all_natures[] = {Nature::requests, Nature::timers, Nature::files, Nature::matmul,
                                         Nature::filter,   Nature::triad,  Nature::mixed};
std::string_view name(Nature nature);
// Throws std::invalid_argument, which lists those that there are.
Nature nature_from_name(std::string_view name);

inline bool waits(Nature nature) { return nature <= Nature::files || nature == Nature::mixed; }
inline bool computes(Nature nature) { return nature >= Nature::matmul; }

struct Job {
  std::string technique;
  Nature nature = Nature::requests;
  int tasks = 0;
  int workers = 0;   // threads or processes
  int port = 0;      // of the loopback server
  int delay_ms = 0;  // of requests and timers
  int size = 0;      // of a side, or elements of a vector
  int units = 0;     // into which the CPU work of a task is divided
  std::string file = {};
  std::string library = {};  // Speedwell's C library, for programs that load it
};

// As the child's command line says it.
std::vector<std::string> words_of(const Job& job);
// Throws std::invalid_argument with what was given and what was expected.
Job job_from_words(const std::vector<std::string>& words);

// The size of a block of the file.
inline constexpr int block_bytes = 65536;

// The CPU work, which the driver knows by heart: docs/models.md has the formulas.
inline constexpr int matmul_a_period = 7, matmul_b_period = 5;
inline constexpr int filter_period = 128;
inline constexpr double filter_sigma = 4;
inline constexpr int filter_checked_row = 64;  // every so many rows are in the result
inline constexpr int triad_b_period = 1021, triad_c_period = 499;
inline constexpr int triad_checked_element = 509;
inline constexpr int mixed_kinds = 16;

inline int matmul_a(int row, int column, int task) { return (3 * (row + task) + 5 * column) % matmul_a_period; }
inline int matmul_b(int row, int column) { return (2 * row + 3 * column) % matmul_b_period; }
inline int filter_pattern(int k) { return (k * k * 7 + 13 * k) % 251; }
inline int triad_scale(int task) { return 3 + task % 13; }

}  // namespace speedwell::bench::models
