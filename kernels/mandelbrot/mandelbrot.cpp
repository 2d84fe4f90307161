// SPDX-License-Identifier: Apache-2.0
#include <speedwell/mandelbrot.hpp>

#include <algorithm>
#include <cmath>
#include <string>

#include <speedwell/error.hpp>

#include "kernels/mandelbrot/mandelbrot_blocks.hpp"
#include "kernels/mandelbrot/mandelbrot_tile.hpp"
#include "runtime/checks.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/workspace.hpp"

namespace speedwell {

namespace {

void check_side(const char* axis, double min, double max, bool finite) {
  if (finite) return;
  const std::string name(axis);
  throw InvalidArgument("mandelbrot: " + name + "_min is " + std::to_string(min) + " and " + name + "_max is " +
                        std::to_string(max) + ", expected finite numbers with a finite difference");
}

template <class T>
void check(const PlaneRegion<T>& region, MatrixView<std::int32_t> counts, const MandelbrotOptions& options) {
  // The difference of two numbers is finite only if both are.
  check_side("x", region.x_min, region.x_max, std::isfinite(region.x_max - region.x_min));
  check_side("y", region.y_min, region.y_max, std::isfinite(region.y_max - region.y_min));
  if (options.max_iterations < 0) {
    throw InvalidArgument("mandelbrot: max_iterations is " + std::to_string(options.max_iterations) +
                          ", expected 0 or more");
  }
  if (options.division != RowDivision::dynamic_rows && options.division != RowDivision::static_shares) {
    throw InvalidArgument("mandelbrot: division is " + std::to_string(static_cast<int>(options.division)) +
                          ", expected dynamic_rows or static_shares");
  }
  runtime::check_matrix("mandelbrot", "counts", counts);
  runtime::check_output("mandelbrot", "counts", counts);
}

// The most that it can be. What it will be is only known afterwards.
runtime::Work work_of(MatrixView<std::int32_t> counts, int max_iterations) {
  const double points = static_cast<double>(counts.rows) * static_cast<double>(counts.cols);
  return {.flops = 8 * points * max_iterations, .bytes = points * sizeof(std::int32_t)};
}

template <class T>
struct Call {
  const MandelbrotTile<T>& tile;
  const PlaneRegion<T>& region;
  const T* x;  // of each column
  MatrixView<std::int32_t> counts;
  int max_iterations;
  runtime::Participants& participants;

  static void do_row(const void* call, std::ptrdiff_t row) noexcept {
    const auto& [tile, region, x, counts, max_iterations, participants] = *static_cast<const Call*>(call);
    participants.note();
    const T dy = (region.y_max - region.y_min) / static_cast<T>(counts.rows);
    const T y = region.y_min + static_cast<T>(row) * dy;
    tile.row(x, y, counts.cols, max_iterations, counts.data + row * counts.row_stride, counts.col_stride);
  }
};

template <class T>
void fill_columns(T* x, const PlaneRegion<T>& region, std::ptrdiff_t cols, std::ptrdiff_t padded_cols) {
  constexpr T outside = 4;  // a column that no one asked for, and that costs nothing
  const T dx = (region.x_max - region.x_min) / static_cast<T>(cols);
  for (std::ptrdiff_t j = 0; j < cols; ++j) x[j] = region.x_min + static_cast<T>(j) * dx;
  std::fill(x + cols, x + padded_cols, outside);
}

template <class T>
constinit runtime::Kernel kernel("mandelbrot", runtime::element_name<T>);

template <class T>
void count_escapes(const PlaneRegion<T>& region, MatrixView<std::int32_t> counts, const MandelbrotOptions& options) {
  check(region, counts, options);
  runtime::Choice choice = runtime::choose(kernel<T>, options.backend, work_of(counts, options.max_iterations));
  choice.limit_threads(counts.rows);
  if (counts.rows == 0 || counts.cols == 0) return runtime::record_run(choice, 0);
  runtime::Participants participants;

  const MandelbrotTile<T>& tile = mandelbrot_tile<T>();
  const std::ptrdiff_t padded_cols = ((counts.cols - 1) / tile.group + 1) * tile.group;
  const runtime::LeasedBuffer columns(static_cast<std::size_t>(padded_cols) * sizeof(T));
  T* const x = reinterpret_cast<T*>(columns.data());
  fill_columns(x, region, counts.cols, padded_cols);

  const Call<T> call = {tile, region, x, counts, options.max_iterations, participants};
  const MandelbrotBlocks blocks = {counts.rows, options.division, &call, Call<T>::do_row};
  runtime::run_on(choice, participants, [&](auto model) { mandelbrot_on(model, blocks); });
}

}  // namespace

void mandelbrot(const PlaneRegion<float>& region, MatrixView<std::int32_t> counts, const MandelbrotOptions& options) {
  count_escapes(region, counts, options);
}

void mandelbrot(const PlaneRegion<double>& region, MatrixView<std::int32_t> counts, const MandelbrotOptions& options) {
  count_escapes(region, counts, options);
}

}  // namespace speedwell
