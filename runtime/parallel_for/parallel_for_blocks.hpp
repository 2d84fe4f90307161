// SPDX-License-Identifier: Apache-2.0
// One loop's indices as the parallel models see them.
#pragma once

#include <algorithm>
#include <cstddef>

#include <speedwell/backend.hpp>
#include <speedwell/parallel_for.hpp>

#include "runtime/dispatch.hpp"

namespace speedwell::runtime {

struct ParallelForBlocks {
  std::ptrdiff_t first;  // index
  std::ptrdiff_t count;
  std::ptrdiff_t grain;  // 0: a share for each thread
  detail::ErasedRangeBody body;
  Participants& participants;

  bool even_shares() const { return grain == 0; }

  // How many blocks so many threads have to do.
  std::ptrdiff_t number(int threads) const {
    return even_shares() ? std::min<std::ptrdiff_t>(threads, count) : (count - 1) / grain + 1;
  }

  // Does one of `number` blocks.
  void run(std::ptrdiff_t block, std::ptrdiff_t number) const {
    participants.note();
    body.call(body.body, begin(block, number), begin(block + 1, number));
    participants.back();
  }

 private:
  // Of shares, the first count % number have one index more than the others.
  std::ptrdiff_t begin(std::ptrdiff_t block, std::ptrdiff_t number) const {
    if (block == number) return first + count;
    return first + (even_shares() ? count / number * block + std::min(block, count % number) : grain * block);
  }
};

void parallel_for_on(Sequential model, const ParallelForBlocks& blocks);
void parallel_for_on(Threads model, const ParallelForBlocks& blocks);
void parallel_for_on(OpenMp model, const ParallelForBlocks& blocks);
void parallel_for_on(Tbb model, const ParallelForBlocks& blocks);

}  // namespace speedwell::runtime
