// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul/matmul_batch.hpp"
#include "kernels/matmul/matmul_blocking.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell {

template <class T>
void matmul_on(Threads backend, const MatmulBlocking<T>& blocking) {
  runtime::ThreadPool& pool = runtime::thread_pool();
  for (const MatmulPanel<T> panel : blocking.panels()) {
    pool.parallel_for(backend.threads, panel.b_slices, [&](std::ptrdiff_t i) { pack_b(panel, i); });
    pool.parallel_for(backend.threads, panel.blocks, [&](std::ptrdiff_t i) { multiply_block(panel, i); });
  }
}

template <class T>
void matmul_batch_on(Threads backend, const MatmulBatch<T>& batch) {
  runtime::thread_pool().parallel_for(backend.threads, batch.chunks(),
                                      [&](std::ptrdiff_t i) { multiply_chunk(batch, i); });
}

template void matmul_on(Threads, const MatmulBlocking<float>&);
template void matmul_on(Threads, const MatmulBlocking<double>&);
template void matmul_batch_on(Threads, const MatmulBatch<float>&);
template void matmul_batch_on(Threads, const MatmulBatch<double>&);

}  // namespace speedwell
