// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <string_view>

#include <speedwell/bench.hpp>
#include <speedwell/error.hpp>

#include "bench/child/own_engine.hpp"
#include "bench/child/protocol.hpp"
#include "bench/cli/command_line.hpp"
#include "bench/own/own_cases.hpp"

namespace speedwell::bench {

namespace fs = std::filesystem;

int main(int argc, char** argv, const std::vector<CaseDefinition>& cases) {
  const Program program = {
      .name = fs::path(argv[0]).filename().string(),
      .description = "Kernels of one's own in parallel models, and what they cost on this machine"};
  try {
    set_own_cases(cases);
  } catch (const InvalidArgument& error) {
    return complain(program, exit_wrong_use, error.what());
  }
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) != "--serve") continue;
    return child_main(argc, argv, "sequential", own_environment, make_own_engine);
  }
  return run_command_line(argc, argv, program);
}

}  // namespace speedwell::bench
