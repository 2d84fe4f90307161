// SPDX-License-Identifier: Apache-2.0
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>

#include "runtime/parallel_for/parallel_for_blocks.hpp"
#include "runtime/tbb_arena.hpp"

namespace speedwell::runtime {

void parallel_for_on(Tbb model, const ParallelForBlocks& blocks) {
  const std::ptrdiff_t number = blocks.number(model.threads);
  const auto run = [&](std::ptrdiff_t block) { blocks.run(block, number); };
  TbbArena(model).execute([&] {
    if (blocks.even_shares()) {
      tbb::parallel_for(std::ptrdiff_t{0}, number, run, tbb::static_partitioner());
    } else {
      tbb::parallel_for(std::ptrdiff_t{0}, number, run, tbb::simple_partitioner());
    }
  });
}

}  // namespace speedwell::runtime
