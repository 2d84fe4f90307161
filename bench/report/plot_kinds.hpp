// SPDX-License-Identifier: Apache-2.0
// Every kind of plot. Each is there only where the data carry it: the rule stands beside it.
#pragma once

#include <optional>
#include <string>

#include "bench/report/plots.hpp"

namespace speedwell::bench::report {

// Of one case; `stem` begins the files' names.
using CasePlot = std::optional<Plot> (*)(const Run& run, const Case& c, const std::string& stem);
std::optional<Plot> speedup_plot(const Run& run, const Case& c, const std::string& stem);     // a sequential version
std::optional<Plot> efficiency_plot(const Run& run, const Case& c, const std::string& stem);  // the same
std::optional<Plot> time_plot(const Run& run, const Case& c, const std::string& stem);        // any point
std::optional<Plot> throughput_plot(const Run& run, const Case& c, const std::string& stem);  // counted work
// Three thread counts above one with a model: two make no curve that one could call flat or rising.
std::optional<Plot> karp_flatt_plot(const Run& run, const Case& c, const std::string& stem);
std::optional<Plot> weak_scaling_plot(const Run& run, const Case& c, const std::string& stem);  // two thread counts
std::optional<Plot> rounds_plot(const Run& run, const Case& c, const std::string& stem);        // three rounds

// Of the whole run.
using RunPlot = std::optional<Plot> (*)(const Run& run);
std::optional<Plot> overview_plot(const Run& run);   // any speedup
std::optional<Plot> winners_plot(const Run& run);    // any speedup
std::optional<Plot> crossover_plot(const Run& run);  // a kernel's variant at two sizes or more
std::optional<Plot> drift_plot(const Run& run);      // three rounds
std::optional<Plot> intervals_plot(const Run& run);  // any interval
// Ceilings, and cases of that precision that count operations and bytes.
std::optional<Plot> roofline_plot(const Run& run, const std::string& precision);

}  // namespace speedwell::bench::report
