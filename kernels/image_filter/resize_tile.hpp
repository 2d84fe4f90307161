// SPDX-License-Identifier: Apache-2.0
// Rows of another size: pixels picked, interpolated between two of a line, or averaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace speedwell::image_filter {

// Which pixel of a row each pixel of the result begins at.
struct PixelTable {
  std::ptrdiff_t pixels;       // of the result
  std::ptrdiff_t pixel_bytes;  // 1 to 16
  const std::int32_t* index;   // [pixel]: the row's

  // The same for blocks of 16 bytes of the result, the last of which ends with it. A block comes from `chunks` times 16
  // bytes of the row from from[block] on. order[block][chunk]: which of a chunk's bytes each byte of the block is;
  // 0x80, from which a shuffle makes zero, if it is none of them.
  int chunks;  // up to `most_chunks`; 0: too few or too far apart for blocks
  const std::int32_t* from;
  const std::uint8_t* order;

  static constexpr int block_bytes = 16;
  static constexpr int most_chunks = 4;

  std::ptrdiff_t bytes() const { return pixels * pixel_bytes; }
};

// Which pixels of a line each pixel of the result is the mean of, and how much of each.
struct AreaTable {
  std::ptrdiff_t pixels;      // of the result
  std::ptrdiff_t most;        // of the line that one of them covers
  const std::int32_t* first;  // [pixel]
  const std::int32_t* count;  // [pixel]
  const float* weights;       // [pixel * most + i]

  // For one channel. The first pixels in blocks, and the weights of each pixel's i-th as rows of their own, zero for
  // those that it hasn't: [i * pixels + pixel]. Without chunks, unless all weights may be used.
  PixelTable blocks;
  const float* weight_rows;
};

template <class T>
struct ResizeTile {
  // Between the two directions of linear interpolation. Bytes keep seven fractional bits, the weights fifteen.
  using Line = std::conditional_t<std::is_same_v<T, float>, float, std::int16_t>;

  // line[i] = upper[i] + weight * (lower[i] - upper[i])
  void (*blend_rows)(const T* upper, const T* lower, Line weight, Line* line, std::ptrdiff_t n);
  // The same from each pixel that the table says and the next one, by weights[sample]. Where the table has blocks, each
  // may read most_chunks * 16 bytes from the pixel after its first.
  void (*blend_pixels)(const Line* line, const PixelTable& table, const Line* weights, std::ptrdiff_t channels, T* out);

  // The means of two by two pixels.
  void (*halve)(const T* upper, const T* lower, std::ptrdiff_t channels, T* out, std::ptrdiff_t pixels);

  // line[i] = sum of weights[r] * row r [i]
  void (*average_rows)(const T* rows, std::ptrdiff_t row_stride, const float* weights, std::ptrdiff_t count,
                       float* line, std::ptrdiff_t n);
  // May read four floats from the last channel of the line on; where the table has blocks, most_chunks * 16 bytes from
  // the `most`th pixel from a block's first, by weights of zero. Those behind the line must be finite.
  void (*average_pixels)(const float* line, const AreaTable& table, std::ptrdiff_t channels, T* out);
};

// The pixels of a row that the table says.
using PickPixels = void (*)(const std::uint8_t* row, const PixelTable& table, std::uint8_t* out);

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct ResizeTiles;

// For the instruction set in use.
template <class T>
const ResizeTile<T>& resize_tile();
PickPixels pick_pixels_tile();

}  // namespace speedwell::image_filter
