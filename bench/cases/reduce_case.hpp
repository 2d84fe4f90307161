// SPDX-License-Identifier: Apache-2.0
// The data of a dot case, for peers that compute the product.
#pragma once

#include <span>
#include <vector>

#include "bench/case.hpp"

namespace speedwell::bench {

template <class T>
class DotWorkload : public Workload {
 public:
  virtual std::span<const T> x() const = 0;
  virtual std::span<const T> y() const = 0;
  virtual T& result() = 0;
};

std::vector<Case> reduce_cases();

}  // namespace speedwell::bench
