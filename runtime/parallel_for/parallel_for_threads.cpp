// SPDX-License-Identifier: Apache-2.0
#include "runtime/parallel_for/parallel_for_blocks.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell::runtime {

void parallel_for_on(Threads model, const ParallelForBlocks& blocks) {
  const std::ptrdiff_t number = blocks.number(model.threads);
  thread_pool().parallel_for(model.threads, number, [&](std::ptrdiff_t block) { blocks.run(block, number); });
}

}  // namespace speedwell::runtime
