// SPDX-License-Identifier: Apache-2.0
// The arithmetic of matmul where C is one row or one column. Knows nothing of threads.
//
// The order of each output's sum, whatever the strides and however the outputs are split into calls: 16 lanes begun
// from 0; lane l is the chain lane = fma(a(i, k), x[k], lane) over k = l, l + 16, l + 32, ...; lanes are then added by
// halves, lane[l] + lane[l + 8], + 4, + 2, + 1. An instruction set without fused multiply-add rounds each product.
#pragma once

#include <array>
#include <cstddef>

#include "kernels/matmul/multiply_views.hpp"

namespace speedwell {

// Products with a vector have functions of their own for each depth up to this.
inline constexpr std::ptrdiff_t matvec_short_depth = 16;

template <class T>
struct MatvecTile {
  // y(i) = alpha * sum over k of a(i, k) * x[k] + beta * y(i) for `count` outputs; beta = 0 doesn't read y.
  // a(i, k) is a[i * stride + k * depth_stride], y(i) is y[i * y_stride], x is contiguous. y overlaps neither a nor x.
  void (*multiply)(const T* a, std::ptrdiff_t stride, std::ptrdiff_t depth_stride, const T* x, std::ptrdiff_t count,
                   std::ptrdiff_t depth, T alpha, T beta, T* y, std::ptrdiff_t y_stride) noexcept;

  // Entry k is for a depth of k + 1: C is one row, or one column that is contiguous, as B is then.
  using Short = std::array<MultiplyViews<T>, static_cast<std::size_t>(matvec_short_depth)>;
  Short short_rows;
  Short short_columns;
};

// The tile for the instruction set in use.
template <class T>
const MatvecTile<T>& matvec_tile();

}  // namespace speedwell
