// SPDX-License-Identifier: Apache-2.0
// The 3x3 median of a row. The three samples of each column are sorted once, into a line of the lowest, one of the
// middle and one of the highest; three neighbouring columns then share them: the median of nine is the median of the
// highest of the lowest, the median of the middle, and the lowest of the highest.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell::image_filter {

template <class T>
struct MedianBlurTile {
  // Sorts rows[-1][i], rows[0][i], rows[1][i] into line[i], line[i + plane], line[i + 2 plane], for n columns from
  // first.
  void (*vertical)(const T* const* rows, T* line, std::ptrdiff_t plane, std::ptrdiff_t first, std::ptrdiff_t n);
  // out[i] from the columns i - channels, i and i + channels.
  void (*horizontal)(const T* line, std::ptrdiff_t plane, T* out, std::ptrdiff_t n, std::ptrdiff_t channels);
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct MedianBlurTiles;

// For the instruction set in use.
template <class T>
const MedianBlurTile<T>& median_blur_tile();

}  // namespace speedwell::image_filter
