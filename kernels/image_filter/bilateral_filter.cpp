// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/bilateral_filter_tile.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/image_filter/border.hpp"
#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/line_filter.hpp"
#include "kernels/image_filter/strip_pass.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/workspace.hpp"

namespace speedwell {

namespace image_filter {
namespace {

// 50,616 neighbours.
constexpr int max_diameter = 255;

// A neighbour's: of the difference, the distance, the weight (10 with its polynomial) and the sums.
double operations(std::ptrdiff_t channels) { return channels == 1 ? 14 : 12 + 4.0 * static_cast<double>(channels); }

// A call of the filter. A strip keeps the rows that its window reaches in a ring, split into planes that go on for the
// radius to both sides.
template <class T>
struct BilateralCall {
  const BilateralFilterTile<T>& tile;
  ImageView<const T> src;
  ImageView<T> dst;
  Border border;
  T border_value;
  std::ptrdiff_t radius;
  std::ptrdiff_t neighbours;
  double space;  // the binary logarithm of a neighbour's weight is this times its squared distance
  float scale;

  void filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const;
};

// Calls visit(dy, dx) for all of the window's neighbours but its centre, row by row.
template <class Visit>
void for_each_neighbour(std::ptrdiff_t radius, const Visit& visit) {
  for (std::ptrdiff_t dy = -radius; dy <= radius; ++dy) {
    for (std::ptrdiff_t dx = -radius; dx <= radius; ++dx) {
      const std::ptrdiff_t square = dx * dx + dy * dy;
      if (square > 0 && square <= radius * radius) visit(dy, dx);
    }
  }
}

template <class T>
void BilateralCall<T>::filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const {
  const std::ptrdiff_t window_rows = 2 * radius + 1;
  const std::size_t before_bytes = detail::aligned_up(static_cast<std::size_t>(radius) * sizeof(float));
  // With a vector beyond the end; and an odd number of cache lines, so that the rows of a window don't compete for one
  // set of the cache.
  const std::size_t plane_bytes =
      (before_bytes + detail::aligned_up(static_cast<std::size_t>(src.width + radius) * sizeof(float)) +
       detail::alignment) |
      detail::alignment;
  const auto plane = static_cast<std::ptrdiff_t>(plane_bytes / sizeof(float));
  const std::ptrdiff_t row = src.channels * plane;

  const std::size_t taps_bytes = detail::aligned_up(static_cast<std::size_t>(neighbours) * sizeof(BilateralTap));
  const std::size_t outside_bytes = detail::aligned_up(
      border == Border::constant ? static_cast<std::size_t>(src.width * src.channels) * sizeof(T) : 0);
  const std::size_t ring_bytes = static_cast<std::size_t>(window_rows * row) * sizeof(float);
  std::byte* const memory = runtime::thread_workspace(taps_bytes + outside_bytes + ring_bytes);
  const auto taps = reinterpret_cast<BilateralTap*>(memory);
  const auto outside_row = reinterpret_cast<T*>(memory + taps_bytes);
  const auto ring = reinterpret_cast<float*>(memory + taps_bytes + outside_bytes + before_bytes);

  float outside_sample[1] = {};
  if (border == Border::constant) {
    std::fill_n(outside_row, src.width * src.channels, border_value);
    tile.load(outside_row, outside_sample, 0, scale, 1, 1);
  }
  const auto line = [&](std::ptrdiff_t y) { return ring + (y - first + radius) % window_rows * row; };
  const auto load = [&](std::ptrdiff_t y) {
    const std::ptrdiff_t from = border_index(y, src.height, border);
    tile.load(from == outside ? outside_row : src.row(from), line(y), plane, scale, src.width, src.channels);
    for (std::ptrdiff_t k = 0; k < src.channels; ++k) {
      detail::extend(line(y) + k * plane, -radius, radius, src.width, 1, border, outside_sample[0]);
      detail::extend(line(y) + k * plane, src.width, radius, src.width, 1, border, outside_sample[0]);
    }
  };

  for (std::ptrdiff_t y = first - radius; y < first + radius; ++y) load(y);
  for (std::ptrdiff_t y = first; y < first + count; ++y) {
    load(y + radius);
    BilateralTap* tap = taps;
    for_each_neighbour(radius, [&](std::ptrdiff_t dy, std::ptrdiff_t dx) {
      *tap++ = {line(y + dy) + dx, static_cast<float>(space * static_cast<double>(dx * dx + dy * dy))};
    });
    tile.filter({taps, neighbours, line(y), plane, scale}, dst.row(y), src.width, src.channels);
  }
}

void check_sigma(std::string_view name, double sigma) {
  if (!(sigma > 0 && std::isfinite(sigma))) {
    refuse("bilateral_filter", std::string(name) + " is " + text(sigma) + ", expected a positive finite number");
  }
}

template <class T>
constinit runtime::Kernel bilateral_filter_kernel("bilateral_filter", runtime::element_name<T>);

template <class T>
void bilateral_filter_of(ImageView<const T> src, ImageView<T> dst, const BilateralFilterOptions& options) {
  check_images("bilateral_filter", src, dst);
  check_border("bilateral_filter", options.border, options.border_value);
  check_odd_side("bilateral_filter", "diameter", options.diameter, max_diameter);
  check_sigma("sigma_color", options.sigma_color);
  check_sigma("sigma_space", options.sigma_space);

  const double log2e_half = std::numbers::log2e / 2;
  const double scale = std::sqrt(log2e_half) / options.sigma_color;
  // Between these limits bytes keep their precision when they are multiplied; at them, and beyond, all distances have
  // weight 1, or all but zero have weight 0. A float's scale just has to be finite.
  constexpr bool bytes = sizeof(T) == 1;
  const double least = bytes ? 1e-6 : 0;
  const double most = bytes ? 1e6 : std::numeric_limits<float>::max();
  const auto limited = static_cast<float>(std::clamp(scale, least, most));
  const std::ptrdiff_t radius = options.diameter / 2;
  std::ptrdiff_t neighbours = 0;
  for_each_neighbour(radius, [&](std::ptrdiff_t, std::ptrdiff_t) { ++neighbours; });
  const BilateralCall<T> call = {
      .tile = bilateral_filter_tile<T>(),
      .src = src,
      .dst = dst,
      .border = options.border,
      .border_value = saturated<T>(options.border_value),
      .radius = radius,
      .neighbours = neighbours,
      // Finite, also for the smallest sigma.
      .space = std::max(-log2e_half / (options.sigma_space * options.sigma_space), -1e30),
      .scale = limited,
  };
  const double pixels = static_cast<double>(src.width) * static_cast<double>(src.height);
  const double samples = pixels * static_cast<double>(src.channels);
  runtime::Participants participants;
  run_strips(runtime::choose(
                 bilateral_filter_kernel<T>, options.backend,
                 {pixels * static_cast<double>(neighbours + 1) * operations(src.channels), samples * 2 * sizeof(T)}),
             participants,
             {.rows = samples == 0 ? 0 : src.height,
              .row_bytes = static_cast<std::size_t>(src.width * src.channels) * 2 * sizeof(T)},
             [&call](std::ptrdiff_t first, std::ptrdiff_t count) { call.filter_rows(first, count); });
}

}  // namespace
}  // namespace image_filter

void bilateral_filter(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst,
                      const BilateralFilterOptions& options) {
  image_filter::bilateral_filter_of(src, dst, options);
}

void bilateral_filter(ImageView<const float> src, ImageView<float> dst, const BilateralFilterOptions& options) {
  image_filter::bilateral_filter_of(src, dst, options);
}

}  // namespace speedwell
