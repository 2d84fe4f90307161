// SPDX-License-Identifier: Apache-2.0
#include "bench/cases/nested_loop.hpp"

namespace speedwell::bench {

void nested_loop(OpenMp model, std::ptrdiff_t count, const LoopBody& body) {
#pragma omp parallel for num_threads(model.threads) schedule(dynamic)
  for (std::ptrdiff_t i = 0; i < count; ++i) body(i);
}

}  // namespace speedwell::bench
