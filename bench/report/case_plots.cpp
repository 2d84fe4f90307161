// SPDX-License-Identifier: Apache-2.0
// Speedup, efficiency, time, throughput and the Karp-Flatt metric of one case against threads.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/report/plot_kinds.hpp"
#include "bench/report/thread_curves.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

Measured speedup_of(const Point& p) {
  if (!(p.speedup > 0)) return {};
  return {p.speedup, p.speedup_ci.low > 0 ? p.speedup_ci : Interval{}};
}

// Peers are timed, not paired by round: the ratio of medians.
double speedup_of(const Case& c, const Peer& peer) { return c.sequential.median_ns / peer.median_ns; }

const Curve* best_fitted(const Case& c) {
  const Curve* curve = c.curve(c.best.backend);
  return curve && curve->law.law != "none" && !curve->law.predicted.empty() ? curve : nullptr;
}

std::string law_words(const std::string& law) {
  return law == "usl" ? "universal scalability law" : law == "amdahl" ? "Amdahl's law" : law + " law";
}

struct RoofAt {
  int threads;
  double speedup;
  std::string bound;
};

std::vector<RoofAt> roofs_of(const Case& c, const std::vector<int>& counts) {
  std::vector<RoofAt> out;
  for (const int threads : counts)
    if (const Roof r = roof(c, threads); known(r.speedup)) out.push_back({threads, r.speedup, r.bound});
  return out;
}

// Rows for the CSV, and the dotted line, of the most that the measured ceilings allow; `scale` turns speedups into the
// plot's unit.
std::string roof_rows(const std::vector<RoofAt>& roofs, double scale) {
  std::string out;
  for (const RoofAt& each : roofs) out += fmt::format("roof,{},{},,,\n", each.threads, field(each.speedup * scale));
  return out;
}

// "memory roof", "L2 roof"; what bounds a point without being a roof isn't named.
std::string roof_words(const std::string& bound) {
  if (bound == "l1" || bound == "l2" || bound == "l3") return "L" + bound.substr(1) + " roof";
  return bound == "compute" || bound == "memory" || bound == "imbalance" ? bound + " roof" : "roof";
}

void draw_roof(Figure& f, const std::vector<RoofAt>& roofs, double scale, std::vector<EndLabel>& labels) {
  if (roofs.empty()) return;
  f.element(fmt::format("'{}.csv' using {}:3 with lines lc rgb '{}' lw 1.6 dt (1.5,3)", f.name, in_series("roof", "$2"),
                        ink));
  const double last = roofs.back().speedup * scale;
  if (last > f.y.low && last < f.y.high)
    labels.push_back({roof_words(roofs.back().bound), ink, f.px(roofs.back().threads), f.py(last)});
}

constexpr std::string_view roof_caption = " Dotted: the most that the measured ceilings allow.";

}  // namespace

