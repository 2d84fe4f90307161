// SPDX-License-Identifier: Apache-2.0
// One call's rows as the parallel models see them.
#pragma once

#include <algorithm>
#include <cstddef>

#include <speedwell/backend.hpp>
#include <speedwell/mandelbrot.hpp>

namespace speedwell {

// Rows that don't depend on each other: any thread may do any of them, in any order.
struct MandelbrotBlocks {
  std::ptrdiff_t rows;
  RowDivision division;
  const void* call;
  void (*do_row)(const void* call, std::ptrdiff_t row) noexcept;

  void operator()(std::ptrdiff_t row) const noexcept { do_row(call, row); }

  // The first row of a share; the shares before rows % shares have one row more than the others.
  std::ptrdiff_t share_begin(std::ptrdiff_t share, std::ptrdiff_t shares) const {
    return rows / shares * share + std::min(share, rows % shares);
  }
};

void mandelbrot_on(Sequential model, const MandelbrotBlocks& blocks);
void mandelbrot_on(Threads model, const MandelbrotBlocks& blocks);
void mandelbrot_on(OpenMp model, const MandelbrotBlocks& blocks);
void mandelbrot_on(Tbb model, const MandelbrotBlocks& blocks);

}  // namespace speedwell
