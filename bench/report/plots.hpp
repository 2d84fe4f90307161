// SPDX-License-Identifier: Apache-2.0
// A run's static plots: what gnuplot is told, and the data it draws.
#pragma once

#include <string>
#include <vector>

#include "bench/report/model.hpp"

namespace speedwell::bench::report {

struct Plot {
  std::string name;         // of its files, without extension
  std::string of;           // the case's name; empty for a plot of the whole run
  std::string what;         // its kind: "speedup", "overview", ...: the last part of its name
  std::string title;        // in words, for those who can't see it
  std::string script, csv;  // NAME.gp reads NAME.csv and writes NAME.svg and NAME.png
};

// The same run always gives the same plots, byte for byte.
std::vector<Plot> make_plots(const Run& run);

}  // namespace speedwell::bench::report
