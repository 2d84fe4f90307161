// SPDX-License-Identifier: Apache-2.0
// Weighted sums along columns, then along rows. Lines hold samples as float. The sums of the columns go to a piece of a
// few lines in the first-level cache, from which those along the rows are taken before the next piece.
#pragma once

#include <cstdint>

#include "kernels/image_filter/convolve_kernel.hpp"

namespace speedwell::image_filter {

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct ConvolveSeparableTiles;

// For the instruction set in use.
template <class T>
const ConvolveTile<T, SeparableKernel>& convolve_separable_tile();

}  // namespace speedwell::image_filter
