// SPDX-License-Identifier: Apache-2.0
// The files around a study: the programs that it runs, and what it leaves.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>

#include "bench/models/study.hpp"

namespace speedwell::bench::models {

// The program of the techniques, as it is installed or built beside the command. Throws std::filesystem_error if it
// isn't.
std::filesystem::path own_program_path();

// Speedwell's C library, as it is installed or built beside the command; empty: there is none.
std::filesystem::path c_library_path();

// Writes models.json and models.csv and draws the plots and the page, so that a new `folder` is there with all of them
// or not at all; into a run's folder they are added. What can't be drawn is said on `messages`. Throws
// std::system_error.
void write_folder(const std::filesystem::path& folder, const Study& study, const std::string& started,
                  std::ostream& messages, const std::string& gnuplot = "gnuplot");

}  // namespace speedwell::bench::models
