// SPDX-License-Identifier: Apache-2.0
// A copy or a triad as the parallel models see it.
#pragma once

#include <cstddef>

#include <speedwell/backend.hpp>

namespace speedwell::stream {

// Blocks of elements that don't depend on each other and cost the same: any thread may do any of them, in any order.
struct StreamBlocks {
  std::ptrdiff_t count;
  const void* call;
  void (*run)(const void* call, std::ptrdiff_t block) noexcept;

  void operator()(std::ptrdiff_t block) const noexcept { run(call, block); }
};

void stream_on(Sequential model, const StreamBlocks& blocks);
void stream_on(Threads model, const StreamBlocks& blocks);
void stream_on(OpenMp model, const StreamBlocks& blocks);
void stream_on(Tbb model, const StreamBlocks& blocks);

}  // namespace speedwell::stream
