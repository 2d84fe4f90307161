// SPDX-License-Identifier: Apache-2.0
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>

#include <cstddef>
#include <memory>

#include "bench/cases/fork_join.hpp"

namespace speedwell::bench {

namespace {

// What a program would keep from call to call.
struct Kept {
  explicit Kept(int threads)
      : allowed(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads)), arena(threads) {}

  tbb::global_control allowed;  // oneTBB by itself has no more threads than there are CPUs
  tbb::task_arena arena;
};

}  // namespace

void fork_join(Tbb model, ThreadsAtWork& at_work) {
  static std::unique_ptr<Kept> kept;
  if (!kept || kept->arena.max_concurrency() != model.threads) kept = std::make_unique<Kept>(model.threads);
  kept->arena.execute([&] {
    tbb::parallel_for(
        0, model.threads, [&](int i) { at_work.arrive_and_wait(i); }, tbb::simple_partitioner());
  });
}

}  // namespace speedwell::bench
