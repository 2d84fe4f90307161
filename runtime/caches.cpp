// SPDX-License-Identifier: Apache-2.0
#include "runtime/caches.hpp"

#include <algorithm>
#include <array>

#include <speedwell/machine.hpp>

#include "runtime/cpu_features.hpp"
#include "runtime/once.hpp"

namespace speedwell::runtime {

std::size_t cache_bytes(int level) {
  for (const Cache& cache : machine().caches) {
    if (cache.level == level) return cache.bytes;
  }
  // Asked once: within a virtual machine each CPUID is an exit to its host, which a small image would notice.
  constinit static Once<std::array<std::size_t, 2>> by_cpuid;
  const auto known = by_cpuid.get([] { return std::array{cache_bytes_by_cpuid(1), cache_bytes_by_cpuid(2)}; });
  return level >= 1 && level <= 2 ? known.at(static_cast<std::size_t>(level - 1)) : 0;
}

bool beyond_caches(double bytes) {
  std::size_t last = 0;
  for (const Cache& cache : machine().caches) last = std::max(last, cache.bytes);
  if (last == 0) {
    // A core has a part of the package's, mostly of 32 MiB, and a virtual machine has neighbours there.
    constexpr std::size_t most = std::size_t{24} << 20;
    constinit static Once<std::size_t> of_package;
    last = std::min(of_package.get([] { return cache_bytes_by_cpuid(3); }), most);
  }
  return last > 0 && bytes > static_cast<double>(last);
}

}  // namespace speedwell::runtime
