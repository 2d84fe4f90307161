// SPDX-License-Identifier: Apache-2.0
// Filters of rows and columns, and their borders. For each row of the result, a filter combines the rows of the image
// round it into lines (vertically), and neighbouring samples of the lines into the row (horizontally).
//
// Columns come first because rows of the image can then be read where they lie: beyond the top and the bottom a table
// of pointers stands for the border, and only the lines, of which there are a few whatever the filter's height, need
// room for samples beyond the left and the right. Strips of rows share nothing, and no work is done twice where they
// meet.
#pragma once

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <speedwell/image_filter.hpp>

#include "kernels/image_filter/border.hpp"
#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/stream_row_tile.hpp"
#include "kernels/image_filter/strip_pass.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/workspace.hpp"

namespace speedwell::image_filter {

// A call of a filter. Filter has
//   types In, Line, Out           samples of the image, of a line and of the result
//   planes                        lines it needs
//   radius_x, radius_y            how far it looks
//   vertical(rows, line, plane, first, n)             columns first .. first + n - 1; line k is at line + k * plane
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
  StreamRow stream_row;  // nullptr: through the caches

  // Rows first .. first + count - 1 of the result, reading also those that the filter's radius reaches.
  void filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const;

 private:
  struct Scratch;
  void filter_row(const In* const* rows, Out* out, const Scratch& scratch) const;
};

