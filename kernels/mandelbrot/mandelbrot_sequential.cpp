// SPDX-License-Identifier: Apache-2.0
#include "kernels/mandelbrot/mandelbrot_blocks.hpp"

namespace speedwell {

void mandelbrot_on(Sequential, const MandelbrotBlocks& blocks) {
  for (std::ptrdiff_t row = 0; row < blocks.rows; ++row) blocks(row);
}

}  // namespace speedwell
