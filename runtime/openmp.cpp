// SPDX-License-Identifier: Apache-2.0
#include <omp.h>

#include <atomic>

#include "runtime/models.hpp"
#include "runtime/process.hpp"

// Only LLVM's OpenMP runtime has it. It is asked for at link time, as code that g++ compiled may run on that one too.
extern "C" [[gnu::weak]] int __kmpc_global_thread_num(void* location);  // NOLINT(bugprone-reserved-identifier)

namespace speedwell::runtime {

namespace {

// libgomp keeps a team's threads for the thread that began the region, so the note is that thread's own.
thread_local constinit bool has_team = false;

// Whether any thread ever had one.
constinit std::atomic<bool> was_used = false;

}  // namespace

bool inside_openmp_region() { return omp_in_parallel() != 0; }

void note_openmp_team() {
  if (has_team) return;
  has_team = true;
  was_used.store(true, std::memory_order_relaxed);
}

void release_openmp_threads() {
  // Pausing is an error inside a region. A team that isn't ours is left alone: it may hold threadprivate data.
  if (!has_team || omp_get_level() > 0) return;
  has_team = false;
  // LLVM's runtime mends itself in the child, and a hard pause leaves its version 14 broken.
  if (__kmpc_global_thread_num == nullptr) omp_pause_resource_all(omp_pause_hard);
}

void leave_openmp() {
  release_openmp_threads();
  if (was_used.load(std::memory_order_relaxed)) keep_loaded(reinterpret_cast<const void*>(&omp_get_level));
}

}  // namespace speedwell::runtime
