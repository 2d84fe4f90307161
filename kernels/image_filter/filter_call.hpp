// SPDX-License-Identifier: Apache-2.0
// What a call of any filter consists of, and how one is made and run. Kinds of filters differ in what they keep of the
// rows round that of the result: line_filter.hpp, window_filter.hpp, panel_filter.hpp.
#pragma once

#include <cstddef>

#include <speedwell/image_filter.hpp>

#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/strip_pass.hpp"
#include "runtime/dispatch.hpp"

namespace speedwell::image_filter {

// Of a filter of any kind. Filter has
//   types In, Out                 samples of the image and of the result
//   operations()                  a sample
template <class Filter>
struct FilterCall {
  using In = typename Filter::In;
  using Out = typename Filter::Out;

  const Filter& filter;
  ImageView<const In> src;
  ImageView<Out> dst;
  Border border;
  In border_value;

  static constexpr std::size_t sample_bytes = sizeof(In) + sizeof(Out);

  double samples() const {
    return static_cast<double>(src.width) * static_cast<double>(src.height) * static_cast<double>(src.channels);
  }
  double bytes() const { return samples() * sample_bytes; }
};

// The filter with the options' backend and border. Everything but its own options has to be checked before. Kind is a
// FilterCall with
//   cut()                         the unit and the least height of its strips
//   filter_rows(first, count)     rows first .. first + count - 1 of the result
template <template <class> class Kind, class Filter, class Options>
void run_filter(runtime::Kernel& kernel, const Filter& filter, ImageView<const typename Filter::In> src,
                ImageView<typename Filter::Out> dst, const Options& options) {
  const Kind<Filter> call = {{filter, src, dst, options.border, saturated<typename Filter::In>(options.border_value)}};
  Strips strips = call.cut();
  strips.rows = call.samples() == 0 ? 0 : src.height;
  strips.row_bytes = static_cast<std::size_t>(src.width * src.channels) * call.sample_bytes;
  runtime::Participants participants;
  run_strips(runtime::choose(kernel, options.backend, {call.samples() * filter.operations(), call.bytes()}),
             participants, strips,
             [&call](std::ptrdiff_t first, std::ptrdiff_t count) { call.filter_rows(first, count); });
}

}  // namespace speedwell::image_filter
