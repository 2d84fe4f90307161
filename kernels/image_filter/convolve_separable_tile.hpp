// SPDX-License-Identifier: Apache-2.0
// Weighted sums along columns, then along rows. Lines hold samples as float. The sums of the columns go to a piece of a
// few lines in the first-level cache, from which those along the rows are taken before the next piece.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/image_filter/convolve_kernel.hpp"

namespace speedwell::image_filter {

template <class T>
struct ConvolveSeparableTile {
  // n samples of a row of the image as a line has them.
  void (*load)(const T* in, float* line, std::ptrdiff_t n);
  // n samples of `count` <= convolve_rows rows of the result, row r from lines[r] .. lines[r + height - 1].
  void (*window)(const float* const* lines, T* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
                 std::ptrdiff_t channels, const SeparableKernel& kernel);
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct ConvolveSeparableTiles;

// For the instruction set in use.
template <class T>
const ConvolveSeparableTile<T>& convolve_separable_tile();

// The filter, as run_window_filter takes it.
template <class T>
struct SeparableWindow {
  using In = T;
  using Line = float;
  using Out = T;
  static constexpr int together = convolve_rows;

  const ConvolveSeparableTile<T>& tile = convolve_separable_tile<T>();
  SeparableKernel kernel;

  int radius_x() const { return kernel.width / 2; }
  int radius_y() const { return kernel.height / 2; }
  double operations() const { return 2.0 * (kernel.width + kernel.height); }
  void load(const In* in, Line* line, std::ptrdiff_t n) const { tile.load(in, line, n); }
  void window(const Line* const* lines, Out* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
              std::ptrdiff_t channels) const {
    tile.window(lines, out, count, n, channels, kernel);
  }
};

}  // namespace speedwell::image_filter
