// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

constexpr int diameter = 9;
constexpr double sigma_space = 5;

// A tenth of the range.
template <class S>
constexpr double sigma_color = std::same_as<S, float> ? 25.0 / 256 : 25;

template <class S>
Expected expected_bilateral(ImageView<const S> src, Rectangle part) {
  Expected expected;
  expected.tolerance = std::same_as<S, float> ? 3e-6 : 0.53;
  constexpr std::ptrdiff_t radius = diameter / 2;
  for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
    for (std::ptrdiff_t x = part.x0; x < part.x1; ++x) {
      std::vector<double> sums(static_cast<std::size_t>(src.channels), 0.0);
      double weights = 0;
      for (std::ptrdiff_t v = y - radius; v <= y + radius; ++v) {
        for (std::ptrdiff_t u = x - radius; u <= x + radius; ++u) {
          const double apart = std::hypot(u - x, v - y);
          if (apart > radius) continue;
          double distance = 0;
          for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) {
            distance += std::abs(pixel(src, u, v, channel) - pixel(src, x, y, channel));
          }
          const double weight = std::exp(-std::pow(distance / sigma_color<S>, 2) / 2) *  //
                                std::exp(-std::pow(apart / sigma_space, 2) / 2);
          weights += weight;
          for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) {
            sums[static_cast<std::size_t>(channel)] += weight * pixel(src, u, v, channel);
          }
        }
      }
      for (const double sum : sums) expected.values.push_back(sum / weights);
    }
  }
  return expected;
}

template <class S>
FilterCase<S, S> smoothing(std::ptrdiff_t channels) {
  return {
      .task = {.filter = Filter::bilateral_filter,
               .width = diameter,
               .height = diameter,
               .sigma = sigma_space,
               .sigma_color = sigma_color<S>},
      .size = {},
      .channels = channels,
      .run =
          [](ImageView<const S> src, ImageView<S> dst, const Backend& backend) {
            bilateral_filter(
                src, dst,
                {.diameter = diameter, .sigma_color = sigma_color<S>, .sigma_space = sigma_space, .backend = backend});
          },
      .expected = [](ImageView<const S> src, Rectangle part) { return expected_bilateral(src, part); },
      // Of each of 48 neighbours, shared by the pixel's channels: the weight, taken for 10 operations; and of each
      // channel a difference and two for the sum.
      .operations = 48 * (10.0 / static_cast<double>(channels) + 3),
  };
}

}  // namespace

std::vector<Case> bilateral_filter_cases() {
  using std::uint8_t;
  std::vector<Case> cases;
  add_filter_cases(cases, "bilateral_filter", "", smoothing<uint8_t>(1));
  add_filter_cases(cases, "bilateral_filter", "", smoothing<uint8_t>(3));
  add_filter_cases(cases, "bilateral_filter", "", smoothing<float>(1));
  cases.push_back(tiny_filter_case("bilateral_filter", smoothing<uint8_t>(1)));
  cases.push_back(weak_filter_case("bilateral_filter", "", smoothing<uint8_t>(1)));
  return cases;
}

}  // namespace speedwell::bench
