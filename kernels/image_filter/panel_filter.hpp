// SPDX-License-Identifier: Apache-2.0
// Filters of tall windows. A strip is cut into panels of columns, so narrow that what a filter keeps of the rows that
// its window covers stays in the second-level cache. A panel's lines have the border to their left and right: inside of
// the image they are its own rows where they lie, at its edges copies of them.
#pragma once

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstddef>

#include <speedwell/image_filter.hpp>

#include "kernels/image_filter/border.hpp"
#include "kernels/image_filter/filter_call.hpp"
#include "kernels/image_filter/line_filter.hpp"
#include "kernels/image_filter/strip_pass.hpp"
#include "runtime/caches.hpp"
#include "runtime/workspace.hpp"

namespace speedwell::image_filter {

// How far a window reaches, in pixels. Sides of windows are positive, so `right` and `below` may be 0, as may the
// others.
struct Reach {
  std::ptrdiff_t left, right, above, below;

  std::ptrdiff_t across() const { return left + right; }
  std::ptrdiff_t down() const { return above + below; }
};

// Hands out a buffer in parts that begin on cache lines.
class Parts {
 public:
  explicit Parts(std::byte* memory) : next_(memory) {}

  template <class T>
  T* take(std::ptrdiff_t count) {
    std::byte* const part = next_;
    next_ += bytes<T>(count);
    return reinterpret_cast<T*>(part);
  }

  template <class T>
  static constexpr std::size_t bytes(std::ptrdiff_t count) {
    return detail::aligned_up(static_cast<std::size_t>(count) * sizeof(T));
  }

 private:
  std::byte* next_;
};

// How many pixels wide a panel of a filter is.
template <class Filter>
std::ptrdiff_t panel_pixels(const Filter& filter, std::ptrdiff_t width, std::ptrdiff_t channels) {
  using In = typename Filter::In;
  constexpr std::size_t least_l2 = 256 * 1024;
  constexpr std::ptrdiff_t probe = 4096;  // samples
  const Reach reach = filter.reach();
  const std::size_t room = std::max(runtime::cache_bytes(2), least_l2) / 4;
  const std::size_t probe_bytes =
      filter.scratch_bytes(probe) + static_cast<std::size_t>(reach.down() + 1) * probe * sizeof(In);
  const auto fitting = static_cast<std::ptrdiff_t>(room * probe / probe_bytes) / channels;
  // What panels have in common is computed twice: an eighth at most. Nor are they so narrow that a loop's start counts.
  const std::ptrdiff_t pixels = std::max<std::ptrdiff_t>({fitting, 8 * reach.across(), 512});
  const std::ptrdiff_t panels = std::max<std::ptrdiff_t>((width + pixels / 2) / pixels, 1);
  // Whole cache lines of the result, so that two panels seldom write to one.
  constexpr std::ptrdiff_t unit = detail::alignment;
  return std::min((width / panels + unit) / unit * unit, std::max<std::ptrdiff_t>(width, 1));
}

// A call of a filter. Filter has
//   types In, Out, Scratch
//   reach()
//   operations()                          a sample
//   scratch_bytes(n)                      for lines of n samples
//   begin(parts, n)                       the scratch for a panel, from so many bytes
//   add_row(scratch, rows, t, n, channels)
//                                         row t of the panel has come, counted from 0: rows[0] is its line, rows[-1]
//                                         that of the row before, and so on back to rows[-reach().down() - 1]
//   result_row(scratch, out, n, channels) n samples of the result that belong to the last reach().down() + 1 rows
template <class Filter>
struct PanelCall : FilterCall<Filter> {
  using In = typename Filter::In;
  using Out = typename Filter::Out;
  using FilterCall<Filter>::filter, FilterCall<Filter>::src, FilterCall<Filter>::dst;
  using FilterCall<Filter>::border, FilterCall<Filter>::border_value;

  StreamRow stream_row = stream_row_for(this->bytes());  // nullptr: through the caches
  std::ptrdiff_t panel = panel_pixels(filter, src.width, src.channels);

  // A strip begins with the rows of its first window, which are no rows of the result: an eighth more of them at most.
  Strips cut() const { return {.least = 8 * (filter.reach().down() + 1)}; }
  void filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const;