std::optional<Plot> speedup_plot(const Run& run, const Case& c, const std::string& stem) {
  if (!has_speedups(c)) return std::nullopt;
  Plot plot{stem + "_speedup", c.name, "speedup", "Speedup of " + c.name + " against threads", "", ""};
  const std::vector<int> counts = thread_counts(c);
  const std::vector<Series> series = series_of(
      c, [](const Point& p) { return speedup_of(p); },
      [&](const Peer& p) {
        return Measured{speedup_of(c, p), {}};
      });
  const std::vector<RoofAt> roofs = roofs_of(c, counts);
  plot.csv = csv_of(series, "speedup");
  const Curve* fitted = best_fitted(c);
  const std::string band = fitted ? "law " + series_name(fitted->backend) : "";
  if (fitted)
    for (const Prediction& p : fitted->law.predicted)
      if (known(p.band) && p.band.low > 0)
        plot.csv += fmt::format("{},{},{},{},{},\n", csv(band), p.threads, field(p.speedup), field(p.band.low),
                                field(p.band.high));
  plot.csv += roof_rows(roofs, 1);

  Figure f(plot.name);
  thread_axis(f, counts);
  Range range{1, static_cast<double>(counts.back())};
  range.include(series);
  for (const RoofAt& each : roofs) range.include(std::min(each.speedup, 1.3 * counts.back()));
  const double octaves = std::log2(f.x.high / f.x.low);
  f.y = {range.low / std::exp2(0.06 * octaves), range.high * std::exp2(0.06 * octaves), true};
  const double across = f.box.width();
  // One octave of speedup is as long as one of threads, unless the picture would become a strip.
  const double box_height = std::clamp(across * std::log2(f.y.high / f.y.low) / octaves, 0.6 * across, 1.0 * across);
  std::string caption = fmt::format(
      "Median, {}, 95 % bootstrap interval of ratios paired by round. Speedup is against the best sequential version "
      "({}; black square). {}. Grey line: ideal.",
      sample_words(c), time_words(c.sequential.median_ns), where_words(run));
  if (fitted) caption += fmt::format(" Band: 95 % of {} fitted to {}.", law_words(fitted->law.law), fitted->backend);
  if (!roofs.empty()) caption += roof_caption;
  frame(f, run, box_height, c.name, "Speedup against threads · higher is better", caption + remarks(series));
  f.titles("threads", "speedup");
  thread_ticks(f, counts);
  f.ticks('y', speedup_values(f.y.low, f.y.high));
  limits(f, run);
  f.straight(f.x.low, f.x.low, f.x.high, f.x.high, reference);

  if (fitted)
    f.element(fmt::format("'{}.csv' using {}:4:5 with filledcurves fc rgb '{}' fs transparent solid 0.15 noborder",
                          f.name, in_series(band, "$2"), look_of(fitted->backend).color));
  std::vector<EndLabel> labels{{"ideal", soft, f.px(counts.back()), f.py(counts.back())}};
  draw_roof(f, roofs, 1, labels);
  std::ranges::move(draw(f, series, factor_words), std::back_inserter(labels));
  end_labels(f, std::move(labels));
  plot.script = f.script();
  return plot;
}

std::optional<Plot> efficiency_plot(const Run& run, const Case& c, const std::string& stem) {
  if (!has_speedups(c)) return std::nullopt;
  Plot plot{
      stem + "_efficiency", c.name, "efficiency", "Parallel efficiency of " + c.name + " against threads", "", ""};
  const std::vector<int> counts = thread_counts(c);
  const std::vector<Series> series = series_of(
      c,
      [](const Point& p) {
        const Measured m = speedup_of(p);
        const double scale = 100.0 / p.threads;
        return Measured{m.value * scale, {m.interval.low * scale, m.interval.high * scale}};
      },
      [&](const Peer& p) {
        return Measured{100 * speedup_of(c, p) / p.threads, {}};
      });
  plot.csv = csv_of(series, "efficiency_percent");
  Figure f(plot.name);
  thread_axis(f, counts);
  Range range{0, 110 / 1.05};
  range.include(series);
  f.y = {0, range.high * 1.05, false};
  std::string caption = fmt::format(
      "Speedup over the best sequential version ({}; black square), divided by threads. Median, {}, 95 % bootstrap "
      "interval. {}.",
      time_words(c.sequential.median_ns), sample_words(c), where_words(run));
  if (f.y.high > 110.1) caption += " Above 100 %: more than the cores explain, such as more cache in all.";
  frame(f, run, 260, c.name, "Efficiency against threads · higher is better", caption + remarks(series));
  f.titles("threads", "efficiency (%)");
  thread_ticks(f, counts);
  f.ticks('y', f.y.high > 200 ? even_values(0, f.y.high) : even_values(0, f.y.high, 5));
  limits(f, run);
  f.straight(f.x.low, 100, f.x.high, 100, reference);
  std::vector<EndLabel> labels{{"ideal", soft, f.box.right - 5, f.py(100)}};
  std::ranges::move(draw(f, series, percent_words), std::back_inserter(labels));
  end_labels(f, std::move(labels));
  plot.script = f.script();
  return plot;
}

