// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul/matmul_batch.hpp"
#include "kernels/matmul/matmul_blocking.hpp"

namespace speedwell {

template <class T>
void matmul_on(OpenMp backend, const MatmulBlocking<T>& blocking) {
#pragma omp parallel num_threads(backend.threads)
  for (const MatmulPanel<T> panel : blocking.panels()) {
#pragma omp for schedule(static)
    for (std::ptrdiff_t i = 0; i < panel.b_slices; ++i) pack_b(panel, i);
#pragma omp for schedule(dynamic)
    for (std::ptrdiff_t i = 0; i < panel.blocks; ++i) multiply_block(panel, i);
  }
}

template <class T>
void matmul_batch_on(OpenMp backend, const MatmulBatch<T>& batch) {
#pragma omp parallel for num_threads(backend.threads) schedule(dynamic)
  for (std::ptrdiff_t i = 0; i < batch.chunks(); ++i) multiply_chunk(batch, i);
}

template void matmul_on(OpenMp, const MatmulBlocking<float>&);
template void matmul_on(OpenMp, const MatmulBlocking<double>&);
template void matmul_batch_on(OpenMp, const MatmulBatch<float>&);
template void matmul_batch_on(OpenMp, const MatmulBatch<double>&);

}  // namespace speedwell
