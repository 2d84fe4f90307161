// SPDX-License-Identifier: Apache-2.0
#include "kernels/reduce/reduce_tree.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell {

// Not std::reduce with std::execution::par, nor an atomic sum that each thread adds to: their order is anyone's.
template <class T>
T reduce_on(Threads model, const ReduceTree<T>& tree) {
  runtime::thread_pool().parallel_for(model.threads, tree.subtrees(),
                                      [&](std::ptrdiff_t i) { tree.reduce_subtree(i); });
  return tree.add_subtrees();
}

template float reduce_on(Threads, const ReduceTree<float>&);
template double reduce_on(Threads, const ReduceTree<double>&);

}  // namespace speedwell
