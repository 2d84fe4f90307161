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
#include <vector>

#include <speedwell/machine.hpp>

namespace speedwell::runtime {

// The instruction set in use: SPEEDWELL_ISA if set, else the best trusted one this CPU has.
// Throws InvalidArgument, at each call, if SPEEDWELL_ISA isn't one of those available.
Isa current_isa();

// Those that both this CPU and this build have, in rising order.
std::vector<Isa> available_isas();

// The best of them that is trusted: that the tests have executed on real hardware.
Isa best_isa(const std::vector<Isa>& available);

}  // namespace speedwell::runtime
