// SPDX-License-Identifier: Apache-2.0
// A pass over an image as the parallel models see it.
#pragma once

#include <cstddef>
#include <speedwell/backend.hpp>

namespace speedwell::image_filter {

// Strips of rows that don't depend on each other: any thread may do any of them, in any order.
struct StripPass {
  std::ptrdiff_t strips;
  const void* call;
  void (*filter_strip)(const void* call, std::ptrdiff_t strip) noexcept;

  void operator()(std::ptrdiff_t strip) const noexcept { filter_strip(call, strip); }
};

void filter_on(Sequential model, const StripPass& pass);
void filter_on(Threads model, const StripPass& pass);
void filter_on(OpenMp model, const StripPass& pass);
void filter_on(Tbb model, const StripPass& pass);

}  // namespace speedwell::image_filter
