// SPDX-License-Identifier: Apache-2.0
#include <tbb/blocked_range.h>
#include <tbb/parallel_reduce.h>

#include <functional>

#include "kernels/reduce/reduce_tree.hpp"
#include "runtime/tbb_arena.hpp"

namespace speedwell {

// Not parallel_reduce: it splits where a thread comes to steal. The deterministic one halves every range down to the
// grain, whoever comes, and blocked_range halves where the tree does. Each leaf is a node of its own, so that nothing
// is added to the value it is offered.
template <class T>
T reduce_on(Tbb model, const ReduceTree<T>& tree) {
  using Chunks = tbb::blocked_range<std::ptrdiff_t>;
  T result = 0;
  runtime::TbbArena(model).execute([&] {
    result = tbb::parallel_deterministic_reduce(
        Chunks(0, tree.chunks(), static_cast<std::size_t>(tree.grain())), T{0},
        [&](const Chunks& chunks, T) { return tree.reduce(chunks.begin(), chunks.end()); }, std::plus<T>());
  });
  return result;
}

template float reduce_on(Tbb, const ReduceTree<float>&);
template double reduce_on(Tbb, const ReduceTree<double>&);

}  // namespace speedwell
