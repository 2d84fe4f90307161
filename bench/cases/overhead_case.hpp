// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "bench/case.hpp"

namespace speedwell::bench {

// What a parallel model costs by itself: overhead/fork_join/1 is a loop with one index a thread, each of which takes
// some ten microseconds. What a call takes beyond one index's time is fork and join, with every thread taking part:
// shorter ones would be over before the last thread is awake, and one that does another's index shows as ten
// microseconds more.
std::vector<Case> overhead_cases();

}  // namespace speedwell::bench
