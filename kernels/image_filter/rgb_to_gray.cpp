// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/rgb_to_gray_tile.hpp"

#include "kernels/image_filter/checks.hpp"
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
  runtime::Participants participants;
  run_strips(
      runtime::choose(rgb_to_gray_kernel<T>, options.backend, {pixels * 5, pixels * static_cast<double>(pixel_bytes)}),
      participants,
      {.rows = src.width == 0 ? 0 : src.height, .row_bytes = static_cast<std::size_t>(src.width) * pixel_bytes},
      [&](std::ptrdiff_t first, std::ptrdiff_t count) {
        for (std::ptrdiff_t y = first; y < first + count; ++y) {
          tile.row(src.row(y), src.channels, dst.row(y), src.width);
        }
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
