// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace speedwell::bench {

// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014): a nanosecond a
// number, and any seed will do, so that each row of an input has a generator of its own whoever fills it.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(scramble(seed)) {}

  std::uint64_t operator()() { return scramble(state_ += 0x9E3779B97F4A7C15); }

  static std::uint64_t scramble(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

}  // namespace speedwell::bench
