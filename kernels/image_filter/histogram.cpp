// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/histogram.hpp"

#include <mutex>

#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/histogram_tile.hpp"
#include "kernels/image_filter/strip_pass.hpp"

namespace speedwell {

namespace image_filter {

namespace {
constinit runtime::Kernel histogram_kernel("histogram", "u8");
}  // namespace

Histogram count_values(const runtime::Choice& choice, runtime::Participants& participants,
                       ImageView<const std::uint8_t> src) {
  // An empty image's other side may be any number, from which nothing is computed.
  const std::ptrdiff_t samples = src.height == 0 ? 0 : src.width * src.channels;
  Histogram sum = {};
  std::mutex sum_in_use;
  // Clearing and adding up tables takes about as long as counting some thousand samples.
  constexpr std::ptrdiff_t least_samples = 64 * 1024;
  run_strips(choice, participants,
             {.rows = samples == 0 ? 0 : src.height,
              .row_bytes = static_cast<std::size_t>(samples),
              .least = samples == 0 ? 1 : (least_samples + samples - 1) / samples},
             [&](std::ptrdiff_t first, std::ptrdiff_t count) {
               std::uint64_t counts[4 * byte_values] = {};
               count_rows(src.row(first), src.row_stride, count, samples, src.channels, counts);
               // In any order: integers.
               const std::lock_guard lock(sum_in_use);
               for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) {
                 for (std::ptrdiff_t value = 0; value < byte_values; ++value) {
                   sum[channel][value] += counts[channel * byte_values + value];
                 }
               }
             });
  return sum;
}

}  // namespace image_filter

Histogram histogram(ImageView<const std::uint8_t> src, const HistogramOptions& options) {
  runtime::check_image("histogram", "src", src);
  image_filter::check_channels("histogram", src.channels);
  const double samples =
      static_cast<double>(src.width) * static_cast<double>(src.height) * static_cast<double>(src.channels);
  runtime::Participants participants;
  return image_filter::count_values(
      runtime::choose(image_filter::histogram_kernel, options.backend, {samples, samples}), participants, src);
}

}  // namespace speedwell
