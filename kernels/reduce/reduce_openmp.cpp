// SPDX-License-Identifier: Apache-2.0
#include "kernels/reduce/reduce_tree.hpp"

namespace speedwell {

// Not reduction(+ : sum): it adds one partial sum a thread, so that the order is that of their number and arrival.
template <class T>
T reduce_on(OpenMp model, const ReduceTree<T>& tree) {
#pragma omp parallel for num_threads(model.threads) schedule(static)
  for (std::ptrdiff_t i = 0; i < tree.subtrees(); ++i) tree.reduce_subtree(i);
  return tree.add_subtrees();
}

template float reduce_on(OpenMp, const ReduceTree<float>&);
template double reduce_on(OpenMp, const ReduceTree<double>&);

}  // namespace speedwell
