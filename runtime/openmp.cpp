// SPDX-License-Identifier: Apache-2.0
#include <omp.h>

#include "runtime/models.hpp"

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
  omp_pause_resource_all(omp_pause_hard);
}

}  // namespace speedwell::runtime
