// SPDX-License-Identifier: Apache-2.0
// Which cases another round helps.
#pragma once

#include <cstddef>
#include <limits>
#include <map>
#include <string_view>
#include <vector>

namespace speedwell::bench {

// What a cell of a case has so far.
struct CellSamples {
  std::string_view model;                 // its backend's name; empty if it takes no part in who is fastest
  const std::map<int, double>* by_round;  // ns
};

// As wide as it may be and still be precise: enough to tell two ways of computing apart.
inline constexpr double narrow_enough = 0.02;

// How badly a case needs another round: infinitely with less than `rounds` in one of its cells; otherwise how many
// times `narrow_enough` the widest of its intervals is, that of the ratio of its two fastest models included as long as
// it leaves open which is faster. Up to 1 it needs none.
double need_of(const std::vector<CellSamples>& cells, int rounds);

// A case that wants a sample of each of its cells.
struct Wish {
  double need = 0;
  double cost_s = 0;
};

// Those that another round takes, by index, ascending: all that need it infinitely, and of the others those that need
// it most, as far as they fit in the time that is left.
std::vector<std::size_t> taken_into_round(const std::vector<Wish>& wishes, double left_s);

// The median's 95 % interval; unbounded with too few values for one, so that it is never narrow enough.
struct MedianInterval {
  double median = 0;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();

  // The wider side over the median.
  double relative_half_width() const;
};
MedianInterval median_interval(std::vector<double> values);

}  // namespace speedwell::bench
