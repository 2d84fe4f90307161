// SPDX-License-Identifier: Apache-2.0
#include "bench/report/thread_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

constexpr int peer_markers[] = {6, 4, 12, 8};

void add(Series& series, int threads, const Measured& measured, int samples) {
  if (!known(measured.value)) return;
  const bool sound = known(measured.interval);
  series.rows.push_back(
      {threads, measured.value, sound ? measured.interval : Interval{measured.value, measured.value}, samples});
}

bool is_parallel(const Series& series) { return !series.peer && series.look.series != "sequential"; }

// Where the curves run, with their intervals, within a label's width left of a place: from, to in pixels.
std::vector<std::pair<double, double>> taken_near(const Figure& f, const std::vector<Series>& series, double place,
                                                  double unit) {
  constexpr double width = 24, margin = 5;
  std::vector<std::pair<double, double>> out;
  const auto take = [&](double one, double other) {
    out.emplace_back(std::min(one, other) - margin, std::max(one, other) + margin);
  };
  for (const Series& each : series)
    for (std::size_t i = 0; i < each.rows.size(); ++i) {
      const Row& row = each.rows[i];
      const double x = f.px(row.threads), y = f.py(row.value / unit);
      if (std::fabs(x - place) < width) take(f.py(row.interval.low / unit), f.py(row.interval.high / unit));
      if (i + 1 == each.rows.size()) continue;
      const double next_x = f.px(each.rows[i + 1].threads),
                   slope = (f.py(each.rows[i + 1].value / unit) - y) / (next_x - x);
      const double from = std::max(x, place - width), to = std::min(next_x, place);
      if (from <= to) take(y + slope * (from - x), y + slope * (to - x));
    }
  std::ranges::sort(out);
  return out;
}

// The middle of a label of some length along a vertical line: at the bottom, else at the top, else where the largest
// gap is.
double free_middle(const Box& box, const std::vector<std::pair<double, double>>& taken, double length) {
  struct Gap {
    double from, to;
  };
  std::vector<Gap> gaps;
  double from = box.bottom;
  for (const auto& [low, high] : taken) {
    if (low > from) gaps.push_back({from, std::min(low, box.top)});
    from = std::max(from, high);
  }
  if (from < box.top) gaps.push_back({from, box.top});
  const auto fits = [&](const Gap& gap) { return gap.to - gap.from >= length + 5; };
  if (gaps.empty() || (gaps.front().from == box.bottom && fits(gaps.front()))) return box.bottom + 5 + length / 2;
  if (gaps.back().to == box.top && fits(gaps.back())) return box.top - 4 - length / 2;
  const Gap largest = *std::ranges::max_element(gaps, {}, [](const Gap& gap) { return gap.to - gap.from; });
  return std::clamp((largest.from + largest.to) / 2, box.bottom + length / 2, box.top - length / 2);
}

}  // namespace

std::vector<Series> series_of(const Case& c, const OfPoint& of_point, const OfPeer& of_peer) {
  std::vector<Series> out;
  for (const Curve& curve : c.curves) {
    out.push_back({series_name(curve.backend), curve.backend, look_of(curve.backend), false, {}});
    for (const Point& p : curve.points) add(out.back(), p.threads, of_point(p), p.samples);
  }
  std::size_t peers = 0;
  if (of_peer)
    for (const Peer& peer : c.peers) {
      if (!(peer.median_ns > 0)) continue;
      if (out.empty() || !out.back().peer || out.back().words != peer.name) {
        const Look look{"peer", peer_color, "(4,3)", peer_markers[peers++ % std::size(peer_markers)]};
        out.push_back({series_name("peer " + peer.name), peer.name, look, true, {}});
      }
      add(out.back(), peer.threads, of_peer(peer), 0);
    }
  std::erase_if(out, [](const Series& series) { return series.rows.empty(); });
  return out;
}

void Range::include(double value) {
  low = std::min(low, value);
  high = std::max(high, value);
}

void Range::include(const std::vector<Series>& series) {
  for (const Series& each : series)
    for (const Row& row : each.rows) {
      include(row.interval.low);
      include(row.interval.high);
    }
}

std::string csv_of(const std::vector<Series>& series, std::string_view column) {
  std::string out = fmt::format("series,threads,{},low,high,samples\n", column);
  for (const Series& each : series)
    for (const Row& row : each.rows)
      out += fmt::format("{},{},{},{},{},{}\n", csv(each.name), row.threads, field(row.value), field(row.interval.low),
                         field(row.interval.high), row.samples ? std::to_string(row.samples) : "");
  return out;
}

std::vector<EndLabel> draw(Figure& f, const std::vector<Series>& series,
                           const std::function<std::string(double)>& words, double unit) {
  const auto column = [&](int i) { return unit == 1 ? fmt::format("${}", i) : fmt::format("(${}/{:g})", i, unit); };
  const auto parallel = static_cast<std::size_t>(std::ranges::count_if(series, is_parallel));
  std::size_t place = 0;
  std::vector<EndLabel> labels;
  // References first: ours are drawn over them.
  for (const bool peers : {true, false})
    for (const Series& each : series) {
      if (each.peer != peers) continue;
      const double factor = is_parallel(each) ? set_apart(f, place++, parallel) : 1;
      const std::string x = in_series(each.name, fmt::format("$2*{:.5f}", factor));
      const bool sequential = each.look.series == "sequential";
      if (!peers && !sequential) f.intervals(x, column(4), column(5), each.look.color, 1.1);
      f.element(fmt::format("'{}.csv' using {}:({}) with linespoints pt {} ps {:g} lc rgb '{}' lw {:g} dt {}", f.name,
                            x, column(3), each.look.marker,
                            peers        ? 0.7
                            : sequential ? 1.0
                                         : 0.75,
                            each.look.color, peers ? 1.2 : 1.7, each.look.dash));
      if (sequential) continue;
      const Row& last = each.rows.back();
      labels.push_back({each.words + "  " + words(last.value), peers ? "#6E6E6E" : each.look.color, f.px(last.threads),
                        f.py(last.value / unit)});
    }
  return labels;
}

void limits(Figure& f, const Run& run, const std::vector<Series>& series, double unit) {
  std::vector<std::pair<double, std::string>> lines;
  if (known(run.physical_cores)) lines.emplace_back(run.physical_cores, "physical cores");
  if (known(run.quota_cpus)) {
    if (!lines.empty() && lines[0].first == run.quota_cpus) {
      lines[0].second = "cores and quota";
    } else {
      lines.emplace_back(run.quota_cpus, "quota");
    }
  }
  for (const auto& [value, words] : lines) {
    if (value < f.x.low || value > f.x.high) continue;
    const double place = f.px(value);
    f.line(place, f.box.bottom, place, f.box.top, reference, 0.9, "(2,4)");
    const double length = 9 * 0.53 * static_cast<double>(words.size());
    f.text(words, place - 8, free_middle(f.box, taken_near(f, series, place, unit), length), 9, soft, "center",
           "rotate by 90");
  }
}

std::vector<Series> with_line(std::vector<Series> series, const std::vector<std::pair<int, double>>& line) {
  series.push_back({"", "", {}, true, {}});
  for (const auto& [threads, value] : line) series.back().rows.push_back({threads, value, {value, value}, 0});
  return series;
}

std::string remarks(const std::vector<Series>& series) {
  std::string out;
  if (std::ranges::any_of(series, &Series::peer)) out += " Grey, dashed: other libraries.";
  if (std::ranges::count_if(series, is_parallel) > 1) out += " Markers are set apart sideways.";
  return out;
}

}  // namespace speedwell::bench::report
