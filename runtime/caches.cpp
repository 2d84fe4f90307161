// SPDX-License-Identifier: Apache-2.0
#include "runtime/caches.hpp"

#include <algorithm>

#include <speedwell/machine.hpp>

namespace speedwell::runtime {

std::size_t cache_bytes(int level) {
  for (const Cache& cache : machine().caches) {
    if (cache.level == level) return cache.bytes;
  }
  return 0;
}

bool beyond_caches(double bytes) {
  const std::size_t last = std::max(cache_bytes(3), cache_bytes(2));
  return last > 0 && bytes > static_cast<double>(last);
}

}  // namespace speedwell::runtime
