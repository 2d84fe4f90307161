// SPDX-License-Identifier: Apache-2.0
// The data of a copy or triad case, for peers that compute it on them.
#pragma once

#include <span>

#include "bench/case.hpp"

namespace speedwell::bench {

// a = b, or a = b + scale * c.
template <class T>
class StreamWorkload : public Workload {
 public:
  virtual std::span<T> a() = 0;
  virtual std::span<const T> b() const = 0;
  virtual std::span<const T> c() const = 0;  // empty: it is a copy
  virtual T scale() const = 0;
};

}  // namespace speedwell::bench
