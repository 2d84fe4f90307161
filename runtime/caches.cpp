// SPDX-License-Identifier: Apache-2.0
#include "runtime/caches.hpp"

#include <algorithm>

#include <speedwell/machine.hpp>

#include "runtime/cpu_features.hpp"

namespace speedwell::runtime {

std::size_t cache_bytes(int level) {
  for (const Cache& cache : machine().caches) {
    if (cache.level == level) return cache.bytes;
  }
  return cache_bytes_by_cpuid(level);
}

bool beyond_caches(double bytes) {
  std::size_t last = 0;
  for (const Cache& cache : machine().caches) last = std::max(last, cache.bytes);
  return last > 0 && bytes > static_cast<double>(last);
}

}  // namespace speedwell::runtime
