// SPDX-License-Identifier: Apache-2.0
// A row of escape counts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell {

template <class T>
struct MandelbrotTile {
  std::ptrdiff_t group;  // points that are iterated side by side

  // counts[j * stride] for the points (x[j], y), j < n. x is readable up to a whole number of groups; points there that
  // lie outside the circle of radius 2 cost nothing.
  void (*row)(const T* x, T y, std::ptrdiff_t n, std::int32_t max_iterations, std::int32_t* counts,
              std::ptrdiff_t stride) noexcept;
};

// For the instruction set in use.
template <class T>
const MandelbrotTile<T>& mandelbrot_tile();

}  // namespace speedwell
