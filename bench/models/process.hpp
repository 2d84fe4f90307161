// SPDX-License-Identifier: Apache-2.0
// Runs a program to its end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/driver/interrupts.hpp"

namespace speedwell::bench::models {

// It couldn't be started, died, failed or took too long. It and all that it started are gone then; the message says
// how.
class ProcessError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A signal asked this program to end, so the one that ran was ended.
class Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted") {}
};

struct Output {
  std::string text;             // all of its stdout
  std::int64_t started_ns = 0;  // CLOCK_MONOTONIC
};

// `words` are the arguments after the program's name. Throws ProcessError and Interrupted.
Output run_program(const std::filesystem::path& program, const std::vector<std::string>& words,
                   const std::vector<int>& cpus, double limit_s, Interrupts& interrupts);

// Where PATH has a program; empty: nowhere.
std::filesystem::path find_in_path(const std::string& name);

}  // namespace speedwell::bench::models
