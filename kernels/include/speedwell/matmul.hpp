// SPDX-License-Identifier: Apache-2.0
// Matrix multiplication.
#pragma once

#include <speedwell/backend.hpp>
#include <speedwell/view.hpp>

namespace speedwell {

struct MatmulOptions {
  double alpha = 1;
  double beta = 0;
  Backend backend = Automatic{};
};

namespace detail {

// Views by reference: handed over by value they would go through the stack in pieces that are read back wider than they
// were written, which takes as long as the arithmetic of a product of 4 x 4.
void matmul(const MatrixView<const float>& a, const MatrixView<const float>& b, const MatrixView<float>& c,
            const MatmulOptions& options);
void matmul(const MatrixView<const double>& a, const MatrixView<const double>& b, const MatrixView<double>& c,
            const MatmulOptions& options);

}  // namespace detail

// C = alpha * A * B + beta * C.   A is m x k, B is k x n, C is m x n; any strides, so transposes and either storage
// order cost nothing. C must not overlap A or B, nor itself.
//
// Each element is one chain in ascending k, c = fma(alpha * a(i, k), b(k, j), c), begun from beta * c(i, j): the same
// bits on every backend, thread count and instruction set that has fused multiply-add. alpha and beta are rounded to
// the element type first, and so is alpha * a(i, k). beta = 0 never reads C, alpha = 0 never reads A or B. NaN and
// infinity in A and B spread as IEEE 754 says.
//
// Where C is one row or one column, a matrix-vector product, its few chains would be slower than the memory. There each
// element has 16 lanes begun from 0, lane l the chain of fma(a(i, k), b(k, j), lane) over k = l, l + 16, l + 32, ...;
// they are added by halves, lane l and lane l + 8, then + 4, + 2 and + 1; and then c = fma(alpha, sum, beta * c), or
// alpha * sum if beta = 0. (So a row of a larger product can differ from it in the last bits.)
//
// Work O(m n k), memory O(blocks), none allocated once warm, and small products are computed where they lie. Blocked
// and packed after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (ACM TOMS 34, 2008), with
// the register tiles of Van Zee and van de Geijn, "BLIS: A Framework for Rapidly Instantiating BLAS Functionality" (ACM
// TOMS 41, 2015); factors are packed only where that pays.
//
// Throws InvalidArgument, with C untouched, on shapes that don't match, overlap, null data with a non-empty size,
// negative or overflowing sizes, or a backend or thread count that can't be had.
inline void matmul(const MatrixView<const float>& a, const MatrixView<const float>& b, const MatrixView<float>& c,
                   const MatmulOptions& options = {}) {
  detail::matmul(a, b, c, options);
}
inline void matmul(const MatrixView<const double>& a, const MatrixView<const double>& b, const MatrixView<double>& c,
                   const MatmulOptions& options = {}) {
  detail::matmul(a, b, c, options);
}

// Many products of one shape: C[i] = alpha * A[i] * B[i] + beta * C[i], each exactly what matmul makes of it, bit for
// bit. A step of 0 takes the same A or B for all of them. No C[i] may overlap another one, nor any A or B; matrices may
// be interleaved in any other way.
//
// What a call of matmul costs beside its arithmetic is paid once for the batch: a product of 4 x 4 matrices takes
// nanoseconds. Threads share the products, each of which is one thread's work; only large ones (10^7 operations or
// more) that are fewer than the threads, or are left when all threads have had as many, are computed one after the
// other by all threads. last_run() tells of the last of these then.
//
// Throws InvalidArgument as matmul does, and on counts that differ, with nothing written. An empty batch does nothing.
void matmul_batch(MatrixBatchView<const float> a, MatrixBatchView<const float> b, MatrixBatchView<float> c,
                  const MatmulOptions& options = {});
void matmul_batch(MatrixBatchView<const double> a, MatrixBatchView<const double> b, MatrixBatchView<double> c,
                  const MatmulOptions& options = {});

}  // namespace speedwell
