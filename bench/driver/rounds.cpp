// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/rounds.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "runtime/scaling/statistics.hpp"

namespace speedwell::bench {

namespace {

std::vector<double> values_of(const std::map<int, double>& by_round) {
  std::vector<double> values;
  for (const auto& [round, value] : by_round) values.push_back(value);
  return values;
}

// How wide the question is which of the two fastest models is faster; 0 if it is answered, or isn't one.
double open_question(const std::vector<CellSamples>& cells) {
  struct Best {
    double median = std::numeric_limits<double>::infinity();
    const std::map<int, double>* by_round = nullptr;
  };
  std::map<std::string_view, Best> models;
  for (const CellSamples& cell : cells) {
    if (cell.model.empty()) continue;
    Best& best = models[cell.model];
    const double median = median_interval(values_of(*cell.by_round)).median;
    if (median < best.median) best = {median, cell.by_round};
  }
  if (models.size() < 2) return 0;
  std::vector<Best> ranked;
  for (const auto& [model, best] : models) ranked.push_back(best);
  std::partial_sort(ranked.begin(), ranked.begin() + 2, ranked.end(),
                    [](const Best& a, const Best& b) { return a.median < b.median; });
  std::vector<double> ratios;
  for (const auto& [round, ns] : *ranked[0].by_round) {
    const auto other = ranked[1].by_round->find(round);
    if (other != ranked[1].by_round->end()) ratios.push_back(ns / other->second);
  }
  const MedianInterval ratio = median_interval(std::move(ratios));
  return ratio.low <= 1 && 1 <= ratio.high ? ratio.relative_half_width() : 0;
}

}  // namespace

double MedianInterval::relative_half_width() const { return std::max(median - low, high - median) / median; }

MedianInterval median_interval(std::vector<double> values) {
  if (values.empty()) return {.median = std::numeric_limits<double>::infinity()};
  MedianInterval interval = {.median = scaling::median(values)};
  if (values.size() < static_cast<std::size_t>(scaling::fewest_for_95_percent)) return interval;
  const scaling::Interval ends = scaling::median_interval(std::move(values));
  interval.low = ends.low;
  interval.high = ends.high;
  return interval;
}

double need_of(const std::vector<CellSamples>& cells, int rounds) {
  double widest = 0;
  for (const CellSamples& cell : cells) {
    if (static_cast<int>(cell.by_round->size()) < rounds) return std::numeric_limits<double>::infinity();
    widest = std::max(widest, median_interval(values_of(*cell.by_round)).relative_half_width());
  }
  return std::max(widest, open_question(cells)) / narrow_enough;
}

std::vector<std::size_t> taken_into_round(const std::vector<Wish>& wishes, double left_s) {
  std::vector<std::size_t> by_need(wishes.size());
  std::iota(by_need.begin(), by_need.end(), std::size_t{0});
  std::stable_sort(by_need.begin(), by_need.end(),
                   [&](std::size_t a, std::size_t b) { return wishes[a].need > wishes[b].need; });
  std::vector<std::size_t> taken;
  for (const std::size_t index : by_need) {
    const Wish& wish = wishes[index];
    if (wish.need <= 1) break;
    if (std::isfinite(wish.need) && wish.cost_s > left_s) continue;
    left_s -= wish.cost_s;
    taken.push_back(index);
  }
  std::sort(taken.begin(), taken.end());
  return taken;
}

}  // namespace speedwell::bench
