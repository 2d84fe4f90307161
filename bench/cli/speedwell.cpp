// SPDX-License-Identifier: Apache-2.0
// The `speedwell` command.
#include "bench/cli/command_line.hpp"

int main(int argc, char** argv) {
  using namespace speedwell::bench;
  return run_command_line(argc, argv,
                          {.name = "speedwell",
                           .description = "CPU kernels in four parallel models, and what they cost on this machine",
                           .filter = run_filter,
                           .ladder = run_ladder});
}
