// SPDX-License-Identifier: Apache-2.0
// What this processor and its operating system can execute, by asking the processor itself.
#pragma once

#include <cstddef>

#include <speedwell/machine.hpp>

namespace speedwell::runtime {

// Whether code that Highway compiles for `isa` runs here: every extension that its target uses, and registers that the
// operating system saves.
bool cpu_has(Isa isa);

// Bytes of a core's data cache of level 1 or 2, or of the whole package's of level 3, by the processor's oldest tables,
// which some virtual machines leave in place when they hide all others. 0 if there are none.
std::size_t cache_bytes_by_cpuid(int level);

}  // namespace speedwell::runtime
