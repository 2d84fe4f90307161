// SPDX-License-Identifier: Apache-2.0
#include "runtime/tbb_arena.hpp"

#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/task.h>
#include <tbb/version.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/message.hpp"
#include "runtime/models.hpp"
#include "runtime/process.hpp"
#include "runtime/signals_blocked.hpp"

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
  bool was_used = false;
  int workers_to_be_had = 0;  // as many as were once seen to be, and oneTBB keeps what it has
  int leased_workers = 0;     // by all calls that run now; their own threads aren't counted
  // oneTBB's process-wide limit, raised while the leases need more than oneTBB gives by itself. The least of all
  // controls counts, so there is one for all leases, and a limit that the program itself has set holds. No smart
  // pointer: oneTBB may be gone when a static destructor would run.
  tbb::global_control* limit = nullptr;
  int limit_workers = 0;

  void adjust_limit() {
    const int needed = leased_workers >= tbb::info::default_concurrency() ? leased_workers : 0;
    if (needed == limit_workers) return;
    // The new one before the old one goes: between two limits there would be none.
    tbb::global_control* const old = limit;
    limit = needed == 0 ? nullptr
                        : new tbb::global_control(tbb::global_control::max_allowed_parallelism,
                                                  static_cast<std::size_t>(needed) + 1);
    limit_workers = needed;
    delete old;
  }
};

constinit Arenas arenas;  // guarded by process_lock()

// How many of so many threads the system gives, all at once. They end at once too.
int threads_to_be_had(int wanted) {
  std::vector<std::thread> threads;
  std::atomic<int> all_made = 0;  // no bool: libstdc++ 12 may miss the notice of one
  const SignalsBlocked blocked;
  try {
    threads.reserve(static_cast<std::size_t>(wanted));
    while (std::ssize(threads) < wanted) threads.emplace_back([&] { all_made.wait(0); });
  } catch (const std::exception&) {
    // No thread, or no memory for one.
  }
  all_made = 1;
  all_made.notify_all();
  for (std::thread& thread : threads) thread.join();
  return static_cast<int>(threads.size());
}

// Leases `wanted` workers, or as many as can be had, and returns how many. oneTBB itself, up to 2021.8 at least, hangs
// or ends the process where a thread that it wants is refused, so the system is asked before it has to make more than
// ever before.
int lease_workers(int wanted) {
  {
    const std::lock_guard lock(process_lock());
    arenas.leased_workers += wanted;
    if (arenas.leased_workers <= arenas.workers_to_be_had) return wanted;
  }
  const FirstTime one_call_at_a_time;  // or two would find the same threads
  int missing;
  {
    const std::lock_guard lock(process_lock());
    missing = arenas.leased_workers - arenas.workers_to_be_had;
  }
  if (missing <= 0) return wanted;
  const int found = threads_to_be_had(missing);
  const int refused = std::min(missing - found, wanted);
  {
    const std::lock_guard lock(process_lock());
    arenas.workers_to_be_had += found;
    arenas.leased_workers -= refused;
  }
  if (refused > 0) message(MessageLevel::warning, "can't make a thread: running with fewer");
  return wanted - refused;
}

// Whether the calling thread has to do with oneTBB at all. Whatever else it is asked would wake it up for this thread,
// which takes a while, memory and locks, and isn't needed by a program that doesn't use it.
bool knows_tbb() {
  thread_local constinit bool known = false;
  if (!known) known = tbb::task_arena(tbb::attach()).is_active();
  return known;
}

}  // namespace

TbbArena::TbbArena(Tbb wanted) {
  const int workers = lease_workers(wanted.threads - 1);
  const std::lock_guard lock(process_lock());
  Arenas& all = arenas;
  try {
    Kept** place = &all.kept;
    while (*place != nullptr && (*place)->threads != workers + 1) place = &(*place)->next;
    if (*place != nullptr) {
      kept_.reset(*place);
      *place = kept_->next;
    } else {
      kept_ = std::make_unique<Kept>(workers + 1);
    }
    all.was_used = true;
    all.adjust_limit();
  } catch (...) {
    all.leased_workers -= workers;
    throw;
  }
}

TbbArena::~TbbArena() {
  const std::lock_guard lock(process_lock());
  Arenas& all = arenas;
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

bool inside_tbb_task() { return knows_tbb() && tbb::task::current_context() != nullptr; }

int tbb_arena_slots() {
  if (!knows_tbb()) return INT_MAX;
  const int slots = tbb::this_task_arena::max_concurrency();
  return slots < tbb::info::default_concurrency() ? slots : INT_MAX;
}

void leave_tbb() {
  // A forked child has none of oneTBB's threads, and may have locks that one of them held at the fork: it would wait
  // for them. What is kept there stays.
  if (in_forked_child()) return;
  TbbArena::Kept* kept;
  bool was_used;
  {
    const std::lock_guard lock(process_lock());
    kept = std::exchange(arenas.kept, nullptr);
    was_used = std::exchange(arenas.was_used, false);
    arenas.workers_to_be_had = 0;
  }
  while (kept != nullptr) {
    const std::unique_ptr<TbbArena::Kept> dropped(kept);
    kept = dropped->next;
  }
  if (!was_used) return;
  bool ended = false;
  try {
    tbb::task_scheduler_handle scheduler{tbb::attach()};
    ended = tbb::finalize(scheduler, std::nothrow);
  } catch (const std::exception&) {
    // No memory for it: they stay.
  }
  if (!ended) keep_loaded(reinterpret_cast<const void*>(&TBB_runtime_version));
}

std::string tbb_version() { return std::string("oneTBB ") + TBB_runtime_version(); }

}  // namespace speedwell::runtime
