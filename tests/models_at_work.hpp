// SPDX-License-Identifier: Apache-2.0
// Parallel regions for tests: the library's way of running blocks, and a program's own use of each model.
#pragma once

#include <cstddef>
#include <functional>

#include "runtime/dispatch.hpp"

namespace tests {

using Block = std::function<void(std::ptrdiff_t)>;

// Spins for about this long.
void busy_for(int microseconds);

// Runs `body` for 0..blocks-1 on the chosen model, as a kernel does.
void run_model_on(const speedwell::runtime::Choice& choice, speedwell::runtime::Participants& participants,
                  std::ptrdiff_t blocks, const Block& body);

// The models that may not be built; each has a file of its own.
void run_blocks_on(speedwell::OpenMp model, std::ptrdiff_t blocks, const Block& body);
void run_blocks_on(speedwell::Tbb model, std::ptrdiff_t blocks, const Block& body);

// Runs `body` on each thread of an OpenMP region; in each of `count` oneTBB tasks.
void in_openmp_region(int threads, const std::function<void()>& body);
void in_tbb_tasks(int count, const std::function<void()>& body);

// Runs `body` once, by the calling thread in a task arena for so many threads.
void in_tbb_arena(int threads, const std::function<void()>& body);

// The threads that oneTBB has by itself.
int tbb_concurrency();

}  // namespace tests
