// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "bench/case.hpp"

namespace speedwell::bench {

// What a parallel model costs by itself: overhead/fork_join/1 is a loop with one index a thread that writes a number,
// so a call is all fork and join.
std::vector<Case> overhead_cases();

}  // namespace speedwell::bench
