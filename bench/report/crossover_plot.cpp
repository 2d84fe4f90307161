// SPDX-License-Identifier: Apache-2.0
// From which size on parallel pays: the best speedup against sequential time, a panel for each kernel's variant.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/report/panels.hpp"
#include "bench/report/plot_kinds.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

std::string answer_words(const Crossover& crossover) {
  const auto found = std::ranges::find(crossover.cases, crossover.smallest_paying, &CrossoverCase::name);
  if (found == crossover.cases.end()) return "no size surely pays";
  return fmt::format("pays from {}, {}", found->size, time_words(found->sequential_ns));
}

std::vector<CrossoverCase> measured(const Crossover& crossover) {
  std::vector<CrossoverCase> out = crossover.cases;
  std::erase_if(out, [](const CrossoverCase& c) { return !(c.sequential_ns > 0) || !(c.best_speedup > 0); });
  return out;
}

std::string_view pays_words(const CrossoverCase& c) { return !c.pays ? "unsure" : *c.pays ? "yes" : "no"; }

}  // namespace

std::optional<Plot> crossover_plot(const Run& run) {
  std::vector<std::pair<const Crossover*, std::vector<CrossoverCase>>> families;
  for (const Crossover& each : run.crossovers)
    if (std::vector<CrossoverCase> cases = measured(each); cases.size() >= 2) families.emplace_back(&each, cases);
  if (families.empty()) return std::nullopt;

  Plot plot{"crossover", "", "crossover", "The size from which parallel pays, for each kernel", "", ""};
  plot.csv = "kernel/variant,sequential_ns,best_speedup,low,high,size,pays\n";
  const auto series = [](const Crossover& each) { return series_name(each.kernel + "/" + each.variant); };
  double x_low = INFINITY, x_high = 0, y_low = 0.9, y_high = 1.2;
  for (const auto& [crossover, cases] : families)
    for (const CrossoverCase& c : cases) {
      const Interval interval = c.best_speedup_ci.low > 0 && known(c.best_speedup_ci)
                                    ? c.best_speedup_ci
                                    : Interval{c.best_speedup, c.best_speedup};
      plot.csv +=
          fmt::format("{},{},{},{},{},{},{}\n", csv(series(*crossover)), field(c.sequential_ns), field(c.best_speedup),
                      field(interval.low), field(interval.high), csv(series_name(c.size)), pays_words(c));
      x_low = std::min(x_low, c.sequential_ns);
      x_high = std::max(x_high, c.sequential_ns);
      y_low = std::min(y_low, interval.low);
      y_high = std::max(y_high, interval.high);
    }
  Figure f(plot.name);
  const double x_pad = std::pow(x_high / x_low, 0.06) * 1.1, y_pad = std::pow(y_high / y_low, 0.08);
  f.x = {x_low / x_pad, x_high * x_pad, true};
  f.y = {y_low / y_pad, y_high * y_pad, true};
  Panels panels(f, families.size(), 38);
  frame(
      f, run, panels.height(), "From which size on parallel pays",
      "Upwards: best speedup; to the right: time of the best sequential version · above 1, parallel is faster",
      fmt::format(
          "Each mark is a size. Filled: its best parallel model is surely faster than the best sequential version "
          "(95 % bootstrap interval of ratios paired by round, and more than the noise floor); hollow: surely not; "
          "cross: the intervals don't say. Dashed: the smallest size that surely pays. The axes are the same in every "
          "panel. {}.",
          where_words(run)));
  key(f, {{{"", ink, "", 7}, "pays"}, {{"", ink, "", 6}, "does not pay"}, {{"", ink, "", 2}, "unsure"}}, 28,
      f.height - 64);
  Ticks times;
  for (double ns = std::pow(10, std::ceil(std::log10(f.x.low))); ns <= f.x.high; ns *= 10) {
    const double unit = ns < 1e3 ? 1 : ns < 1e6 ? 1e3 : ns < 1e9 ? 1e6 : 1e9;
    times.emplace_back(ns, fmt::format("{:g} {}", ns / unit,
                                       ns < 1e3   ? "ns"
                                       : ns < 1e6 ? "µs"
                                       : ns < 1e9 ? "ms"
                                                  : "s"));
  }
  // Words of some 45 pixels must not touch.
  const double decade = (panels.panel_width() - 48) / std::log10(f.x.high / f.x.low);
  const auto every = static_cast<std::size_t>(std::max(1.0, std::ceil(45 / decade)));
  for (std::size_t i = 0; i < times.size(); ++i)
    if (i % every != 0) times[i].second.clear();
  for (std::size_t i = 0; i < families.size(); ++i) {
    const auto& [crossover, cases] = families[i];
    panels.enter(i);
    f.text(shortened(crossover->kernel + "/" + crossover->variant, panels.characters(10)), panels.heading_left(),
           f.box.top + 23, 10, ink);
    f.text(shortened(answer_words(*crossover), panels.characters(9)), panels.heading_left(), f.box.top + 9, 9, soft);
    f.ticks('x', times);
    f.ticks('y', speedup_values(f.y.low, f.y.high));
    f.straight(f.x.low, 1, f.x.high, 1, reference, 1.4);
    for (const CrossoverCase& c : cases)
      if (c.name == crossover->smallest_paying)
        f.straight(c.sequential_ns, f.y.low, c.sequential_ns, f.y.high, looks()[3].color, 1.2, "(6,4)");
    const std::string x = in_series(series(*crossover), "$2");
    f.element(fmt::format("'crossover.csv' using {}:3 with lines lc rgb '{}' lw 1.2", x, soft));
    f.intervals(x, "$4", "$5", ink, 1);
    for (const auto& [pays, marker] : {std::pair("yes", 7), std::pair("no", 6), std::pair("unsure", 2)}) {
      if (std::ranges::none_of(cases, [&](const CrossoverCase& c) { return pays_words(c) == pays; })) continue;
      const std::string some =
          fmt::format("(strcol(1) eq {} && strcol(7) eq '{}' ? $2 : NaN)", gnuplot_quoted(series(*crossover)), pays);
      // A hollow mark is not crossed by its own line.
      if (marker == 6)
        f.element(fmt::format("'crossover.csv' using {}:3 with points pt 7 ps 0.8 lc rgb '#FFFFFF'", some));
      f.element(
          fmt::format("'crossover.csv' using {}:3 with points pt {} ps 0.8 lw 1.3 lc rgb '{}'", some, marker, ink));
    }
    f.finish_panel();
  }
  plot.script = f.script();
  return plot;
}

}  // namespace speedwell::bench::report
