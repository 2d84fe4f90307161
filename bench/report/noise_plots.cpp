// SPDX-License-Identifier: Apache-2.0
// How steady the run was: round by round for one case and for all, and how narrow its intervals came out.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "bench/report/figure.hpp"
#include "bench/report/plot_kinds.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

// The rounds that the sweep goes on for at most end where an interval is this narrow to either side.
constexpr double aimed_at_percent = 2;

double percent_off(double ns, double median_ns) { return 100 * (ns / median_ns - 1); }

// Linear between the two nearest values of a sorted, not empty list.
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return quantile(values, 0.5);
}

std::string signed_percent(double percent) {
  return (percent < 0 ? "\u2212" : "+") + percent_words(std::fabs(percent));
}

void round_axis(Figure& f, int last, bool labelled = true) {
  f.x = {0.4, last + 0.6, false};
  Ticks at;
  for (const double value : even_values(1, last, 10))
    if (value == std::floor(value)) at.emplace_back(value, labelled ? fmt::format("{:g}", value) : "");
  f.ticks('x', at);
}

// Zero, and how far apart two identical cells were found.
void floor_lines(Figure& f, const Run& run) {
  f.straight(f.x.low, 0, f.x.high, 0, reference);
  if (!known(run.noise_floor)) return;
  for (const double side : {-100.0, 100.0})
    f.straight(f.x.low, side * run.noise_floor, f.x.high, side * run.noise_floor, soft, 0.9, "(6,4)");
}

std::string floor_caption(const Run& run) {
  return known(run.noise_floor) ? fmt::format(" Dashed: the noise floor, {}, measured by a twin cell.",
                                              percent_words(100 * run.noise_floor))
                                : "";
}

}  // namespace

std::optional<Plot> rounds_plot(const Run& run, const Case& c, const std::string& stem) {
  struct Strip {
    const Curve* curve;
    std::map<int, std::vector<double>> by_round;
    double low = 0, high = 0;
  };
  Plot plot{stem + "_rounds", c.name, "rounds", "Samples of " + c.name + " round by round", "", ""};
  plot.csv = "series,round,place,percent_off_the_median,threads\n";
  std::vector<Strip> strips;
  int last = 0;
  double farthest = known(run.noise_floor) ? 130 * run.noise_floor : 0.1;
  for (const Curve& curve : c.curves) {
    Strip strip{&curve, {}};
    const double cells = static_cast<double>(curve.points.size());
    for (std::size_t i = 0; i < curve.points.size(); ++i)
      for (const auto& [round, ns] : curve.points[i].rounds) {
        const double off = percent_off(ns, curve.points[i].median_ns);
        // Cells side by side within a round, by rising thread count.
        const double place = round + (static_cast<double>(i) - (cells - 1) / 2) * std::min(0.16, 0.7 / cells);
        plot.csv += fmt::format("{},{},{},{},{}\n", csv(series_name(curve.backend)), round, field(place), field(off),
                                curve.points[i].threads);
        strip.by_round[round].push_back(off);
        strip.low = std::min(strip.low, off);
        strip.high = std::max(strip.high, off);
        last = std::max(last, round);
      }
    farthest = std::max({farthest, -strip.low, strip.high});
    if (!strip.by_round.empty()) strips.push_back(std::move(strip));
  }
  if (last < 3) return std::nullopt;
  for (const Strip& strip : strips)
    for (const auto& [round, values] : strip.by_round)
      plot.csv += fmt::format("median {},{},{},{},\n", csv(series_name(strip.curve->backend)), round, round,
                              field(median(values)));

  constexpr double strip_height = 68, gap = 12;
  Figure f(plot.name);
  const double count = static_cast<double>(strips.size());
  frame(
      f, run, count * strip_height + (count - 1) * gap, c.name,
      "Samples round by round · flat and close to zero is better",
      fmt::format("Each mark is a sample: its time against the median of its cell, cells of one model side by side by "
                  "rising thread count. Line: the median of a round. {}, {}.{} All strips have the same scale.",
                  sample_words(c), where_words(run), floor_caption(run)));
  const Box whole = f.box;
  f.text("round", (whole.left + whole.right) / 2, whole.bottom - 36, 11, ink, "center");
  f.text("off the cell’s median (%)", 14, (whole.bottom + whole.top) / 2, 11, ink, "center", "rotate by 90");
  f.y = {-1.08 * farthest, 1.08 * farthest, false};
  for (std::size_t i = 0; i < strips.size(); ++i) {
    const Strip& strip = strips[i];
    const Look look = look_of(strip.curve->backend);
    f.box.top = whole.top - static_cast<double>(i) * (strip_height + gap);
    f.box.bottom = f.box.top - strip_height;
    round_axis(f, last, i + 1 == strips.size());
    f.ticks('y', even_values(f.y.low, f.y.high, 3));
    floor_lines(f, run);
    const std::string name = series_name(strip.curve->backend);
    f.element(fmt::format("'{}.csv' using {}:4 with points pt {} ps 0.45 lc rgb '#90{}'", f.name, in_series(name, "$3"),
                          look.marker, look.color.substr(1)));
    f.element(fmt::format("'{}.csv' using {}:4 with lines lc rgb '{}' lw 1.6", f.name,
                          in_series("median " + name, "$3"), look.color));
    const double middle = (f.box.bottom + f.box.top) / 2;
    f.marker(look, f.box.right + 20, middle + 8, 0.8);
    f.text(shortened(strip.curve->backend, 16), f.box.right + 30, middle + 8, 11, look.color);
    f.text(signed_percent(strip.low) + " to " + signed_percent(strip.high), f.box.right + 30, middle - 8, 9, soft);
    f.finish_panel();
  }
  plot.script = f.script();
  return plot;
}

