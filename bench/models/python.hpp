// SPDX-License-Identifier: Apache-2.0
// The Python program, which is put into the command at build time, and the interpreters that there are for it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/driver/interrupts.hpp"

namespace speedwell::bench::models {

extern const char* const python_program;

struct Interpreter {
  std::filesystem::path path;
  std::string runtime;  // "CPython 3.11.2"
  bool free_threaded = false;
};

// python3, and the first free-threaded one besides, as far as they are in PATH and run. What is amiss with
// one is added to `complaints`.
std::vector<Interpreter> find_interpreters(const std::vector<int>& cpus, Interrupts& interrupts,
                                           std::vector<std::string>& complaints);

}  // namespace speedwell::bench::models
