// SPDX-License-Identifier: Apache-2.0
// Reductions of vectors to a number, whose bits don't depend on who adds what.
#pragma once

#include <span>

#include <speedwell/backend.hpp>

namespace speedwell {

struct ReduceOptions {
  Backend backend = Automatic{};
};

// sum(x) = x[0] + x[1] + ...   and   dot(x, y) = x[0] y[0] + x[1] y[1] + ...   Of nothing: 0.
//
// The order of the operations is a function of the size alone:
//
//   - The vectors are cut into chunks of 16 KiB: 4096 floats or 2048 doubles, the last as short as it comes out.
//   - A chunk has lanes, 128 floats or 64 doubles: element i of the chunk falls to lane i modulo their number. Each is
//     one chain in ascending i, begun from 0: c = c + x[i], or c = fma(x[i], y[i], c).
//   - The lanes are added by halves: lane l and lane l + half, until one is left.
//   - The chunks are added by a tree: a range of n chunks is the sum of its first n / 2, rounded down, and of the rest.
//
// So the same bits come from every backend and thread count, and from every instruction set: of sum from all, of dot
// from all that have fused multiply-add (others round x[i] * y[i] first). Only which NaN a NaN is isn't said.
//
// At most 28 + log2 n roundings lie between an element and the result: with eps the distance from 1 to the next number,
// the error is at most (28 + log2 n) eps / 2 times the sum of the absolute values of the terms, up to terms in eps^2
// and underflow, where one chain could err n eps / 2 times that. Infinities and NaNs spread as IEEE 754 says.
//
// Work n additions (sum) or n fused multiply-adds (dot); span O(n / threads + log n). Bytes: n sizeof(T), with dot
// twice that, each element read once; nothing is written. Blocked and pairwise summation: Higham, "The Accuracy of
// Floating Point Summation" (SIAM Journal on Scientific Computing 14, 1993).
//
// Throws InvalidArgument on different sizes of x and y, null data with a size, a size that can't be, or a backend or
// thread count that can't be had.
float sum(std::span<const float> x, const ReduceOptions& options = {});
double sum(std::span<const double> x, const ReduceOptions& options = {});
float dot(std::span<const float> x, std::span<const float> y, const ReduceOptions& options = {});
double dot(std::span<const double> x, std::span<const double> y, const ReduceOptions& options = {});

}  // namespace speedwell
