// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/sobel_tile.hpp"

#include <cstddef>

#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/line_filter.hpp"

namespace speedwell {

namespace image_filter {
namespace {

template <class T, class Derivative>
struct Sobel {
  using In = T;
  using Line = Derivative;
  using Out = Derivative;
  static constexpr int planes = 1;

  const SobelTile<In, Out>& tile;
  int dx;
  int dy;

  int radius_x() const { return 1; }
  int radius_y() const { return 1; }
  // At most three additions in each direction.
  double operations() const { return 6; }
  std::ptrdiff_t rows_together() const { return tile.rows; }
  std::size_t scratch_bytes(std::ptrdiff_t) const { return 0; }
  void vertical(const In* const* rows, std::ptrdiff_t count, Line* line, std::ptrdiff_t pitch, std::ptrdiff_t first,
                std::ptrdiff_t n) const {
    tile.vertical[dy](rows, count, line, pitch, first, n);
  }
  void horizontal(const Line* line, std::ptrdiff_t pitch, Out* out, std::ptrdiff_t out_pitch, std::ptrdiff_t count,
                  std::ptrdiff_t n, std::ptrdiff_t channels, std::byte*) const {
    for (std::ptrdiff_t k = 0; k < count; ++k) {
      tile.horizontal[dx](line + k * pitch, out + k * out_pitch, n, channels);
    }
  }
};

template <class T>
constinit runtime::Kernel sobel_kernel("sobel", runtime::element_name<T>);

template <class In, class Out>
void sobel_of(ImageView<const In> src, ImageView<Out> dst, const SobelOptions& options) {
  check_images("sobel", src, dst);
  check_border("sobel", options.border, options.border_value);
  const auto valid = [](int order) { return order == 0 || order == 1; };
  if (!valid(options.dx) || !valid(options.dy) || options.dx + options.dy == 0) {
    refuse("sobel", "dx is " + std::to_string(options.dx) + " and dy is " + std::to_string(options.dy) +
                        ", expected 0 or 1, and not both 0");
  }
  run_line_filter(sobel_kernel<In>, Sobel<In, Out>{sobel_tile<In, Out>(), options.dx, options.dy}, src, dst, options);
}

}  // namespace
}  // namespace image_filter

void sobel(ImageView<const std::uint8_t> src, ImageView<std::int16_t> dst, const SobelOptions& options) {
  image_filter::sobel_of(src, dst, options);
}

void sobel(ImageView<const float> src, ImageView<float> dst, const SobelOptions& options) {
  image_filter::sobel_of(src, dst, options);
}

}  // namespace speedwell
