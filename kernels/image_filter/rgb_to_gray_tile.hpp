// SPDX-License-Identifier: Apache-2.0
// The luma of a row of pixels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell::image_filter {

// `pixels` pixels of 3 or 4 channels to one.
template <class T>
struct RgbToGrayTile {
  void (*row)(const T* from, std::ptrdiff_t channels, T* to, std::ptrdiff_t pixels);
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct RgbToGrayTiles;

// For the instruction set in use.
template <class T>
const RgbToGrayTile<T>& rgb_to_gray_tile();

}  // namespace speedwell::image_filter
