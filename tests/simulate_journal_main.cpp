// SPDX-License-Identifier: Apache-2.0
// simulate_journal FILE: writes the simulated journal, as it stands in tests/data/simulated.
#include <exception>
#include <iostream>

#include "bench/files.hpp"
#include "tests/simulate_journal.hpp"

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "expected one argument, the file to write; got " << argc - 1 << "\n";
    return 2;
  }
  speedwell::bench::write_file_atomically(argv[1], speedwell::bench::simulated_journal());
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 3;
}
