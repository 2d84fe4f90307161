// SPDX-License-Identifier: Apache-2.0
// A loop of the caller's own in all four parallel models.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>

#include <speedwell/backend.hpp>

namespace speedwell {

struct ParallelForOptions {
  // 0: each thread has one contiguous share, of as many indices as any other's, so that it finds what it touched in the
  // call before in its own caches: for indices that cost the same. Otherwise blocks of at most so many indices, each to
  // a thread that is through with its last one: for indices that cost what they like. A block should take some ten
  // microseconds, against what handing it out costs.
  std::ptrdiff_t grain = 0;
  Backend backend = Automatic{};
};

// A body gets an index, or the first index of a range and the one after its last: a range is what compilers vectorise.
template <class Body>
concept IndexBody = std::invocable<Body&, std::ptrdiff_t>;
template <class Body>
concept RangeBody = std::invocable<Body&, std::ptrdiff_t, std::ptrdiff_t>;

namespace detail {

struct ErasedRangeBody {
  void (*call)(void* body, std::ptrdiff_t first, std::ptrdiff_t last);
  void* body;
};

void parallel_for(std::ptrdiff_t count, ErasedRangeBody body, const ParallelForOptions& options);

}  // namespace detail

// Calls `body` for 0, 1, ..., count - 1, each once, in any order and on several threads at once, and returns when all
// are done:
//
//   parallel_for(n, [&](std::ptrdiff_t i) { out[i] = f(in[i]); }, {.backend = OpenMp{4}});
//   parallel_for(n, [&](std::ptrdiff_t first, std::ptrdiff_t last) { for (...) ... }, {.grain = 1024});
//
// The body must not depend on the order, nor write what another index reads or writes; then its results are the same on
// every backend and thread count. Which indices are called together depends on backend and thread count where grain is
// 0, and is up to the grid of `grain` indices otherwise: sums that are formed per range differ in rounding without it.
//
// A thread count as for the kernels: an explicit one is used exactly unless there are fewer indices or blocks; in an
// OpenMP region, a oneTBB task, a thread of the library's pool and in a forked child the loop is sequential. last_run()
// says what ran, and how many threads did at least one block.
//
// Automatic can't know what an index costs, so the calling thread begins alone: what is left after about 100
// microseconds, twice what a fork-join takes, goes to every core that other calls leave. SPEEDWELL_BACKEND wins.
//
// Work as the body's; span: the costliest block. Nothing is allocated once warm. 5 to 120 microseconds for a fork-join.
//
// The first exception that leaves the body is rethrown here; calls that had not begun by then are left out, as soon as
// may be. Throws InvalidArgument, with the body never called, on a negative count or grain, or a backend or thread
// count that can't be had.
template <class Body>
requires IndexBody<Body> || RangeBody<Body>
void parallel_for(std::ptrdiff_t count, Body&& body, const ParallelForOptions& options = {}) {
  using Function = std::remove_reference_t<Body>;
  const auto call = [](void* erased, std::ptrdiff_t first, std::ptrdiff_t last) {
    Function& function = *static_cast<Function*>(erased);
    if constexpr (RangeBody<Body>) {
      function(first, last);
    } else {
      for (std::ptrdiff_t i = first; i < last; ++i) function(i);
    }
  };
  detail::parallel_for(count, {call, const_cast<std::remove_const_t<Function>*>(std::addressof(body))}, options);
}

}  // namespace speedwell