 private:
  struct Lines;
  void filter_panel(std::ptrdiff_t x, std::ptrdiff_t first, std::ptrdiff_t count, const Lines& lines) const;
};

template <class Filter>
struct PanelCall<Filter>::Lines {
  const In** table;  // of each row that the strip reads
  In* copies;        // lines of the panels at the edges, in a ring
  std::ptrdiff_t pitch;
  std::ptrdiff_t* from;    // where the samples beyond the left and the right of the panel come from
  const In* outside_line;  // beyond the top and the bottom, if the border is constant
  Out* result;             // before it is streamed
  Parts scratch;
};

template <class Filter>
void PanelCall<Filter>::filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const {
  const Reach reach = filter.reach();
  const std::ptrdiff_t longest = (panel + reach.across()) * src.channels;
  const std::ptrdiff_t table_rows = count + reach.down();
  const std::ptrdiff_t copied_rows = reach.down() + 2;
  const std::ptrdiff_t beyond = reach.across() * src.channels;
  const std::ptrdiff_t pitch = static_cast<std::ptrdiff_t>(Parts::bytes<In>(longest) / sizeof(In));
  Parts parts(runtime::thread_workspace(Parts::bytes<const In*>(table_rows) + Parts::bytes<In>(copied_rows * pitch) +
                                        Parts::bytes<std::ptrdiff_t>(beyond) + Parts::bytes<In>(longest) +
                                        Parts::bytes<Out>(panel * src.channels) + filter.scratch_bytes(longest)));
  const auto table = parts.take<const In*>(table_rows);
  const auto copies = parts.take<In>(copied_rows * pitch);
  const auto from = parts.take<std::ptrdiff_t>(beyond);
  const auto outside_line = parts.take<In>(longest);
  const auto result = parts.take<Out>(panel * src.channels);
  if (border == Border::constant) std::fill_n(outside_line, longest, border_value);
  const Lines lines = {table, copies, pitch, from, outside_line, result, parts};
  for (std::ptrdiff_t x = 0; x < src.width; x += panel) filter_panel(x, first, count, lines);
  if (stream_row) hwy::FlushStream();
}

template <class Filter>
void PanelCall<Filter>::filter_panel(std::ptrdiff_t x, std::ptrdiff_t first, std::ptrdiff_t count,
                                     const Lines& lines) const {
  const Reach reach = filter.reach();
  const std::ptrdiff_t channels = src.channels;
  const std::ptrdiff_t pixels = std::min(panel, src.width - x);
  const std::ptrdiff_t samples = pixels * channels;
  const std::ptrdiff_t line_samples = samples + reach.across() * channels;
  const bool inside = x >= reach.left && x + pixels + reach.right <= src.width;
  const std::ptrdiff_t rows = count + reach.down();

  // What is in the image of a panel's line at its edge, and where the rest comes from.
  const std::ptrdiff_t begin = std::max<std::ptrdiff_t>(x - reach.left, 0);
  const std::ptrdiff_t end = std::min(x + pixels + reach.right, src.width);
  const std::ptrdiff_t before = (begin - (x - reach.left)) * channels;
  const std::ptrdiff_t within = (end - begin) * channels;
  const std::ptrdiff_t behind = line_samples - before - within;
  for (std::ptrdiff_t i = 0; i < before + behind; ++i) {
    const std::ptrdiff_t pixel = i < before ? x - reach.left + i / channels : end + (i - before) / channels;
    const std::ptrdiff_t from = border_index(pixel, src.width, border);
    // Whole pixels are beyond the edge, so i counts channels too.
    lines.from[i] = from == outside ? outside : from * channels + i % channels;
  }
  const auto copy_line = [&](In* line, const In* row) {
    std::copy_n(row + begin * channels, within, line + before);
    if (border == Border::constant) {
      std::fill_n(line, before, border_value);
      std::fill_n(line + before + within, behind, border_value);
      return;
    }
    for (std::ptrdiff_t i = 0; i < before; ++i) line[i] = row[lines.from[i]];
    for (std::ptrdiff_t i = before; i < before + behind; ++i) line[within + i] = row[lines.from[i]];
  };

  const auto image_row = [&](std::ptrdiff_t t) { return border_index(first - reach.above + t, src.height, border); };
  Parts parts = lines.scratch;
  auto scratch = filter.begin(parts, line_samples);
  for (std::ptrdiff_t t = 0; t < rows; ++t) {
    const std::ptrdiff_t y = image_row(t);
    if (y == outside) {
      lines.table[t] = lines.outside_line;
    } else if (inside) {
      lines.table[t] = src.row(y) + (x - reach.left) * channels;
    } else {
      In* const line = lines.copies + t % (reach.down() + 2) * lines.pitch;
      copy_line(line, src.row(y));
      lines.table[t] = line;
    }
    // The memory is asked for what the next row will need, while there is arithmetic to do.
    if (const std::ptrdiff_t next = t + 1 < rows ? image_row(t + 1) : outside; next != outside) {
      const In* const from = src.row(next) + x * channels;
      for (std::ptrdiff_t i = 0; i < samples; i += detail::alignment / sizeof(In)) hwy::Prefetch(from + i);
    }
    filter.add_row(scratch, lines.table + t, t, line_samples, channels);
    if (t < reach.down()) continue;
    Out* const out = dst.row(first + t - reach.down()) + x * channels;
    filter.result_row(scratch, stream_row ? lines.result : out, samples, channels);
    if (stream_row) {
      stream_row(reinterpret_cast<const std::uint8_t*>(lines.result), reinterpret_cast<std::uint8_t*>(out),
                 static_cast<std::size_t>(samples) * sizeof(Out));
    }
  }
}

template <class Filter, class Options>
void run_panel_filter(runtime::Kernel& kernel, const Filter& filter, ImageView<const typename Filter::In> src,
                      ImageView<typename Filter::Out> dst, const Options& options) {
  run_filter<PanelCall>(kernel, filter, src, dst, options);
}

}  // namespace speedwell::image_filter
