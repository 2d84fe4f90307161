// SPDX-License-Identifier: Apache-2.0
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>

#include <cstdint>

#include "kernels/inclusive_scan/inclusive_scan_blocks.hpp"
#include "runtime/tbb_arena.hpp"

namespace speedwell {

template <class T>
void inclusive_scan_on(Tbb model, InclusiveScanBlocks<T>& blocks) {
  using Index = std::ptrdiff_t;
  runtime::TbbArena(model).execute([&] {
    for (Index step = 0; step < blocks.steps(); ++step) {
      tbb::parallel_for(
          Index{0}, blocks.width(), [&](Index i) { blocks.run(step, i); }, tbb::static_partitioner());
      blocks.chain(step);
    }
  });
}

template void inclusive_scan_on(Tbb, InclusiveScanBlocks<float>&);
template void inclusive_scan_on(Tbb, InclusiveScanBlocks<double>&);
template void inclusive_scan_on(Tbb, InclusiveScanBlocks<std::uint32_t>&);
template void inclusive_scan_on(Tbb, InclusiveScanBlocks<std::uint64_t>&);

}  // namespace speedwell
