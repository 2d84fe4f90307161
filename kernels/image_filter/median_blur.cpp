// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/median_blur_tile.hpp"

#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/line_filter.hpp"

namespace speedwell {

namespace image_filter {
namespace {

template <class T>
struct MedianBlur {
  using In = T;
  using Line = T;
  using Out = T;
  static constexpr int planes = 3;

  const MedianBlurTile<T>& tile;

  int radius_x() const { return 1; }
  int radius_y() const { return 1; }
  // Minima and maxima: 6 to sort a column, 12 for the median of three columns.
  double operations() const { return 18; }
  void vertical(const In* const* rows, Line* line, std::ptrdiff_t plane, std::ptrdiff_t first, std::ptrdiff_t n) const {
    tile.vertical(rows, line, plane, first, n);
  }
  void horizontal(const Line* line, std::ptrdiff_t plane, Out* out, std::ptrdiff_t n, std::ptrdiff_t channels) const {
    tile.horizontal(line, plane, out, n, channels);
  }
};

template <class T>
void median_blur_of(ImageView<const T> src, ImageView<T> dst, const MedianBlurOptions& options) {
  check_images("median_blur", src, dst);
  check_border("median_blur", options.border, options.border_value);
  if (options.size != 3) refuse("median_blur", "size is " + std::to_string(options.size) + ", expected 3");
  run_line_filter(MedianBlur<T>{median_blur_tile<T>()}, src, dst, options);
}

}  // namespace
}  // namespace image_filter

void median_blur(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const MedianBlurOptions& options) {
  image_filter::median_blur_of(src, dst, options);
}

void median_blur(ImageView<const float> src, ImageView<float> dst, const MedianBlurOptions& options) {
  image_filter::median_blur_of(src, dst, options);
}

}  // namespace speedwell
