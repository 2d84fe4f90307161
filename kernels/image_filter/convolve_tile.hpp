// SPDX-License-Identifier: Apache-2.0
// Weighted sums of a two-dimensional window. Lines hold samples as float.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/image_filter/convolve_kernel.hpp"

namespace speedwell::image_filter {

template <class T>
struct ConvolveTile {
  // n samples of a row of the image as a line has them.
  void (*load)(const T* in, float* line, std::ptrdiff_t n);
  // n samples of `count` <= convolve_rows rows of the result, row r from lines[r] .. lines[r + height - 1].
  void (*window)(const float* const* lines, T* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
                 std::ptrdiff_t channels, const ConvolveKernel& kernel);
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct ConvolveTiles;

// For the instruction set in use.
template <class T>
const ConvolveTile<T>& convolve_tile();

}  // namespace speedwell::image_filter
