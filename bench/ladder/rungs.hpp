// SPDX-License-Identifier: Apache-2.0
// The rungs that stand below the library: C = A B on n x n matrices of floats, row after row. What C held before
// doesn't matter. Read them from below: one thing differs from each to the next.
#pragma once

#include <cstddef>

namespace speedwell::bench::ladder {

// Plain C++, as the compiler makes it for any processor of this kind: plain_rungs.cpp.
void naive(const float* a, const float* b, float* c, std::ptrdiff_t n);
void reordered(const float* a, const float* b, float* c, std::ptrdiff_t n);

// With vectors of the instruction set in use: vector_rungs.cpp.
void vectorised(const float* a, const float* b, float* c, std::ptrdiff_t n);
void tiled(const float* a, const float* b, float* c, std::ptrdiff_t n);

// Of B's tile, in floats: 64 rows of 1024 are 256 KiB, which the second-level cache of any recent core holds.
inline constexpr std::ptrdiff_t tile_rows = 64, tile_cols = 1024;

}  // namespace speedwell::bench::ladder
