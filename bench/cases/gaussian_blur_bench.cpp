// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

std::vector<double> gaussian_weights(int width, double sigma) {
  std::vector<double> weights;
  double sum = 0;
  for (int i = -(width / 2); i <= width / 2; ++i) {
    weights.push_back(std::exp(-i * i / (2 * sigma * sigma)));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

// Along rows, then along columns, in double.
// float: each pass is a chain of `width` terms of values below 1, so each rounding errs by eps / 2 at most; the
// weights' own rounding adds as much.
// 8 bits: weights out of 256 whose errors are carried on are off by at most 1/2 of 1/256 in any partial sum, so a pass
// errs by at most 1/512 of the differences of neighbours added up over the window. The end is rounded by 1/2.
template <class S>
Expected expected_gaussian(ImageView<const S> src, Rectangle part, int width, double sigma) {
  const std::vector<double> weights = gaussian_weights(width, sigma);
  const std::ptrdiff_t radius = width / 2;
  const std::ptrdiff_t length = (part.x1 - part.x0) * src.channels;
  std::vector<double> across(static_cast<std::size_t>((part.y1 - part.y0 + 2 * radius) * length));
  std::vector<double> wide(static_cast<std::size_t>(length + 2 * radius * src.channels));  // a row and its border
  double* to = across.data();
  for (std::ptrdiff_t y = part.y0 - radius; y < part.y1 + radius; ++y, to += length) {
    double* at = wide.data();
    for (std::ptrdiff_t x = part.x0 - radius; x < part.x1 + radius; ++x) {
      for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) *at++ = pixel(src, x, y, channel);
    }
    for (std::ptrdiff_t i = 0; i < width; ++i) {
      const double* from = wide.data() + i * src.channels;
      for (std::ptrdiff_t j = 0; j < length; ++j) to[j] += weights[static_cast<std::size_t>(i)] * from[j];
    }
  }
  Expected expected;
  expected.tolerance = std::same_as<S, float> ? 2 * width * double{std::numeric_limits<float>::epsilon()}
                                              : 0.5 + 2 * most_differences(width) / 512.0;
  expected.values.assign(static_cast<std::size_t>((part.y1 - part.y0) * length), 0.0);
  for (std::ptrdiff_t y = 0; y < part.y1 - part.y0; ++y) {
    for (std::ptrdiff_t i = 0; i < width; ++i) {
      const double* from = across.data() + (y + i) * length;
      double* sum = expected.values.data() + y * length;
      for (std::ptrdiff_t j = 0; j < length; ++j) sum[j] += weights[static_cast<std::size_t>(i)] * from[j];
    }
  }
  return expected;
}

template <class S>
FilterCase<S, S> blur(int width, double sigma, std::ptrdiff_t channels) {
  return {
      .task = {.filter = Filter::gaussian_blur, .width = width, .height = width, .sigma = sigma},
      .size = {},
      .channels = channels,
      .run =
          [=](ImageView<const S> src, ImageView<S> dst, const Backend& backend) {
            gaussian_blur(src, dst, {.sigma = sigma, .width = width, .height = width, .backend = backend});
          },
      .expected = [=](ImageView<const S> src, Rectangle part) { return expected_gaussian(src, part, width, sigma); },
      // Each of two passes: `width` multiplications and width - 1 additions.
      .operations = 2.0 * (2 * width - 1),
  };
}

}  // namespace

std::vector<Case> gaussian_blur_cases() {
  using std::uint8_t;
  std::vector<Case> cases;
  // 5 x 5 is the blur people take against noise, 31 x 31 one whose arithmetic outweighs its memory traffic.
  struct Variant {
    const char* suffix;
    double sigma;
    int width;
  };
  for (const Variant variant : {Variant{"", 1, 5}, Variant{"_sigma5", 5, 31}}) {
    const std::ptrdiff_t quick = variant.width == 5 ? 3840 : 0;
    for (const std::ptrdiff_t channels : {1, 3}) {
      add_filter_cases(cases, "gaussian_blur", variant.suffix, blur<uint8_t>(variant.width, variant.sigma, channels),
                       channels == 1 ? quick : 0);
    }
    for (const std::ptrdiff_t channels : {1, 3}) {
      add_filter_cases(cases, "gaussian_blur", variant.suffix, blur<float>(variant.width, variant.sigma, channels),
                       channels == 1 ? quick : 0);
    }
  }
  // 9 x 9 is the smallest that counts as wide.
  for (const std::ptrdiff_t channels : {1, 3}) {
    add_filter_cases(cases, "gaussian_blur", "_sigma2", blur<uint8_t>(9, 2, channels));
  }
  add_filter_cases(cases, "gaussian_blur", "_sigma2", blur<float>(9, 2, 1));
  cases.push_back(tiny_filter_case("gaussian_blur", blur<uint8_t>(5, 1, 1)));
  cases.push_back(weak_filter_case("gaussian_blur", "", blur<uint8_t>(5, 1, 1)));
  return cases;
}

}  // namespace speedwell::bench
