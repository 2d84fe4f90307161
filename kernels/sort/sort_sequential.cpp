// SPDX-License-Identifier: Apache-2.0
#include "kernels/sort/sort_passes.hpp"

namespace speedwell {

void sort_on(Sequential, SortPasses& passes) {
  const std::ptrdiff_t blocks = passes.blocks();
  if (passes.may_be_a_run()) {
    for (std::ptrdiff_t i = 0; i < blocks; ++i) passes.examine_block(i);
    if (passes.is_a_run()) {
      for (std::ptrdiff_t i = 0; i < blocks; ++i) passes.copy_block(i);
      return;
    }
  }
  passes.choose_splitters();
  for (std::ptrdiff_t i = 0; i < blocks; ++i) passes.classify_block(i);
  passes.place_buckets();
  for (std::ptrdiff_t i = 0; i < blocks; ++i) passes.scatter_block(i);
  for (std::ptrdiff_t i = 0; i < passes.buckets(); ++i) passes.sort_bucket(i);
}

}  // namespace speedwell
