// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "kernels/inclusive_scan/inclusive_scan_blocks.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell {

template <class T>
void inclusive_scan_on(Threads model, InclusiveScanBlocks<T>& blocks) {
  runtime::ThreadPool& pool = runtime::thread_pool();
  for (std::ptrdiff_t step = 0; step < blocks.steps(); ++step) {
    pool.parallel_for(model.threads, blocks.width(), [&](std::ptrdiff_t i) { blocks.run(step, i); });
    blocks.chain(step);
  }
}

template void inclusive_scan_on(Threads, InclusiveScanBlocks<float>&);
template void inclusive_scan_on(Threads, InclusiveScanBlocks<double>&);
template void inclusive_scan_on(Threads, InclusiveScanBlocks<std::uint32_t>&);
template void inclusive_scan_on(Threads, InclusiveScanBlocks<std::uint64_t>&);

}  // namespace speedwell