std::optional<Plot> time_plot(const Run& run, const Case& c, const std::string& stem) {
  if (c.curves.empty()) return std::nullopt;
  Plot plot{stem + "_time", c.name, "time", "Time of " + c.name + " against threads", "", ""};
  const std::vector<int> counts = thread_counts(c);
  const std::vector<Series> series = series_of(
      c,
      [](const Point& p) {
        return Measured{p.median_ns, p.ns.low > 0 ? p.ns : Interval{}};
      },
      [](const Peer& p) {
        return Measured{p.median_ns, p.ns.low > 0 ? p.ns : Interval{}};
      });
  plot.csv = csv_of(series, "median_ns");
  Figure f(plot.name);
  thread_axis(f, counts);
  Range range{series[0].rows[0].value, series[0].rows[0].value};
  range.include(series);
  const double log_low = std::log10(range.low);
  constexpr std::string_view names[] = {"ns", "µs", "ms", "s"};
  const auto step = static_cast<std::size_t>(std::clamp(std::floor(log_low / 3), 0.0, 3.0));
  const double unit = std::pow(1000, static_cast<double>(step));
  const double pad = std::pow(range.high / range.low, 0.07) * 1.03;
  f.y = {range.low / pad / unit, range.high * pad / unit, true};
  const bool has_sequential = known(c.sequential.median_ns);
  std::string caption = fmt::format("Median, {}, 95 % interval by binomial ranks. ", sample_words(c));
  if (has_sequential)
    caption += fmt::format("Grey line: the best sequential version ({}; black square) divided by threads. ",
                           time_words(c.sequential.median_ns));
  frame(f, run, 320, c.name, "Time of one call against threads · lower is better",
        caption + where_words(run) + "." + remarks(series));
  f.titles("threads", fmt::format("time ({})", names[step]));
  thread_ticks(f, counts);
  f.ticks('y', round_values(f.y.low, f.y.high));
  limits(f, run);
  std::vector<EndLabel> labels;
  if (has_sequential) {
    const double sequential = c.sequential.median_ns / unit;
    f.straight(f.x.low, sequential / f.x.low, f.x.high, sequential / f.x.high, reference);
    if (const double end = sequential / counts.back(); end > f.y.low)
      labels.push_back({"ideal", soft, f.px(counts.back()), f.py(end)});
  }
  std::ranges::move(draw(f, series, time_words, unit), std::back_inserter(labels));
  end_labels(f, std::move(labels));
  plot.script = f.script();
  return plot;
}

