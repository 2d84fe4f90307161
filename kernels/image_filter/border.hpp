// SPDX-License-Identifier: Apache-2.0
// Where a sample beyond the edge comes from.
#pragma once

#include <cstddef>
#include <speedwell/image_filter.hpp>

namespace speedwell::image_filter {

inline constexpr std::ptrdiff_t outside = -1;

// The position in 0..n-1 whose sample stands at position i, which may be any distance beyond the edge; `outside` where
// the constant stands. n is at least 1.
inline std::ptrdiff_t border_index(std::ptrdiff_t i, std::ptrdiff_t n, Border border) {
  if (i >= 0 && i < n) return i;
  // The position in a pattern that repeats every `period` samples, forwards or backwards.
  const auto wrapped = [i](std::ptrdiff_t period) { return (i % period + period) % period; };
  switch (border) {
    case Border::constant:
      return outside;
    case Border::replicate:
      return i < 0 ? 0 : n - 1;
    case Border::reflect: {
      const std::ptrdiff_t k = wrapped(2 * n);
      return k < n ? k : 2 * n - 1 - k;
    }
    case Border::reflect_101: {
      if (n == 1) return 0;  // nothing to mirror about itself
      const std::ptrdiff_t k = wrapped(2 * n - 2);
      return k < n ? k : 2 * n - 2 - k;
    }
    case Border::wrap:
      return wrapped(n);
  }
  return outside;
}

}  // namespace speedwell::image_filter
