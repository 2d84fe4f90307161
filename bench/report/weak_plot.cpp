// SPDX-License-Identifier: Apache-2.0
// Weak scaling of one case: the scaled speedup, and the efficiency below it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "bench/report/plot_kinds.hpp"
#include "bench/report/thread_curves.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

// As a case whose points' speedups are scaled ones, so that it is drawn like any other.
Case scaled(const Case& c) {
  Case out = c;
  out.curves.clear();
  out.peers.clear();
  for (const WeakCurve& curve : c.weak_scaling) {
    Curve as{curve.backend, {}, {}};
    for (const WeakPoint& p : curve.points) {
      if (!(p.scaled_speedup > 0)) continue;
      as.points.push_back({});
      Point& point = as.points.back();
      point.threads = p.threads;
      point.samples = p.samples;
      point.speedup = p.scaled_speedup;
      if (p.scaled_speedup_ci.low > 0) point.speedup_ci = p.scaled_speedup_ci;
    }
    if (!as.points.empty()) out.curves.push_back(std::move(as));
  }
  return out;
}

// "n = 512 · ∛p", or with the backends' names where they differ.
std::string rule_words(const Case& c) {
  std::set<std::string> rules;
  for (const WeakCurve& curve : c.weak_scaling)
    if (!curve.rule.empty()) rules.insert(curve.rule);
  std::string out;
  for (const std::string& rule : rules) out += (out.empty() ? "" : " or ") + rule;
  return out.empty() ? "as much work for each thread as one had alone" : out;
}

std::string largest_size(const Case& c) {
  const WeakPoint* largest = nullptr;
  for (const WeakCurve& curve : c.weak_scaling)
    if (!largest || curve.points.back().threads > largest->threads) largest = &curve.points.back();
  return largest && !largest->size.empty()
             ? fmt::format(" from {} on 1 thread to {} on {}", c.size, largest->size, largest->threads)
             : "";
}

}  // namespace

std::optional<Plot> weak_scaling_plot(const Run& run, const Case& c, const std::string& stem) {
  const Case weak = scaled(c);
  const std::vector<int> counts = thread_counts(weak);
  if (counts.size() < 2) return std::nullopt;
  Plot plot{stem + "_weak_scaling", c.name, "weak_scaling", "Weak scaling of " + c.name + " against threads", "", ""};
  const std::vector<Series> speedups = series_of(weak, [](const Point& p) {
    return Measured{p.speedup, p.speedup_ci};
  });
  std::vector<Series> efficiencies = series_of(weak, [](const Point& p) {
    const double scale = 100.0 / p.threads;
    return Measured{p.speedup * scale, {p.speedup_ci.low * scale, p.speedup_ci.high * scale}};
  });
  // Both panels' rows stand in one CSV.
  for (Series& each : efficiencies) each.name = "efficiency " + each.name;
  plot.csv = csv_of(speedups, "scaled_speedup_or_efficiency_percent");
  const std::string more = csv_of(efficiencies, "");
  plot.csv += more.substr(more.find('\n') + 1);

  constexpr double lower = 130, gap = 26;
  Figure f(plot.name);
  thread_axis(f, counts);
  Range range{1, static_cast<double>(counts.back())};
  range.include(speedups);
  const double octaves = std::log2(f.x.high / f.x.low);
  const double pad = std::exp2(0.06 * octaves);
  f.y = {range.low / pad, range.high * pad, true};
  const double across = f.box.width();
  const double upper = std::clamp(across * std::log2(f.y.high / f.y.low) / octaves, 0.45 * across, 0.8 * across);
  const std::string caption = fmt::format(
      "The work grows with the threads: {}{}. Scaled speedup: rate of work over that of the best sequential version at "
      "the base size ({}); efficiency: that per thread. Median, {}, 95 % bootstrap interval. {}. Grey line: ideal.",
      rule_words(c), largest_size(c), time_words(c.sequential.median_ns), sample_words(weak), where_words(run));
  frame(f, run, upper + gap + lower, c.name, "Weak scaling against threads · higher is better",
        caption + remarks(speedups));
  const Box whole = f.box;
  f.text("threads", (whole.left + whole.right) / 2, whole.bottom - 36, 11, ink, "center");

  f.box.bottom = whole.bottom + lower + gap;
  f.text("scaled speedup", 14, (f.box.bottom + f.box.top) / 2, 11, ink, "center", "rotate by 90");
  thread_ticks(f, counts);
  f.ticks('y', speedup_values(f.y.low, f.y.high));
  limits(f, run);
  f.straight(f.x.low, f.x.low, f.x.high, f.x.high, reference);
  std::vector<EndLabel> labels = draw(f, speedups, factor_words);
  labels.push_back({"ideal", soft, f.px(counts.back()), f.py(counts.back())});
  end_labels(f, std::move(labels));
  f.finish_panel();

  f.box = {whole.left, whole.right, whole.bottom, whole.bottom + lower};
  range = {0, 110 / 1.05};
  range.include(efficiencies);
  f.y = {0, range.high * 1.05, false};
  f.text("efficiency (%)", 14, (f.box.bottom + f.box.top) / 2, 11, ink, "center", "rotate by 90");
  thread_ticks(f, counts);
  f.ticks('y', even_values(0, f.y.high, 3));
  f.straight(f.x.low, 100, f.x.high, 100, reference);
  end_labels(f, draw(f, efficiencies, percent_words));
  plot.script = f.script();
  return plot;
}

}  // namespace speedwell::bench::report
