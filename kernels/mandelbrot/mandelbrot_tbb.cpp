// SPDX-License-Identifier: Apache-2.0
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>

#include "kernels/mandelbrot/mandelbrot_blocks.hpp"
#include "runtime/tbb_arena.hpp"

namespace speedwell {

void mandelbrot_on(Tbb model, const MandelbrotBlocks& blocks) {
  runtime::TbbArena(model).execute([&] {
    if (blocks.division == RowDivision::dynamic_rows) {
      tbb::parallel_for(std::ptrdiff_t{0}, blocks.rows, blocks, tbb::simple_partitioner());
    } else {
      tbb::parallel_for(std::ptrdiff_t{0}, blocks.rows, blocks, tbb::static_partitioner());
    }
  });
}

}  // namespace speedwell
