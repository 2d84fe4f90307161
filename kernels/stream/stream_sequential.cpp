// SPDX-License-Identifier: Apache-2.0
#include "kernels/stream/stream_blocks.hpp"

namespace speedwell::stream {

void stream_on(Sequential, const StreamBlocks& blocks) {
  for (std::ptrdiff_t i = 0; i < blocks.count; ++i) blocks(i);
}

}  // namespace speedwell::stream
