// SPDX-License-Identifier: Apache-2.0
// The least or the greatest of a few lines, sample by sample.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/image_filter/window_chain.hpp"

namespace speedwell::image_filter {

enum class Extremum { least, greatest };

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct MorphologyTiles;

// For the instruction set in use.
template <Extremum extremum, class T>
Combine<T> extremum_tile();

}  // namespace speedwell::image_filter
