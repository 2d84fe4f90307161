// SPDX-License-Identifier: Apache-2.0
// The data of a matmul case, for peers that compute C = A B on them.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <speedwell/view.hpp>

#include "bench/case.hpp"

namespace speedwell::bench {

template <class T>
class MatmulWorkload : public Workload {
 public:
  // All three with contiguous rows.
  virtual MatrixView<const T> a() const = 0;
  virtual MatrixView<const T> b() const = 0;
  virtual MatrixView<T> c() = 0;
};

std::vector<Case> matmul_cases();

// The workload of a case of any size: C is m x n. Row i of A and of B is the same whatever the sizes are.
std::unique_ptr<MatmulWorkload<float>> make_matmul_f32(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k,
                                                       int threads);

}  // namespace speedwell::bench
