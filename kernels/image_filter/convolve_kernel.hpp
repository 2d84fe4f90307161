// SPDX-License-Identifier: Apache-2.0
// What the two convolutions share: their kernels, as their tiles read them, and the filter that they both are.
#pragma once

#include <cstddef>

namespace speedwell::image_filter {

// The longest side of a kernel, and how far it reaches from its centre.
inline constexpr int most_side = 63;
inline constexpr int most_reach = most_side / 2;

// Rows of the result that are computed at once.
inline constexpr int convolve_rows = 6;

struct ConvolveKernel {
  int width;
  int height;
  float bias;
  float weights[most_side * most_side];  // by rows

  int products() const { return width * height; }  // a sample
};

struct SeparableKernel {
  int width;
  int height;
  float bias;
  float row[most_side];
  float column[most_side];

  int products() const { return width + height; }
};

template <class T, class Kernel>
struct ConvolveTile {
  // n samples of a row of the image as a line has them.
  void (*load)(const T* in, float* line, std::ptrdiff_t n);
  // n samples of `count` <= convolve_rows rows of the result, row r from lines[r] .. lines[r + height - 1].
  void (*window)(const float* const* lines, T* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
                 std::ptrdiff_t channels, const Kernel& kernel);
};

// As run_window_filter takes it.
template <class T, class Kernel>
struct ConvolveWindow {
  using In = T;
  using Line = float;
  using Out = T;
  static constexpr int together = convolve_rows;

  const ConvolveTile<T, Kernel>& tile;
  const Kernel& kernel;

  int radius_x() const { return kernel.width / 2; }
  int radius_y() const { return kernel.height / 2; }
  double operations() const { return 2.0 * kernel.products(); }
  void load(const In* in, Line* line, std::ptrdiff_t n) const { tile.load(in, line, n); }
  void window(const Line* const* lines, Out* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
              std::ptrdiff_t channels) const {
    tile.window(lines, out, count, n, channels, kernel);
  }
};

// Splits the kernel into a column times a row, to within `product_error` of each weight, and tells whether it can be.
bool separate(const ConvolveKernel& kernel, SeparableKernel& separable);

// Weights that were the products of two floats once, rounded to float, come from quotients that err by three roundings
// of 2^-24, and the product is one more.
inline constexpr double product_error = 0x1p-22;

}  // namespace speedwell::image_filter
