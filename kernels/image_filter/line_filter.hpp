// SPDX-License-Identifier: Apache-2.0
// What all filters share: rows and borders. For each row of the result, a filter combines the rows of the image round
// it into lines (vertically), and neighbouring samples of the lines into the row (horizontally).
//
// Columns come first because rows of the image can then be read where they lie: beyond the top and the bottom a table
// of pointers stands for the border, and only the lines, of which there are a few whatever the filter's height, need
// room for samples beyond the left and the right. Strips of rows share nothing, and no work is done twice where they
// meet.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>
#include <speedwell/image_filter.hpp>

#include "kernels/image_filter/border.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/workspace.hpp"

namespace speedwell::image_filter {

// A call of a filter. Filter has
//   types In, Line, Out           samples of the image, of a line and of the result
//   planes                        lines it needs
//   radius_x, radius_y            how far it looks
//   vertical(rows, line, plane, n)                    line k is at line + k * plane
//   horizontal(line, plane, out, n, channels)         may read, and not use, `channels` samples beyond its radius
template <class Filter>
struct FilterCall {
  using In = typename Filter::In;
  using Line = typename Filter::Line;
  using Out = typename Filter::Out;

  const Filter& filter;
  ImageView<const In> src;
  ImageView<Out> dst;
  Border border;
  In border_value;
  std::ptrdiff_t strips;
  runtime::Participants& participants;
  std::atomic<bool>& out_of_memory;

  // Rows first .. first + count - 1 of the result, reading also those that the filter's radius reaches.
  void filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const;
};

// For StripPass. No exception can leave some of the models' loops, so lack of memory is noted for the caller to throw.
template <class Filter>
void filter_strip(const void* context, std::ptrdiff_t strip) noexcept {
  const auto& call = *static_cast<const FilterCall<Filter>*>(context);
  call.participants.note();
  // Spread so that no strip is more than a row longer than another; no product here exceeds the number of rows.
  const std::ptrdiff_t share = call.dst.height / call.strips;
  const std::ptrdiff_t longer = call.dst.height % call.strips;
  const std::ptrdiff_t first = strip * share + std::min(strip, longer);
  try {
    call.filter_rows(first, share + (strip < longer ? 1 : 0));
  } catch (const std::bad_alloc&) {
    call.out_of_memory.store(true, std::memory_order_relaxed);
  }
}

namespace detail {

// Lines and tables begin on cache lines.
inline constexpr std::size_t alignment = 64;

constexpr std::size_t aligned_up(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

// Writes the `radius` pixels to the left and to the right of a line of `width` pixels.
template <class Line>
void extend(Line* line, std::ptrdiff_t width, std::ptrdiff_t channels, std::ptrdiff_t radius, Border border,
            Line outside_value) {
  for (std::ptrdiff_t distance = 1; distance <= radius; ++distance) {
    for (const std::ptrdiff_t x : {-distance, width - 1 + distance}) {
      const std::ptrdiff_t from = border_index(x, width, border);
      for (std::ptrdiff_t k = 0; k < channels; ++k) {
        line[x * channels + k] = from == outside ? outside_value : line[from * channels + k];
      }
    }
  }
}

}  // namespace detail

template <class Filter>
void FilterCall<Filter>::filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const {
  const std::ptrdiff_t channels = src.channels;
  const std::ptrdiff_t samples = src.width * channels;
  const std::ptrdiff_t reach_x = filter.radius_x() * channels;
  const std::ptrdiff_t reach_y = filter.radius_y();
  const std::ptrdiff_t table_rows = count + 2 * reach_y;

  const std::size_t table_bytes = detail::aligned_up(table_rows * sizeof(const In*));
  const std::size_t outside_bytes = detail::aligned_up(border == Border::constant ? samples * sizeof(In) : 0);
  const std::size_t left_bytes = detail::aligned_up(reach_x * sizeof(Line));
  const std::size_t plane_bytes = left_bytes + detail::aligned_up((samples + reach_x + channels) * sizeof(Line));
  std::byte* const scratch = runtime::thread_workspace(table_bytes + outside_bytes + Filter::planes * plane_bytes);

  const auto table = reinterpret_cast<const In**>(scratch);
  const auto outside_row = reinterpret_cast<In*>(scratch + table_bytes);
  const auto line = reinterpret_cast<Line*>(scratch + table_bytes + outside_bytes + left_bytes);
  const auto plane = static_cast<std::ptrdiff_t>(plane_bytes / sizeof(Line));

  // What a column of the constant becomes, by the same operations as any other column.
  Line outside_line[Filter::planes] = {};
  if (border == Border::constant) {
    std::fill_n(outside_row, samples, border_value);
    std::fill_n(table, 2 * reach_y + 1, outside_row);
    filter.vertical(table + reach_y, outside_line, 1, 1);
  }
  for (std::ptrdiff_t i = 0; i < table_rows; ++i) {
    const std::ptrdiff_t y = border_index(first - reach_y + i, src.height, border);
    table[i] = y == outside ? outside_row : src.row(y);
  }

  for (std::ptrdiff_t i = 0; i < count; ++i) {
    filter.vertical(table + i + reach_y, line, plane, samples);
    for (int k = 0; k < Filter::planes; ++k) {
      detail::extend(line + k * plane, src.width, channels, filter.radius_x(), border, outside_line[k]);
    }
    filter.horizontal(line, plane, dst.row(first + i), samples, channels);
  }
}

}  // namespace speedwell::image_filter
