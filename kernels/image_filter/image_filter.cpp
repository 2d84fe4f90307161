// SPDX-License-Identifier: Apache-2.0
// What all filters share. Each has its entry in a file of its own.
#include <speedwell/image_filter.hpp>

#include <algorithm>
#include <array>

#include "kernels/image_filter/line_filter.hpp"
#include "kernels/image_filter/strip_pass.hpp"
#include "runtime/caches.hpp"

namespace speedwell {

namespace image_filter {

std::ptrdiff_t strip_count(const Strips& strips, int threads) {
  constexpr std::ptrdiff_t least_per_thread = 4;
  constexpr std::size_t least_l2 = 256 * 1024;  // what small cores have had for many years, where it isn't known
  const std::size_t l2 = std::max(runtime::cache_bytes(2), least_l2);
  const auto fitting = std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(l2 / 2 / strips.row_bytes));
  const std::ptrdiff_t per_thread =
      std::max(least_per_thread, strips.rows / std::max(fitting, strips.least) / threads + 1);
  // Rows too few for so many strips are shared out evenly among the threads all the same.
  const std::ptrdiff_t least = std::max(strips.least, strips.unit);
  const std::ptrdiff_t most = std::max<std::ptrdiff_t>(strips.rows / least / threads, 1);
  const std::ptrdiff_t units = (strips.rows + strips.unit - 1) / strips.unit;
  return std::min(units, std::min(per_thread, most) * threads);
}

StreamRow stream_row_for(double bytes) { return runtime::beyond_caches(bytes) ? stream_row_tile() : nullptr; }

}  // namespace image_filter

std::string_view name(Border border) {
  constexpr std::array<std::string_view, 5> names = {"constant", "replicate", "reflect", "reflect_101", "wrap"};
  return names.at(static_cast<std::size_t>(border));
}

}  // namespace speedwell
