// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

// Of the part of the window that is inside of the image: first the columns of a row of the result, then along it.
template <class S>
Expected expected_extremum(ImageView<const S> src, Rectangle part, int width, bool least) {
  const std::ptrdiff_t radius = width / 2;
  const std::ptrdiff_t channels = src.channels;
  const std::ptrdiff_t x0 = std::max<std::ptrdiff_t>(part.x0 - radius, 0);
  const std::ptrdiff_t x1 = std::min(part.x1 + radius, src.width);
  const auto better = [least](double a, double b) { return least ? std::min(a, b) : std::max(a, b); };
  std::vector<double> line(static_cast<std::size_t>((x1 - x0) * channels));
  Expected expected;
  for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
    const std::ptrdiff_t y0 = std::max<std::ptrdiff_t>(y - radius, 0);
    const std::ptrdiff_t y1 = std::min(y + radius + 1, src.height);
    for (std::ptrdiff_t row = y0; row < y1; ++row) {
      const S* const from = &src(x0, row, 0);
      for (std::size_t i = 0; i < line.size(); ++i) line[i] = row == y0 ? from[i] : better(line[i], from[i]);
    }
    for (std::ptrdiff_t x = part.x0; x < part.x1; ++x) {
      for (std::ptrdiff_t channel = 0; channel < channels; ++channel) {
        const auto at = [&](std::ptrdiff_t i) { return line[static_cast<std::size_t>((i - x0) * channels + channel)]; };
        double value = at(x);
        for (std::ptrdiff_t i = std::max(x - radius, x0); i < std::min(x + radius + 1, x1); ++i) {
          value = better(value, at(i));
        }
        expected.values.push_back(value);
      }
    }
  }
  return expected;
}

// Operations: van Herk's and Gil and Werman's three comparisons in each direction, or what few samples need.
template <class S>
FilterCase<S, S> erosion(int width, std::ptrdiff_t channels) {
  return {
      .task = {.filter = Filter::erode, .width = width, .height = width},
      .size = {},
      .channels = channels,
      .run = [=](ImageView<const S> src, ImageView<S> dst,
                 const Backend& backend) { erode(src, dst, {.width = width, .height = width, .backend = backend}); },
      .expected = [=](ImageView<const S> src, Rectangle part) { return expected_extremum(src, part, width, true); },
      .operations = 2.0 * std::min(width - 1, 3),
  };
}

template <class S>
FilterCase<S, S> dilation(int width, std::ptrdiff_t channels) {
  return {
      .task = {.filter = Filter::dilate, .width = width, .height = width},
      .size = {},
      .channels = channels,
      .run = [=](ImageView<const S> src, ImageView<S> dst,
                 const Backend& backend) { dilate(src, dst, {.width = width, .height = width, .backend = backend}); },
      .expected = [=](ImageView<const S> src, Rectangle part) { return expected_extremum(src, part, width, false); },
      .operations = 2.0 * std::min(width - 1, 3),
  };
}

}  // namespace

std::vector<Case> morphology_cases() {
  using std::uint8_t;
  std::vector<Case> cases;
  add_filter_cases(cases, "erode", "", erosion<uint8_t>(3, 1));
  add_filter_cases(cases, "erode", "", erosion<uint8_t>(3, 3));
  add_filter_cases(cases, "erode", "", erosion<float>(3, 1));
  add_filter_cases(cases, "dilate", "_15", dilation<uint8_t>(15, 1));
  add_filter_cases(cases, "dilate", "_15", dilation<uint8_t>(15, 3));
  add_filter_cases(cases, "dilate", "_15", dilation<float>(15, 1));
  cases.push_back(tiny_filter_case("erode", erosion<uint8_t>(3, 1)));
  cases.push_back(weak_filter_case("erode", "", erosion<uint8_t>(3, 1)));
  cases.push_back(weak_filter_case("dilate", "_15", dilation<uint8_t>(15, 1)));
  return cases;
}

}  // namespace speedwell::bench
