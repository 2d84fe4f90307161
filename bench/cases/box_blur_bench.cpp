// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

// From a table of sums over all samples above and to the left, whose entries are exact: integers, or, of float,
// multiples of 2^-24 below 2^29, as the samples of these cases are. float: no result has more than 2 log2(area) + 8
// rounding errors, each of half an eps of a value below 1.
template <class S>
Expected expected_box(ImageView<const S> src, Rectangle part, int width) {
  const std::ptrdiff_t radius = width / 2;
  const std::ptrdiff_t channels = src.channels;
  const std::ptrdiff_t columns = part.x1 - part.x0 + width;  // and one of zeros before
  const std::ptrdiff_t rows = part.y1 - part.y0 + width;
  std::vector<double> table(static_cast<std::size_t>(columns * rows * channels), 0.0);
  const auto at = [&](std::ptrdiff_t x, std::ptrdiff_t y, std::ptrdiff_t channel) -> double& {
    return table[static_cast<std::size_t>((y * columns + x) * channels + channel)];
  };
  for (std::ptrdiff_t y = 1; y < rows; ++y) {
    for (std::ptrdiff_t x = 1; x < columns; ++x) {
      for (std::ptrdiff_t channel = 0; channel < channels; ++channel) {
        at(x, y, channel) = pixel(src, part.x0 - radius + x - 1, part.y0 - radius + y - 1, channel) +
                            at(x - 1, y, channel) + at(x, y - 1, channel) - at(x - 1, y - 1, channel);
      }
    }
  }
  const double area = static_cast<double>(width) * width;
  Expected expected;
  expected.tolerance =
      std::same_as<S, float> ? (std::log2(area) + 4) * double{std::numeric_limits<float>::epsilon()} : 0;
  for (std::ptrdiff_t y = 0; y < part.y1 - part.y0; ++y) {
    for (std::ptrdiff_t x = 0; x < part.x1 - part.x0; ++x) {
      for (std::ptrdiff_t channel = 0; channel < channels; ++channel) {
        const double sum = at(x + width, y + width, channel) - at(x, y + width, channel) - at(x + width, y, channel) +
                           at(x, y, channel);
        // An odd area's mean of integers is never halfway between two.
        expected.values.push_back(std::same_as<S, float> ? sum / area : std::round(sum / area));
      }
    }
  }
  return expected;
}

template <class S>
FilterCase<S, S> box(int width, std::ptrdiff_t channels) {
  return {
      .task = {.filter = Filter::box_blur, .width = width, .height = width},
      .size = {},
      .channels = channels,
      .run = [=](ImageView<const S> src, ImageView<S> dst,
                 const Backend& backend) { box_blur(src, dst, {.width = width, .height = width, .backend = backend}); },
      .expected = [=](ImageView<const S> src, Rectangle part) { return expected_box(src, part, width); },
      // Sums that slide, each way an addition and a subtraction, and the division.
      .operations = 5,
  };
}

}  // namespace

std::vector<Case> box_blur_cases() {
  using std::uint8_t;
  std::vector<Case> cases;
  struct Variant {
    const char* suffix;
    int width;
  };
  for (const auto& [suffix, width] : {Variant{"", 3}, Variant{"_5", 5}, Variant{"_31", 31}}) {
    add_filter_cases(cases, "box_blur", suffix, box<uint8_t>(width, 1));
    add_filter_cases(cases, "box_blur", suffix, box<uint8_t>(width, 3));
    add_filter_cases(cases, "box_blur", suffix, box<float>(width, 1));
  }
  cases.push_back(tiny_filter_case("box_blur", box<uint8_t>(3, 1)));
  cases.push_back(weak_filter_case("box_blur", "", box<uint8_t>(3, 1)));
  return cases;
}

}  // namespace speedwell::bench
