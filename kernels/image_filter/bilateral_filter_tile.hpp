// SPDX-License-Identifier: Apache-2.0
// The bilateral filter of a row. Pixels are split into planes of floats, one a channel, so that a vector holds
// neighbouring pixels whatever the channels, and a weight is computed once a pixel.
//
// Two pixels give each other the same weight, to the bit. So a row keeps the weights that it gave to neighbours below,
// and the rows of those take them from there instead of computing them again.
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

// A neighbour below and, mirrored at the pixel, one above.
struct BilateralPair {
  BilateralTap below;
  float* weights;  // where the weights of `below` are kept, that of the first pixel first
  const float* above;
  const float* weights_above;  // kept by the row of `above` when the first pixel was its neighbour
};

struct BilateralRow {
  const float* centre;   // the row itself
  std::ptrdiff_t plane;  // floats from a plane to the next
  // A colour distance times this, squared, is minus the binary logarithm of its weight. Planes of bytes have been
  // multiplied by it already.
  float scale;
  const BilateralTap* taps;  // neighbours first to be summed
  std::ptrdiff_t tap_count;
  const BilateralPair* pairs;
  std::ptrdiff_t pair_count;
};

template <class T>
struct BilateralFilterTile {
  // n pixels of the image to planes.
  void (*load)(const T* in, float* line, std::ptrdiff_t plane, float scale, std::ptrdiff_t n, std::ptrdiff_t channels);
  // The weights that pixels first .. first + n - 1 give to the neighbour below of a pair.
  void (*keep)(const BilateralRow& row, const BilateralPair& pair, std::ptrdiff_t first, std::ptrdiff_t n,
               std::ptrdiff_t channels);
  // n pixels of the result.
  void (*filter)(const BilateralRow& row, T* out, std::ptrdiff_t n, std::ptrdiff_t channels);
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct BilateralFilterTiles;

// For the instruction set in use.
template <class T>
const BilateralFilterTile<T>& bilateral_filter_tile();

}  // namespace speedwell::image_filter
