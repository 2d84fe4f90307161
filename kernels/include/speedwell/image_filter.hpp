// SPDX-License-Identifier: Apache-2.0
// Image filters on 1, 3 or 4 interleaved channels, each channel by itself.
//
// Common to all, where nothing else is said: src and dst have the same size and number of channels and must not overlap
// (nor dst itself); rows may have any stride. The same bits come from every backend and thread count, and from every
// instruction set that has fused multiply-add. Each throws InvalidArgument, with dst untouched, on sizes that don't
// match, overlap, null data with a non-empty size, negative or overflowing sizes, a channel count other than 1, 3 or 4,
// or a backend or thread count that can't be had. Empty images are valid and nothing is done.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
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
  int width = 0;   // kernel width, odd; 0: from sigma, round(6 sigma + 1) | 1 for 8 bits, else round(8 sigma + 1) | 1
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
// up: (sum + 32768) >> 16. White stays white. uint16_t: the same with weights out of 65536, (sum + 2^31) >> 32. float:
// in each direction s = w(0) x(0), then s = fma(w(i), x(-i) + x(i), s) for i = 1, 2, ... to the edge: a mirrored image
// gives the mirrored result. The weights are rounded to float. Under a constant border, each column beyond the left and
// the right goes through the same operations.
void gaussian_blur(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const GaussianBlurOptions& = {});
void gaussian_blur(ImageView<const std::uint16_t> src, ImageView<std::uint16_t> dst, const GaussianBlurOptions& = {});
void gaussian_blur(ImageView<const float> src, ImageView<float> dst, const GaussianBlurOptions& = {});

struct BoxBlurOptions {
  int width = 3;   // odd, from 1 to 4095
  int height = 3;  // odd, from 1 to 4095
  Border border = Border::reflect_101;
  double border_value = 0;
  Backend backend = Automatic{};
};

// dst(x, y) = the mean of the width x height window whose centre is (x, y). Separable: columns first, then rows. Work
// O(1) a sample down the columns of integers, O(log height) of float, and O(log width) along the rows.
//
// Integers: exact, rounded half up: (sum + area / 2) / area in integers. White stays white. float: the sum S(n) of n
// neighbours, first down the columns and then along the rows, is added up from first to last for n <= 7, and else, with
// k = n / 3 rounded down, is ((S(k) of the first k + S(k) of the next k) + S(k) of the k after them) + each of the n -
// 3k that are left; at the end it is divided by the area. No operation depends on the position, and nothing outside of
// the window has a part in it: the same bits on every instruction set, and a NaN or an infinity spoils no more than its
// window. The error is at most 3 log2(area) + 8 roundings of the mean of the samples' magnitudes.
void box_blur(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const BoxBlurOptions& = {});
void box_blur(ImageView<const std::uint16_t> src, ImageView<std::uint16_t> dst, const BoxBlurOptions& = {});
void box_blur(ImageView<const float> src, ImageView<float> dst, const BoxBlurOptions& = {});

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

struct ConvolveOptions {
  double bias = 0;  // added to each sum; rounded to float, and saturated
  Border border = Border::reflect_101;
  double border_value = 0;
  Backend backend = Automatic{};
};

// dst(x, y) = bias + sum over i, j of kernel(j, i) src(x + i - width / 2, y + j - height / 2): the correlation with a
// kernel of `width` columns and `height` rows, both odd and at most 63; its elements and the bias are finite. It may
// have any strides, is copied before dst is written, and may overlap dst. Work O(width height) a sample; O(width +
// height) where the kernel is separable.
//
// The sum is taken in float: s = bias, then s = fma(kernel(j, i), src(...), s) row by row, each from the left. No
// element is left out, so that zero times infinity or NaN is NaN. uint8_t: s is rounded to nearest, halves to even, and
// saturated; a sum that isn't a number (of elements so large that it overflows) gives 0.
//
// A kernel is separable if it has more than 2 (width + height) elements, and each is within a relative error of 2^-22
// of column(j) row(i), where row is the row of the first of its elements with the largest magnitude, and column is the
// column of that element, divided by it: as the product of two vectors has come out in float. Then the order is that of
// convolve_separable with this row and column, but the sum along the row begins with the bias.
void convolve(ImageView<const std::uint8_t> src, MatrixView<const float> kernel, ImageView<std::uint8_t> dst,
              const ConvolveOptions& = {});
