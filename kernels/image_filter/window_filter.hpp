// SPDX-License-Identifier: Apache-2.0
// Filters of a two-dimensional window that isn't split into a column and a row. A strip keeps the rows that its window
// reaches as lines of their own, with the border to their left and right, in a ring: each row of the image is copied
// once a strip, and the window sees neither edges nor the image's strides.
#pragma once

#include <algorithm>
#include <cstddef>

#include <speedwell/image_filter.hpp>

#include "kernels/image_filter/border.hpp"
#include "kernels/image_filter/filter_call.hpp"
#include "kernels/image_filter/line_filter.hpp"
#include "kernels/image_filter/strip_pass.hpp"
#include "runtime/workspace.hpp"

namespace speedwell::image_filter {

// A call of a filter. Filter has
//   types In, Line, Out           samples of the image, of a line and of the result
//   together                      rows of the result that it computes at once, at most
//   radius_x(), radius_y()        how far it looks
//   operations()                  a sample
//   load(in, line, n)             n samples of the image as a line has them
//   window(lines, out, count, n, channels)
//       rows 0 .. count - 1 of the result, n samples each, to out[0] .. out[count - 1]. Row r is computed from lines[r]
//       .. lines[r + 2 radius_y], whose sample i stands at [i], and which go on for radius_x pixels to both sides; 64
//       bytes beyond may be read and not used.
//   scratch_bytes(channels)       if there is such a member, window() gets a pointer to so many bytes as well, which
//                                 begin on a cache line and hold nothing known
template <class Filter>
struct WindowCall : FilterCall<Filter> {
  using In = typename Filter::In;
  using Line = typename Filter::Line;
  using Out = typename Filter::Out;
  using FilterCall<Filter>::filter, FilterCall<Filter>::src, FilterCall<Filter>::dst;
  using FilterCall<Filter>::border, FilterCall<Filter>::border_value;

  Strips cut() const {
    return {// The same rows are computed together however many strips there are.
            .unit = Filter::together,
            // The rows that a strip loads beside its own are at most a quarter of them.
            .least = std::max(2 * Filter::together, 8 * filter.radius_y())};
  }
  void filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const;
};

template <class Filter>
void WindowCall<Filter>::filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const {
  constexpr bool has_scratch = requires { filter.scratch_bytes(src.channels); };
  const std::ptrdiff_t samples = src.width * src.channels;
  const std::ptrdiff_t reach = filter.radius_x() * src.channels;
  const std::ptrdiff_t window_rows = 2 * filter.radius_y() + 1;
  const std::ptrdiff_t ring_rows = window_rows + Filter::together - 1;

  const std::size_t table_bytes = detail::aligned_up(static_cast<std::size_t>(ring_rows) * sizeof(const Line*));
  const std::size_t before_bytes =
      detail::aligned_up(static_cast<std::size_t>(reach) * sizeof(Line)) + detail::alignment;
  const std::size_t line_bytes =
      before_bytes + detail::aligned_up(static_cast<std::size_t>(samples + reach) * sizeof(Line)) + detail::alignment;
  // The image's constant needs one row to be loaded from.
  const std::size_t outside_bytes =
      detail::aligned_up(border == Border::constant ? static_cast<std::size_t>(samples) * sizeof(In) : 0);
  const std::size_t rows_bytes = table_bytes + outside_bytes + static_cast<std::size_t>(ring_rows) * line_bytes;
  std::size_t scratch_bytes = 0;
  if constexpr (has_scratch) scratch_bytes = filter.scratch_bytes(src.channels);
  std::byte* const memory = runtime::thread_workspace(rows_bytes + scratch_bytes);
  const auto lines = reinterpret_cast<const Line**>(memory);
  const auto outside_row = reinterpret_cast<In*>(memory + table_bytes);
  std::byte* const ring = memory + table_bytes + outside_bytes + before_bytes;

  Line outside_sample[1] = {};
  if (border == Border::constant) {
    std::fill_n(outside_row, samples, border_value);
    filter.load(outside_row, outside_sample, 1);
  }
  // Row y of the image, or of the border above and below it, in its place in the ring.
  const auto place = [&](std::ptrdiff_t y) {
    const std::ptrdiff_t at = (y - first + filter.radius_y()) % ring_rows;
    return reinterpret_cast<Line*>(ring + static_cast<std::size_t>(at) * line_bytes);
  };
  const auto load = [&](std::ptrdiff_t y) {
    Line* const line = place(y);
    const std::ptrdiff_t from = border_index(y, src.height, border);
    filter.load(from == outside ? outside_row : src.row(from), line, samples);
    detail::extend(line, -filter.radius_x(), filter.radius_x(), src.width, src.channels, border, outside_sample[0]);
    detail::extend(line, src.width, filter.radius_x(), src.width, src.channels, border, outside_sample[0]);
  };

  std::ptrdiff_t loaded = first - filter.radius_y();  // the next row to load
  for (std::ptrdiff_t y = first; y < first + count; y += Filter::together) {
    const std::ptrdiff_t rows = std::min<std::ptrdiff_t>(Filter::together, first + count - y);
    for (; loaded < y + rows + filter.radius_y(); ++loaded) load(loaded);
    for (std::ptrdiff_t i = 0; i < rows + window_rows - 1; ++i) lines[i] = place(y - filter.radius_y() + i);
    Out* out[Filter::together];
    for (std::ptrdiff_t i = 0; i < rows; ++i) out[i] = dst.row(y + i);
    if constexpr (has_scratch) {
      filter.window(lines, out, rows, samples, src.channels, memory + rows_bytes);
    } else {
      filter.window(lines, out, rows, samples, src.channels);
    }
  }
}

template <class Filter, class Options>
void run_window_filter(runtime::Kernel& kernel, const Filter& filter, ImageView<const typename Filter::In> src,
                       ImageView<typename Filter::Out> dst, const Options& options) {
  run_filter<WindowCall>(kernel, filter, src, dst, options);
}

}  // namespace speedwell::image_filter
