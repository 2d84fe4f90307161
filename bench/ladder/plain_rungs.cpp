// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "bench/ladder/rungs.hpp"

namespace speedwell::bench::ladder {

// The formula as it is written. Walking down a column of B, k touches another cache line at each step; and the sum is
// one chain of additions, each of which waits for the one before, as the compiler may not reorder them.
void naive(const float* a, const float* b, float* c, std::ptrdiff_t n) {
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    for (std::ptrdiff_t j = 0; j < n; ++j) {
      float sum = 0;
      for (std::ptrdiff_t k = 0; k < n; ++k) sum += a[i * n + k] * b[k * n + j];
      c[i * n + j] = sum;
    }
  }
}

// The same operations with k and j exchanged. The inner loop runs along rows of B and C: every byte of a cache line is
// used, the next line is fetched ahead, and its steps don't wait for each other, so the compiler makes vectors of them.
void reordered(const float* a, const float* b, float* c, std::ptrdiff_t n) {
  std::fill(c, c + n * n, 0.0f);
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    for (std::ptrdiff_t k = 0; k < n; ++k) {
      for (std::ptrdiff_t j = 0; j < n; ++j) c[i * n + j] += a[i * n + k] * b[k * n + j];
    }
  }
}

}  // namespace speedwell::bench::ladder
