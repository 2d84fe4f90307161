// SPDX-License-Identifier: Apache-2.0
// The cases of one precision under the ceilings measured in the same run.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "bench/report/figure.hpp"
#include "bench/report/plot_kinds.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

struct Mark {
  const Case* c;
  double x, sequential, best;  // FLOP/byte, GFLOP/s
  std::string number;
};

std::vector<Mark> marks_of(const Run& run, const std::string& precision) {
  std::vector<Mark> marks;
  for (const Case& c : run.cases) {
    if (c.precision != precision || !(c.flops > 0) || !(c.intensity > 0) || !known(c.sequential.median_ns)) continue;
    const double best_ns = known(c.best_point.median_ns) ? c.best_point.median_ns : c.sequential.median_ns;
    marks.push_back(
        {&c, c.intensity, c.flops / c.sequential.median_ns, c.flops / best_ns, std::to_string(marks.size() + 1)});
  }
  return marks;
}

struct Slope {
  std::string words;  // of a cache level; empty for memory
  double bandwidth;   // GB/s
};

struct Ceil {
  int threads;
  double peak, memory;        // GFLOP/s, GB/s
  std::vector<Slope> caches;  // fastest first
};

std::vector<Ceil> ceilings_of(const Run& run, const std::string& precision) {
  std::vector<Ceil> out;
  for (const Ceiling& ceiling : run.ceilings) {
    const double peak = precision == "f64" ? ceiling.fma_f64 : ceiling.fma_f32;
    if (!known(peak) || !known(ceiling.triad)) continue;
    out.push_back({ceiling.threads, peak / 1e9, ceiling.triad / 1e9, {}});
    for (const CacheCeiling& cache : ceiling.caches)
      if (cache.triad > 0) out.back().caches.push_back({fmt::format("L{}", cache.level), cache.triad / 1e9});
  }
  return out;
}

// A slope of constant bandwidth, up to the peak.
void slope(Figure& f, double bandwidth, double peak, std::string_view color, double line_width, std::string_view dash) {
  f.straight(f.x.low, bandwidth * f.x.low, peak / bandwidth, peak, color, line_width, dash);
}

// Names along the slopes, where they enter the box, above their line; below it where the next one runs close above.
void slope_labels(Figure& f, std::vector<Slope> slopes) {
  std::ranges::stable_sort(slopes, std::ranges::greater{}, &Slope::bandwidth);
  const double up = f.py(2 * f.y.low) - f.py(f.y.low), across = f.px(2 * f.x.low) - f.px(f.x.low);
  const double angle = std::atan2(up, across);
  double before = INFINITY;
  for (const Slope& each : slopes) {
    const double along = std::max(f.box.left, f.px(f.y.low / each.bandwidth)) + 10;
    const double height = f.py(each.bandwidth * f.x.low);
    const double side = before - height < 13 / std::cos(angle) ? -7 : 6;
    before = height;
    const double bottom = height + (along - f.box.left) * std::tan(angle);
    f.text(fmt::format("{} {}", each.words, rate_words(each.bandwidth * 1e9, "B/s")), along - side * std::sin(angle),
           bottom + side * std::cos(angle), 9, soft, "left",
           fmt::format("rotate by {:.1f}", angle * 180 / std::numbers::pi));
  }
}

// Numbers below the points, where fewer lines run than above, each moved down past marks and numbers already there.
void number_labels(Figure& f, const std::vector<Mark>& marks) {
  std::vector<std::pair<double, double>> taken;
  for (const Mark& mark : marks)
    for (const double value : {mark.sequential, mark.best}) taken.emplace_back(f.px(mark.x), f.py(value));
  std::vector<std::size_t> order(marks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return -std::min(marks[i].best, marks[i].sequential); });
  for (const std::size_t i : order) {
    const double px = f.px(marks[i].x);
    double py = f.py(std::min(marks[i].best, marks[i].sequential)) - 12;
    while (std::ranges::any_of(taken, [&](const auto& other) {
      return std::fabs(other.first - px) < 14 && std::fabs(other.second - py) < 11;
    }))
      py -= 2;
    taken.emplace_back(px, py);
    f.text(marks[i].number, px, py, 9.5, ink, "center");
  }
}

// The names beside the plot, as far as the height lets.
void legend(Figure& f, const std::vector<Mark>& marks, double left) {
  constexpr double line_height = 13.5;
  const auto room = static_cast<std::size_t>(f.box.height() / line_height);
  double bottom = f.box.top - 4;
  for (std::size_t i = 0; i < marks.size(); ++i, bottom -= line_height) {
    if (i + 1 == room && marks.size() > room) {
      f.text(fmt::format("and {} more, in the CSV", marks.size() - i), left, bottom, 9, soft);
      break;
    }
    f.text(marks[i].number, left + 12, bottom, 9, ink, "right");
    f.text(shortened(marks[i].c->name, static_cast<std::size_t>((f.width - left - 24) / (9 * character_width))),
           left + 18, bottom, 9, ink);
  }
}

}  // namespace

