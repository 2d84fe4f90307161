// SPDX-License-Identifier: Apache-2.0
// The arithmetic of matmul: packing into slivers, and products of packed slivers. Knows nothing of threads.
//
// A sliver of A is `rows` rows of A and a range of k, stored k by k: element (i, k) is at k * rows + i. A sliver of B
// is `cols` columns of B, element (k, j) at k * cols + j. What a sliver has beyond the matrix's edge is zero.
#pragma once

#include <cstddef>

namespace speedwell {

template <class T>
struct MatmulTile {
  // The register tile: one sliver of A times one of B.
  std::ptrdiff_t rows;
  std::ptrdiff_t cols;

  // Packs scale * x, `width` by `depth` elements, into slivers that follow each other. Element (i, k) of the input is
  // x[i * stride + k * depth_stride]; i goes across a sliver (rows of A, columns of B).
  using Pack = void (*)(const T* x, std::ptrdiff_t width, std::ptrdiff_t depth, std::ptrdiff_t stride,
                        std::ptrdiff_t depth_stride, T scale, T* packed) noexcept;
  Pack pack_a;
  Pack pack_b;

  // C = A * B + beta * C for height x width elements of C, from packed slivers of A and B of that depth. Each element
  // is one chain in ascending k, c = fma(a, b, c), begun from beta * c; beta = 0 doesn't read C.
  void (*multiply)(const T* a, const T* b, std::ptrdiff_t height, std::ptrdiff_t width, std::ptrdiff_t depth, T beta,
                   T* c, std::ptrdiff_t row_stride, std::ptrdiff_t col_stride) noexcept;
};

// The tile for the instruction set in use.
template <class T>
const MatmulTile<T>& matmul_tile();

}  // namespace speedwell
