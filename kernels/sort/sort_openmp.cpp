// SPDX-License-Identifier: Apache-2.0
#include "kernels/sort/sort_passes.hpp"

namespace speedwell {

void sort_on(OpenMp model, SortPasses& passes) {
  const std::ptrdiff_t blocks = passes.blocks();
#pragma omp parallel num_threads(model.threads)
  {
    bool done = false;  // the same for every thread
    if (passes.may_be_a_run()) {
#pragma omp for schedule(static)
      for (std::ptrdiff_t i = 0; i < blocks; ++i) passes.examine_block(i);
      done = passes.is_a_run();
      if (done) {
#pragma omp for schedule(static)
        for (std::ptrdiff_t i = 0; i < blocks; ++i) passes.copy_block(i);
      }
    }
    if (!done) {
#pragma omp single
      passes.choose_splitters();
#pragma omp for schedule(static)
      for (std::ptrdiff_t i = 0; i < blocks; ++i) passes.classify_block(i);
#pragma omp single
      passes.place_buckets();
#pragma omp for schedule(static)
      for (std::ptrdiff_t i = 0; i < blocks; ++i) passes.scatter_block(i);
#pragma omp for schedule(dynamic)
      for (std::ptrdiff_t i = 0; i < passes.buckets(); ++i) passes.sort_bucket(i);
    }
  }
}

}  // namespace speedwell
