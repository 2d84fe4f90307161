// SPDX-License-Identifier: Apache-2.0
#include <omp.h>

#include "bench/cases/fork_join.hpp"

namespace speedwell::bench {

void fork_join(OpenMp model, ThreadsAtWork& at_work) {
#pragma omp parallel num_threads(model.threads)
  at_work.arrive(omp_get_thread_num());
}

}  // namespace speedwell::bench
