// SPDX-License-Identifier: Apache-2.0
// What the hardware can do at most: fused multiply-adds on registers alone, and streams through memory.
#pragma once

#include <cstddef>

namespace speedwell::bench {

// Chains side by side: FMA latency (4 or 5 cycles) x FMAs started a cycle (2), and two more. With the constant and a
// spare they fit in AVX2's 16 registers.
inline constexpr std::size_t fma_chains = 12;

// Every step of a chain is x = fma(x, -x, 1.9), or the same with two roundings where the instruction set has no FMA. It
// never repeats, so the multipliers see real operands, and stays within (-1.8, 1.91), so that no step is a special
// case.
inline constexpr double fma_constant = 1.9;

template <class T>
struct CeilingTile {
  std::size_t lanes = 0;

  // `steps` steps on fma_chains chains of `lanes` elements each, in place.
  void (*chains)(T* x, std::size_t steps) = nullptr;

  // The sum of a, in any order.
  T (*load)(const T* a, std::size_t count) = nullptr;

  // a[i] = b[i], and a[i] = b[i] + factor * c[i], written past the caches. `a` begins on a cache line.
  void (*copy)(T* a, const T* b, std::size_t count) = nullptr;
  void (*triad)(T* a, const T* b, const T* c, T factor, std::size_t count) = nullptr;
};

// For the instruction set in use.
const CeilingTile<float>& ceiling_tile(float);
const CeilingTile<double>& ceiling_tile(double);

}  // namespace speedwell::bench
