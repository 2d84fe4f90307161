// SPDX-License-Identifier: Apache-2.0
// What this processor and its operating system can execute, by asking the processor itself.
#pragma once

#include <speedwell/machine.hpp>

namespace speedwell::runtime {

// Whether code that Highway compiles for `isa` runs here: every extension that its target uses, and registers that the
// operating system saves.
bool cpu_has(Isa isa);

}  // namespace speedwell::runtime
