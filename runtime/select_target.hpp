// SPDX-License-Identifier: Apache-2.0
// Picks among what Highway compiled in the including file. Include it after <hwy/highway.h>, under HWY_ONCE.
#pragma once

#include <cstdint>

#include <hwy/highway.h>

#include "runtime/isa.hpp"

namespace speedwell::runtime {

// make.operator()<target>() for the best target that was compiled and that the instruction set in use covers.
template <class Make>
auto select_target(Make make) {
  const Isa isa = current_isa();
  if constexpr ((HWY_TARGETS & HWY_AVX3) != 0) {
    if (isa == Isa::avx512) return make.template operator()<HWY_AVX3>();
  }
  if constexpr ((HWY_TARGETS & HWY_AVX2) != 0) {
    if (isa == Isa::avx512 || isa == Isa::avx2) return make.template operator()<HWY_AVX2>();
  }
  if constexpr ((HWY_TARGETS & HWY_SSE4) != 0) {
    if (isa == Isa::avx512 || isa == Isa::avx2 || isa == Isa::sse4) return make.template operator()<HWY_SSE4>();
  }
  // ARM's one target, NEON, is its static one too
  return make.template operator()<HWY_STATIC_TARGET>();
}

}  // namespace speedwell::runtime
