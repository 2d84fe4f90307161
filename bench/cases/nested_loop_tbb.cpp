// SPDX-License-Identifier: Apache-2.0
#include <tbb/parallel_for.h>

#include "bench/cases/nested_loop.hpp"
#include "runtime/tbb_arena.hpp"

namespace speedwell::bench {

void nested_loop(Tbb model, std::ptrdiff_t count, const LoopBody& body) {
  runtime::TbbArena(model).execute([&] { tbb::parallel_for(std::ptrdiff_t{0}, count, body); });
}

}  // namespace speedwell::bench
