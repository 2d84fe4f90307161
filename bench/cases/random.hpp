// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>

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

// From 64 random bits: uniform in (-1, 1), as an odd number of as many bits as the mantissa has, so never zero.
template <class T>
T uniform(std::uint64_t bits) {
  constexpr int digits = std::numeric_limits<T>::digits;
  const auto odd = static_cast<std::int64_t>(bits >> (64 - digits - 1)) | 1;
  return static_cast<T>(odd - (std::int64_t{1} << digits)) * (std::numeric_limits<T>::epsilon() / 2);
}

}  // namespace speedwell::bench
