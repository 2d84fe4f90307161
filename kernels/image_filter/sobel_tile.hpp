// SPDX-License-Identifier: Apache-2.0
// The 3x3 Sobel derivative of a row: in each direction either the smoothing (1 2 1) or the difference (-1 0 1).
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell::image_filter {

// Out also holds what lies between the two directions: at most 4 x 255 for 8 bits.
template <class In, class Out>
struct SobelTile {
  using Vertical = void (*)(const In* const* rows, std::ptrdiff_t count, Out* line, std::ptrdiff_t pitch,
                            std::ptrdiff_t first, std::ptrdiff_t n);
  using Horizontal = void (*)(const Out* line, Out* out, std::ptrdiff_t n, std::ptrdiff_t channels);

  // line[k * pitch + i] from rows[k - 1][i], rows[k][i] and rows[k + 1][i], for k < count, n columns from first;
  // indexed by the order of the derivative, 0 or 1.
  Vertical vertical[2];
  // out[i] from the samples i - channels, i and i + channels.
  Horizontal horizontal[2];
  // Rows that are best done at once.
  std::ptrdiff_t rows;
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct SobelTiles;

// For the instruction set in use.
template <class In, class Out>
const SobelTile<In, Out>& sobel_tile();

}  // namespace speedwell::image_filter