std::optional<Plot> roofline_plot(const Run& run, const std::string& precision) {
  const std::vector<Mark> marks = marks_of(run, precision);
  const std::vector<Ceil> ceilings = ceilings_of(run, precision);
  if (marks.empty() || ceilings.empty()) return std::nullopt;

  Plot plot{"roofline_" + precision, "", "roofline", "Roofline, " + precision, "", ""};
  plot.csv = "kind,name,backend,threads,intensity_flop_per_byte,gflop_per_s,gb_per_s\n";
  double x_low = marks[0].x, x_high = marks[0].x, y_low = marks[0].sequential, y_high = 0;
  const auto include_ridge = [&](double ridge) {
    x_low = std::min(x_low, ridge);
    x_high = std::max(x_high, ridge);
  };
  // Caches of the largest thread count that has them: those of each count would fill the picture.
  const Ceil* cached = nullptr;
  for (const Ceil& ceiling : ceilings) {
    plot.csv += fmt::format("ceiling,memory,,{},,{},{}\n", ceiling.threads, field(ceiling.peak), field(ceiling.memory));
    for (const Slope& cache : ceiling.caches)
      plot.csv += fmt::format("ceiling,{},,{},,{},{}\n", cache.words, ceiling.threads, field(ceiling.peak),
                              field(cache.bandwidth));
    if (!ceiling.caches.empty()) cached = &ceiling;
    include_ridge(ceiling.peak / ceiling.memory);
    y_high = std::max(y_high, ceiling.peak);
  }
  if (cached)
    // A slope must be long enough for its name.
    for (const Slope& cache : cached->caches) include_ridge(cached->peak / cache.bandwidth / 3);
  for (const Mark& mark : marks) {
    const Case& c = *mark.c;
    plot.csv += fmt::format("sequential,{},sequential,1,{},{},\n", csv(series_name(c.name)), field(mark.x),
                            field(mark.sequential));
    plot.csv += fmt::format("best,{},{},{},{},{},\n", csv(series_name(c.name)), csv(series_name(c.best.backend)),
                            c.best.threads, field(mark.x), field(mark.best));
    x_low = std::min(x_low, mark.x);
    x_high = std::max(x_high, mark.x);
    y_low = std::min({y_low, mark.sequential, mark.best});
    y_high = std::max({y_high, mark.sequential, mark.best});
  }
  Figure f(plot.name);
  f.width = 820;
  f.box.left = 72;
  f.box.right = 505;
  f.x = {x_low / 2, x_high * 2, true};
  f.y = {y_low / 1.9, y_high * 1.5, true};
  std::string caption = fmt::format(
      "Hollow: the best sequential version; filled: the best of all, both {}. Lines: ceilings measured at each thread "
      "count, register-only fused multiply-adds and triad bandwidth from memory; darker means more threads.",
      sample_words(*marks[0].c));
  if (cached)
    caption += fmt::format(" Dashed: triad bandwidth from each cache level, all of {} together.",
                           counted(cached->threads, "thread"));
  caption += fmt::format(
      " Intensity counts compulsory traffic only, so a case that fits in cache may stand above memory's slope. {}.",
      where_words(run));
  frame(f, run, 360, "Roofline, " + precision, "Arithmetic speed against intensity · higher is better", caption);
  f.titles("arithmetic intensity (FLOP/byte, compulsory traffic)", "GFLOP/s");
  f.ticks('x', round_values(f.x.low, f.x.high));
  f.ticks('y', round_values(f.y.low, f.y.high));
  std::vector<EndLabel> labels;
  const bool every = ceilings.size() <= 10;
  for (std::size_t i = 0; i < ceilings.size(); ++i) {
    const Ceil& ceiling = ceilings[i];
    const std::string color = grey(i, ceilings.size());
    slope(f, ceiling.memory, ceiling.peak, color, 1.2, "solid");
    f.straight(ceiling.peak / ceiling.memory, ceiling.peak, f.x.high, ceiling.peak, color, 1.2);
    const int n = ceiling.threads;
    if (every || i + 1 == ceilings.size() || (n & (n - 1)) == 0)
      labels.push_back({fmt::format("{}: {}", counted(n, "thread"), number_words(ceiling.peak)), soft, f.box.right - 6,
                        f.py(ceiling.peak)});
  }
  if (cached) {
    for (const Slope& cache : cached->caches) slope(f, cache.bandwidth, cached->peak, soft, 1, "(6,4)");
    const Slope* fastest = &*std::ranges::max_element(cached->caches, {}, &Slope::bandwidth);
    f.straight(cached->peak / fastest->bandwidth, cached->peak, cached->peak / cached->memory, cached->peak, soft, 1,
               "(6,4)");
  }
  std::vector<Slope> named = cached ? cached->caches : std::vector<Slope>{};
  named.push_back({"memory", (cached ? *cached : ceilings.back()).memory});
  slope_labels(f, std::move(named));
  for (const Mark& mark : marks) {
    const Look look = look_of(mark.c->best.backend);
    const std::string series = gnuplot_quoted(series_name(mark.c->name));
    const auto point = [&](std::string_view kind) {
      return fmt::format("'{}.csv' using (strcol(1) eq '{}' && strcol(2) eq {} ? $5 : NaN):6", plot.name, kind, series);
    };
    f.line(f.px(mark.x), f.py(mark.sequential), f.px(mark.x), f.py(mark.best), look.color, 0.8);
    f.element(point("sequential") + fmt::format(" with points pt 6 ps 0.8 lw 1.2 lc rgb '{}'", ink));
    f.element(point("best") + fmt::format(" with points pt {} ps 0.9 lc rgb '{}'", look.marker, look.color));
  }
  number_labels(f, marks);
  end_labels(f, std::move(labels));
  legend(f, marks, f.box.right + 128);
  plot.script = f.script();
  return plot;
}

}  // namespace speedwell::bench::report
