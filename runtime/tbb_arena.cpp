// SPDX-License-Identifier: Apache-2.0
#include "runtime/tbb_arena.hpp"

#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/task.h>
#include <tbb/version.h>

#include <mutex>

#include "runtime/models.hpp"
#include "runtime/process.hpp"

namespace speedwell::runtime {

struct TbbArena::Kept {
  explicit Kept(int threads) : threads(threads), arena(threads) {}

  int threads;
  tbb::task_arena arena;
  Kept* next = nullptr;
};

namespace {

struct Arenas {
  TbbArena::Kept* kept = nullptr;
  int leased_workers = 0;  // by all calls that run now; their own threads aren't counted
  // oneTBB's process-wide limit, raised while the leases need more than oneTBB gives by itself. The least of all
  // controls counts, so there is one for all leases, and a limit that the program itself has set holds.
  std::unique_ptr<tbb::global_control> limit;
  int limit_workers = 0;

  void adjust_limit() {
    const int needed = leased_workers >= tbb::info::default_concurrency() ? leased_workers : 0;
    if (needed == limit_workers) return;
    // The new one before the old one goes: between two limits there would be none.
    limit = needed == 0 ? nullptr
                        : std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism,
                                                                static_cast<std::size_t>(needed) + 1);
    limit_workers = needed;
  }
};

// Guarded by process_lock(). Never destroyed: oneTBB may be gone when a static destructor would run.
Arenas& arenas() {
  static Arenas& the_arenas = *new Arenas;
  return the_arenas;
}

}  // namespace

TbbArena::TbbArena(Tbb model) {
  watch_forks();
  const std::lock_guard lock(process_lock());
  Arenas& all = arenas();
  Kept** place = &all.kept;
  while (*place != nullptr && (*place)->threads != model.threads) place = &(*place)->next;
  if (*place != nullptr) {
    kept_.reset(*place);
    *place = kept_->next;
  } else {
    kept_ = std::make_unique<Kept>(model.threads);
  }
  all.leased_workers += model.threads - 1;
  try {
    all.adjust_limit();
  } catch (...) {
    all.leased_workers -= model.threads - 1;
    throw;
  }
}

TbbArena::~TbbArena() {
  const std::lock_guard lock(process_lock());
  Arenas& all = arenas();
  all.leased_workers -= kept_->threads - 1;
  // Lowering a limit allocates nothing that the higher one didn't; were it to fail, the higher one stays.
  try {
    all.adjust_limit();
  } catch (...) {
  }
  kept_->next = all.kept;
  all.kept = kept_.release();
}

tbb::task_arena& TbbArena::arena() { return kept_->arena; }

bool inside_tbb_task() { return tbb::task::current_context() != nullptr; }

void drop_tbb_arenas() {
  TbbArena::Kept* kept;
  {
    const std::lock_guard lock(process_lock());
    kept = arenas().kept;
    arenas().kept = nullptr;
  }
  while (kept != nullptr) {
    const std::unique_ptr<TbbArena::Kept> dropped(kept);
    kept = dropped->next;
  }
}

std::string tbb_version() { return std::string("oneTBB ") + TBB_runtime_version(); }

}  // namespace speedwell::runtime
