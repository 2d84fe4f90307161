// SPDX-License-Identifier: Apache-2.0
// The keys of a sort case, for peers that sort them in place.
#pragma once

#include <span>
#include <vector>

#include "bench/case.hpp"

namespace speedwell::bench {

template <class T>
class SortWorkload : public Workload {
 public:
  // After reset(): the keys as they are to be sorted.
  virtual std::span<T> keys() = 0;
};

std::vector<Case> sort_cases();

}  // namespace speedwell::bench
