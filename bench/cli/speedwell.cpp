// SPDX-License-Identifier: Apache-2.0
// The `speedwell` command.
#include <nlohmann/json.hpp>

#include "bench/cli/bench_image.hpp"
#include "bench/cli/command_line.hpp"
#include "bench/cli/filters.hpp"

int main(int argc, char** argv) {
  using namespace speedwell::bench;
  Program program = {.name = "speedwell",
                     .description = "CPU kernels in four parallel models, and what they cost on this machine",
                     .filter = run_filter,
                     .ladder = run_ladder,
                     .models = run_models,
                     .offer_image = offer_image_of};
  for (const FilterEntry& entry : filter_entries()) {
    program.filters.push_back({entry.option, entry.argument, entry.help});
  }
  return run_command_line(argc, argv, program);
}
