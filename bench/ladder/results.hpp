// SPDX-License-Identifier: Apache-2.0
// A climbed ladder as JSON, as a table for a terminal, and as a folder with a plot.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "bench/ladder/ladder.hpp"

namespace speedwell::bench::ladder {

// As docs/ladder.md describes it, with the machine and the build.
nlohmann::ordered_json to_json(const Ladder& ladder, const std::string& started);

// `width` in columns.
std::string table(const Ladder& ladder, bool colours, int width);

// A line a rung and a line a peak: what the plot is drawn from.
std::string to_csv(const Ladder& ladder);

// For gnuplot: reads ladder.csv, and writes ladder.svg and ladder.png.
std::string plot_script(const Ladder& ladder, const std::string& started);

// Writes ladder.json, ladder.csv, ladder.gp, ladder.svg and ladder.png, so that `folder` is there with all of them or
// not at all; without a program `gnuplot`, which is said on `messages`, without the last two. Throws std::system_error,
// also if the folder is there and not empty.
void write_folder(const std::filesystem::path& folder, const Ladder& ladder, const std::string& started,
                  std::ostream& messages, const std::string& gnuplot = "gnuplot");

}  // namespace speedwell::bench::ladder
