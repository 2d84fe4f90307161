// SPDX-License-Identifier: Apache-2.0
// A pass over an image: strips of rows that don't depend on each other. All filters run by it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>

#include <speedwell/backend.hpp>

#include "runtime/dispatch.hpp"

namespace speedwell::image_filter {

// A pass as the parallel models see it: any thread may do any strip, in any order.
struct StripPass {
  std::ptrdiff_t strips;
  const void* call;
  void (*do_strip)(const void* call, std::ptrdiff_t strip) noexcept;

  void operator()(std::ptrdiff_t strip) const noexcept { do_strip(call, strip); }
};

void filter_on(Sequential model, const StripPass& pass);
void filter_on(Threads model, const StripPass& pass);
void filter_on(OpenMp model, const StripPass& pass);
void filter_on(Tbb model, const StripPass& pass);

// How rows are cut into strips.
struct Strips {
  std::ptrdiff_t rows = 0;    // of the result
  std::ptrdiff_t unit = 1;    // every strip but the last is a whole number of so many rows
  std::size_t row_bytes = 1;  // of source and result that one row of the result takes
  // A strip has at least so many rows if the image allows, where beginning one costs as much as some rows of it do.
  std::ptrdiff_t least = 1;
};

// Among how many strips. A strip's rows of source and result fill half of the second-level cache, so that the rows it
// shares with the next strip are still there when the same thread goes on; and each thread has at least four strips, so
// that one that is held up loses a quarter of its share to the others.
std::ptrdiff_t strip_count(const Strips& strips, int threads);

// Calls body(first, count) for strips of rows first .. first + count - 1 that cover all rows, on the choice's model and
// threads. The strips differ by a unit at most. The body may throw std::bad_alloc, which is thrown on when all is done.
template <class Body>
void run_strips(runtime::Choice choice, runtime::Participants& participants, const Strips& strips, const Body& body) {
  const std::ptrdiff_t units = (strips.rows + strips.unit - 1) / strips.unit;
  choice.limit_threads(units);
  if (strips.rows == 0) return runtime::record_run(choice, participants);

  struct Call {
    const Strips& strips;
    const Body& body;
    runtime::Participants& participants;
    std::ptrdiff_t count;
    std::ptrdiff_t units;
    mutable std::atomic<bool> out_of_memory = false;
  };
  const Call call = {strips, body, participants, strip_count(strips, choice.threads), units};
  // No exception can leave some of the models' loops, so lack of memory is noted and thrown here.
  const StripPass pass = {call.count, &call, [](const void* context, std::ptrdiff_t strip) noexcept {
                            const Call& of = *static_cast<const Call*>(context);
                            of.participants.note();
                            const auto begin = [&of](std::ptrdiff_t i) {
                              const std::ptrdiff_t unit = i * (of.units / of.count) + std::min(i, of.units % of.count);
                              return std::min(unit * of.strips.unit, of.strips.rows);
                            };
                            try {
                              of.body(begin(strip), begin(strip + 1) - begin(strip));
                            } catch (const std::bad_alloc&) {
                              of.out_of_memory.store(true, std::memory_order_relaxed);
                            }
                          }};
  runtime::run_on(choice, participants, [&](auto model) { filter_on(model, pass); });
  if (call.out_of_memory) throw std::bad_alloc();
}

}  // namespace speedwell::image_filter
