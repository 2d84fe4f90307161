// SPDX-License-Identifier: Apache-2.0
#include <tbb/parallel_for.h>

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

}  // namespace tests