void convolve(ImageView<const float> src, MatrixView<const float> kernel, ImageView<float> dst,
              const ConvolveOptions& = {});

struct ConvolveSeparableOptions {
  Border border = Border::reflect_101;
  double border_value = 0;
  Backend backend = Automatic{};
};

// dst(x, y) = sum over i of row(i) sum over j of column(j) src(x + i - width / 2, y + j - height / 2): the correlation
// with the product of a column of `height` and a row of `width` elements, both odd and at most 63; they are finite, and
// may overlap dst. Work O(width + height) a sample.
//
// In float, along columns first: c = 0, then c = fma(column(j), src(...), c) from the top; then s = 0,
// s = fma(row(i), c, s) from the left. Samples beyond the left and the right go through the same operations. uint8_t: s
// is rounded once, as by convolve.
void convolve_separable(ImageView<const std::uint8_t> src, std::span<const float> row, std::span<const float> column,
                        ImageView<std::uint8_t> dst, const ConvolveSeparableOptions& = {});
void convolve_separable(ImageView<const float> src, std::span<const float> row, std::span<const float> column,
                        ImageView<float> dst, const ConvolveSeparableOptions& = {});

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

struct BilateralFilterOptions {
  int diameter = 9;         // of the window, odd, from 1 to 255
  double sigma_color = 25;  // standard deviation of the weight in samples' values
  double sigma_space = 5;   // in pixels
  Border border = Border::reflect_101;
  double border_value = 0;
  Backend backend = Automatic{};
};

// dst(p) = sum over q of w(p, q) src(q) / sum over q of w(p, q), for the pixels q in the circle of radius diameter / 2
// round p, w(p, q) = exp(-|src(q) - src(p)|^2 / (2 sigma_color^2) - |q - p|^2 / (2 sigma_space^2)). Between colours,
// |src(q) - src(p)| is the sum of the absolute differences of the first three channels, and all channels have the same
// weights; a fourth, taken for opacity, thus keeps the edges of the colours. Every neighbour's weight is computed: work
// O(diameter^2) a pixel. The filter is that of Tomasi and Manduchi, Bilateral filtering for gray and color images,
// 1998, with OpenCV's window and distance.
//
// float: within 3e-6 of the largest difference between a window's samples. A window that holds a NaN or an infinity
// gives an unspecified sample. uint8_t: the same in float, rounded to nearest, which errs by less than 0.53; without
// fused multiply-add a sample may be rounded to the other of two integers.
//
// The order of operations: d = src(q) - src(p) for each channel; t = fma(-e, e, s), where e is d, or the sum of |d|
// from the first channel on, times sqrt(log2(exp(1)) / 2) / sigma_color, and s the binary logarithm of the weight in
// space; t is at least -125. With n, the integer nearest to t, and f = t - n, w = 2^n g(f), where g is a polynomial of
// degree 4 (uint8_t: 3) for 2^f, in Horner's order, each step fused. The centre gives sum = 0 and weights = 1; then,
// row by row and from left to right, each other pixel of the circle weights = weights + w and sum = fma(w, d, sum).
// dst(p) = src(p) + sum / weights. For uint8_t, samples are multiplied by the scale of the distance when they are read,
// in place of the distance, and results are divided by it.
void bilateral_filter(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst,
                      const BilateralFilterOptions& = {});
void bilateral_filter(ImageView<const float> src, ImageView<float> dst, const BilateralFilterOptions& = {});

struct ErodeOptions {
  int width = 3;   // of the rectangle, at least 1
  int height = 3;  // at least 1
  // By default nothing beyond the edge is less than what the window holds.
  Border border = Border::constant;
  double border_value = std::numeric_limits<double>::infinity();
  Backend backend = Automatic{};
};

struct DilateOptions {
  int width = 3;   // of the rectangle, at least 1
  int height = 3;  // at least 1
  // By default nothing beyond the edge is greater than what the window holds.
  Border border = Border::constant;
  double border_value = -std::numeric_limits<double>::infinity();
  Backend backend = Automatic{};
};

