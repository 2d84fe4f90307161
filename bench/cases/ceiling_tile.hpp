// SPDX-License-Identifier: Apache-2.0
// What the hardware can do at most: fused multiply-adds on registers alone, and streams through caches and memory.
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
struct FmaTile {
  std::size_t lanes = 0;

  // `steps` steps on fma_chains chains of `lanes` elements each, in place.
  void (*chains)(T* x, std::size_t steps) = nullptr;
};

// Loops over arrays of doubles that begin on cache lines, gone through so many times. A copy and a triad write the same
// each time.
struct StreamTile {
  // The sum of all that is read, in any order.
  double (*load)(const double* b, std::size_t count, std::size_t passes) = nullptr;

  // a[i] = b[i]
  void (*copy)(double* a, const double* b, std::size_t count, std::size_t passes) = nullptr;

  // a[i] = b[i] + factor * c[i]
  void (*triad)(double* a, const double* b, const double* c, double factor, std::size_t count,
                std::size_t passes) = nullptr;
};

// For the instruction set in use.
const FmaTile<float>& fma_tile(float);
const FmaTile<double>& fma_tile(double);

// That write into the caches, or past them.
const StreamTile& cached_streams();
const StreamTile& uncached_streams();

}  // namespace speedwell::bench
