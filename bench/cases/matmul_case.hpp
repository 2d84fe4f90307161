// SPDX-License-Identifier: Apache-2.0
// The data of a matmul case, for peers that compute C = A B on them.
#pragma once

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

}  // namespace speedwell::bench
