// SPDX-License-Identifier: Apache-2.0
// Copies and sums of vectors: the kernels that memory bounds.
#pragma once

#include <span>

#include <speedwell/backend.hpp>

namespace speedwell {

struct CopyOptions {
  Backend backend = Automatic{};
};

// out[i] = in[i], n elements. `in` and `out` must not overlap.
//
// Work O(n), span O(n / threads). Counted bytes: 2 n sizeof(T), each element read and written once. A cache that
// fetches a line before it is overwritten (write-allocate) moves 3 n sizeof(T); where both vectors together exceed the
// last-level cache, `out` is written past the caches and that third is saved.
//
// Throws InvalidArgument, with `out` untouched, on sizes that differ, overlap, null data with a non-empty size, or a
// backend or thread count that can't be had.
void copy(std::span<const float> in, std::span<float> out, const CopyOptions& options = {});
void copy(std::span<const double> in, std::span<double> out, const CopyOptions& options = {});

struct TriadOptions {
  double scale = 1;
  Backend backend = Automatic{};
};

// a[i] = b[i] + scale * c[i], n elements. `a` may be b or c itself; it must not overlap them in any other way.
//
// One fused multiply-add an element, fma(scale, c[i], b[i]), with scale rounded to the element type: the same bits on
// every backend, thread count and instruction set that has it.
//
// The triad of McCalpin's STREAM ("Memory Bandwidth and Machine Balance in Current High Performance Computers", IEEE
// TCCA Newsletter, 1995). Work O(n), 2 n operations; span O(n / threads). Counted bytes: 3 n sizeof(T); with
// write-allocate 4 n sizeof(T). Beyond the last-level cache `a` is written past the caches, as in copy(), unless it is
// b or c.
//
// Throws InvalidArgument, with `a` untouched, as copy() does.
void triad(std::span<const float> b, std::span<const float> c, std::span<float> a, const TriadOptions& options = {});
void triad(std::span<const double> b, std::span<const double> c, std::span<double> a, const TriadOptions& options = {});

}  // namespace speedwell
