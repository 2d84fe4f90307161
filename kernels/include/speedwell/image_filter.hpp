// SPDX-License-Identifier: Apache-2.0
// Image filters on 1, 3 or 4 interleaved channels, each channel by itself.
//
// Common to all: src and dst have the same size and number of channels and must not overlap (nor dst itself); rows may
// have any stride. The same bits come from every backend and thread count, and from every instruction set that has
// fused multiply-add. Each throws InvalidArgument, with dst untouched, on sizes that don't match, overlap, null data
// with a non-empty size, negative or overflowing sizes, a channel count other than 1, 3 or 4, or a backend or thread
// count that can't be had. Empty images are valid and nothing is done.
#pragma once

#include <cstdint>
#include <string_view>

#include <speedwell/backend.hpp>
#include <speedwell/view.hpp>

namespace speedwell {

// What stands beyond the edge of an image `abcdefgh`.
enum class Border {
  constant,     // vvvvvv|abcdefgh|vvvvvvv    v = border_value, rounded and saturated to the element type
  replicate,    // aaaaaa|abcdefgh|hhhhhhh
  reflect,      // fedcba|abcdefgh|hgfedcb
  reflect_101,  // gfedcb|abcdefgh|gfedcba
  wrap,         // cdefgh|abcdefgh|abcdefg
};

std::string_view name(Border border);

struct GaussianBlurOptions {
  double sigma = 1;    // standard deviation along x, in pixels
  double sigma_y = 0;  // along y; 0: the same as sigma
  int width =
      0;  // kernel width, odd; 0: from sigma, round(6 sigma + 1) | 1 for 8 bits, round(8 sigma + 1) | 1 for float
  int height = 0;  // kernel height, odd; 0: from sigma_y by the same rule
  Border border = Border::reflect_101;
  double border_value = 0;
  Backend backend = Automatic{};
};

// dst(x, y) = sum over i, j of g_x(i) g_y(j) src(x + i, y + j), g(i) proportional to exp(-i^2 / (2 sigma^2)) and
// summing to one. Separable: columns first, then rows. Work O(width + height) a sample. A side is at most 4095.
//
// uint8_t: the weights of each direction are integers out of 256 that sum to exactly 256, rounded by carrying the
// error from the edge to the centre, which takes the rest. Both sums are exact, and the result is rounded once, half
// up: (sum + 32768) >> 16. White stays white. float: in each direction s = w(0) x(0), then s = fma(w(i), x(-i) + x(i),
// s) for i = 1, 2, ... to the edge: a mirrored image gives the mirrored result. The weights are rounded to float. Under
// a constant border, each column beyond the left and the right goes through the same operations.
void gaussian_blur(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const GaussianBlurOptions& = {});
void gaussian_blur(ImageView<const float> src, ImageView<float> dst, const GaussianBlurOptions& = {});

struct SobelOptions {
  int dx = 1;  // order of the derivative along x, 0 or 1
  int dy = 0;  // along y, 0 or 1; at least one of the two is 1
  Border border = Border::reflect_101;
  double border_value = 0;
  Backend backend = Automatic{};
};

// The 3x3 Sobel derivative: correlation with the outer product of (-1 0 1) in the direction of the derivative and
// (1 2 1) across it; dx = dy = 1 takes (-1 0 1) in both. Work O(1) a sample.
// uint8_t to int16_t: exact. float: columns first, then rows; differences as last - first, smoothing as
// (middle + middle) + (first + last): the same bits on every instruction set.
void sobel(ImageView<const std::uint8_t> src, ImageView<std::int16_t> dst, const SobelOptions& = {});
void sobel(ImageView<const float> src, ImageView<float> dst, const SobelOptions& = {});

struct MedianBlurOptions {
  int size = 3;  // side of the square window: odd, from 3 to 255; 3, 5 or 7 in 16 bits and in float
  Border border = Border::reflect_101;
  double border_value = 0;
  Backend backend = Automatic{};
};

// dst(x, y) = the median of the size x size window round (x, y). Exact.
//
// 3, 5 and 7: a network of 18, 77 and 189 minima and maxima a sample, whatever the image holds. Columns are sorted once
// for all windows that hold them (A. Adams, Fast median filters using separable sorting networks, 2021). In float, a
// window that holds a NaN gives an unspecified element of the window, and zeros of either sign are equal.
//
// 9 and more: a search over thresholds, each a count of the window's samples that reach it, by vectors of bytes: O(1) a
// sample and threshold, and O(size / 64) for the first sums of a tile of 64 columns and rows. In a tile it takes 8 of
// them if the medians are all the same, in photographs about as many as there are different medians, and 255 at most
// (threshold decomposition: J. P. Fitch, E. J. Coyle, N. C. Gallagher, 1984; by bisection: P. E. Danielsson, 1981).
void median_blur(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const MedianBlurOptions& = {});
void median_blur(ImageView<const std::uint16_t> src, ImageView<std::uint16_t> dst, const MedianBlurOptions& = {});
void median_blur(ImageView<const float> src, ImageView<float> dst, const MedianBlurOptions& = {});

}  // namespace speedwell
