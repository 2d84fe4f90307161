// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

// A sample of the source, and how much of one of the result it is.
struct Share {
  std::ptrdiff_t at;
  double weight;
};

// What sample i of `to` is made of, from `from` samples.
std::vector<Share> shares(Interpolation interpolation, std::ptrdiff_t i, std::ptrdiff_t from, std::ptrdiff_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const auto begin = static_cast<double>(i) * scale;
  if (interpolation == Interpolation::nearest) return {{static_cast<std::ptrdiff_t>(begin), 1}};
  if (interpolation == Interpolation::linear) {
    const double place = std::clamp(begin + scale / 2 - 0.5, 0.0, static_cast<double>(from - 1));
    const double fraction = place - std::floor(place);
    const auto first = static_cast<std::ptrdiff_t>(place);
    return {{first, 1 - fraction}, {std::min(first + 1, from - 1), fraction}};
  }
  std::vector<Share> covered;
  const double end = begin + scale;
  for (auto at = static_cast<std::ptrdiff_t>(begin); at < from && static_cast<double>(at) < end; ++at) {
    const auto left = static_cast<double>(at);
    covered.push_back({at, (std::min(end, left + 1) - std::max(begin, left)) / scale});
  }
  return covered;
}

// uint8_t: rounded, after roundings to 1/128 and of weights, if there are any.
template <class S>
Expected expected_resized(ImageView<const S> src, Rectangle part, Interpolation interpolation, ImageSize size) {
  Expected expected;
  // Wide enough for OpenCV, whose places are floats, half a unit in the last place of the width off, and whose 8-bit
  // weights have 11 bits.
  expected.tolerance = interpolation == Interpolation::nearest ? 0 : std::same_as<S, float> ? 2e-4 : 1;
  std::vector<std::vector<Share>> columns;
  for (std::ptrdiff_t x = part.x0; x < part.x1; ++x) columns.push_back(shares(interpolation, x, src.width, size.width));
  for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
    const std::vector<Share> rows = shares(interpolation, y, src.height, size.height);
    for (const std::vector<Share>& column : columns) {
      for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) {
        double sum = 0;
        for (const Share& row : rows) {
          for (const Share& pixel : column) sum += row.weight * pixel.weight * src(pixel.at, row.at, channel);
        }
        expected.values.push_back(sum);
      }
    }
  }
  return expected;
}

struct Kind {
  const char* suffix;
  Filter filter;
  Interpolation interpolation;
  // The result's size out of the source's.
  std::ptrdiff_t numerator;
  std::ptrdiff_t denominator;
  double operations;  // a sample of the result
};

// Linear: three between the rows, of which there are as many samples as in the source, and three between pixels.
constexpr Kind kinds[] = {
    {"_half", Filter::resize_linear, Interpolation::linear, 1, 2, 4},
    {"_shrink", Filter::resize_linear, Interpolation::linear, 3, 5, 8},
    {"_enlarge", Filter::resize_linear, Interpolation::linear, 3, 2, 5},
    {"_area", Filter::resize_area, Interpolation::area, 1, 3, 9},
    {"_nearest", Filter::resize_nearest, Interpolation::nearest, 1, 2, 1},
};

template <class T>
Case resized(const Kind& kind, ImageSize size, std::ptrdiff_t channels) {
  const auto scaled = [&](std::ptrdiff_t side) {
    return std::max<std::ptrdiff_t>(side * kind.numerator / kind.denominator, 1);
  };
  const ImageSize dst_size = {scaled(size.width), scaled(size.height)};
  const Interpolation interpolation = kind.interpolation;
  const FilterTask task = {.filter = kind.filter};
  return make_filter_case<T, T>(
      "resize", kind.suffix,
      {
          .task = task,
          .size = size,
          .channels = channels,
          .dst_size = dst_size,
          .run =
              [interpolation](ImageView<const T> src, ImageView<T> dst, const Backend& backend) {
                resize(src, dst, {.interpolation = interpolation, .backend = backend});
              },
          .expected = [interpolation, dst_size](
                          ImageView<const T> src,
                          Rectangle part) { return expected_resized(src, part, interpolation, dst_size); },
          .operations = kind.operations,
      });
}

}  // namespace

std::vector<Case> resize_cases() {
  std::vector<Case> cases;
  for (const Kind& kind : kinds) {
    for (const ImageSize size : sizes_of_filter_cases()) {
      cases.push_back(of_any_image_size(resized<std::uint8_t>(kind, size, 1),
                                        [=](ImageSize other) { return resized<std::uint8_t>(kind, other, 1); }));
      cases.push_back(of_any_image_size(resized<std::uint8_t>(kind, size, 3),
                                        [=](ImageSize other) { return resized<std::uint8_t>(kind, other, 3); }));
      cases.push_back(of_any_image_size(resized<float>(kind, size, 1),
                                        [=](ImageSize other) { return resized<float>(kind, other, 1); }));
    }
  }
  cases.push_back(tiny(resized<std::uint8_t>(kinds[1], icon_size, 1)));
  cases.push_back(weak_filter_case([](ImageSize size) { return resized<std::uint8_t>(kinds[1], size, 1); }));
  return cases;
}

}  // namespace speedwell::bench
