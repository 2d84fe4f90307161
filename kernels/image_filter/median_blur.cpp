// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/median_blur_tile.hpp"

#include <algorithm>

#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/line_filter.hpp"
#include "kernels/image_filter/median_search_tile.hpp"
#include "kernels/image_filter/window_filter.hpp"

namespace speedwell {

namespace image_filter {
namespace {

template <class T>
struct LineMedian {
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

template <class T, int size>
struct WindowMedian {
  static_assert(size == 5 || size == 7);
  using In = T;
  using Line = T;
  using Out = T;
  static constexpr int together = 2;

  const MedianBlurTile<T>& tile;

  int radius_x() const { return size / 2; }
  int radius_y() const { return size / 2; }
  // Minima and maxima. Shared by two rows: 10, 18 and 70 to sort columns, merge pairs of them, and merge the pairs; a
  // row alone: 28. For 7: 24, 34 and 228, and 46.
  double operations() const { return size == 5 ? 77 : 189; }
  void load(const In* in, Line* line, std::ptrdiff_t n) const { std::copy_n(in, n, line); }
  void window(const Line* const* lines, Out* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
              std::ptrdiff_t channels) const {
    (size == 5 ? tile.window_5 : tile.window_7)(lines, out, count, n, channels);
  }
};

struct SearchMedian {
  using In = std::uint8_t;
  using Line = std::uint8_t;
  using Out = std::uint8_t;
  static constexpr int together = MedianSearchTile::rows;

  const MedianSearchTile& tile;
  int size;

  int radius_x() const { return size / 2; }
  int radius_y() const { return size / 2; }
  // About 20 for each of the 8 to 255 thresholds, of which photographs take some 40.
  double operations() const { return 20 * 40; }
  std::size_t scratch_bytes(std::ptrdiff_t channels) const {
    return static_cast<std::size_t>(MedianSearchLayout(size, channels).bytes);
  }
  void load(const In* in, Line* line, std::ptrdiff_t n) const { std::copy_n(in, n, line); }
  void window(const Line* const* lines, Out* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
              std::ptrdiff_t channels, std::byte* scratch) const {
    tile.window(lines, out, count, n, channels, size, reinterpret_cast<std::uint8_t*>(scratch));
  }
};

template <class T>
constinit runtime::Kernel median_blur_3_kernel("median_blur_3", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel median_blur_5_kernel("median_blur_5", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel median_blur_7_kernel("median_blur_7", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel median_blur_kernel("median_blur", runtime::element_name<T>);

template <class T>
void median_blur_of(ImageView<const T> src, ImageView<T> dst, const MedianBlurOptions& options) {
  check_images("median_blur", src, dst);
  check_border("median_blur", options.border, options.border_value);
  constexpr bool any_size = sizeof(T) == 1;
  const int size = options.size;
  if (size < 3 || size % 2 == 0 || size > (any_size ? 255 : 7)) {
    refuse("median_blur", "size is " + std::to_string(size) + ", expected " +
                              (any_size ? "an odd number from 3 to 255" : "3, 5 or 7 for samples of more than 8 bits"));
  }
  const MedianBlurTile<T>& tile = median_blur_tile<T>();
  if (size == 3) return run_line_filter(median_blur_3_kernel<T>, LineMedian<T>{tile}, src, dst, options);
  if (size == 5) return run_window_filter(median_blur_5_kernel<T>, WindowMedian<T, 5>{tile}, src, dst, options);
  if (size == 7) return run_window_filter(median_blur_7_kernel<T>, WindowMedian<T, 7>{tile}, src, dst, options);
  if constexpr (any_size)
    run_window_filter(median_blur_kernel<T>, SearchMedian{median_search_tile(), size}, src, dst, options);
}

}  // namespace
}  // namespace image_filter

void median_blur(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const MedianBlurOptions& options) {
  image_filter::median_blur_of(src, dst, options);
}

void median_blur(ImageView<const std::uint16_t> src, ImageView<std::uint16_t> dst, const MedianBlurOptions& options) {
  image_filter::median_blur_of(src, dst, options);
}

void median_blur(ImageView<const float> src, ImageView<float> dst, const MedianBlurOptions& options) {
  image_filter::median_blur_of(src, dst, options);
}

}  // namespace speedwell
