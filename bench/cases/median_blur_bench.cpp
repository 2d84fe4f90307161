// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

// By counting for bytes, by selection for others. A histogram of a window that moves along the row: a sample enters and
// leaves for each row of the window.
template <class S>
Expected expected_median(ImageView<const S> src, Rectangle part, std::ptrdiff_t size) {
  const std::ptrdiff_t radius = size / 2;
  const std::ptrdiff_t samples = size * size;
  const auto at = [&](std::ptrdiff_t x, std::ptrdiff_t y, std::ptrdiff_t channel) {
    return src(std::clamp<std::ptrdiff_t>(x, 0, src.width - 1), std::clamp<std::ptrdiff_t>(y, 0, src.height - 1),
               channel);
  };
  Expected expected;
  expected.values.resize(static_cast<std::size_t>((part.x1 - part.x0) * (part.y1 - part.y0) * src.channels));
  std::vector<double> window(static_cast<std::size_t>(samples));
  for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
    for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) {
      double* to = expected.values.data() + (y - part.y0) * (part.x1 - part.x0) * src.channels + channel;
      std::array<std::ptrdiff_t, 256> count = {};
      for (std::ptrdiff_t x = part.x0; x < part.x1; ++x, to += src.channels) {
        if constexpr (std::same_as<S, std::uint8_t>) {
          for (std::ptrdiff_t j = y - radius; j <= y + radius; ++j) {
            const std::ptrdiff_t first = x == part.x0 ? x - radius : x + radius;
            for (std::ptrdiff_t i = first; i <= x + radius; ++i) ++count[at(i, j, channel)];
            if (x > part.x0) --count[at(x - radius - 1, j, channel)];
          }
          std::ptrdiff_t below = 0;
          std::size_t level = 0;
          while ((below += count[level]) <= samples / 2) ++level;
          *to = static_cast<double>(level);
        } else {
          for (std::ptrdiff_t i = 0; i < samples; ++i) {
            window[static_cast<std::size_t>(i)] = at(x - radius + i % size, y - radius + i / size, channel);
          }
          std::nth_element(window.begin(), window.begin() + samples / 2, window.end());
          *to = window[static_cast<std::size_t>(samples / 2)];
        }
      }
    }
  }
  return expected;
}

// `operations`: minima and maxima, or what stands for them, a sample.
template <class S>
FilterCase<S, S> median(int size, std::ptrdiff_t channels, double operations) {
  return {
      .task = {.filter = Filter::median_blur, .width = size, .height = size},
      .size = {},
      .channels = channels,
      .run =
          [size](ImageView<const S> src, ImageView<S> dst, const Backend& backend) {
            median_blur(src, dst, {.size = size, .border = Border::replicate, .backend = backend});
          },
      .expected = [size](ImageView<const S> src, Rectangle part) { return expected_median(src, part, size); },
      .operations = operations,
  };
}

}  // namespace

std::vector<Case> median_blur_cases() {
  using std::uint8_t;
  std::vector<Case> cases;
  // 3 x 3: 19 exchanges, each a minimum and a maximum.
  add_filter_cases(cases, "median_blur", "", median<uint8_t>(3, 1, 38), 3840);
  add_filter_cases(cases, "median_blur", "", median<uint8_t>(3, 3, 38));
  add_filter_cases(cases, "median_blur", "", median<float>(3, 1, 38), 3840);
  // 5 x 5: 99 exchanges. Of larger windows each sample enters and leaves a histogram once a column and once a row, and
  // 16 + 16 counts tell the median.
  struct Variant {
    const char* suffix;
    int size;
    double operations;
  };
  for (const Variant& of : {Variant{"_5x5", 5, 198}, Variant{"_15x15", 15, 36}, Variant{"_51x51", 51, 36}}) {
    for (const std::ptrdiff_t channels : {1, 3}) {
      add_filter_cases(cases, "median_blur", of.suffix, median<uint8_t>(of.size, channels, of.operations));
    }
  }
  add_filter_cases(cases, "median_blur", "_5x5", median<float>(5, 1, 198));
  cases.push_back(tiny_filter_case("median_blur", median<uint8_t>(3, 1, 38)));
  cases.push_back(weak_filter_case("median_blur", "", median<uint8_t>(3, 1, 38)));
  return cases;
}

}  // namespace speedwell::bench
