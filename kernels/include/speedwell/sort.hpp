// SPDX-License-Identifier: Apache-2.0
// Sorting of numbers.
#pragma once

#include <cstdint>
#include <span>

#include <speedwell/backend.hpp>

namespace speedwell {

struct SortOptions {
  Backend backend = Automatic{};
};

// Sorts keys in place, or those of `in` into `out`, in ascending order. `out` has the size of `in` and shares no byte
// with it, or is exactly the same memory.
//
// The order is total, so there is one result, with the same bits on every backend, thread count and instruction set.
// Integers: by value. Floats: from minus infinity over -0.0, which comes before +0.0, to infinity; then the NaNs,
// positive ones by rising and then negative ones by falling payload.
//
// Work O(n log n) whatever the keys; O(n) if they ascend or descend already, or are equal. Span:
// O(n / threads) for each pass and O(m log m) for the largest bucket, of m keys. Bytes: keys far beyond the caches are
// read three times and written twice in all, however many there are. Memory: n keys, and with
// more than one thread, or keys far beyond the caches, n bytes besides; kept between calls, so that none is allocated
// once warm. A quicksort partitions whole vectors and leaves small parts to a sorting network (Bramas, "A Novel Hybrid
// Quicksort Algorithm Vectorized using AVX-512 on Intel Skylake", 2017; Blacher et al., "Vectorized and
// performance-portable Quicksort", 2022). Threads first distribute the keys to buckets, by splitters from a sample, and
// then sort those (Sanders and Winkel, "Super Scalar Sample Sort", ESA 2004).
//
// Throws InvalidArgument, with nothing written, on null data with a non-empty size, sizes that differ, partial overlap,
// or a backend or thread count that can't be had.
void sort(std::span<float> keys, const SortOptions& options = {});
void sort(std::span<double> keys, const SortOptions& options = {});
void sort(std::span<std::int32_t> keys, const SortOptions& options = {});
void sort(std::span<std::uint32_t> keys, const SortOptions& options = {});
void sort(std::span<std::int64_t> keys, const SortOptions& options = {});
void sort(std::span<std::uint64_t> keys, const SortOptions& options = {});

void sort(std::span<const float> in, std::span<float> out, const SortOptions& options = {});
void sort(std::span<const double> in, std::span<double> out, const SortOptions& options = {});
void sort(std::span<const std::int32_t> in, std::span<std::int32_t> out, const SortOptions& options = {});
void sort(std::span<const std::uint32_t> in, std::span<std::uint32_t> out, const SortOptions& options = {});
void sort(std::span<const std::int64_t> in, std::span<std::int64_t> out, const SortOptions& options = {});
void sort(std::span<const std::uint64_t> in, std::span<std::uint64_t> out, const SortOptions& options = {});

}  // namespace speedwell