// erode: dst(x, y) = the least sample of a width x height window that begins width / 2 pixels to the left of (x, y) and
// height / 2 above; dilate: the greatest. An odd side's window has (x, y) in its middle; an even one reaches one pixel
// farther to the left and above, in both functions, as OpenCV's do. Exact. Separable: columns first, then rows. Work
// O(log width + log height) a sample: from what each window of a quarter of the length comes to, which neighbours share
// (doubling, but by four; van Herk's and Gil and Werman's algorithms take three operations at any length, one by one).
// In float, a window that holds a NaN gives an unspecified value, and -0 and 0 are equal.
void erode(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const ErodeOptions& = {});
void erode(ImageView<const float> src, ImageView<float> dst, const ErodeOptions& = {});
void dilate(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const DilateOptions& = {});
void dilate(ImageView<const float> src, ImageView<float> dst, const DilateOptions& = {});

enum class Interpolation {
  nearest,
  linear,
  area,
};

std::string_view name(Interpolation interpolation);

struct ResizeOptions {
  Interpolation interpolation = Interpolation::linear;
  Backend backend = Automatic{};
};

// src in the size of dst, with as many channels; all as OpenCV's resize. A side is at most 67108864. src has pixels if
// dst has. With n samples of src and m of dst along an axis:
//
// nearest: dst(i) = src(min(floor(i s), n - 1)), s = 1 / (m / n), all in double. Work O(1) a sample of dst.
// linear: dst(i) lies at (i + 1/2) n / m - 1/2, not beyond the outermost samples, between two samples of src each way,
// at exact places. Columns first: v = a + w (b - a), then the same of two neighbours in v. Work O(1) a sample of dst
// and of the rows of src that it needs. float: with the places rounded to float, and fused multiply-add. uint8_t: the
// places are integers out of 32768, v is rounded to an integer out of 128, the result likewise and then to an integer,
// all halves up: within 0.53 of the exact value. Where src is twice as wide and twice as high, both come to the mean of
// four: uint8_t as said, which is (sum + 2) >> 2, float as ((a + c) + (b + d)) / 4, where c is below a.
// area: the mean of what a sample of dst covers of src, where src is at least as large in both directions. Weights are
// overlaps rounded to float; sums in float, from the top, then from the left, by fused multiply-add; rounded to
// nearest, halves to even. Work O(1) a sample of src. Twice the size both ways: as linear. Where dst is larger in a
// direction, linear between areas: with k = floor(i n / m), dst(i) is between src(k) and src(k + 1) at the fraction of
// it that lies in the latter, max(0, (i + 1) - (k + 1) m / n).
void resize(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const ResizeOptions& = {});
void resize(ImageView<const float> src, ImageView<float> dst, const ResizeOptions& = {});

struct RgbToGrayOptions {
  Backend backend = Automatic{};
};

// The luma of BT.601. src has 3 channels, red first, or 4, of which the last is ignored; dst has one channel and the
// same width and height. Work O(1) a pixel.
// uint8_t: exactly (9798 r + 19235 g + 3735 b + 16384) >> 15. The weights sum to 32768: white stays white, and gray is
// what it was. float: fma(0.114, b, fma(0.587, g, 0.299 r)), the weights rounded to float.
void rgb_to_gray(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const RgbToGrayOptions& = {});
void rgb_to_gray(ImageView<const float> src, ImageView<float> dst, const RgbToGrayOptions& = {});

struct HistogramOptions {
  Backend backend = Automatic{};
};

// [channel][value]; zero for channels that the image doesn't have.
using Histogram = std::array<std::array<std::uint64_t, 256>, 4>;

// How many pixels have each value, in each channel. Work O(1) a sample. Each strip of rows counts in tables of its own,
// and neighbours in different tables, as the next increment of one counter waits for the one before.
Histogram histogram(ImageView<const std::uint8_t> src, const HistogramOptions& = {});

struct EqualizeOptions {
  Backend backend = Automatic{};
};

// Histogram equalisation of one channel, as OpenCV's equalizeHist. With n(v) pixels of value v, `least` the smallest
// value that occurs and N all pixels, dst is round((n(least + 1) + ... + n(v)) * s), where the sum is converted to
// float, s = 255 / (N - n(least)), both operations are rounded in float, and the result to nearest, halves to even.
// `least` becomes 0; an image of one value stays what it is. dst may be src itself, with the same stride, but not
// overlap it otherwise. Work O(1) a pixel, in two passes: the histogram, and a table of 256.
void equalize(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const EqualizeOptions& = {});

}  // namespace speedwell
