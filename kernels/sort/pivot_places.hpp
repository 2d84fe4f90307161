// SPDX-License-Identifier: Apache-2.0
// Where the quicksort looks for its pivots: places that no regular input is likely to agree with, but the same in each
// call. Whoever knows them can make every pivot bad; the quicksort then gives up after 2 log2(n) levels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell {

class PivotPlaces {
 public:
  // So many keys are looked at, and their median taken, from so many keys on; below that, nine.
  static constexpr std::ptrdiff_t samples = 32;
  static constexpr std::ptrdiff_t large = 2048;

  // Levels for n keys.
  static int depth(std::ptrdiff_t n) {
    int depth = 4;
    for (; n > 1; n /= 2) depth += 2;
    return depth;
  }

  // In 0..n-1, by a linear congruential generator (Knuth's MMIX). n is less than 2^40.
  std::ptrdiff_t next(std::ptrdiff_t n) {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<std::ptrdiff_t>(((state_ >> 40) * static_cast<std::uint64_t>(n)) >> 24);
  }

 private:
  std::uint64_t state_ = 1;
};

}  // namespace speedwell
