// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

// uint8_t: from the weights in full, each of which the fixed-point ones are off by less than half of 2^-15, and
// rounded. float: three roundings of values below 1, and the weights'.
template <class S>
Expected expected_gray(ImageView<const S> src, Rectangle part) {
  Expected expected;
  expected.tolerance =
      std::same_as<S, float> ? 6 * double{std::numeric_limits<float>::epsilon()} : 0.5 + 3 * 255 / 65536.0;
  for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
    for (std::ptrdiff_t x = part.x0; x < part.x1; ++x) {
      expected.values.push_back(0.299 * src(x, y, 0) + 0.587 * src(x, y, 1) + 0.114 * src(x, y, 2));
    }
  }
  return expected;
}

template <class T>
FilterCase<T, T> to_gray() {
  return {
      .task = {.filter = Filter::rgb_to_gray},
      .size = {},
      .channels = 3,
      .dst_channels = 1,
      .run = [](ImageView<const T> src, ImageView<T> dst,
                const Backend& backend) { rgb_to_gray(src, dst, {.backend = backend}); },
      .expected = [](ImageView<const T> src, Rectangle part) { return expected_gray(src, part); },
      .operations = 5,  // three products and two sums
  };
}

}  // namespace

std::vector<Case> rgb_to_gray_cases() {
  std::vector<Case> cases;
  add_filter_cases(cases, "rgb_to_gray", "", to_gray<std::uint8_t>());
  add_filter_cases(cases, "rgb_to_gray", "", to_gray<float>());
  cases.push_back(tiny_filter_case("rgb_to_gray", to_gray<std::uint8_t>()));
  cases.push_back(weak_filter_case("rgb_to_gray", "", to_gray<std::uint8_t>()));
  return cases;
}

}  // namespace speedwell::bench
