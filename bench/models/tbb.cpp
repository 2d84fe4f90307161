// SPDX-License-Identifier: Apache-2.0
// oneTBB's scheduler: an arena of workers, one a core, that steal pieces of the range of tasks from each other.
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "bench/models/techniques.hpp"

namespace speedwell::bench::models {

namespace {

// Workers come when there is work for them: each is kept until all have come, or until they surely won't.
void gather(int threads) {
  const auto latest = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  std::atomic<int> there{0};
  tbb::parallel_for(
      0, threads,
      [&](int) {
        ++there;
        while (there < threads && std::chrono::steady_clock::now() < latest) std::this_thread::yield();
      },
      tbb::simple_partitioner{});
}

}  // namespace

void run_tbb(Stage& stage) {
  const int threads = static_cast<int>(stage.lanes.size());
  const tbb::global_control allow(tbb::global_control::max_allowed_parallelism, stage.lanes.size());
  tbb::task_arena arena(threads);
  arena.execute([&] {
    gather(threads);
    stage.board.ready();
    tbb::parallel_for(
        0, stage.board.tasks(),
        [&](int task) {
          run_task(stage.lanes[static_cast<std::size_t>(tbb::this_task_arena::current_thread_index())], task);
        },
        tbb::simple_partitioner{});
  });
}

}  // namespace speedwell::bench::models