std::optional<Plot> drift_plot(const Run& run) {
  struct Sample {
    double off;
    std::string cell;
  };
  std::map<int, std::vector<Sample>> by_round;
  for (const Case& c : run.cases)
    for (const Curve& curve : c.curves)
      for (const Point& p : curve.points)
        for (const auto& [round, ns] : p.rounds)
          by_round[round].push_back(
              {percent_off(ns, p.median_ns), fmt::format("{}/{}/{}", c.name, curve.backend, p.threads)});
  if (by_round.size() < 3) return std::nullopt;
  Plot plot{"drift", "", "drift", "All samples of the run round by round", "", ""};
  plot.csv = "round,cells,least,5_percent,25_percent,median,75_percent,95_percent,most\n";
  Figure f(plot.name);
  std::vector<Interval> bars;
  std::vector<double> reaches;
  const Sample* farthest = nullptr;
  int farthest_round = 0;
  std::size_t fewest = by_round.begin()->second.size(), most = 0;
  for (auto& [round, samples] : by_round) {
    std::ranges::stable_sort(samples, {}, &Sample::off);
    std::vector<double> off;
    for (const Sample& sample : samples) off.push_back(sample.off);
    plot.csv += fmt::format("{},{}", round, off.size());
    for (const double q : {0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0}) plot.csv += "," + field(quantile(off, q));
    plot.csv += '\n';
    bars.push_back({quantile(off, 0.05), quantile(off, 0.95)});
    reaches.push_back(std::max(-bars.back().low, bars.back().high));
    fewest = std::min(fewest, off.size());
    most = std::max(most, off.size());
    for (const Sample* sample : {&samples.front(), &samples.back()})
      if (!farthest || std::fabs(sample->off) > std::fabs(farthest->off)) {
        farthest = sample;
        farthest_round = round;
      }
  }
  // One disturbed round must not flatten the others: its bars leave the picture, and their ends are written there.
  double reach = std::min(*std::ranges::max_element(reaches), 3 * median(reaches));
  reach = 1.1 * std::max(reach, known(run.noise_floor) ? 120 * run.noise_floor : 0.1);
  f.y = {-reach, reach, false};
  const std::string cells = fewest == most ? fmt::format("{} cells in each round", most)
                                           : fmt::format("{} to {} cells in a round", fewest, most);
  frame(
      f, run, 260, "Drift of the run", "All samples round by round · flat and close to zero is better",
      fmt::format(
          "Each sample against the median of its cell, {}. Line: the median of the round; box: the middle half; "
          "bars: nine in ten. A machine that slows down or is shared lifts a whole round. The farthest sample "
          "is {} off ({}, round {}).{} {}.",
          cells, signed_percent(farthest->off), farthest->cell, farthest_round, floor_caption(run), where_words(run)));
  f.titles("round", "off the cell’s median (%)");
  round_axis(f, by_round.rbegin()->first);
  f.ticks('y', even_values(f.y.low, f.y.high));
  floor_lines(f, run);
  const std::string_view color = looks()[1].color;
  std::size_t i = 0;
  for (const auto& [round, samples] : by_round) {
    const Interval bar = bars[i++];
    if (bar.high > reach) f.text(signed_percent(bar.high), f.px(round) + 5, f.box.top - 6, 9, color);
    if (bar.low < -reach) f.text(signed_percent(bar.low), f.px(round) + 5, f.box.bottom + 7, 9, color);
  }
  f.intervals("1", "$4", "$8", color, 1);
  f.element(
      fmt::format("'drift.csv' using 1:6:($1-0.28):($1+0.28):5:7 with boxxyerror fc rgb '{0}' fs transparent solid "
                  "0.25 border lc rgb '{0}'",
                  color));
  f.element(fmt::format("'drift.csv' using 1:6 with linespoints pt 7 ps 0.6 lc rgb '{}' lw 1.6", ink));
  std::vector<EndLabel> labels;
  const auto& [last, samples] = *by_round.rbegin();
  labels.push_back({"median of the round", ink, f.px(last), f.py(samples[samples.size() / 2].off)});
  if (known(run.noise_floor)) labels.push_back({"noise floor", soft, f.box.right - 5, f.py(100 * run.noise_floor)});
  end_labels(f, std::move(labels));
  plot.script = f.script();
  return plot;
}

