// SPDX-License-Identifier: Apache-2.0
#include "bench/report/plots.hpp"

#include <fmt/format.h>

#include <set>

#include "bench/report/plot_kinds.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

constexpr RunPlot of_run[] = {overview_plot, winners_plot, crossover_plot, drift_plot, intervals_plot};
constexpr CasePlot of_case[] = {speedup_plot,    efficiency_plot,   time_plot,  throughput_plot,
                                karp_flatt_plot, weak_scaling_plot, rounds_plot};

}  // namespace

std::vector<Plot> make_plots(const Run& run) {
  std::vector<Plot> plots;
  if (run.cases.empty()) return plots;
  const auto add = [&](std::optional<Plot> plot) {
    if (plot) plots.push_back(*std::move(plot));
  };
  for (const RunPlot kind : of_run) add(kind(run));
  for (const char* precision : {"f32", "f64"}) add(roofline_plot(run, precision));
  std::set<std::string> taken;
  for (const Case& c : run.cases) {
    // Different names may look the same as file names.
    std::string stem = file_stem(c.name);
    for (int i = 2; !taken.insert(stem).second; ++i) stem = fmt::format("{}-{}", file_stem(c.name), i);
    for (const CasePlot kind : of_case) add(kind(run, c, stem));
  }
  return plots;
}

}  // namespace speedwell::bench::report
