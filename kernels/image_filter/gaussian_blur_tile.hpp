// SPDX-License-Identifier: Apache-2.0
// The Gaussian blur of some rows, columns first: the weighted sums of the rows round each go to a line, and the
// weighted sums along that line to the result. Nothing but a line a row lies between the two directions, whatever the
// height.
//
// Rows are done four at a time: their windows shift by a row from tap to tap, so that a tap of four rows takes two
// loads and not eight. Along a line a vector's neighbours lie across it, and each tap is a load of its own, most of
// which cross cache lines. Wide filters therefore turn as many lines as a vector has lanes into columns, a vector each,
// after which the same windows serve both directions.
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
struct GaussianWeights<std::uint16_t> {
  int radius;
  std::uint32_t tap[max_radius + 1];  // out of 65536
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
// operands of 16-bit multiply-add. 16 bits: the exact sum.
template <class T, class Line>
struct GaussianBlurTile {
  // line[k * pitch + i] from rows[k - radius][i] .. rows[k + radius][i], for k < count, n columns from first.
  void (*vertical)(const T* const* rows, std::ptrdiff_t count, Line* line, std::ptrdiff_t pitch, std::ptrdiff_t first,
                   std::ptrdiff_t n, const GaussianWeights<T>& weights);
  // out[k * out_pitch + i] from line[k * pitch + i - radius * channels] .. line[k * pitch + i + radius * channels]. May
  // read, and not use, `channels` samples and 64 bytes more. `scratch` is on a cache line and has scratch_bytes.
  void (*horizontal)(const Line* line, std::ptrdiff_t pitch, T* out, std::ptrdiff_t out_pitch, std::ptrdiff_t count,
                     std::ptrdiff_t n, std::ptrdiff_t channels, const GaussianWeights<T>& weights, std::byte* scratch);
  // Bytes of scratch for a line's sample where it is turned into columns.
  std::ptrdiff_t scratch_bytes;
  // Rows that are best done at once, with filters that are narrow, and with those that look further than `narrow`.
  std::ptrdiff_t rows;
  std::ptrdiff_t wide_rows;
  int narrow;
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct GaussianBlurTiles;

// For the instruction set in use.
template <class T, class Line>
const GaussianBlurTile<T, Line>& gaussian_blur_tile();

}  // namespace speedwell::image_filter
