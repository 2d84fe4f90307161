// SPDX-License-Identifier: Apache-2.0
#include <omp.h>

#include "runtime/models.hpp"

// Only LLVM's OpenMP runtime has it. It is asked for at link time, as code that g++ compiled may run on that one too.
extern "C" [[gnu::weak]] int __kmpc_global_thread_num(void* location);  // NOLINT(bugprone-reserved-identifier)

namespace speedwell::runtime {

namespace {

// libgomp keeps a team's threads for the thread that began the region, so the note is that thread's own.
thread_local constinit bool has_team = false;

}  // namespace

bool inside_openmp_region() { return omp_in_parallel() != 0; }

void note_openmp_team() { has_team = true; }

void release_openmp_threads() {
  // Pausing is an error inside a region. A team that isn't ours is left alone: it may hold threadprivate data.
  if (!has_team || omp_get_level() > 0) return;
  has_team = false;
  // LLVM's runtime mends itself in the child, and a hard pause leaves its version 14 broken.
  if (__kmpc_global_thread_num == nullptr) omp_pause_resource_all(omp_pause_hard);
}

}  // namespace speedwell::runtime
