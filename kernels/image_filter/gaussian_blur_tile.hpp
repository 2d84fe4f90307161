// SPDX-License-Identifier: Apache-2.0
// The Gaussian blur of a row, columns first: the weighted sum of the rows round it goes to a line, and the weighted sum
// along that line to the result. Nothing but one line lies between the two directions, whatever the filter's height.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell::image_filter {

// The largest radius: a filter of 4095 samples a side, sigma up to 511 with the default side of a float filter.
inline constexpr int max_radius = 2047;

// The weights of one direction: tap[t] is that of the two samples at distance t.
template <class T>
struct GaussianWeights;

template <>
struct GaussianWeights<std::uint8_t> {
  int radius;
  std::uint16_t tap[max_radius + 1];  // out of 256
  // The same as pairs for 16-bit multiply-add: pair[p] holds the weights of the samples 2p - radius (low half) and
  // 2p + 1 - radius (high half), 0 for the one beyond the last.
  std::int32_t pair[max_radius + 1];
};

template <>
struct GaussianWeights<float> {
  int radius;
  float tap[max_radius + 1];
};

// Positive finite sigma; size odd, from 1 to 2 * max_radius + 1.
template <class T>
void make_gaussian_weights(GaussianWeights<T>& weights, double sigma, int size);

// Line is the type of the sums between the directions. Bytes: the exact sum less 32768, so that it fits the signed
// operands of 16-bit multiply-add.
template <class T, class Line>
struct GaussianBlurTile {
  // line[i] from rows[-radius][i] .. rows[radius][i], for n columns from first.
  void (*vertical)(const T* const* rows, Line* line, std::ptrdiff_t first, std::ptrdiff_t n,
                   const GaussianWeights<T>& weights);
  // out[i] from line[i - radius * channels] .. line[i + radius * channels]. May read, and not use, `channels` samples
  // more.
  void (*horizontal)(const Line* line, T* out, std::ptrdiff_t n, std::ptrdiff_t channels,
                     const GaussianWeights<T>& weights);
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct GaussianBlurTiles;

// For the instruction set in use.
template <class T, class Line>
const GaussianBlurTile<T, Line>& gaussian_blur_tile();

}  // namespace speedwell::image_filter
