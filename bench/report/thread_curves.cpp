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
      const bool wide =
          std::ranges::any_of(each.rows, [](const Row& row) { return row.interval.low < row.interval.high; });
      if (!peers && wide) f.intervals(x, column(4), column(5), each.look.color, 1.1);
      const double mark_size = peers ? 0.7 : sequential ? 1 : 0.75;
      f.element(fmt::format("'{}.csv' using {}:({}) with linespoints pt {} ps {:g} lc rgb '{}' lw {:g} dt {}", f.name,
                            x, column(3), each.look.marker, mark_size, each.look.color, peers ? 1.2 : 1.7,
                            each.look.dash));
      if (sequential) continue;
      const Row& last = each.rows.back();
      labels.push_back({each.words + "  " + words(last.value), peers ? "#6E6E6E" : each.look.color, f.px(last.threads),
                        f.py(last.value / unit)});
    }
  return labels;
}

std::string remarks(const std::vector<Series>& series) {
  std::string out;
  if (std::ranges::any_of(series, &Series::peer)) out += " Grey, dashed: other libraries.";
  if (std::ranges::count_if(series, is_parallel) > 1) out += " Markers are set apart sideways.";
  return out;
}

}  // namespace speedwell::bench::report
