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
#include "kernels/image_filter/filter_call.hpp"
#include "kernels/image_filter/stream_row_tile.hpp"
#include "kernels/image_filter/strip_pass.hpp"
#include "runtime/workspace.hpp"

namespace speedwell::image_filter {

// A call of a filter. Filter has
//   types In, Line, Out           samples of the image, of a line and of the result
//   planes                        lines it needs for a row
//   radius_x, radius_y            how far it looks
// and either
//   vertical(rows, line, plane, first, n)             columns first .. first + n - 1 of the rows and of the lines, of
//                                                     which number k is at line + k * plane
//   horizontal(line, plane, out, n, channels)         may read, and not use, `channels` samples beyond its radius
// or, if its directions are quicker when several rows share what they load,
//   rows_together                 so many rows of the result are done at once, fewer where a strip ends
//   vertical(rows, count, line, pitch, first, n)      `count` lines, `pitch` apart
//   horizontal(line, pitch, out, out_pitch, count, n, channels, scratch)
//                                 may read, and not use, `channels` samples and 64 bytes beyond its radius
//   scratch_bytes(columns)        for a call of horizontal that reads so many columns
template <class Filter>
inline constexpr bool works_on_groups = requires(const Filter& filter) {
  filter.rows_together();
};

// A filter that is slower when its results go past the caches says so: `static constexpr bool through_caches = true`.
template <class Filter>
inline constexpr bool streams = !requires {
  Filter::through_caches;
};

template <class Filter>
std::ptrdiff_t rows_together(const Filter& filter) {
  if constexpr (works_on_groups<Filter>) return filter.rows_together();
  return 1;
}

template <class Filter>
struct LineCall : FilterCall<Filter> {
  using In = typename Filter::In;
  using Line = typename Filter::Line;
  using Out = typename Filter::Out;
  using FilterCall<Filter>::filter, FilterCall<Filter>::src, FilterCall<Filter>::dst;
  using FilterCall<Filter>::border, FilterCall<Filter>::border_value;

  StreamRow stream_row = streams<Filter> ? stream_row_for(this->bytes()) : nullptr;  // nullptr: through the caches

  Strips cut() const { return {.unit = rows_together(filter)}; }
  // Reads also the rows that the filter's radius reaches.
  void filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const;

