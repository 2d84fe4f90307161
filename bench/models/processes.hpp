// SPDX-License-Identifier: Apache-2.0
// Processes as workers, with their inputs and the board in shared memory.
#pragma once

#include <string>
#include <vector>

#include "bench/models/job.hpp"
#include "bench/models/shared_memory.hpp"
#include "bench/models/task.hpp"

namespace speedwell::bench::models {

// How a worker is started: this program with `--worker LANE MEMORY READY GO` and the job's words. The numbers are files
// that it inherits.
inline constexpr const char* worker_word = "--worker";

// Spawns the workers, without fork, and returns when all tasks are done and all workers ended. `memory` holds the board
// and then the inputs. A worker that dies or fails is an error, and the others are ended.
void run_processes(const Job& job, Board& board, const SharedMemory& memory);

// The main() of a worker, from the words after --worker on.
int run_worker(const std::vector<std::string>& words);

// Where the inputs begin in shared memory.
std::size_t inputs_offset(const Job& job);

}  // namespace speedwell::bench::models
