// SPDX-License-Identifier: Apache-2.0
// The box blur of a row: sums of rows, sums along them, and their mean.
//
// Sums are exact in integers, and are kept in the cheapest type that holds them and from which the mean comes out
// exact: bytes in 16 bits up to areas of about 257, then in float as long as it holds the sum and the quotient's error
// is less than its distance from a half, then in double.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/image_filter/window_chain.hpp"

namespace speedwell::image_filter {

inline constexpr int most_box_side = 4095;

// How a sum becomes a mean.
struct BoxMean {
  float area;
  double inverse;
  // (sum + area / 2) * multiplier >> (16 + shift) is the mean of bytes, rounded half up.
  std::uint16_t half;
  std::uint16_t multiplier;
  int shift;
};

BoxMean make_box_mean(int area);

// The smallest area for which float doesn't do. The mean is taken as float(sum) * inverse + 1/2, cut off. An odd area's
// quotient plus a half is at least 1 / (2 area) from an integer; that mustn't be less than 2^-23 of the greatest mean,
// which bounds three roundings.
template <class T>
inline constexpr int float_areas = sizeof(T) == 1 ? 1 << 14 : 1 << 6;

// Whether sums of bytes fit 16 bits, and the multiplier gives all their means.
bool fits_16_bits(const BoxMean& mean, int area);

template <class T, class Sum>
struct BoxBlurTile {
  // line[i] = rows[0][i] + ... + rows[count - 1][i], for up to most_terms rows.
  void (*add)(const T* const* rows, int count, Sum* line, std::ptrdiff_t n);
  // line[i] += in[i] - out[i]. Integers only.
  void (*slide)(const T* in, const T* out, Sum* line, std::ptrdiff_t n);
  Combine<Sum> sum;
  // out[i] = the mean of the sum of the terms.
  void (*mean)(const Sum* const* terms, int count, T* out, std::ptrdiff_t n, const BoxMean& mean);
};

// Windows of bytes that float holds the sums of, but 16 bits don't. From one row of the result to the next, a window
// changes by the row that comes in less the row that goes out; that difference fits 16 bits and so do sums of it along
// the row, up to so many.
inline constexpr int most_difference_width = 32767 / 255;

struct BoxBlurDifferenceTile {
  // line[i] = rows[0][i] + ... + rows[count - 1][i].
  void (*add)(const std::uint8_t* const* rows, int count, std::int16_t* line, std::ptrdiff_t n);
  // line[i] = in[i] - out[i].
  void (*subtract)(const std::uint8_t* in, const std::uint8_t* out, std::int16_t* line, std::ptrdiff_t n);
  Combine<std::int16_t> sum;
  // total[i] += the sum of the terms.
  void (*advance)(const std::int16_t* const* terms, int count, float* total, std::ptrdiff_t n);
  // The same, and out[i] = its mean.
  void (*advance_mean)(const std::int16_t* const* terms, int count, float* total, std::uint8_t* out, std::ptrdiff_t n,
                       const BoxMean& mean);
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct BoxBlurTiles;

// For the instruction set in use. Sum: uint16_t and double for bytes, float and double for uint16_t, float for
// float.
template <class T, class Sum>
const BoxBlurTile<T, Sum>& box_blur_tile();

const BoxBlurDifferenceTile& box_blur_difference_tile();

}  // namespace speedwell::image_filter
