// SPDX-License-Identifier: Apache-2.0
#include "kernels/stream/stream_blocks.hpp"

namespace speedwell::stream {

// Static, so that a thread finds the elements that it touched in the call before in its own caches and memory.
void stream_on(OpenMp model, const StreamBlocks& blocks) {
#pragma omp parallel for num_threads(model.threads) schedule(static)
  for (std::ptrdiff_t i = 0; i < blocks.count; ++i) blocks(i);
}

}  // namespace speedwell::stream
