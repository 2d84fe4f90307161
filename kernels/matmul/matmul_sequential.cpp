// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul/matmul_blocking.hpp"

namespace speedwell {

template <class T>
void matmul_on(Sequential, const MatmulBlocking<T>& blocking) {
  for (const MatmulPanel<T> panel : blocking.panels()) {
    for (std::ptrdiff_t i = 0; i < panel.b_slices; ++i) pack_b(panel, i);
    for (std::ptrdiff_t i = 0; i < panel.blocks; ++i) multiply_block(panel, i);
  }
}

template void matmul_on(Sequential, const MatmulBlocking<float>&);
template void matmul_on(Sequential, const MatmulBlocking<double>&);

}  // namespace speedwell
