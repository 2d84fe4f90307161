// SPDX-License-Identifier: Apache-2.0
// The data of a matmul case, for peers that compute C = A B on them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include <speedwell/view.hpp>

#include "bench/case.hpp"

namespace speedwell::bench {

template <class T>
class MatmulWorkload : public Workload {
 public:
  // A and B may be transposed, C is row after row; rows may have a distance between them. `stored` says so.
  virtual MatrixView<const T> a() const = 0;
  virtual MatrixView<const T> b() const = 0;
  virtual MatrixView<T> c() = 0;
};

// Many products of one shape, each of contiguous matrices, which peers without a call for a batch compute in a loop.
template <class T>
class MatmulBatchWorkload : public Workload {
 public:
  virtual MatrixBatchView<const T> a() const = 0;
  virtual MatrixBatchView<const T> b() const = 0;
  virtual MatrixBatchView<T> c() = 0;
};

// A view as libraries of matrices in row-major order are told of it.
template <class T>
struct Stored {
  T* data;
  bool transposed;
  std::ptrdiff_t leading;  // elements from one row in memory to the next
};

template <class T>
Stored<T> stored(MatrixView<T> view) {
  const bool transposed = view.col_stride != 1;
  // Libraries want it to be as long as a row, also where there is one row only.
  return {view.data, transposed,
          transposed ? std::max(view.col_stride, view.rows) : std::max(view.row_stride, view.cols)};
}

std::vector<Case> matmul_cases();

// The workload of a case of any size: C is m x n. Row i of A and of B is the same whatever the sizes are.
std::unique_ptr<MatmulWorkload<float>> make_matmul_f32(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k,
                                                       int threads);

}  // namespace speedwell::bench
