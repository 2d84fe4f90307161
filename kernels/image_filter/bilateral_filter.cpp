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

// Pixels of a row that are filtered one after the other: enough for what a row costs besides not to count.
constexpr std::ptrdiff_t block_columns = 512;

// Up to this radius weights are kept for the rows below: with it in 440 rows of a block, 0.9 MB. Of larger windows,
// what is kept would come back from memory more slowly than it is computed.
constexpr std::ptrdiff_t max_kept_radius = 8;

// Half of the window's neighbours, the others being mirrored at its centre: calls visit(dy, dx) for those of the
// centre's row to its right, then for those of the rows below, row by row.
template <class Visit>
void for_each_neighbour(std::ptrdiff_t radius, const Visit& visit) {
  for (std::ptrdiff_t dx = 1; dx <= radius; ++dx) visit(0, dx);
  for (std::ptrdiff_t dy = 1; dy <= radius; ++dy) {
    for (std::ptrdiff_t dx = -radius; dx <= radius; ++dx) {
      if (dx * dx + dy * dy <= radius * radius) visit(dy, dx);
    }
  }
}

// A neighbour below and the weights kept for it: of the row itself and of the dy rows above, in a ring.
struct Kept {
  std::ptrdiff_t dy;
  std::ptrdiff_t dx;
  float exponent;
  float* ring;
  std::ptrdiff_t row;  // the row's place in the ring
};

// What a block works with. Lines and rings begin with `radius` pixels to the left of the block.
struct BilateralScratch {
  float* lines;          // the rows that the window reaches, split into planes, in a ring
  std::ptrdiff_t plane;  // floats from a plane to the next
  BilateralTap* taps;
  BilateralPair* pairs;
  Kept* kept;
  float* weights;
  std::ptrdiff_t weights_row;  // floats from a row of weights to the next
};

struct Block {
  std::ptrdiff_t x, y, width, height;
};

template <class T>
struct BilateralCall {
  const BilateralFilterTile<T>& tile;
  ImageView<const T> src;
  ImageView<T> dst;
  Border border;
  T border_value;
  std::ptrdiff_t radius;
  std::ptrdiff_t half;       // of the window's neighbours
  std::ptrdiff_t kept_rows;  // of weights; 0: none is kept
  double space;              // the binary logarithm of a neighbour's weight is this times its squared distance
  float scale;

  void filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const;

 private:
  void filter_block(const Block& block, const BilateralScratch& scratch) const;
  void load(std::ptrdiff_t x, std::ptrdiff_t y, std::ptrdiff_t n, float* line, std::ptrdiff_t plane) const;
  float exponent(std::ptrdiff_t dy, std::ptrdiff_t dx) const {
    return static_cast<float>(space * static_cast<double>(dx * dx + dy * dy));
  }
};

template <class T>
void BilateralCall<T>::filter_rows(std::ptrdiff_t first, std::ptrdiff_t count) const {
  const std::ptrdiff_t blocks = (src.width + block_columns - 1) / block_columns;
  const std::ptrdiff_t widest = (src.width + blocks - 1) / blocks;
  const auto bytes = [](std::ptrdiff_t n, std::size_t each) {
    return detail::aligned_up(static_cast<std::size_t>(n) * each);
  };
  // An odd number of cache lines, so that rows don't compete for one set of the cache.
  const std::size_t row_bytes =
      (bytes(radius, sizeof(float)) + bytes(widest + radius, sizeof(float))) | detail::alignment;
  const auto row = static_cast<std::ptrdiff_t>(row_bytes / sizeof(float));
  const std::ptrdiff_t line_rows = (2 * radius + 1) * src.channels;

  const std::size_t taps_bytes = bytes(2 * half, sizeof(BilateralTap));
  const std::size_t pairs_bytes = bytes(kept_rows > 0 ? half : 0, sizeof(BilateralPair));
  const std::size_t kept_bytes = bytes(kept_rows > 0 ? half : 0, sizeof(Kept));
  std::byte* const taps = runtime::thread_workspace(taps_bytes + pairs_bytes + kept_bytes +
                                                    static_cast<std::size_t>(line_rows + kept_rows) * row_bytes);
  std::byte* const pairs = taps + taps_bytes;
  std::byte* const kept = pairs + pairs_bytes;
  const auto lines = reinterpret_cast<float*>(kept + kept_bytes + bytes(radius, sizeof(float)));
  const BilateralScratch scratch = {.lines = lines,
                                    .plane = row,
                                    .taps = reinterpret_cast<BilateralTap*>(taps),
                                    .pairs = reinterpret_cast<BilateralPair*>(pairs),
                                    .kept = reinterpret_cast<Kept*>(kept),
                                    .weights = lines + line_rows * row,
                                    .weights_row = row};
  for (std::ptrdiff_t i = 0; i < blocks; ++i) {
    const std::ptrdiff_t x = src.width * i / blocks;
    filter_block({x, first, src.width * (i + 1) / blocks - x, count}, scratch);
  }
}

