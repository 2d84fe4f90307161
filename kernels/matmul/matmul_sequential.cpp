// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul/matmul_batch.hpp"
#include "kernels/matmul/matmul_blocking.hpp"

namespace speedwell {

template <class T>
void matmul_on(Sequential, const MatmulBlocking<T>& blocking) {
  for (const MatmulPanel<T> panel : blocking.panels()) {
    for (std::ptrdiff_t i = 0; i < panel.b_slices; ++i) pack_b(panel, i);
    for (std::ptrdiff_t i = 0; i < panel.blocks; ++i) multiply_block(panel, i);
  }
}

template <class T>
void matmul_batch_on(Sequential, const MatmulBatch<T>& batch) {
  for (std::ptrdiff_t i = 0; i < batch.chunks(); ++i) multiply_chunk(batch, i);
}

template void matmul_on(Sequential, const MatmulBlocking<float>&);
template void matmul_on(Sequential, const MatmulBlocking<double>&);
template void matmul_batch_on(Sequential, const MatmulBatch<float>&);
template void matmul_batch_on(Sequential, const MatmulBatch<double>&);

}  // namespace speedwell
