// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "bench/case.hpp"

namespace speedwell::bench {

// The cases of each kernel in kernels/CMakeLists.txt, in that order: what `<kernel>_cases()` in its case file returns.
std::vector<std::vector<Case>> kernel_cases();

// Whether this program has cases of its own in their place: it is then its own sweep's child, and no peer has them.
bool brings_own_cases();

}  // namespace speedwell::bench
