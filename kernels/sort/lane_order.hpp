// SPDX-License-Identifier: Apache-2.0
// Permutations that bring chosen lanes of a vector to its front.
#pragma once

#include <cstdint>

namespace speedwell {

// For each set of lanes, one bit a lane: those in the set, in order, then the others. Eight numbers of 32-bit lanes,
// four bits each, the first lowest; a lane of 64 bits is two of them. At namespace scope, as g++ 12 copies a table that
// is local to an inlined function onto the stack, at each use.
template <int lanes>
struct LaneOrder {
  std::uint32_t of[1 << lanes] = {};

  constexpr LaneOrder() {
    constexpr int parts = 8 / lanes;
    constexpr bool order[] = {true, false};
    for (unsigned set = 0; set < 1U << lanes; ++set) {
      int to = 0;
      for (const bool chosen : order) {
        for (int lane = 0; lane < lanes; ++lane) {
          if ((set >> lane & 1) != chosen) continue;
          for (int part = 0; part < parts; ++part)
            of[set] |= static_cast<std::uint32_t>(parts * lane + part) << 4 * to++;
        }
      }
    }
  }
};

template <int lanes>
inline constexpr LaneOrder<lanes> lane_order;

}  // namespace speedwell
