// SPDX-License-Identifier: Apache-2.0
// A team of threads, one a core, among which OpenMP divides the loop over the tasks.
#include <omp.h>

#include "bench/models/techniques.hpp"

namespace speedwell::bench::models {

void run_openmp(Stage& stage) {
  FirstError error;
  const int threads = static_cast<int>(stage.lanes.size());
  // The first region makes the team.
#pragma omp parallel num_threads(threads)
  {
#pragma omp single
    stage.board.ready();
#pragma omp for schedule(dynamic)
    for (int task = 0; task < stage.board.tasks(); ++task) {
      Lane& lane = stage.lanes[static_cast<std::size_t>(omp_get_thread_num())];
      error.guard([&] { run_task(lane, task); });
    }
  }
  error.rethrow();
}

}  // namespace speedwell::bench::models
