// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

// Weights without any structure that could be made use of, a quarter of them negative, whose sum is one.
std::vector<float> weights_of(int side) {
  Random random(static_cast<std::uint64_t>(side));
  std::vector<float> weights;
  double sum = 0;
  for (int i = 0; i < side * side; ++i) {
    weights.push_back(uniform<float>(random()) + 0.5F);
    sum += weights.back();
  }
  for (float& weight : weights) weight = static_cast<float>(weight / sum);
  return weights;
}

// In double. float: samples are below 1, so no partial sum exceeds the sum of the weights' magnitudes, and each of the
// roundings errs by eps / 2 of that at most. 8 bits: those of values up to 255, and 1/2 in the end.
template <class S>
Expected expected_convolution(ImageView<const S> src, Rectangle part, const std::vector<float>& weights,
                              std::ptrdiff_t side) {
  double magnitude = 0;
  for (const float weight : weights) magnitude += std::abs(weight);
  const double rounding = double{std::numeric_limits<float>::epsilon()} / 2;
  const double errors = static_cast<double>(weights.size()) * rounding * magnitude;

  Expected expected;
  expected.tolerance = std::same_as<S, float> ? errors : 0.5 + 255 * errors;
  const std::ptrdiff_t length = (part.x1 - part.x0) * src.channels;
  std::vector<double> wide(static_cast<std::size_t>(length + (side - 1) * src.channels));  // a row and its border
  std::vector<double> sums(static_cast<std::size_t>(length));
  for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::ptrdiff_t j = 0; j < side; ++j) {
      double* at = wide.data();
      for (std::ptrdiff_t x = part.x0 - side / 2; x < part.x1 + side / 2; ++x) {
        for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) {
          *at++ = pixel(src, x, y + j - side / 2, channel);
        }
      }
      for (std::ptrdiff_t i = 0; i < side; ++i) {
        const double weight = weights[static_cast<std::size_t>(j * side + i)];
        const double* from = wide.data() + i * src.channels;
        for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += weight * from[k];
      }
    }
    for (const double sum : sums) {
      expected.values.push_back(std::same_as<S, float> ? sum : std::clamp(sum, 0.0, 255.0));
    }
  }
  return expected;
}

template <class S>
FilterCase<S, S> convolution(int side, std::ptrdiff_t channels) {
  const std::vector<float> weights = weights_of(side);
  return {
      .task = {.filter = Filter::convolve, .width = side, .height = side, .weights = weights},
      .size = {},
      .channels = channels,
      .run =
          [=](ImageView<const S> src, ImageView<S> dst, const Backend& backend) {
            convolve(src, MatrixView<const float>(weights.data(), side, side), dst, {.backend = backend});
          },
      .expected = [=](ImageView<const S> src,
                      Rectangle part) { return expected_convolution(src, part, weights, side); },
      .operations = 2.0 * side * side,
  };
}

}  // namespace

std::vector<Case> convolve_cases() {
  using std::uint8_t;
  std::vector<Case> cases;
  for (const auto& [suffix, side] : {std::pair{"_5x5", 5}, {"_11x11", 11}}) {
    add_filter_cases(cases, "convolve", suffix, convolution<uint8_t>(side, 1));
    add_filter_cases(cases, "convolve", suffix, convolution<uint8_t>(side, 3));
    add_filter_cases(cases, "convolve", suffix, convolution<float>(side, 1));
  }
  cases.push_back(tiny_filter_case("convolve", convolution<uint8_t>(5, 1)));
  cases.push_back(weak_filter_case("convolve", "_5x5", convolution<uint8_t>(5, 1)));
  return cases;
}

}  // namespace speedwell::bench
