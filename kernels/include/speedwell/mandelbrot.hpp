// SPDX-License-Identifier: Apache-2.0
// The Mandelbrot set: how long each point of a grid takes to escape.
#pragma once

#include <cstdint>

#include <speedwell/backend.hpp>
#include <speedwell/view.hpp>

namespace speedwell {

// The part of the plane that a grid covers. T is the arithmetic: float or double. A minimum above its maximum mirrors
// the grid.
template <class T>
struct PlaneRegion {
  T x_min = -2;
  T x_max = 0.5;
  T y_min = -1.25;
  T y_max = 1.25;
};

// How rows are divided among threads.
enum class RowDivision {
  dynamic_rows,   // a thread that is through with its rows takes another's: rows may cost what they like
  static_shares,  // each thread has one contiguous share, of as many rows as any other's: for rows that cost the same
};

struct MandelbrotOptions {
  int max_iterations = 1000;
  RowDivision division = RowDivision::dynamic_rows;
  Backend backend = Automatic{};
};

// counts(i, j) = how often z <- z^2 + c is applied, beginning with z = 0, while |z|^2 <= 4, at most max_iterations
// times. c = (x_min + j * dx, y_min + i * dy), dx = (x_max - x_min) / cols, dy = (y_max - y_min) / rows. Counts may
// have any strides, but no element twice.
//
// All arithmetic is in T, every operation is rounded by itself, none is fused, and i, j, cols and rows are rounded to T
// first:
//
//   x = y = n = 0
//   while n < max_iterations and x * x + y * y <= 4:
//     (x, y) = ((x * x - y * y) + cx, (x + x) * y + cy)
//     n = n + 1
//
// so that the counts are the same on every backend, thread count and instruction set. The iteration is the work that
// this kernel is about: no point is spared it for lying in the cardioid or on a cycle.
//
// Work is 8 operations (x * x and y * y count once) an iteration, a count for each point. Span: the costliest row,
// as a row is done by one thread; with static_shares the costliest share. Bytes: 4 a point, written. Memory O(cols),
// none allocated once warm. The escape-time algorithm, as in Peitgen and Richter, "The Beauty of Fractals" (Springer,
// 1986).
//
// Throws InvalidArgument, with counts untouched, on a region that isn't finite or whose sides overflow T, a negative
// max_iterations, counts that overlap themselves, null data with a non-empty size, negative or overflowing sizes, a
// division that isn't one of the two, or a backend or thread count that can't be had.
void mandelbrot(const PlaneRegion<float>& region, MatrixView<std::int32_t> counts,
                const MandelbrotOptions& options = {});
void mandelbrot(const PlaneRegion<double>& region, MatrixView<std::int32_t> counts,
                const MandelbrotOptions& options = {});

}  // namespace speedwell
