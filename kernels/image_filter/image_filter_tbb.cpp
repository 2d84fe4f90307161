// SPDX-License-Identifier: Apache-2.0
#include <tbb/parallel_for.h>

#include "kernels/image_filter/strip_pass.hpp"
#include "runtime/tbb_arena.hpp"

namespace speedwell::image_filter {

void filter_on(Tbb model, const StripPass& pass) {
  runtime::TbbArena(model).execute([&] { tbb::parallel_for(std::ptrdiff_t{0}, pass.strips, pass); });
}

}  // namespace speedwell::image_filter
