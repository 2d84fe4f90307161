// SPDX-License-Identifier: Apache-2.0
#include "runtime/scaling/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace speedwell::scaling {

namespace {

// Enough for the 2.5 % tails to rest on 50 resamples each.
constexpr int resamples = 2000;

// Reorders `values`; no copy, as the bootstrap calls it thousands of times.
double median_in_place(std::span<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

}  // namespace

std::uint64_t Random::next() {
  state_ += 0x9E3779B97F4A7C15u;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

int Random::below(int count) {
  // The upper half times the count: its bias is below count / 2^32, and it needs no 128-bit product.
  return static_cast<int>(((next() >> 32) * static_cast<std::uint64_t>(count)) >> 32);
}

std::uint64_t seed_of(std::string_view name) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

double median(std::vector<double> values) { return median_in_place(values); }

double quantile(std::span<const double> sorted, double q) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  // An infinite neighbour (a peak that lies nowhere) must not turn an exact hit into 0 * infinity.
  const double share = position - static_cast<double>(below);
  return share == 0 ? sorted[below] : sorted[below] + share * (sorted[above] - sorted[below]);
}

Ranks median_ranks(int samples) {
  // Each sample lies below the median with probability 1/2, so the interval from the l-th smallest to the l-th largest
  // misses it with probability 2 P(Binomial(n, 1/2) < l).
  double term = std::pow(0.5, samples);
  double tail = term;
  int low = 1;
  while (low < samples - low) {
    term *= static_cast<double>(samples - low + 1) / low;
    if (2 * (tail + term) > 0.05) break;
    tail += term;
    ++low;
  }
  return {low, samples + 1 - low, 1 - 2 * tail};
}

Interval median_interval(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const Ranks ranks = median_ranks(static_cast<int>(values.size()));
  return {values[static_cast<std::size_t>(ranks.low - 1)], values[static_cast<std::size_t>(ranks.high - 1)]};
}

Interval bootstrap_median(std::span<const double> values, std::uint64_t seed) {
  if (values.empty()) return {};
  Random random(seed);
  std::vector<double> medians(resamples);
  std::vector<double> resample(values.size());
  for (double& result : medians) {
    for (double& value : resample)
      value = values[static_cast<std::size_t>(random.below(static_cast<int>(values.size())))];
    result = median_in_place(resample);
  }
  std::sort(medians.begin(), medians.end());
  return {quantile(medians, 0.025), quantile(medians, 0.975)};
}

Outliers tukey_outliers(std::vector<double> values) {
  Outliers outliers;
  // Four values have no interquartile range to speak of.
  if (values.size() < 5) return outliers;
  std::sort(values.begin(), values.end());
  const double q1 = quantile(values, 0.25);
  const double q3 = quantile(values, 0.75);
  const double range = q3 - q1;
  for (const double value : values) {
    const double distance = std::max(q1 - value, value - q3);
    if (distance > 3 * range) {
      ++outliers.severe;
    } else if (distance > 1.5 * range) {
      ++outliers.mild;
    }
  }
  return outliers;
}

double relative_deviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (count - 1)) / mean;
}

}  // namespace speedwell::scaling
