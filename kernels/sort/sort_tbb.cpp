// SPDX-License-Identifier: Apache-2.0
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>

#include "kernels/sort/sort_passes.hpp"
#include "runtime/tbb_arena.hpp"

namespace speedwell {

void sort_on(Tbb model, SortPasses& passes) {
  using Index = std::ptrdiff_t;
  const auto for_each_block = [&](auto body) {
    tbb::parallel_for(Index{0}, passes.blocks(), body, tbb::static_partitioner());
  };
  runtime::TbbArena(model).execute([&] {
    if (passes.may_be_a_run()) {
      for_each_block([&](Index i) { passes.examine_block(i); });
      if (passes.is_a_run()) return for_each_block([&](Index i) { passes.copy_block(i); });
    }
    passes.choose_splitters();
    for_each_block([&](Index i) { passes.classify_block(i); });
    passes.place_buckets();
    for_each_block([&](Index i) { passes.scatter_block(i); });
    tbb::parallel_for(
        Index{0}, passes.buckets(), [&](Index i) { passes.sort_bucket(i); }, tbb::simple_partitioner());
  });
}

}  // namespace speedwell
