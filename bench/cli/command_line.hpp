// SPDX-License-Identifier: Apache-2.0
// The command line: of the `speedwell` command, and of programs that bring cases of their own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/cli/verbs.hpp"

namespace speedwell::bench {

// A filter of the verb `filter`, as the command line has it.
struct FilterWord {
  std::string option;
  std::string argument;  // what it takes; empty: nothing
  std::string help;
};

struct Program {
  std::string name;
  std::string description;
  // The verbs that only some programs have; none: it doesn't.
  int (*filter)(const FilterOptions& options) = nullptr;
  std::vector<FilterWord> filters{};
  int (*ladder)(const LadderOptions& options) = nullptr;
  int (*models)(const ModelsOptions& options) = nullptr;
  // Where the verb `bench` takes images.
  OfferImage offer_image = nullptr;
};

// The whole of a main(): reads the command line, runs a verb, and turns what went wrong into a message and a status.
int run_command_line(int argc, char** argv, const Program& program);

// Says on stderr what went wrong; returns `status`.
int complain(const Program& program, int status, std::string_view what);

}  // namespace speedwell::bench
