// SPDX-License-Identifier: Apache-2.0
#include "kernels/reduce/reduce_tree.hpp"

namespace speedwell {

template <class T>
T reduce_on(Sequential, const ReduceTree<T>& tree) {
  return tree.reduce(0, tree.chunks());
}

template float reduce_on(Sequential, const ReduceTree<float>&);
template double reduce_on(Sequential, const ReduceTree<double>&);

}  // namespace speedwell
