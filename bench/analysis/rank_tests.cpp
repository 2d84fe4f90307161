// SPDX-License-Identifier: Apache-2.0
#include "bench/analysis/rank_tests.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace speedwell::bench {

namespace {

// Beyond so many values the normal approximation is good to all digits that matter, and counting takes long.
constexpr std::size_t most_counted = 60;

struct Ranked {
  std::vector<double> ranks;  // from 1, in the order of the values; equal values share the mean of theirs
  double ties = 0;            // the sum of t^3 - t over groups of t equal values
};

Ranked rank(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  Ranked ranked;
  ranked.ranks.resize(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) {
      ranked.ranks[order[i]] = static_cast<double>(begin + 1 + end) / 2;
    }
    const auto equal = static_cast<double>(end - begin);
    ranked.ties += equal * (equal * equal - 1);
    begin = end;
  }
  return ranked;
}

// Both tails beyond |z|.
double normal_p(double distance, double variance) {
  if (variance <= 0) return 1;
  return std::erfc(std::max(0.0, distance - 0.5) / std::sqrt(2 * variance));
}

// Twice the share of `ways` at or below `sum`, of a distribution that is the same from either end.
double two_sided(const std::vector<double>& ways, double sum) {
  const double total = std::accumulate(ways.begin(), ways.end(), 0.0);
  const double mirrored = std::min(sum, static_cast<double>(ways.size() - 1) - sum);
  const auto last = static_cast<std::ptrdiff_t>(mirrored) + 1;
  return std::min(1.0, 2 * std::accumulate(ways.begin(), ways.begin() + last, 0.0) / total);
}

}  // namespace

double mann_whitney_p(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return 1;
  std::vector<double> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  const Ranked ranked = rank(all);
  const double n = static_cast<double>(a.size());
  const double m = static_cast<double>(b.size());
  const double rank_sum =
      std::accumulate(ranked.ranks.begin(), ranked.ranks.begin() + static_cast<std::ptrdiff_t>(a.size()), 0.0);
  const double u = rank_sum - n * (n + 1) / 2;
  if (ranked.ties > 0 || all.size() > most_counted) {
    const double variance = n * m / 12 * (n + m + 1 - ranked.ties / ((n + m) * (n + m - 1)));
    return normal_p(std::abs(u - n * m / 2), variance);
  }
  // ways[i][s]: of choosing i of the ranks seen so far with sum s above the least possible. A chosen rank r counts
  // r - i for the i-th, so each choice is counted once as the ranks come in rising order.
  const std::size_t most = a.size() * b.size();
  std::vector<std::vector<double>> ways(a.size() + 1, std::vector<double>(most + 1));
  ways[0][0] = 1;
  for (std::size_t r = 1; r <= all.size(); ++r) {
    for (std::size_t i = std::min(r, a.size()); i >= 1; --i) {
      const std::size_t above = r - i;
      for (std::size_t s = above; s <= most; ++s) ways[i][s] += ways[i - 1][s - above];
    }
  }
  return two_sided(ways[a.size()], u);
}

double signed_rank_p(std::span<const double> differences) {
  std::vector<double> sizes;
  std::vector<bool> positive;
  for (const double difference : differences) {
    if (difference == 0) continue;
    sizes.push_back(std::abs(difference));
    positive.push_back(difference > 0);
  }
  if (sizes.empty()) return 1;
  const Ranked ranked = rank(sizes);
  double sum = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) sum += positive[i] ? ranked.ranks[i] : 0;
  const double n = static_cast<double>(sizes.size());
  if (ranked.ties > 0 || sizes.size() > most_counted) {
    const double variance = n * (n + 1) * (2 * n + 1) / 24 - ranked.ties / 48;
    return normal_p(std::abs(sum - n * (n + 1) / 4), variance);
  }
  // ways[s]: of giving signs to the ranks so that the positive ones add up to s.
  const std::size_t most = sizes.size() * (sizes.size() + 1) / 2;
  std::vector<double> ways(most + 1);
  ways[0] = 1;
  for (std::size_t r = 1; r <= sizes.size(); ++r) {
    for (std::size_t s = most; s >= r; --s) ways[s] += ways[s - r];
  }
  return two_sided(ways, sum);
}

std::vector<double> false_discovery_adjusted(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p_values[a] > p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double least = 1;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto at_or_below = static_cast<double>(order.size() - i);
    least = std::min(least, p_values[order[i]] * static_cast<double>(order.size()) / at_or_below);
    adjusted[order[i]] = least;
  }
  return adjusted;
}

}  // namespace speedwell::bench
