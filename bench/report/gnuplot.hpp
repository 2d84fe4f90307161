// SPDX-License-Identifier: Apache-2.0
// Starts gnuplot, without a shell.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace speedwell::bench::report {

struct GnuplotResult {
  bool found = true;  // false: there is no such program
  bool ok = false;    // it ended by itself, with status 0
  std::string said;   // all that it printed, warnings included
};

// Runs `program script` with `folder` as the working directory, and ends it when it takes longer than `limit`.
GnuplotResult run_gnuplot(const std::string& program, const std::filesystem::path& folder, const std::string& script,
                          std::chrono::milliseconds limit);

// gnuplot signs its pictures with its own version; ours say what they show instead, for those who can't see them, and
// are the same for every version.
std::string described(std::string svg, const std::string& title);

}  // namespace speedwell::bench::report