std::optional<Plot> intervals_plot(const Run& run) {
  struct Lane {
    std::string backend;
    std::vector<double> percent;
  };
  std::vector<Lane> lanes;
  Plot plot{"intervals", "", "intervals", "How narrow the intervals of the run's cells are", "", ""};
  plot.csv = "backend,case,threads,half_width_percent,place\n";
  double low = aimed_at_percent, high = aimed_at_percent;
  if (run.noise_floor > 0) low = std::min(low, 100 * run.noise_floor);
  std::string rows;
  for (const Case& c : run.cases)
    for (const Curve& curve : c.curves)
      for (const Point& p : curve.points) {
        if (!known(p.ns)) continue;
        auto lane = std::ranges::find(lanes, curve.backend, &Lane::backend);
        if (lane == lanes.end()) lane = lanes.insert(lane, Lane{curve.backend, {}});
        const double percent = 50 * (p.ns.high - p.ns.low) / p.median_ns;
        // Multiples of the golden ratio spread evenly, whatever their number, and the same way every time.
        const double turn = static_cast<double>(lane->percent.size()) * 0.6180339887;
        const double place = static_cast<double>(lane - lanes.begin()) + 0.56 * (turn - std::floor(turn) - 0.5);
        lane->percent.push_back(percent);
        // What no logarithmic axis can hold stands at its end.
        constexpr double least = 0.005;
        low = std::min(low, std::max(percent, least));
        high = std::max(high, percent);
        plot.csv += fmt::format("{},{},{},{},{}\n", csv(series_name(curve.backend)), csv(series_name(c.name)),
                                p.threads, field(std::max(percent, least)), field(place));
      }
  if (lanes.empty()) return std::nullopt;

  constexpr double lane_height = 44;
  Figure f(plot.name);
  f.box.left = 110;
  f.box.right = 510;
  f.x = {low / 1.4, high * 1.4, true};
  f.y = {static_cast<double>(lanes.size()) - 0.4, -0.6, false};
  std::string caption = fmt::format(
      "One mark a cell: half the width of the 95 % interval of its median time, over the median; bar: the median of "
      "the "
      "marks. The sweep adds rounds where an interval is wider than {:g} %.",
      aimed_at_percent);
  if (known(run.noise_floor))
    caption +=
        " What lies left of the noise floor is known more precisely than two identical cells agree: differences "
        "below that floor aren't told apart, however narrow the intervals.";
  constexpr double above = 14;  // for the names of the lines
  frame(f, run, lane_height * static_cast<double>(lanes.size()) + above, "How finely the run can tell",
        "Half width of each cell’s interval · narrower is better", caption + " " + where_words(run) + ".");
  f.box.top -= above;
  f.titles("half width of the interval (% of the median)", "");
  f.ticks('x', round_values(f.x.low, f.x.high));
  f.ticks('y', Ticks{});
  const auto named_line = [&](double percent, const std::string& words, std::string_view align) {
    f.straight(percent, f.y.low, percent, f.y.high, soft, 0.9, "(6,4)");
    f.text(words, f.px(percent) + (align == "right" ? 4 : -4), f.box.top + 8, 9, soft, align);
  };
  const bool floor = run.noise_floor > 0;
  const bool floor_first = floor && 100 * run.noise_floor < aimed_at_percent;
  if (floor)
    named_line(100 * run.noise_floor, "noise floor " + percent_words(100 * run.noise_floor),
               floor_first ? "right" : "left");
  named_line(aimed_at_percent, fmt::format("aimed at: {:g} %", aimed_at_percent),
             floor && !floor_first ? "right" : "left");
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const Look look = look_of(lanes[i].backend);
    const double at = static_cast<double>(i), middle = f.py(at);
    const double centre = median(lanes[i].percent);
    f.element(fmt::format("'{}.csv' using {}:5 with points pt {} ps 0.6 lc rgb '#60{}'", f.name,
                          in_series(series_name(lanes[i].backend), "$4"), look.marker, look.color.substr(1)));
    f.straight(std::max(centre, f.x.low), at - 0.4, std::max(centre, f.x.low), at + 0.4, look.color, 2.4);
    f.text(shortened(lanes[i].backend, 14), f.box.left - 10, middle, 11, look.color, "right");
    const auto wide = std::ranges::count_if(lanes[i].percent, [](double p) { return p > aimed_at_percent; });
    f.text("median " + percent_words(centre), f.box.right + 12, middle + 7, 9.5, ink);
    f.text(fmt::format("{} of {} above {:g} %", wide, counted(static_cast<double>(lanes[i].percent.size()), "cell"),
                       aimed_at_percent),
           f.box.right + 12, middle - 7, 9.5, soft);
  }
  plot.script = f.script();
  return plot;
}

}  // namespace speedwell::bench::report
