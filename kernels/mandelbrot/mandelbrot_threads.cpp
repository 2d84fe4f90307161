// SPDX-License-Identifier: Apache-2.0
#include "kernels/mandelbrot/mandelbrot_blocks.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell {

void mandelbrot_on(Threads model, const MandelbrotBlocks& blocks) {
  runtime::ThreadPool& pool = runtime::thread_pool();
  if (blocks.division == RowDivision::dynamic_rows) {
    pool.parallel_for(model.threads, blocks.rows, blocks);
    return;
  }
  pool.parallel_for(model.threads, model.threads, [&](std::ptrdiff_t share) {
    const std::ptrdiff_t end = blocks.share_begin(share + 1, model.threads);
    for (std::ptrdiff_t row = blocks.share_begin(share, model.threads); row < end; ++row) blocks(row);
  });
}

}  // namespace speedwell
