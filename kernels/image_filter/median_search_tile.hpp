// SPDX-License-Identifier: Apache-2.0
// Medians of large windows of bytes, by a search over thresholds. The median of a window is t or more exactly if more
// than half of its samples are (threshold decomposition: J. P. Fitch, E. J. Coyle, N. C. Gallagher, IEEE Trans. ASSP
// 32, 1984). So it is found by bisection, one count of samples a step (the radix method: P. E. Danielsson, Computer
// Graphics and Image Processing 17, 1981).
//
// Counting is a box filter of zeros and ones, and vectors of bytes do it for 16 to 64 columns at a time: what enters a
// column and what leaves it, row by row; and, when the counts have been transposed, what enters a row and what leaves
// it, column by column. That is O(1) a sample and threshold, but for the first sums of a tile of 64 columns and rows,
// O(size / 64). A threshold is counted for a tile, or the part of it where a median is still sought between two
// thresholds round it: 8 for a flat image, about as many as there are different medians in a tile of a photograph, and
// never more than 255.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell::image_filter {

struct MedianSearchTile {
  static constexpr int rows = 64;
  static constexpr int columns = 64;

  // Rows 0 .. count - 1 of n medians to out[0] .. out[count - 1], at most `rows`, row r from lines[r] .. lines[r + size
  // - 1], which begin size / 2 pixels to the left and end as many to the right.
  void (*window)(const std::uint8_t* const* lines, std::uint8_t* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
                 std::ptrdiff_t channels, int size, std::uint8_t* scratch);
};

// What lies where in scratch, which begins on a cache line: planes of samples and of medians, one for each channel, and
// the counts of columns.
struct MedianSearchLayout {
  MedianSearchLayout(int size, std::ptrdiff_t channels)
      : source_rows(MedianSearchTile::rows + size - 1),
        stride((MedianSearchTile::columns + size - 1 + 63) / 64 * 64),
        medians(channels * source_rows * stride),
        counts(medians + channels * MedianSearchTile::rows * MedianSearchTile::columns),
        // The last vector of columns may begin within the stride and end beyond it.
        bytes(counts + (stride + 64) * MedianSearchTile::rows) {}

  std::ptrdiff_t source_rows;
  std::ptrdiff_t stride;
  std::ptrdiff_t medians;
  std::ptrdiff_t counts;
  std::ptrdiff_t bytes;
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct MedianSearchTiles;

// For the instruction set in use.
const MedianSearchTile& median_search_tile();

}  // namespace speedwell::image_filter
