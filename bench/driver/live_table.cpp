// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/live_table.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cstddef>
#include <limits>

#include "bench/driver/plan.hpp"
#include "bench/terminal.hpp"
#include "runtime/scaling/statistics.hpp"
#include "runtime/scaling/words.hpp"

namespace speedwell::bench {

namespace {

constexpr const char* sequential = "sequential";

// The time of one over the time of the other, in the rounds that have both. The median's binomial interval, as a
// bootstrap takes too long beside a measurement.
std::vector<double> ratios(const std::map<int, double>& one, const std::map<int, double>& other) {
  std::vector<double> values;
  for (const auto& [round, ns] : one) {
    if (const auto found = other.find(round); found != other.end()) values.push_back(ns / found->second);
  }
  return values;
}

}  // namespace

struct LiveTable::Row {
  std::string name{}, time{}, speedup{}, interval{}, winner{}, rounds{}, bars{};
};

void LiveTable::add(const Cell& cell, int round, double ns) {
  const std::string plain = fmt::format("{}/{}/{}", cell.case_name, cell.backend, cell.threads);
  const bool helper = is_ceiling(cell) || is_weak(cell);
  if (cell.peer || helper || cell.name != plain) return;
  const auto [place, added] = places_.try_emplace(cell.case_name, cases_.size());
  if (added) cases_.push_back({.name = cell.case_name});
  Case& one = cases_[place->second];
  (cell.backend == sequential ? one.sequential : one.models[cell.backend][cell.threads])[round] = ns;
}

LiveTable::Row LiveTable::row_of(const Case& one) {
  Row row{.name = one.name, .time = "-", .speedup = "-"};
  std::vector<double> times;
  for (const auto& [round, ns] : one.sequential) times.push_back(ns);
  if (times.empty()) return row;
  row.time = scaling::duration(scaling::median(times));
  row.rounds = fmt::format("n {}", times.size());
  double best = 0;
  std::vector<double> curve;
  int most_threads = 1;
  for (const auto& [backend, counts] : one.models) {
    std::vector<double> speedups;
    bool leads = false;
    for (const auto& [threads, rounds] : counts) {
      const std::vector<double> paired = ratios(one.sequential, rounds);
      speedups.push_back(paired.empty() ? std::numeric_limits<double>::quiet_NaN() : scaling::median(paired));
      if (paired.empty() || speedups.back() <= best) continue;
      best = speedups.back();
      leads = true;
      row.speedup = fmt::format("{}×", scaling::number(best));
      const bool enough = static_cast<int>(paired.size()) >= scaling::fewest_for_95_percent;
      row.interval = enough ? fmt::format("({})", scaling::range(scaling::median_interval(paired))) : "";
      row.winner = fmt::format("{}@{}", backend, threads);
    }
    if (!leads) continue;
    curve = speedups;
    most_threads = counts.rbegin()->first;
  }
  row.bars = bars(curve, most_threads);
  return row;
}

std::vector<std::string> LiveTable::lines(int rows, int width, int page) const {
  // A head, and at least one case.
  if (rows < 2 || cases_.empty()) return {};
  const int count = static_cast<int>(cases_.size());
  const bool all = count <= rows - 1;
  const int a_page = all ? count : std::max(1, rows - 2);
  const int pages = (count + a_page - 1) / a_page;
  const int first = page % pages * a_page;
  const int last = std::min(first + a_page, count);

  std::vector<Row> shown = {{"best so far", "sequential", "speedup", "", "", "", ""}};
  for (int i = first; i < last; ++i) shown.push_back(row_of(cases_[static_cast<std::size_t>(i)]));
  // From the least worth keeping on, columns go where the line is too long.
  static constexpr std::string Row::*fields[] = {&Row::name,   &Row::time,   &Row::speedup, &Row::interval,
                                                 &Row::winner, &Row::rounds, &Row::bars};
  static constexpr std::string Row::*dispensable[] = {&Row::rounds, &Row::bars, &Row::time, &Row::interval};
  std::map<std::string Row::*const*, int> widths;
  int needed = -2;
  for (const auto& field : fields) {
    for (const Row& row : shown) widths[&field] = std::max(widths[&field], columns(row.*field));
    if (widths[&field] > 0) needed += widths[&field] + 2;
  }
  for (const auto& without : dispensable) {
    const auto field = std::find(std::begin(fields), std::end(fields), without);
    if (needed <= width || widths[field] == 0) continue;
    needed -= widths[field] + 2;
    widths[field] = 0;
  }

  std::vector<std::string> lines;
  for (const Row& row : shown) {
    std::string line;
    for (const auto& field : fields) {
      if (widths[&field] == 0) continue;
      const bool number = field == &Row::time || field == &Row::speedup || field == &Row::rounds;
      const std::string& text = row.*field;
      line += (line.empty() ? "" : "  ") + (number ? right(text, widths[&field]) : padded(text, widths[&field]));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(clipped(line, width));
  }
  if (!all && rows > 2) lines.push_back(clipped(fmt::format("cases {} to {} of {}", first + 1, last, count), width));
  return lines;
}

}  // namespace speedwell::bench
