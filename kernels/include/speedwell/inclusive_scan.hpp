// SPDX-License-Identifier: Apache-2.0
// Prefix sums.
#pragma once

#include <cstdint>
#include <span>

#include <speedwell/backend.hpp>

namespace speedwell {

struct InclusiveScanOptions {
  Backend backend = Automatic{};
};

// out[i] = in[0] + in[1] + ... + in[i] for each i. Both spans have the same size; `out` may be `in` itself, which costs
// nothing, and otherwise they must be apart. Integers wrap modulo 2^32 or 2^64.
//
// Floats are added in this order, which is the same on every backend, thread count and instruction set:
//
//   chunk c     elements c * 16 KiB onwards, 4096 floats or 2048 doubles
//   total(c)    256 bytes of lanes side by side (64 floats or 32 doubles), each adding up the chunk's elements in its
//               column, from the top; then the upper half of the lanes is added to the lower half, until one is left
//   offset(c)   offset(0) = 0, offset(c + 1) = offset(c) + total(c)
//   row         16 elements of a chunk. Its prefix sums in Sklansky's order: of each pair, then of each four, eight and
//               sixteen elements, the upper half gets the lower half's last one added
//   out         carry + row's prefix sum. The carry begins at the chunk's offset; the next row's is carry + the row's
//               last prefix sum, which is what was written last
//
// A last row that is shorter acts as if filled up with zeros. The error of out[i] is at most about e (|in[0]| + ... +
// |in[i]|), where e is half an epsilon for each addition on the way: i / 4096 + 336 of them for floats, i / 2048 + 200
// for doubles, against i for a running sum. Within a chunk the results of numbers that aren't negative never decrease;
// from one chunk to the next they may, by as much as the error. No result is -0. From the first NaN on all results are
// NaN; from the first infinity on infinite, or NaN where infinities of both signs have come. A total or a prefix sum of
// a row may overflow where the running sum doesn't.
//
// Work O(n): n - 1 additions are asked for, about 4 n are done. Span O(n / threads + n / 4096), the chain of offsets
// being the second. Bytes: 2 n sizeof(T), or 3 n sizeof(T) where lines are fetched before they are overwritten. The
// input is read once from memory and once more from a cache, and the output written once: past the caches if both don't
// fit there and `out` begins at a multiple of 16 bytes, as all that malloc and new give does. Memory O(threads), none
// allocated once warm. Two passes over parts that fit the caches after Zhang, Wang and Ross, "Parallel Prefix Sum with
// SIMD" (arXiv 2312.14874); a row's order after Sklansky, "Conditional-Sum Addition Logic" (IRE Transactions on
// Electronic Computers EC-9, 1960).
//
// Throws InvalidArgument, with `out` untouched, on sizes that differ, spans that overlap in part, null data with a
// non-empty size, or a backend or thread count that can't be had.
void inclusive_scan(std::span<const float> in, std::span<float> out, const InclusiveScanOptions& options = {});
void inclusive_scan(std::span<const double> in, std::span<double> out, const InclusiveScanOptions& options = {});
void inclusive_scan(std::span<const std::int32_t> in, std::span<std::int32_t> out,
                    const InclusiveScanOptions& options = {});
void inclusive_scan(std::span<const std::int64_t> in, std::span<std::int64_t> out,
                    const InclusiveScanOptions& options = {});

}  // namespace speedwell
