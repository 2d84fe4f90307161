// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/rgb_to_gray_tile.hpp"

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstdint>

#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/stream_row_tile.hpp"
#include "kernels/image_filter/strip_pass.hpp"

namespace speedwell {

namespace image_filter {
namespace {

template <class T>
constinit runtime::Kernel rgb_to_gray_kernel("rgb_to_gray", runtime::element_name<T>);

template <class T>
void rgb_to_gray_of(ImageView<const T> src, ImageView<T> dst, const RgbToGrayOptions& options) {
  check_apart_images("rgb_to_gray", src, dst);
  if (src.channels == 1) refuse("rgb_to_gray", "src has 1 channel, expected 3 or 4");
  check_same_shape("rgb_to_gray", src.width, src.height, 1, dst.width, dst.height, dst.channels);
  const RgbToGrayTile<T>& tile = rgb_to_gray_tile<T>();
  const double pixels = static_cast<double>(src.width) * static_cast<double>(src.height);
  const std::size_t pixel_bytes = static_cast<std::size_t>(src.channels + 1) * sizeof(T);
  const StreamRow stream_row = stream_row_for(pixels * static_cast<double>(pixel_bytes));
  // In pieces that stay in the nearest cache, of whole cache lines.
  const auto stream = [&](const T* from, T* to) {
    constexpr std::ptrdiff_t piece = 1024;
    alignas(64) T gray[piece];
    const auto into = static_cast<std::ptrdiff_t>(reinterpret_cast<std::uintptr_t>(to) % 64 / sizeof(T));
    for (std::ptrdiff_t x = 0, end = 0; x < src.width; x = end) {
      end = std::min(x == 0 ? piece - into : x + piece, src.width);
      tile.row(from + x * src.channels, src.channels, gray, end - x);
      stream_row(reinterpret_cast<const std::uint8_t*>(gray), reinterpret_cast<std::uint8_t*>(to + x),
                 static_cast<std::size_t>(end - x) * sizeof(T));
    }
  };
  runtime::Participants participants;
  run_strips(
      runtime::choose(rgb_to_gray_kernel<T>, options.backend, {pixels * 5, pixels * static_cast<double>(pixel_bytes)}),
      participants,
      {.rows = src.width == 0 ? 0 : src.height, .row_bytes = static_cast<std::size_t>(src.width) * pixel_bytes},
      [&](std::ptrdiff_t first, std::ptrdiff_t count) {
        for (std::ptrdiff_t y = first; y < first + count; ++y) {
          if (stream_row) {
            stream(src.row(y), dst.row(y));
          } else {
            tile.row(src.row(y), src.channels, dst.row(y), src.width);
          }
        }
        if (stream_row) hwy::FlushStream();
      });
}

}  // namespace
}  // namespace image_filter

void rgb_to_gray(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const RgbToGrayOptions& options) {
  image_filter::rgb_to_gray_of(src, dst, options);
}

void rgb_to_gray(ImageView<const float> src, ImageView<float> dst, const RgbToGrayOptions& options) {
  image_filter::rgb_to_gray_of(src, dst, options);
}

}  // namespace speedwell