std::optional<Plot> throughput_plot(const Run& run, const Case& c, const std::string& stem) {
  if (c.curves.empty() || (!(c.flops > 0) && !(c.bytes > 0))) return std::nullopt;
  // Arithmetic where a call does at least one operation a byte; else the bytes say more of what limits it.
  const bool arithmetic = c.flops >= c.bytes;
  const bool floating = c.precision.starts_with('f');
  const std::string unit = !arithmetic ? "GB/s" : floating ? "GFLOP/s" : "Gop/s";
  const double work = arithmetic ? c.flops : c.bytes;  // over ns: in units of 10^9 a second
  Plot plot{stem + "_throughput", c.name, "throughput", "Throughput of " + c.name + " against threads", "", ""};
  const std::vector<int> counts = thread_counts(c);
  const auto rate = [&](double ns, Interval in_ns) {
    return Measured{work / ns, in_ns.low > 0 ? Interval{work / in_ns.high, work / in_ns.low} : Interval{}};
  };
  const std::vector<Series> series = series_of(
      c, [&](const Point& p) { return rate(p.median_ns, p.ns); },
      [&](const Peer& p) { return rate(p.median_ns, p.ns); });
  const std::vector<RoofAt> roofs = roofs_of(c, counts);
  const double scale = work / c.sequential.median_ns;
  plot.csv = csv_of(series, arithmetic ? floating ? "gflop_per_s" : "gop_per_s" : "gb_per_s") + roof_rows(roofs, scale);
  Figure f(plot.name);
  thread_axis(f, counts);
  Range range{series[0].rows[0].value, series[0].rows[0].value};
  range.include(series);
  const double measured = range.high;
  for (const RoofAt& each : roofs) range.include(std::min(each.speedup * scale, 1.5 * measured));
  const double pad = std::pow(range.high / range.low, 0.07) * 1.03;
  f.y = {range.low / pad, range.high * pad, true};
  std::string caption = fmt::format("{} of one call over its median time, {}, 95 % interval. {}.",
                                    !arithmetic ? "Compulsory bytes"
                                    : floating  ? "Floating-point operations"
                                                : "Operations",
                                    sample_words(c), where_words(run));
  if (known(c.sequential.median_ns)) caption += " Black square: the best sequential version.";
  if (!roofs.empty()) caption += roof_caption;
  frame(f, run, 320, c.name, "Throughput against threads · higher is better", caption + remarks(series));
  f.titles("threads", unit);
  thread_ticks(f, counts);
  f.ticks('y', round_values(f.y.low, f.y.high));
  limits(f, run);
  std::vector<EndLabel> labels;
  draw_roof(f, roofs, scale, labels);
  std::ranges::move(draw(f, series, [](double value) { return number_words(value); }), std::back_inserter(labels));
  end_labels(f, std::move(labels));
  plot.script = f.script();
  return plot;
}

std::optional<Plot> karp_flatt_plot(const Run& run, const Case& c, const std::string& stem) {
  const auto serial_percent = [](double speedup, double p) { return 100 * (1 / speedup - 1 / p) / (1 - 1 / p); };
  const std::vector<Series> series = series_of(c, [&](const Point& p) {
    const Measured m = p.threads > 1 ? speedup_of(p) : Measured{};
    // The faster, the smaller.
    return Measured{serial_percent(m.value, p.threads),
                    Interval{serial_percent(m.interval.high, p.threads), serial_percent(m.interval.low, p.threads)}};
  });
  if (std::ranges::none_of(series, [](const Series& each) { return each.rows.size() >= 3; })) return std::nullopt;
  Plot plot{stem + "_karp_flatt", c.name, "karp_flatt", "Karp-Flatt metric of " + c.name + " against threads", "", ""};
  plot.csv = csv_of(series, "serial_percent");
  std::vector<int> counts = thread_counts(c);
  std::erase(counts, 1);
  Figure f(plot.name);
  thread_axis(f, counts);
  Range range{0, 1};
  range.include(series);
  const double pad = 0.06 * (range.high - range.low);
  f.y = {range.low < 0 ? range.low - pad : 0, range.high + pad, false};
  std::string caption = fmt::format(
      "e = (1/S \u2212 1/p) / (1 \u2212 1/p) for the speedup S on p threads, {}, 95 % bootstrap interval. Flat: a "
      "serial part of "
      "that size; rising with threads: overhead or a shared resource. {}.",
      sample_words(c), where_words(run));
  if (range.low < 0) caption += " Below zero: more than ideal.";
  frame(f, run, 260, c.name, "Serial part by Karp and Flatt against threads · lower is better",
        caption + remarks(series));
  f.titles("threads", "serial part (%)");
  thread_ticks(f, counts);
  f.ticks('y', even_values(f.y.low, f.y.high));
  limits(f, run);
  f.straight(f.x.low, 0, f.x.high, 0, reference);
  end_labels(f, draw(f, series, percent_words));
  plot.script = f.script();
  return plot;
}

}  // namespace speedwell::bench::report
