// SPDX-License-Identifier: Apache-2.0
// Medians by networks of minima and maxima, for windows of 3, 5 and 7: the same operations whatever the samples are.
//
// 3x3, a row at a time: the three samples of each column are sorted once, into a line of the lowest, one of the middle
// and one of the highest; three neighbouring columns then share them: the median of nine is the median of the highest
// of the lowest, the median of the middle, and the lowest of the highest.
//
// 5x5 and 7x7, two rows at a time, after A. Adams, Fast median filters using separable sorting networks (SIGGRAPH
// 2021). The windows of two rows share all rows but one each. Of the shared ones each column is sorted once, and so is
// each pair of neighbouring columns, for all windows that hold it. A window merges its pairs and its last column, and
// forgets at each step those samples that so many are below or above already that they can't be the median. What is
// left, one sample more than the window has columns, serves both rows: each sorts its own row and selects the median
// from the two sorted lists.
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

  // One or two rows of n medians to out[0] and out[1], row r from lines[r] .. lines[r + size - 1], which begin size / 2
  // pixels to the left and end as many and 64 bytes to the right.
  using Window = void(const T* const* lines, T* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
                      std::ptrdiff_t channels);
  Window* window_5;
  Window* window_7;
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct MedianBlurTiles;

// For the instruction set in use.
template <class T>
const MedianBlurTile<T>& median_blur_tile();

}  // namespace speedwell::image_filter
