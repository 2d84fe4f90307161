// SPDX-License-Identifier: Apache-2.0
#include "bench/report/winners.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "runtime/scaling/statistics.hpp"

namespace speedwell::bench::report {
namespace {

namespace statistics = scaling;

// The cell's name, from which its bootstrap is seeded: the same draws as in the analysis give the same interval.
std::string cell_name(const Case& c, const std::string& backend, int threads) {
  return c.name + '/' + backend + '/' + std::to_string(threads);
}

std::map<int, std::vector<double>> by_round(const Point& point) {
  std::map<int, std::vector<double>> rounds;
  for (const auto& [round, ns] : point.rounds) rounds[round].push_back(ns);
  return rounds;
}

struct Cell {
  std::string name;
  const Point* point;
};

// Whether `slow` takes longer than `fast` by more than chance, and by more than two identical cells differ.
bool surely_slower(const Cell& slow, const Cell& fast, double noise) {
  const std::map<int, std::vector<double>> others = by_round(*fast.point);
  std::vector<double> ratios;
  for (const auto& [round, ns] : by_round(*slow.point))
    if (const auto other = others.find(round); other != others.end())
      ratios.push_back(statistics::median(ns) / statistics::median(other->second));
  if (ratios.size() < 2) return false;
  const auto interval = statistics::bootstrap_median(ratios, statistics::seed_of(slow.name + " / " + fast.name));
  return interval.low > 1 && statistics::median(ratios) > 1 + noise;
}

}  // namespace

Winner winner(const Case& c, int threads, double noise) {
  if (!known(noise)) noise = 0;
  struct Candidate {
    const Curve* curve;
    Cell cell;
  };
  std::vector<Candidate> candidates;
  for (const Curve& curve : c.curves)
    if (const Point* point = at(curve, threads); point && curve.backend != "sequential" && known(point->speedup))
      candidates.push_back({&curve, {cell_name(c, curve.backend, threads), point}});
  std::ranges::stable_sort(
      candidates, [](const Candidate& a, const Candidate& b) { return a.cell.point->speedup > b.cell.point->speedup; });

  Winner winner;
  const Curve* const sequential = c.curve("sequential");
  if (sequential) {
    const Cell base{cell_name(c, "sequential", 1), &c.sequential};
    winner.none =
        std::ranges::none_of(candidates, [&](const Candidate& each) { return surely_slower(base, each.cell, noise); });
  }
  if (winner.none && threads == 1) {
    winner.fastest = {sequential};
    winner.speedup = 1;
    winner.none = false;
    return winner;
  }
  if (candidates.empty()) return {};
  const Candidate& first = candidates.front();
  winner.speedup = first.cell.point->speedup;
  for (const Candidate& each : candidates)
    if (&each == &first || !surely_slower(each.cell, first.cell, noise)) winner.fastest.push_back(each.curve);
  return winner;
}

}  // namespace speedwell::bench::report
