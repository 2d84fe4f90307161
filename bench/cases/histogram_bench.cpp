// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

constexpr std::ptrdiff_t values = 256;

Expected expected_counts(ImageView<const std::uint8_t> src) {
  Expected expected;
  expected.values.resize(static_cast<std::size_t>(values * src.channels));
  for (std::ptrdiff_t y = 0; y < src.height; ++y) {
    for (std::ptrdiff_t i = 0; i < src.width * src.channels; ++i) {
      expected.values[static_cast<std::size_t>(src.row(y)[i] * src.channels + i % src.channels)] += 1;
    }
  }
  return expected;
}

void count(ImageView<const std::uint8_t> src, ImageView<std::int32_t> dst, const Backend& backend) {
  const Histogram counts = histogram(src, {.backend = backend});
  for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) {
    for (std::ptrdiff_t value = 0; value < values; ++value) {
      dst(value, 0, channel) = static_cast<std::int32_t>(counts[channel][value]);
    }
  }
}

Case counts_of(ImageSize size, std::ptrdiff_t channels) {
  Case made = make_filter_case<std::uint8_t, std::int32_t>(
      "histogram", "",
      {
          .task = {.filter = Filter::histogram},
          .size = size,
          .channels = channels,
          .dst_size = {values, 1},
          .dst_channels = channels,
          .run = count,
          // One part: the whole result.
          .expected = [](ImageView<const std::uint8_t> src, Rectangle) { return expected_counts(src); },
      });
  made.flops = static_cast<double>(size.width * size.height * channels);  // an increment a sample
  return made;
}

}  // namespace

std::vector<Case> histogram_cases() {
  std::vector<Case> cases;
  for (const std::ptrdiff_t channels : {1, 3}) {
    for (const ImageSize size : sizes_of_filter_cases()) {
      cases.push_back(
          of_any_image_size(counts_of(size, channels), [=](ImageSize other) { return counts_of(other, channels); }));
    }
  }
  cases.push_back(tiny(counts_of(icon_size, 1)));
  cases.push_back(weak_filter_case([](ImageSize size) { return counts_of(size, 1); }));
  return cases;
}

}  // namespace speedwell::bench
