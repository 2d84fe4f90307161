// SPDX-License-Identifier: Apache-2.0
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

template void matmul_on(OpenMp, const MatmulBlocking<float>&);
template void matmul_on(OpenMp, const MatmulBlocking<double>&);

}  // namespace speedwell
