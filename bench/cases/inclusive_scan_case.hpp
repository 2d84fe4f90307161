// SPDX-License-Identifier: Apache-2.0
// The data of an inclusive_scan case, for peers that scan them.
#pragma once

#include <span>

#include "bench/case.hpp"

namespace speedwell::bench {

template <class T>
class ScanWorkload : public Workload {
 public:
  virtual std::span<const T> in() const = 0;
  virtual std::span<T> out() = 0;
};

}  // namespace speedwell::bench
