// SPDX-License-Identifier: Apache-2.0
#include "tests/models_at_work.hpp"

namespace tests {

void run_blocks_on(speedwell::OpenMp model, std::ptrdiff_t blocks, const Block& body) {
#pragma omp parallel for num_threads(model.threads) schedule(static)
  for (std::ptrdiff_t i = 0; i < blocks; ++i) body(i);
}

void in_openmp_region(int threads, const std::function<void()>& body) {
#pragma omp parallel num_threads(threads)
  body();
}

}  // namespace tests
