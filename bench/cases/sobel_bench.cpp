// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

// float: eight terms of values below 1, none of whose sums passes 4, so that each rounding errs by 2 eps at most.
template <class S>
Expected expected_sobel(ImageView<const S> src, Rectangle part) {
  Expected expected;
  expected.tolerance = std::same_as<S, float> ? 8 * 2 * double{std::numeric_limits<float>::epsilon()} : 0;
  for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
    for (std::ptrdiff_t x = part.x0; x < part.x1; ++x) {
      for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) {
        const auto slope = [&](std::ptrdiff_t row) {
          return pixel(src, x + 1, row, channel) - pixel(src, x - 1, row, channel);
        };
        expected.values.push_back(slope(y - 1) + 2 * slope(y) + slope(y + 1));
      }
    }
  }
  return expected;
}

template <class S, class D>
FilterCase<S, D> edges(std::ptrdiff_t channels) {
  return {
      .task = {.filter = Filter::sobel},
      .size = {},
      .channels = channels,
      .run = [](ImageView<const S> src, ImageView<D> dst,
                const Backend& backend) { sobel(src, dst, {.backend = backend}); },
      .expected = [](ImageView<const S> src, Rectangle part) { return expected_sobel(src, part); },
      // Separated: a difference along the row, then first + 2 middle + last, three more.
      .operations = 4,
  };
}

}  // namespace

std::vector<Case> sobel_cases() {
  using std::uint8_t;
  std::vector<Case> cases;
  add_filter_cases(cases, "sobel", "", edges<uint8_t, std::int16_t>(1), 3840);
  add_filter_cases(cases, "sobel", "", edges<uint8_t, std::int16_t>(3));
  add_filter_cases(cases, "sobel", "", edges<float, float>(1), 3840);
  cases.push_back(tiny_filter_case("sobel", edges<uint8_t, std::int16_t>(1)));
  cases.push_back(weak_filter_case("sobel", "", edges<uint8_t, std::int16_t>(1)));
  return cases;
}

}  // namespace speedwell::bench
