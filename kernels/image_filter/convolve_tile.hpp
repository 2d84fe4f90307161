// SPDX-License-Identifier: Apache-2.0
// Weighted sums of a two-dimensional window. Lines hold samples as float.
#pragma once

#include <cstdint>

#include "kernels/image_filter/convolve_kernel.hpp"

namespace speedwell::image_filter {

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct ConvolveTiles;

// For the instruction set in use.
template <class T>
const ConvolveTile<T, ConvolveKernel>& convolve_tile();

}  // namespace speedwell::image_filter
