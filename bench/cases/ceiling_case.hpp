// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "bench/case.hpp"

namespace speedwell::bench {

// What the hardware gives at most, measured with as many threads as a cell has: the roof over the kernels' cells. With
// one of traffic for each that those cases name.
std::vector<Case> ceiling_cases(const std::vector<Case>& kernels);

// The name of the ceiling that moves the compulsory bytes of the case: "ceiling/traffic/134217728+67108864", read and
// written. Empty where it isn't worth measuring.
std::string traffic_ceiling(const Case& of);

}  // namespace speedwell::bench
