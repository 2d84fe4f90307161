// SPDX-License-Identifier: Apache-2.0
// The statistics of timings. Timings are skewed and never normal, so everything here rests on order statistics and
// resampling.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace speedwell::scaling {

// The fewest samples whose smallest and largest value enclose the median with at least 95 % confidence: 1 - 2 / 2^6.
inline constexpr int fewest_for_95_percent = 6;

struct Interval {
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();

  bool contains(double value) const { return low <= value && value <= high; }
};

// A generator whose numbers are the same on every platform (SplitMix64, Steele, Lea and Flood 2014), so that an
// analysis made twice from one journal is the same text.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  // Uniform in [0, count).
  int below(int count);

 private:
  std::uint64_t state_;
};

// A seed made from a name, so that one cell's interval doesn't depend on which other cells were measured.
std::uint64_t seed_of(std::string_view name);

double median(std::vector<double> values);

// The value below which the share `q` of the sorted values lies, interpolated between neighbours.
double quantile(std::span<const double> sorted, double q);

// Ranks (from 1) of the order statistics that enclose the median with at least 95 % confidence whatever the
// distribution is; below six samples, the extremes and the confidence that they still carry.
struct Ranks {
  int low;
  int high;
  double confidence;
};
Ranks median_ranks(int samples);
Interval median_interval(std::vector<double> values);

// 95 % percentile interval of the median of `values`, from seeded resamples.
Interval bootstrap_median(std::span<const double> values, std::uint64_t seed);

// Tukey's fences: beyond 1.5 (mild) or 3 (severe) interquartile ranges outside the quartiles. Counted, never dropped.
struct Outliers {
  int mild = 0;
  int severe = 0;
};
Outliers tukey_outliers(std::vector<double> values);

// Sample standard deviation over mean; 0 for fewer than two values.
double relative_deviation(std::span<const double> values);

}  // namespace speedwell::scaling
