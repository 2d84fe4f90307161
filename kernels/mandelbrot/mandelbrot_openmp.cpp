// SPDX-License-Identifier: Apache-2.0
#include "kernels/mandelbrot/mandelbrot_blocks.hpp"

namespace speedwell {

void mandelbrot_on(OpenMp model, const MandelbrotBlocks& blocks) {
  if (blocks.division == RowDivision::dynamic_rows) {
#pragma omp parallel for num_threads(model.threads) schedule(dynamic)
    for (std::ptrdiff_t row = 0; row < blocks.rows; ++row) blocks(row);
  } else {
#pragma omp parallel for num_threads(model.threads) schedule(static)
    for (std::ptrdiff_t row = 0; row < blocks.rows; ++row) blocks(row);
  }
}

}  // namespace speedwell
