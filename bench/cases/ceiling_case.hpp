// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "bench/case.hpp"

namespace speedwell::bench {

// What the hardware gives at most, measured with as many threads as a cell has: the roof over the kernels' cells.
std::vector<Case> ceiling_cases();

}  // namespace speedwell::bench
