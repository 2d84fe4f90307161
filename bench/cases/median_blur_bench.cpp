// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

template <class S>
Expected expected_median(ImageView<const S> src, Rectangle part) {
  Expected expected;
  for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
    for (std::ptrdiff_t x = part.x0; x < part.x1; ++x) {
      for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) {
        std::array<double, 9> window;
        for (std::ptrdiff_t i = 0; i < 9; ++i) {
          const std::ptrdiff_t column = std::clamp<std::ptrdiff_t>(x - 1 + i % 3, 0, src.width - 1);
          const std::ptrdiff_t row = std::clamp<std::ptrdiff_t>(y - 1 + i / 3, 0, src.height - 1);
          window[static_cast<std::size_t>(i)] = src(column, row, channel);
        }
        std::nth_element(window.begin(), window.begin() + 4, window.end());
        expected.values.push_back(window[4]);
      }
    }
  }
  return expected;
}

template <class S>
FilterCase<S, S> median(std::ptrdiff_t channels) {
  return {
      .task = {.filter = Filter::median_blur},
      .size = {},
      .channels = channels,
      .run = [](ImageView<const S> src, ImageView<S> dst,
                const Backend& backend) { median_blur(src, dst, {.border = Border::replicate, .backend = backend}); },
      .expected = [](ImageView<const S> src, Rectangle part) { return expected_median(src, part); },
      // 19 exchanges, each a minimum and a maximum.
      .operations = 2 * 19,
  };
}

}  // namespace

std::vector<Case> median_blur_cases() {
  using std::uint8_t;
  std::vector<Case> cases;
  add_filter_cases(cases, "median_blur", "", median<uint8_t>(1), 3840);
  add_filter_cases(cases, "median_blur", "", median<uint8_t>(3));
  add_filter_cases(cases, "median_blur", "", median<float>(1), 3840);
  cases.push_back(tiny_filter_case("median_blur", median<uint8_t>(1)));
  cases.push_back(weak_filter_case("median_blur", "", median<uint8_t>(1)));
  return cases;
}

}  // namespace speedwell::bench