namespace detail {

// Lines and tables begin on cache lines.
inline constexpr std::size_t alignment = 64;

constexpr std::size_t aligned_up(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

// How much of a line is done before the other direction takes its turn: 16 cache lines. Of so few, a core's 16 or so
// line buffers can hold what a turn writes past the caches while the next one computes; and 16 to 64 vectors are enough
// for the start of a loop not to count.
inline constexpr std::ptrdiff_t turn_bytes = 1024;

// Writes `pixels` pixels of a line of `width` pixels, beyond its edge from pixel x on.
template <class Line>
void extend(Line* line, std::ptrdiff_t x, std::ptrdiff_t pixels, std::ptrdiff_t width, std::ptrdiff_t channels,
            Border border, Line outside_value) {
  for (const std::ptrdiff_t end = x + pixels; x < end; ++x) {
    const std::ptrdiff_t from = border_index(x, width, border);
    for (std::ptrdiff_t k = 0; k < channels; ++k) {
      line[x * channels + k] = from == outside ? outside_value : line[from * channels + k];
    }
  }
}

}  // namespace detail

template <class Filter>
struct FilterCall<Filter>::Scratch {
  Line* line;
  std::ptrdiff_t plane;
  Out* result;                        // a row before it is streamed
  Line outside_line[Filter::planes];  // what a column of the border's constant becomes
};

template <class Filter>
void FilterCall<Filter>::filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const {
  const std::ptrdiff_t samples = src.width * src.channels;
  const std::ptrdiff_t reach_x = filter.radius_x() * src.channels;
  const std::ptrdiff_t reach_y = filter.radius_y();
  const std::ptrdiff_t table_rows = count + 2 * reach_y + 1;  // and the one that a next row would be the first to read

  const std::size_t table_bytes = detail::aligned_up(table_rows * sizeof(const In*));
  const std::size_t outside_bytes = detail::aligned_up(border == Border::constant ? samples * sizeof(In) : 0);
  const std::size_t result_bytes = detail::aligned_up(stream_row ? samples * sizeof(Out) : 0);
  const std::size_t left_bytes = detail::aligned_up(reach_x * sizeof(Line));
  const std::size_t plane_bytes = left_bytes + detail::aligned_up((samples + reach_x + src.channels) * sizeof(Line));
  std::byte* const table_at =
      runtime::thread_workspace(table_bytes + outside_bytes + result_bytes + Filter::planes * plane_bytes);
  std::byte* const outside_at = table_at + table_bytes;
  std::byte* const result_at = outside_at + outside_bytes;
  std::byte* const line_at = result_at + result_bytes + left_bytes;

  const auto table = reinterpret_cast<const In**>(table_at);
  const auto outside_row = reinterpret_cast<In*>(outside_at);
  Scratch scratch = {.line = reinterpret_cast<Line*>(line_at),
                     .plane = static_cast<std::ptrdiff_t>(plane_bytes / sizeof(Line)),
                     .result = reinterpret_cast<Out*>(result_at),
                     .outside_line = {}};

  if (border == Border::constant) {
    std::fill_n(outside_row, samples, border_value);
    std::fill_n(table, 2 * reach_y + 1, outside_row);
    // By the same operations as any other column.
    filter.vertical(table + reach_y, scratch.outside_line, 1, 0, 1);
  }
  for (std::ptrdiff_t i = 0; i < table_rows; ++i) {
    const std::ptrdiff_t y = border_index(first - reach_y + i, src.height, border);
    table[i] = y == outside ? outside_row : src.row(y);
  }
  for (std::ptrdiff_t i = 0; i < count; ++i) filter_row(table + i + reach_y, dst.row(first + i), scratch);
  if (stream_row) hwy::FlushStream();
}

template <class Filter>
void FilterCall<Filter>::filter_row(const In* const* rows, Out* out, const Scratch& scratch) const {
  const std::ptrdiff_t width = src.width;
  const std::ptrdiff_t channels = src.channels;
  const std::ptrdiff_t radius = filter.radius_x();
  const std::ptrdiff_t samples = width * channels;
  const std::ptrdiff_t reach = radius * channels;
  Line* const line = scratch.line;
  const std::ptrdiff_t plane = scratch.plane;
  Out* const to = stream_row ? scratch.result : out;

  const auto extend = [&](std::ptrdiff_t x) {
    for (int k = 0; k < Filter::planes; ++k) {
      detail::extend(line + k * plane, x, radius, width, channels, border, scratch.outside_line[k]);
    }
  };
  // A turn holds all that the border to the left shows, but for the right end of the row if the border wraps.
  const std::ptrdiff_t turn = std::max<std::ptrdiff_t>(detail::turn_bytes / sizeof(Line), 2 * reach);
  if (border == Border::wrap && samples > turn) filter.vertical(rows, line, plane, samples - reach, reach);

  std::ptrdiff_t done = 0;
  std::ptrdiff_t streamed = 0;
  for (std::ptrdiff_t first = 0; first < samples; first += turn) {
    const std::ptrdiff_t last = std::min(first + turn, samples);
    // The memory is asked for what the next row will need, while there is arithmetic to do.
    for (std::ptrdiff_t i = first; i < last; i += detail::alignment / sizeof(In)) {
      hwy::Prefetch(rows[filter.radius_y() + 1] + i);
    }
    filter.vertical(rows, line, plane, first, last - first);
    if (first == 0) extend(-radius);
    if (last == samples) extend(width);
    const std::ptrdiff_t end = last == samples ? samples : last - reach;
    filter.horizontal(line + done, plane, to + done, end - done, channels);
    done = end;
    if (stream_row) {
      // Up to a whole cache line, unless the row ends.
      const auto beyond = reinterpret_cast<std::uintptr_t>(out + done) % detail::alignment / sizeof(Out);
      const std::ptrdiff_t up_to = last == samples ? samples : done - static_cast<std::ptrdiff_t>(beyond);
      if (up_to > streamed) {
        stream_row(reinterpret_cast<const std::uint8_t*>(to + streamed),
                   reinterpret_cast<std::uint8_t*>(out + streamed), (up_to - streamed) * sizeof(Out));
        streamed = up_to;
      }
    }
  }
}

// The filter with the options' backend and border. Everything but its own options has to be checked before.
template <class Filter, class Options>
void run_line_filter(const Filter& filter, ImageView<const typename Filter::In> src,
                     ImageView<typename Filter::Out> dst, const Options& options) {
  constexpr std::size_t sample_bytes = sizeof(typename Filter::In) + sizeof(typename Filter::Out);
  const double samples =
      static_cast<double>(src.width) * static_cast<double>(src.height) * static_cast<double>(src.channels);
  const FilterCall<Filter> call = {.filter = filter,
                                   .src = src,
                                   .dst = dst,
                                   .border = options.border,
                                   .border_value = saturated<typename Filter::In>(options.border_value),
                                   .stream_row = stream_row_for(samples * sample_bytes)};
  runtime::Participants participants;
  run_strips(runtime::choose(options.backend, {samples * filter.operations(), samples * sample_bytes}), participants,
             {.rows = samples == 0 ? 0 : src.height,
              .row_bytes = static_cast<std::size_t>(src.width * src.channels) * sample_bytes},
             [&call](std::ptrdiff_t first, std::ptrdiff_t count) { call.filter_rows(first, count); });
}

}  // namespace speedwell::image_filter
