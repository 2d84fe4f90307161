// SPDX-License-Identifier: Apache-2.0
// Sorts keys that fit a core's cache, or any number of them slower: a vectorised quicksort.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/sort/ordered_key.hpp"

namespace speedwell {

// Sorts n keys into `home`. They are given there or, with in_scratch, in `scratch`; both have room for n, and apart.
template <class Int>
using Quicksort = void (*)(OrderedKey<Int>* home, OrderedKey<Int>* scratch, std::ptrdiff_t n, bool in_scratch) noexcept;

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct QuicksortTiles;

// For the instruction set in use.
template <class Int>
Quicksort<Int> quicksort_tile();

// Without vectors: where there are none, and where pivots were bad too often. O(n log n) whatever the keys.
template <class Int>
void sort_without_vectors(OrderedKey<Int>* keys, std::ptrdiff_t n) noexcept;

}  // namespace speedwell
