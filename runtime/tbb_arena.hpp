// SPDX-License-Identifier: Apache-2.0
// A task arena of exactly as many slots as a call asks for, kept between calls.
#pragma once

#include <tbb/task_arena.h>

#include <memory>
#include <utility>

#include <speedwell/backend.hpp>

namespace speedwell::runtime {

// Leased for one call. It has fewer threads where the system refuses some. Arenas are kept and reused by thread count,
// one for each call that runs at the same time. While more threads are leased than oneTBB would give by itself, its
// process-wide limit is raised.
class TbbArena {
 public:
  explicit TbbArena(Tbb wanted);
  ~TbbArena();
  TbbArena(const TbbArena&) = delete;
  TbbArena& operator=(const TbbArena&) = delete;

  template <class Function>
  void execute(Function&& function) {
    arena().execute(std::forward<Function>(function));
  }

  struct Kept;  // an arena and its place in the list

 private:
  tbb::task_arena& arena();

  std::unique_ptr<Kept> kept_;
};

}  // namespace speedwell::runtime
