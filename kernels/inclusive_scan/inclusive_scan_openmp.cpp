// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "kernels/inclusive_scan/inclusive_scan_blocks.hpp"

namespace speedwell {

template <class T>
void inclusive_scan_on(OpenMp model, InclusiveScanBlocks<T>& blocks) {
#pragma omp parallel num_threads(model.threads)
  for (std::ptrdiff_t step = 0; step < blocks.steps(); ++step) {
#pragma omp for schedule(static)
    for (std::ptrdiff_t i = 0; i < blocks.width(); ++i) blocks.run(step, i);
#pragma omp single
    blocks.chain(step);
  }
}

template void inclusive_scan_on(OpenMp, InclusiveScanBlocks<float>&);
template void inclusive_scan_on(OpenMp, InclusiveScanBlocks<double>&);
template void inclusive_scan_on(OpenMp, InclusiveScanBlocks<std::uint32_t>&);
template void inclusive_scan_on(OpenMp, InclusiveScanBlocks<std::uint64_t>&);

}  // namespace speedwell
