// SPDX-License-Identifier: Apache-2.0
// The arithmetic of matmul: the product of a block, register tile by register tile. Knows nothing of threads.
//
// A block's factors are read where the caller has them, or packed into slivers, one behind the other. A sliver of A is
// `rows` rows and a range of k, stored k by k: element (i, k) is at k * rows + i. A sliver of B is `cols` columns,
// element (k, j) at k * cols + j. What a sliver has beyond the matrix's edge is zero.
#pragma once

#include <cstddef>

#include "kernels/matmul/multiply_views.hpp"

namespace speedwell {

// C = A * B + beta * C for height x width elements of C.
template <class T>
struct MatmulBlock {
  // Element (i, k) of A in place: a[i * a_stride + k * a_depth_stride].
  const T* a;
  std::ptrdiff_t a_stride;
  std::ptrdiff_t a_depth_stride;
  bool a_packed;  // the strides are unused then
  // Element (k, j) of B in place: b[j + k * b_depth_stride].
  const T* b;
  std::ptrdiff_t b_depth_stride;
  bool b_packed;
  std::ptrdiff_t height;
  std::ptrdiff_t width;
  std::ptrdiff_t depth;
  T beta;
  T* c;
  std::ptrdiff_t c_row_stride;
  std::ptrdiff_t c_col_stride;
  bool near;  // all of it is in the first or second-level cache: nothing in place is fetched ahead
};

// From one product of a batch to the next, in elements.
struct MatmulSteps {
  std::ptrdiff_t a;
  std::ptrdiff_t b;
  std::ptrdiff_t c;
};

// So many elements from each of these places on.
template <class T>
struct MatmulFetch {
  const T* a = nullptr;
  std::ptrdiff_t a_count = 0;
  const T* b = nullptr;
  std::ptrdiff_t b_count = 0;
  const T* c = nullptr;
  std::ptrdiff_t c_count = 0;
};

// One register tile: C = A * B + beta * C for as many rows and columns as the function is for (`cols` are the columns
// once more), with factors in place and rows of C that are contiguous. Fetches nothing ahead.
template <class T>
using MultiplyTile = void (*)(const T* a, std::ptrdiff_t a_stride, std::ptrdiff_t a_depth_stride, const T* b,
                              std::ptrdiff_t b_depth_stride, std::ptrdiff_t depth, T beta, T* c,
                              std::ptrdiff_t c_row_stride, std::ptrdiff_t cols) noexcept;

// Products of up to so little depth, in place and with rows of C that are contiguous, have a tile of their own: it
// writes each row from end to end, and neither factor gains by being packed.
inline constexpr std::ptrdiff_t matmul_shallow_depth = 4;

// Products of up to so little depth have a tile that keeps all of B in registers, of wider ones a piece of B at a time.
inline constexpr std::ptrdiff_t matmul_resident_depth = 8;

// No register tile of any instruction set has more rows.
inline constexpr std::ptrdiff_t matmul_most_rows = 16;

template <class T>
struct MatmulTile {
  // The register tile: one sliver of A times one of B.
  std::ptrdiff_t rows;
  std::ptrdiff_t cols;
  // B in place is a whole number of so many columns: 1 where the instruction set loads a part of a vector by a mask.
  std::ptrdiff_t in_place_cols;
  // Up to so many columns have a tile of their own, for rows of A along k and B in place.
  std::ptrdiff_t narrow_cols;

  // Packs scale * x, `width` by `depth` elements, into slivers that follow each other. Element (i, k) of the input is
  // x[i * stride + k * depth_stride]; i goes across a sliver (rows of A, columns of B).
  using Pack = void (*)(const T* x, std::ptrdiff_t width, std::ptrdiff_t depth, std::ptrdiff_t stride,
                        std::ptrdiff_t depth_stride, T scale, T* packed) noexcept;
  Pack pack_a;
  Pack pack_b;

  // Each element is one chain in ascending k, c = fma(a, b, c), begun from beta * c; beta = 0 doesn't read C.
  void (*multiply)(const MatmulBlock<T>& block) noexcept;

  // For products of a single register tile: that of `m` rows and `n` columns is at (n - 1) * matmul_most_rows + m - 1,
  // up to so many columns; nullptr where there is none.
  std::ptrdiff_t most_single_cols;
  const MultiplyTile<T>* singles;

  // For factors in place whose rows are contiguous, and any number of rows: that of `n` columns and a depth of `k` is
  // at (n - 1) * matmul_resident_depth + k - 1, up to so many columns; nullptr where there is none.
  std::ptrdiff_t most_resident_cols;
  const MultiplyViews<T>* residents;

  // The same as multiply for `count` blocks that begin so many steps apart. Of blocks in place whose rows of C are
  // contiguous. Goes through all blocks with each register tile: either they are one tile each, or all of them are in
  // the cache. Meanwhile it fetches what the caller will need next.
  void (*multiply_batch)(const MatmulBlock<T>& first, const MatmulSteps& steps, std::ptrdiff_t count,
                         const MatmulFetch<T>& next) noexcept;
};

// The tile for the instruction set in use.
template <class T>
const MatmulTile<T>& matmul_tile();

}  // namespace speedwell
