// SPDX-License-Identifier: Apache-2.0
// What the fuzzer begins with: small files of every kind, into the folder that is named.
#include <filesystem>
#include <fstream>

#include "tests/image_files.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (const auto& [name, bytes] : speedwell::bench::image_files()) {
    std::ofstream(std::filesystem::path(argv[1]) / name, std::ios::binary) << bytes;
  }
}