 private:
  struct Scratch;
  std::ptrdiff_t turn() const;
  void vertical(const In* const* rows, std::ptrdiff_t count, Line* line, std::ptrdiff_t plane, std::ptrdiff_t pitch,
                std::ptrdiff_t first, std::ptrdiff_t n) const;
  void filter_group(const In* const* rows, std::ptrdiff_t first, std::ptrdiff_t count, const Scratch& scratch) const;
};

namespace detail {

// Lines and tables begin on cache lines.
inline constexpr std::size_t alignment = 64;

constexpr std::size_t aligned_up(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

// How much of its lines, of all planes together, a filter does before the other direction takes its turn. The lines
// have room for no more, so that they stay in the nearest cache however wide the image is, beside the rows that a turn
// reads; and the memory's part of a row is so short that the arithmetic of the turn before hides some of it.
inline constexpr std::ptrdiff_t turn_bytes = 2048;

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
struct LineCall<Filter>::Scratch {
  Line* line;  // where a turn's columns begin
  std::ptrdiff_t plane;
  std::ptrdiff_t pitch;  // from a row's lines to those of the next
  Out* result;           // where a turn's results begin before they are streamed
  std::ptrdiff_t result_pitch;
  const std::ptrdiff_t* beyond;       // for each pixel beyond the left, then the right edge, the one that stands there
  std::byte* horizontal;              // the filter's own
  Line outside_line[Filter::planes];  // what a column of the border's constant becomes
};

// A turn holds all that the border to the left shows, but for the right end of the row if the border wraps, and more
// than is kept of it for the next one.
template <class Filter>
std::ptrdiff_t LineCall<Filter>::turn() const {
  constexpr auto unit = static_cast<std::ptrdiff_t>(detail::alignment);
  const std::ptrdiff_t samples = std::max<std::ptrdiff_t>(detail::turn_bytes / (sizeof(Line) * Filter::planes),
                                                          4 * filter.radius_x() * src.channels);
  return (samples + unit) / unit * unit;
}

template <class Filter>
void LineCall<Filter>::vertical(const In* const* rows, [[maybe_unused]] std::ptrdiff_t count, Line* line,
                                [[maybe_unused]] std::ptrdiff_t plane, [[maybe_unused]] std::ptrdiff_t pitch,
                                std::ptrdiff_t first, std::ptrdiff_t n) const {
  if constexpr (works_on_groups<Filter>) {
    filter.vertical(rows, count, line, pitch, first, n);
  } else {
    filter.vertical(rows, line, plane, first, n);
  }
}

template <class Filter>
void LineCall<Filter>::filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const {
  const std::ptrdiff_t together = rows_together(filter);
  const std::ptrdiff_t samples = src.width * src.channels;
  const std::ptrdiff_t radius_x = filter.radius_x();
  const std::ptrdiff_t reach_x = radius_x * src.channels;
  const std::ptrdiff_t reach_y = filter.radius_y();
  const std::ptrdiff_t table_rows =
      count + 2 * reach_y + together;  // and those that the next group is the first to read

  const std::size_t table_bytes = detail::aligned_up(table_rows * sizeof(const In*));
  const std::size_t beyond_bytes = detail::aligned_up(2 * radius_x * sizeof(std::ptrdiff_t));
  const std::size_t outside_bytes = detail::aligned_up(border == Border::constant ? samples * sizeof(In) : 0);
  const std::ptrdiff_t turn = std::min(this->turn(), samples);
  // Before a turn's columns stand those of the last turn that its windows reach, or that weren't whole cache lines.
  const std::size_t left_bytes = detail::aligned_up(2 * reach_x * sizeof(Line)) + detail::alignment;
  const std::size_t plane_bytes =
      left_bytes + detail::aligned_up((turn + reach_x + src.channels) * sizeof(Line)) + detail::alignment;
  const std::size_t result_bytes =
      stream_row ? detail::aligned_up((turn + reach_x) * sizeof(Out)) + 3 * detail::alignment : 0;
  const std::size_t lines_bytes = Filter::planes * plane_bytes;
  std::size_t horizontal_bytes = 0;
  if constexpr (works_on_groups<Filter>) {
    horizontal_bytes = detail::aligned_up(filter.scratch_bytes(std::min(samples, 2 * turn) + 2 * reach_x));
  }
  std::byte* const table_at = runtime::thread_workspace(table_bytes + beyond_bytes + outside_bytes + horizontal_bytes +
                                                        together * (result_bytes + lines_bytes));
  std::byte* const beyond_at = table_at + table_bytes;
  std::byte* const outside_at = beyond_at + beyond_bytes;
  std::byte* const horizontal_at = outside_at + outside_bytes;
  std::byte* const result_at = horizontal_at + horizontal_bytes;
  std::byte* const line_at = result_at + together * result_bytes + left_bytes;

  const auto table = reinterpret_cast<const In**>(table_at);
  const auto beyond = reinterpret_cast<std::ptrdiff_t*>(beyond_at);
  const auto outside_row = reinterpret_cast<In*>(outside_at);
  Scratch scratch = {.line = reinterpret_cast<Line*>(line_at),
                     .plane = static_cast<std::ptrdiff_t>(plane_bytes / sizeof(Line)),
                     .pitch = static_cast<std::ptrdiff_t>(lines_bytes / sizeof(Line)),
                     .result = reinterpret_cast<Out*>(result_at + detail::alignment),
                     .result_pitch = static_cast<std::ptrdiff_t>(result_bytes / sizeof(Out)),
                     .beyond = beyond,
                     .horizontal = horizontal_at,
                     .outside_line = {}};

  for (std::ptrdiff_t i = 0; i < radius_x; ++i) {
    beyond[i] = border_index(i - radius_x, src.width, border);
    beyond[radius_x + i] = border_index(src.width + i, src.width, border);
  }
  if (border == Border::constant) {
    std::fill_n(outside_row, samples, border_value);
    std::fill_n(table, 2 * reach_y + 1, outside_row);
    // By the same operations as any other column.
    vertical(table + reach_y, 1, scratch.outside_line, 1, Filter::planes, 0, 1);
  }
  for (std::ptrdiff_t i = 0; i < table_rows; ++i) {
    const std::ptrdiff_t y = border_index(first - reach_y + i, src.height, border);
    table[i] = y == outside ? outside_row : src.row(y);
  }
  for (std::ptrdiff_t i = 0; i < count; i += together) {
    filter_group(table + i + reach_y, first + i, std::min(together, count - i), scratch);
  }
  if (stream_row) hwy::FlushStream();
}

template <class Filter>
void LineCall<Filter>::filter_group(const In* const* rows, std::ptrdiff_t first_row, std::ptrdiff_t count,
                                    const Scratch& scratch) const {
  const std::ptrdiff_t channels = src.channels;
  const std::ptrdiff_t radius = filter.radius_x();
  const std::ptrdiff_t samples = src.width * channels;
  const std::ptrdiff_t reach = radius * channels;
  const std::ptrdiff_t turn = this->turn();
  constexpr auto whole = static_cast<std::ptrdiff_t>(detail::alignment / sizeof(Line));

  std::ptrdiff_t done = 0;
  for (std::ptrdiff_t first = 0; first < samples; first += turn) {
    const std::ptrdiff_t last = std::min(first + turn, samples);
    Line* const line = scratch.line - first;  // where a row's first column would be, if the line had room for all
    // Calls body(samples, k) for line k of each row.
    const auto for_each_line = [&](const auto& body) {
      for (std::ptrdiff_t row = 0; row < count; ++row) {
        for (int k = 0; k < Filter::planes; ++k) body(line + row * scratch.pitch + k * scratch.plane, k);
      }
    };
    // The pixels from x on, which `from` tells where to find.
    const auto extend = [&](std::ptrdiff_t x, const std::ptrdiff_t* from) {
      for_each_line([&](Line* samples_of, int k) {
        Line* out = samples_of + x * channels;
        for (std::ptrdiff_t i = 0; i < radius; ++i) {
          for (std::ptrdiff_t channel = 0; channel < channels; ++channel) {
            *out++ = from[i] == outside ? scratch.outside_line[k] : samples_of[from[i] * channels + channel];
          }
        }
      });
    };
    const auto columns = [&](Line* to, std::ptrdiff_t x, std::ptrdiff_t n) {
      vertical(rows, count, to, scratch.plane, scratch.pitch, x, n);
    };
    // The memory is asked for what the next group will need, while there is arithmetic to do.
    for (std::ptrdiff_t row = 0; row < count; ++row) {
      const In* const next = rows[filter.radius_y() + count + row];
      for (std::ptrdiff_t i = first; i < last; i += detail::alignment / sizeof(In)) hwy::Prefetch(next + i);
    }
    columns(line, first, last - first);
    // The other end of a row of several turns isn't in the lines.
    const bool other_end = border == Border::wrap && samples > turn;
    if (first == 0) {
      if (other_end) {
        columns(line - samples, samples - reach, reach);
      } else {
        extend(-radius, scratch.beyond);
      }
    }
    if (last == samples) {
      if (other_end) {
        columns(line + samples, 0, reach);
      } else {
        extend(src.width, scratch.beyond + radius);
      }
    }
    // Turns but the last one end on a cache line of the lines, so that the next one's loads don't cross more of them
    // than they need to.
    const std::ptrdiff_t end = last == samples ? samples : (last - reach) / whole * whole;
    Out* const to = stream_row ? scratch.result : dst.row(first_row) + done;
    const std::ptrdiff_t to_pitch = stream_row ? scratch.result_pitch : dst.row_stride;
    if constexpr (works_on_groups<Filter>) {
      filter.horizontal(line + done, scratch.pitch, to, to_pitch, count, end - done, channels, scratch.horizontal);
    } else {
      filter.horizontal(line + done, scratch.plane, to, end - done, channels);
    }
    if (stream_row) {
      for (std::ptrdiff_t row = 0; row < count; ++row) {
        // From and up to a whole cache line, unless the row begins or ends; what is left goes with the next turn's.
        Out* const out = dst.row(first_row + row);
        const auto whole_lines = [&](std::ptrdiff_t i) {
          const auto into = reinterpret_cast<std::uintptr_t>(out + i) % detail::alignment / sizeof(Out);
          return std::max<std::ptrdiff_t>(0, i - static_cast<std::ptrdiff_t>(into));
        };
        const std::ptrdiff_t from = whole_lines(done);
        const std::ptrdiff_t up_to = last == samples ? samples : whole_lines(end);
        Out* const result = to + row * to_pitch;
        stream_row(reinterpret_cast<const std::uint8_t*>(result + (from - done)),
                   reinterpret_cast<std::uint8_t*>(out + from), (up_to - from) * sizeof(Out));
        std::copy_n(result + (up_to - done), end - up_to, result - (end - up_to));
      }
    }
    if (last < samples) {
      const std::ptrdiff_t kept = last - end + reach;
      for_each_line(
          [&](Line* samples_of, int) { std::copy_n(samples_of + last - kept, kept, samples_of + first - kept); });
    }
    done = end;
  }
}

template <class Filter, class Options>
void run_line_filter(runtime::Kernel& kernel, const Filter& filter, ImageView<const typename Filter::In> src,
                     ImageView<typename Filter::Out> dst, const Options& options) {
  run_filter<LineCall>(kernel, filter, src, dst, options);
}

}  // namespace speedwell::image_filter
