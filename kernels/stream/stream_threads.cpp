// SPDX-License-Identifier: Apache-2.0
#include "kernels/stream/stream_blocks.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell::stream {

void stream_on(Threads model, const StreamBlocks& blocks) {
  runtime::thread_pool().parallel_for(model.threads, blocks.count, blocks);
}

}  // namespace speedwell::stream
