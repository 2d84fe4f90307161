// SPDX-License-Identifier: Apache-2.0
// The bilateral filter of a row. Pixels are split into planes of floats, one a channel, so that a vector holds
// neighbouring pixels whatever the channels, and a weight is computed once a pixel.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell::image_filter {

// A neighbour in the window: where the one of the row's first pixel stands in the first plane, and the binary logarithm
// of the weight that its distance in space gives it.
struct BilateralTap {
  const float* at;
  float exponent;
};

struct BilateralRow {
  const BilateralTap* taps;  // all but the window's centre
  std::ptrdiff_t count;
  const float* centre;   // the row itself
  std::ptrdiff_t plane;  // floats from a plane to the next
  // A colour distance times this, squared, is minus the binary logarithm of its weight. Planes of bytes have been
  // multiplied by it already.
  float scale;
};

template <class T>
struct BilateralFilterTile {
  // n pixels of the image to planes.
  void (*load)(const T* in, float* line, std::ptrdiff_t plane, float scale, std::ptrdiff_t n, std::ptrdiff_t channels);
  // n pixels of the result. Of each line 64 bytes beyond the last neighbour may be read and not used.
  void (*filter)(const BilateralRow& row, T* out, std::ptrdiff_t n, std::ptrdiff_t channels);
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct BilateralFilterTiles;

// For the instruction set in use.
template <class T>
const BilateralFilterTile<T>& bilateral_filter_tile();

}  // namespace speedwell::image_filter
