// SPDX-License-Identifier: Apache-2.0
// What the runtime needs to ask of OpenMP and oneTBB. Each function is defined in the file that is built with its model
// (openmp.cpp, tbb_arena.cpp): call it under `if constexpr (built<...>)`.
#pragma once

#include <string>

namespace speedwell::runtime {

// Whether the calling thread is inside an active OpenMP parallel region.
bool inside_openmp_region();

// Notes that the calling thread is about to run an OpenMP region of ours, with a team that stays when it ends.
void note_openmp_team();

// Ends the OpenMP threads that wait for the calling thread's next region, if regions of ours made them. A child forked
// while they exist would hang in its first region: libgomp would wait for threads that the child doesn't have.
void release_openmp_threads();

// Whether the calling thread is running a oneTBB task.
bool inside_tbb_task();

// The threads that may work in the oneTBB arena that the calling thread is in, if they are fewer than oneTBB has by
// itself: then somebody has limited them. Else INT_MAX.
int tbb_arena_slots();

// For shutdown(): ends the OpenMP threads that wait for the calling thread. Those of other threads can't be ended from
// here: they stay until their threads end, and so does OpenMP's library.
void leave_openmp();

// For shutdown(): drops the kept arenas and ends oneTBB's threads. These stay, and so does oneTBB's library, while
// other threads of the program have used it.
void leave_tbb();

// The version of the oneTBB that is loaded, in words.
std::string tbb_version();

}  // namespace speedwell::runtime
