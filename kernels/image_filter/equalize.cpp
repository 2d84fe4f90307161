// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/equalize_tile.hpp"
#include "kernels/image_filter/histogram.hpp"
#include "kernels/image_filter/strip_pass.hpp"

namespace speedwell {

namespace image_filter {
namespace {

constinit runtime::Kernel equalize_kernel("equalize", "u8");

// Of an image of one channel with so many pixels of each value, and at least one pixel.
ByteTable equalizing(const std::array<std::uint64_t, 256>& counts) {
  std::uint64_t pixels = 0;
  for (const std::uint64_t count : counts) pixels += count;
  std::size_t least = 0;
  while (counts[least] == 0) ++least;

  std::uint8_t table[256] = {};
  if (counts[least] == pixels) {
    table[least] = static_cast<std::uint8_t>(least);
  } else {
    const float scale = 255.0F / static_cast<float>(pixels - counts[least]);
    std::uint64_t sum = 0;
    for (std::size_t value = least + 1; value < 256; ++value) {
      sum += counts[value];
      table[value] = static_cast<std::uint8_t>(std::nearbyint(static_cast<float>(sum) * scale));
    }
  }
  return byte_table(table);
}

}  // namespace
}  // namespace image_filter

void equalize(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const EqualizeOptions& options) {
  using namespace image_filter;
  runtime::check_image("equalize", "src", src);
  runtime::check_image("equalize", "dst", dst);
  if (src.channels != 1) refuse("equalize", "src has " + std::to_string(src.channels) + " channels, expected 1");
  check_same_shape("equalize", src.width, src.height, 1, dst.width, dst.height, dst.channels);
  runtime::check_output("equalize", "dst", dst);
  const bool in_place = src.data == dst.data && src.row_stride == dst.row_stride;
  if (!in_place) runtime::check_apart("equalize", "dst", dst, "src", src);

  const double pixels = static_cast<double>(src.width) * static_cast<double>(src.height);
  const runtime::Choice choice = runtime::choose(equalize_kernel, options.backend, {2 * pixels, 3 * pixels});
  runtime::Participants participants;
  if (pixels == 0) return runtime::record_run(choice, participants);
  const ByteTable table = equalizing(count_values(choice, participants, src)[0]);
  const LookUpRow look_up_row = look_up_row_tile();
  run_strips(choice, participants, {.rows = src.height, .row_bytes = 2 * static_cast<std::size_t>(src.width)},
             [&](std::ptrdiff_t first, std::ptrdiff_t count) {
               for (std::ptrdiff_t y = first; y < first + count; ++y) {
                 look_up_row(table, src.row(y), dst.row(y), src.width);
               }
             });
}

}  // namespace speedwell
