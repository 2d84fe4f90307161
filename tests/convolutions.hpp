// SPDX-License-Identifier: Apache-2.0
// What the tests of both convolutions share.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <type_traits>
#include <vector>

#include "tests/image_filters.hpp"

namespace tests {

// Of either sign and any size, with magnitudes that add up to one.
inline std::vector<float> random_weights(int count) {
  std::vector<float> weights;
  double magnitude = 0;
  for (int i = 0; i < count; ++i) {
    weights.push_back(std::uniform_real_distribution<float>(-0.5F, 1)(generator()));
    magnitude += std::abs(weights.back());
  }
  for (float& weight : weights) weight = static_cast<float>(weight / magnitude);
  return weights;
}

// Bytes: the exact sum as far as it can be one.
template <class T>
double saturated(double sum) {
  return std::is_integral_v<T> ? std::clamp(sum, 0.0, 255.0) : sum;
}

// Weights' magnitudes add up to one, so no partial sum leaves the range: 2 * 63 * 63 roundings without fused
// multiply-add, of half a unit in the last place each, add up at random to about sqrt(2) * 63 of them, 5e-6 of the
// range. Bytes are rounded by half a level in the end.
template <class T>
double tolerance() {
  return std::is_integral_v<T> ? 0.5 + 5e-6 * 256 : 5e-6 * float_range;
}

// Rounded once where the instruction set fuses them, as in the sums that headers promise the order of.
inline float multiply_add(float weight, double sample, float sum) {
  const float product = weight * static_cast<float>(sample);
  return has_fma() ? std::fma(weight, static_cast<float>(sample), sum) : sum + product;
}

}  // namespace tests
