// SPDX-License-Identifier: Apache-2.0
#include "kernels/sort/sort_passes.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell {

void sort_on(Threads model, SortPasses& passes) {
  const auto for_each = [threads = model.threads](std::ptrdiff_t count, auto body) {
    runtime::thread_pool().parallel_for(threads, count, body);
  };
  const std::ptrdiff_t blocks = passes.blocks();
  if (passes.may_be_a_run()) {
    for_each(blocks, [&](std::ptrdiff_t i) { passes.examine_block(i); });
    if (passes.is_a_run()) return for_each(blocks, [&](std::ptrdiff_t i) { passes.copy_block(i); });
  }
  passes.choose_splitters();
  for_each(blocks, [&](std::ptrdiff_t i) { passes.classify_block(i); });
  passes.place_buckets();
  for_each(blocks, [&](std::ptrdiff_t i) { passes.scatter_block(i); });
  for_each(passes.buckets(), [&](std::ptrdiff_t i) { passes.sort_bucket(i); });
}

}  // namespace speedwell
