// SPDX-License-Identifier: Apache-2.0
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>

#include "kernels/stream/stream_blocks.hpp"
#include "runtime/tbb_arena.hpp"

namespace speedwell::stream {

// Static, so that a thread finds the elements that it touched in the call before in its own caches and memory.
void stream_on(Tbb model, const StreamBlocks& blocks) {
  runtime::TbbArena(model).execute(
      [&] { tbb::parallel_for(std::ptrdiff_t{0}, blocks.count, blocks, tbb::static_partitioner()); });
}

}  // namespace speedwell::stream
