// SPDX-License-Identifier: Apache-2.0
// Kernels of the two convolutions, as their tiles read them.
#pragma once

#include <cstddef>

namespace speedwell::image_filter {

// The longest side of a kernel, and how far it reaches from its centre.
inline constexpr int most_side = 63;
inline constexpr int most_reach = most_side / 2;

// Rows of the result that are computed at once.
inline constexpr int convolve_rows = 6;

struct ConvolveKernel {
  int width;
  int height;
  float bias;
  float weights[most_side * most_side];  // by rows
};

struct SeparableKernel {
  int width;
  int height;
  float bias;
  float row[most_side];
  float column[most_side];
};

// Splits the kernel into a column times a row, to within `product_error` of each weight, and tells whether it can be.
bool separate(const ConvolveKernel& kernel, SeparableKernel& separable);

// Weights that were the products of two floats once, rounded to float, come from quotients that err by three roundings
// of 2^-24, and the product is one more.
inline constexpr double product_error = 0x1p-22;

}  // namespace speedwell::image_filter
