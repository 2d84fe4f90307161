// SPDX-License-Identifier: Apache-2.0
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>

#include "kernels/matmul/matmul_batch.hpp"
#include "kernels/matmul/matmul_blocking.hpp"
#include "runtime/tbb_arena.hpp"

namespace speedwell {

template <class T>
void matmul_on(Tbb backend, const MatmulBlocking<T>& blocking) {
  using Index = std::ptrdiff_t;
  runtime::TbbArena(backend).execute([&] {
    for (const MatmulPanel<T> panel : blocking.panels()) {
      tbb::parallel_for(
          Index{0}, panel.b_slices, [&](Index i) { pack_b(panel, i); }, tbb::static_partitioner());
      tbb::parallel_for(
          Index{0}, panel.blocks, [&](Index i) { multiply_block(panel, i); }, tbb::simple_partitioner());
    }
  });
}

template <class T>
void matmul_batch_on(Tbb backend, const MatmulBatch<T>& batch) {
  runtime::TbbArena(backend).execute([&] {
    tbb::parallel_for(
        std::ptrdiff_t{0}, batch.chunks(), [&](std::ptrdiff_t i) { multiply_chunk(batch, i); },
        tbb::simple_partitioner());
  });
}

template void matmul_on(Tbb, const MatmulBlocking<float>&);
template void matmul_on(Tbb, const MatmulBlocking<double>&);
template void matmul_batch_on(Tbb, const MatmulBatch<float>&);
template void matmul_batch_on(Tbb, const MatmulBatch<double>&);

}  // namespace speedwell
