// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

constexpr int side = 11;

// A row that isn't symmetric, of which a reference could make use, and the same the other way round as the column: some
// weights are negative, and the sum of each is one.
std::vector<float> row_and_column() {
  std::vector<double> row;
  double sum = 0;
  for (int i = 0; i < side; ++i) {
    row.push_back(std::cos(0.4 * (i - 4)) + 0.3);
    sum += row.back();
  }
  std::vector<float> weights;
  for (const double weight : row) weights.push_back(static_cast<float>(weight / sum));
  weights.insert(weights.end(), weights.rbegin(), weights.rend());
  return weights;
}

// Along rows, then along columns, in double. float: samples are below 1, so no partial sum exceeds the product of the
// sums of magnitudes, and each of `side` roundings of either direction errs by eps / 2 of that at most. 8 bits: those
// of values up to 255, and 1/2 in the end.
template <class S>
Expected expected_separable(ImageView<const S> src, Rectangle part, const std::vector<float>& weights) {
  double magnitude = 0;
  for (int i = 0; i < side; ++i) magnitude += std::abs(weights[static_cast<std::size_t>(i)]);
  const double errors = side * double{std::numeric_limits<float>::epsilon()} * magnitude * magnitude;

  Expected expected;
  expected.tolerance = std::same_as<S, float> ? errors : 0.5 + 255 * errors;
  const std::ptrdiff_t length = (part.x1 - part.x0) * src.channels;
  std::vector<double> wide(static_cast<std::size_t>(length + (side - 1) * src.channels));  // a row and its border
  std::vector<double> across(static_cast<std::size_t>((part.y1 - part.y0 + side - 1) * length));
  double* to = across.data();
  for (std::ptrdiff_t y = part.y0 - side / 2; y < part.y1 + side / 2; ++y, to += length) {
    double* at = wide.data();
    for (std::ptrdiff_t x = part.x0 - side / 2; x < part.x1 + side / 2; ++x) {
      for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) *at++ = pixel(src, x, y, channel);
    }
    for (std::ptrdiff_t i = 0; i < side; ++i) {
      const double* from = wide.data() + i * src.channels;
      for (std::ptrdiff_t k = 0; k < length; ++k) to[k] += weights[static_cast<std::size_t>(i)] * from[k];
    }
  }
  for (std::ptrdiff_t y = 0; y < part.y1 - part.y0; ++y) {
    for (std::ptrdiff_t k = 0; k < length; ++k) {
      double sum = 0;
      for (std::ptrdiff_t j = 0; j < side; ++j) {
        sum += weights[static_cast<std::size_t>(side + j)] * across[static_cast<std::size_t>((y + j) * length + k)];
      }
      expected.values.push_back(std::same_as<S, float> ? sum : std::clamp(sum, 0.0, 255.0));
    }
  }
  return expected;
}

template <class S>
FilterCase<S, S> convolution(std::ptrdiff_t channels) {
  const std::vector<float> weights = row_and_column();
  return {
      .task = {.filter = Filter::convolve_separable, .width = side, .height = side, .weights = weights},
      .size = {},
      .channels = channels,
      .run =
          [=](ImageView<const S> src, ImageView<S> dst, const Backend& backend) {
            const std::span<const float> row(weights.data(), side);
            convolve_separable(src, row, std::span<const float>(weights).subspan(side), dst, {.backend = backend});
          },
      .expected = [=](ImageView<const S> src, Rectangle part) { return expected_separable(src, part, weights); },
      .operations = 2.0 * (side + side),
  };
}

}  // namespace

std::vector<Case> convolve_separable_cases() {
  using std::uint8_t;
  std::vector<Case> cases;
  add_filter_cases(cases, "convolve_separable", "_11x11", convolution<uint8_t>(1));
  add_filter_cases(cases, "convolve_separable", "_11x11", convolution<uint8_t>(3));
  add_filter_cases(cases, "convolve_separable", "_11x11", convolution<float>(1));
  cases.push_back(tiny_filter_case("convolve_separable", convolution<uint8_t>(1)));
  cases.push_back(weak_filter_case("convolve_separable", "_11x11", convolution<uint8_t>(1)));
  return cases;
}

}  // namespace speedwell::bench
