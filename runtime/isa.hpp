// SPDX-License-Identifier: Apache-2.0
// The choice among the tiles that Highway compiled for each instruction set: our own table and our own CPU probe, so
// that no part of libhwy is linked.
//
// A tile file, compiled once a target through foreach_target.h, specialises a template for each:
//
//   template <std::int64_t target> struct MatmulTiles;                    // once, outside the toggled part
//   template <> struct MatmulTiles<HWY_TARGET> { static constexpr MatmulTile<float> f32 = {...}; };
//
// and, under HWY_ONCE, asks for the one to use:
//
//   const auto& tile = *runtime::select_target([]<std::int64_t target> { return &MatmulTiles<target>::f32; });
#pragma once

#include <cstdint>

#include <speedwell/machine.hpp>

namespace speedwell::runtime {

// The instruction set in use: SPEEDWELL_ISA if set, else the best trusted one this CPU has.
Isa current_isa();

}  // namespace speedwell::runtime
