// SPDX-License-Identifier: Apache-2.0
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include "runtime/tbb_arena.hpp"
#include "tests/models_at_work.hpp"

namespace tests {

void run_blocks_on(speedwell::Tbb model, std::ptrdiff_t blocks, const Block& body) {
  speedwell::runtime::TbbArena(model).execute([&] {
    tbb::parallel_for(
        std::ptrdiff_t{0}, blocks, [&](std::ptrdiff_t i) { body(i); }, tbb::simple_partitioner{});
  });
}

void in_tbb_tasks(int count, const std::function<void()>& body) {
  tbb::parallel_for(0, count, [&](int) { body(); });
}

void in_tbb_arena(int threads, const std::function<void()>& body) { tbb::task_arena(threads).execute(body); }

int tbb_concurrency() { return tbb::info::default_concurrency(); }

}  // namespace tests