// Pixels x - radius .. x + n + radius - 1 of row y, which may be outside.
template <class T>
void BilateralCall<T>::load(std::ptrdiff_t x, std::ptrdiff_t y, std::ptrdiff_t n, float* line,
                            std::ptrdiff_t plane) const {
  const auto converted = [this](T sample) {
    return sizeof(T) == 1 ? static_cast<float>(sample) * scale : static_cast<float>(sample);
  };
  const std::ptrdiff_t from_y = border_index(y, src.height, border);
  const T* const row = from_y == outside ? nullptr : src.row(from_y);
  const auto load_outside = [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t i = begin; i < end; ++i) {
      const std::ptrdiff_t from_x = row ? border_index(i, src.width, border) : outside;
      for (std::ptrdiff_t k = 0; k < src.channels; ++k) {
        line[k * plane + i - x] = converted(from_x == outside ? border_value : row[from_x * src.channels + k]);
      }
    }
  };
  if (!row) return load_outside(x - radius, x + n + radius);
  const std::ptrdiff_t begin = std::max<std::ptrdiff_t>(x - radius, 0);
  const std::ptrdiff_t end = std::min(x + n + radius, src.width);
  load_outside(x - radius, begin);
  tile.load(row + begin * src.channels, line + begin - x, plane, scale, end - begin, src.channels);
  load_outside(end, x + n + radius);
}

template <class T>
void BilateralCall<T>::filter_block(const Block& block, const BilateralScratch& scratch) const {
  const std::ptrdiff_t window_rows = 2 * radius + 1;
  const auto line = [&](std::ptrdiff_t y) {
    return scratch.lines + (y - block.y + radius + window_rows) % window_rows * src.channels * scratch.plane;
  };
  const auto load_row = [&](std::ptrdiff_t y) { load(block.x, y, block.width, line(y), scratch.plane); };
  BilateralRow row = {.centre = nullptr,
                      .plane = scratch.plane,
                      .scale = scale,
                      .taps = scratch.taps,
                      .tap_count = 0,
                      .pairs = scratch.pairs,
                      .pair_count = 0};

  if (kept_rows > 0) {
    float* ring = scratch.weights;
    for_each_neighbour(radius, [&](std::ptrdiff_t dy, std::ptrdiff_t dx) {
      if (dy == 0) return;
      scratch.kept[row.pair_count++] = {dy, dx, exponent(dy, dx), ring, 0};
      ring += (dy + 1) * scratch.weights_row;
    });
  }
  // The neighbours of row y, whose own weights then take the next place in the ring.
  const auto enter = [&](std::ptrdiff_t y) {
    row.centre = line(y);
    row.tap_count = 0;
    for_each_neighbour(radius, [&](std::ptrdiff_t dy, std::ptrdiff_t dx) {
      if (dy > 0 && kept_rows > 0) return;
      scratch.taps[row.tap_count++] = {line(y + dy) + dx, exponent(dy, dx)};
      scratch.taps[row.tap_count++] = {line(y - dy) - dx, exponent(dy, dx)};
    });
    for (std::ptrdiff_t i = 0; i < row.pair_count; ++i) {
      Kept& kept = scratch.kept[i];
      float* const weights = kept.ring + kept.row * scratch.weights_row;
      kept.row = kept.row == kept.dy ? 0 : kept.row + 1;
      scratch.pairs[i] = {{line(y + kept.dy) + kept.dx, kept.exponent},
                          weights,
                          line(y - kept.dy) - kept.dx,
                          kept.ring + kept.row * scratch.weights_row - kept.dx};
    }
  };

  for (std::ptrdiff_t y = block.y - radius; y < block.y + radius; ++y) load_row(y);
  if (kept_rows > 0) {
    // What the block's first rows take from rows above it.
    for (std::ptrdiff_t y = block.y - radius; y < block.y; ++y) {
      enter(y);
      for (std::ptrdiff_t i = 0; i < row.pair_count; ++i) {
        const Kept& kept = scratch.kept[i];
        if (y + kept.dy >= block.y) tile.keep(row, scratch.pairs[i], -kept.dx, block.width, src.channels);
      }
    }
  }
  for (std::ptrdiff_t y = block.y; y < block.y + block.height; ++y) {
    load_row(y + radius);
    enter(y);
    // The pixels beside the block whose neighbours stand in it.
    for (std::ptrdiff_t i = 0; i < row.pair_count; ++i) {
      const std::ptrdiff_t dx = scratch.kept[i].dx;
      if (dx != 0) {
        tile.keep(row, scratch.pairs[i], dx > 0 ? -dx : block.width, std::abs(dx), src.channels);
      }
    }
    tile.filter(row, dst.row(y) + block.x * src.channels, block.width, src.channels);
  }
}

void check_sigma(std::string_view name, double sigma) {
  if (!(sigma > 0 && std::isfinite(sigma))) {
    refuse("bilateral_filter", std::string(name) + " is " + text(sigma) + ", expected a positive finite number");
  }
}

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
  std::ptrdiff_t half = 0;
  std::ptrdiff_t kept_rows = 0;
  for_each_neighbour(radius, [&](std::ptrdiff_t dy, std::ptrdiff_t) {
    ++half;
    if (dy > 0 && radius <= max_kept_radius) kept_rows += dy + 1;
  });
  const BilateralCall<T> call = {
      .tile = bilateral_filter_tile<T>(),
      .src = src,
      .dst = dst,
      .border = options.border,
      .border_value = saturated<T>(options.border_value),
      .radius = radius,
      .half = half,
      .kept_rows = kept_rows,
      // Finite, also for the smallest sigma.
      .space = std::max(-log2e_half / (options.sigma_space * options.sigma_space), -1e30),
      .scale = limited,
  };
  const double pixels = static_cast<double>(src.width) * static_cast<double>(src.height);
  const double samples = pixels * static_cast<double>(src.channels);
  runtime::Participants participants;
  run_strips(runtime::choose(options.backend, {pixels * static_cast<double>(2 * half + 1) * operations(src.channels),
                                               samples * 2 * sizeof(T)}),
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
