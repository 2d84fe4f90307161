// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "kernels/inclusive_scan/inclusive_scan_blocks.hpp"

namespace speedwell {

template <class T>
void inclusive_scan_on(Sequential, InclusiveScanBlocks<T>& blocks) {
  for (std::ptrdiff_t step = 0; step < blocks.steps(); ++step) {
    for (std::ptrdiff_t i = 0; i < blocks.width(); ++i) blocks.run(step, i);
    blocks.chain(step);
  }
}

template void inclusive_scan_on(Sequential, InclusiveScanBlocks<float>&);
template void inclusive_scan_on(Sequential, InclusiveScanBlocks<double>&);
template void inclusive_scan_on(Sequential, InclusiveScanBlocks<std::uint32_t>&);
template void inclusive_scan_on(Sequential, InclusiveScanBlocks<std::uint64_t>&);

}  // namespace speedwell
