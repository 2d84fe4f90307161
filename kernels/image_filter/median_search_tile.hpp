// SPDX-License-Identifier: Apache-2.0
// Medians of large windows of bytes, by a search over thresholds. The median of a window is t or more exactly if more
// than half of its samples are (threshold decomposition: J. P. Fitch, E. J. Coyle, N. C. Gallagher, IEEE Trans. ASSP
// 32, 1984). So it is found by bisection, one count of samples a step (the radix method: P. E. Danielsson, Computer
// Graphics and Image Processing 17, 1981).
//
// Counting is a box filter of zeros and ones, and vectors of bytes do it for 16 to 64 windows at a time: along a row by
// sums of three sums of a third of the length, O(log size) a sample and step; down the columns by what enters and
// leaves the window, O(1). A threshold is counted for a tile of 64 columns and some dozen rows, and only if a median of
// the tile is still sought between two thresholds round it: 8 for a flat image, about as many as there are different
// medians in a tile of a photograph, and never more than 255.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell::image_filter {

// The largest tile of a window's size: rows, and what it takes beside the image.
struct MedianSearch {
  static constexpr std::ptrdiff_t tile_columns = 64;
  static constexpr int most_levels = 5;  // 3^5 samples at once; four sums of three are 3^4

  // So many rows are summed up together: what has just been stored isn't loaded as part of other vectors at once, which
  // would have to wait until it is in the cache.
  static constexpr std::ptrdiff_t block_rows = 8;

  explicit MedianSearch(int size, std::ptrdiff_t tile_rows);

  std::size_t scratch_bytes(std::ptrdiff_t channels) const;

  int size;
  std::ptrdiff_t tile_rows;
  std::ptrdiff_t stride;  // of a tile's rows, with the columns to both sides

  // A row's sums of 3^0, 3^1, .. 3^(levels - 1) samples, and which of these sum up to `size` samples.
  struct Term {
    int level;
    int first;
  };
  int levels = 0;
  int terms = 0;
  Term term[2 * most_levels + 3];
};

struct MedianSearchTile {
  // Rows 0 .. count - 1 of n medians to out[0] .. out[count - 1], row r from lines[r] .. lines[r + size - 1], which
  // begin size / 2 pixels to the left and end as many to the right.
  void (*window)(const std::uint8_t* const* lines, std::uint8_t* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
                 std::ptrdiff_t channels, const MedianSearch& search, std::uint8_t* scratch);
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct MedianSearchTiles;

// For the instruction set in use.
const MedianSearchTile& median_search_tile();

}  // namespace speedwell::image_filter
