// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "bench/case.hpp"

namespace speedwell::bench {

// What a parallel model costs by itself: calls with one index a thread and nothing to do, so that the time is that of
// fork and join. Every thread takes part, and is counted. What one thread takes is a plain call.
//
//   overhead/fork_join/...         as a call of the library has it: through parallel_for()
//   overhead/fork_join_bare/...    the models alone: the library's pool, an OpenMP region, a loop in a oneTBB arena
//   overhead/fork_join_loaded/...  the same where other threads want the cores: one that never stops on half of them,
//                                  or on all
//   overhead/short_call/...        a product of 192 x 192 floats, which two threads do in half the time if awake;
//                                  --backend automatic is what the library's own choice gets
//
// back_to_back is one call after the other, where workers may still be awake; before each call of every_1ms and
// every_10ms the program has slept so long. For those with a load the calls come one by one, which takes the clock's
// some ten nanoseconds more.
std::vector<Case> overhead_cases();

}  // namespace speedwell::bench
