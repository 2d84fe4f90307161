// SPDX-License-Identifier: Apache-2.0
#include "runtime/parallel_for/parallel_for_blocks.hpp"

namespace speedwell::runtime {

void parallel_for_on(Sequential, const ParallelForBlocks& blocks) {
  const std::ptrdiff_t number = blocks.number(1);
  for (std::ptrdiff_t block = 0; block < number; ++block) blocks.run(block, number);
}

}  // namespace speedwell::runtime
