// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/box_blur_tile.hpp"
#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/line_filter.hpp"
#include "kernels/image_filter/panel_filter.hpp"
#include "kernels/image_filter/window_chain.hpp"

namespace speedwell {

namespace image_filter {
namespace {

// What both ways need.
template <class T, class Sum>
struct Box {
  const BoxBlurTile<T, Sum>& tile;
  int width;
  int height;
  BoxMean mean;
};

// All samples of a column, then all sums of a row, added up as they are.
template <class T, class Sum>
struct SmallBox {
  using In = T;
  using Line = Sum;
  using Out = T;
  static constexpr int planes = 1;

  Box<T, Sum> box;

  int radius_x() const { return box.width / 2; }
  int radius_y() const { return box.height / 2; }
  double operations() const { return box.width + box.height; }
  void vertical(const In* const* rows, Line* line, std::ptrdiff_t, std::ptrdiff_t first, std::ptrdiff_t n) const {
    const In* terms[WindowStep::most_terms];
    for (int k = 0; k < box.height; ++k) terms[k] = rows[k - radius_y()] + first;
    box.tile.add(terms, box.height, line + first, n);
  }
  void horizontal(const Line* line, std::ptrdiff_t, Out* out, std::ptrdiff_t n, std::ptrdiff_t channels) const {
    const Line* terms[WindowStep::most_terms];
    for (int k = 0; k < box.width; ++k) terms[k] = line + (k - radius_x()) * channels;
    box.tile.mean(terms, box.width, out, n, box.mean);
  }
};

// Columns of integers are sums that slide: exact, so it doesn't matter where they began. Columns of float are sums of
// sums: what has left the window has left no rounding error behind, nor a NaN.
template <class T, class Sum>
struct WideBox {
  using In = T;
  using Out = T;
  static constexpr bool slides = std::is_integral_v<T>;

  struct Scratch {
    Sum* line;
    Sum* buffers[2];
    const T* zeros;
    Ring<Sum> rings[WindowChain::most_steps];
  };

  Box<T, Sum> box;
  WindowChain across = WindowChain::sum(box.width);
  WindowChain down = WindowChain::sum(box.height);

  Reach reach() const { return {box.width / 2, box.width / 2, box.height / 2, box.height / 2}; }
  double operations() const { return across.terms() + (slides ? 2 : down.terms()); }
  std::size_t scratch_bytes(std::ptrdiff_t n) const {
    std::size_t bytes = 3 * Parts::bytes<Sum>(n);
    if (slides) return bytes + Parts::bytes<T>(n);
    for (int i = 0; i + 1 < down.steps(); ++i) bytes += down.rows_kept(i) * Parts::bytes<Sum>(n);
    return bytes;
  }
  Scratch begin(Parts& parts, std::ptrdiff_t n) const {
    Scratch scratch;
    scratch.line = parts.take<Sum>(n);
    for (Sum*& buffer : scratch.buffers) buffer = parts.take<Sum>(n);
    if constexpr (slides) {
      std::fill_n(scratch.line, n, Sum{0});
      T* const zeros = parts.take<T>(n);
      std::fill_n(zeros, n, T{0});
      scratch.zeros = zeros;
    } else {
      const auto pitch = static_cast<std::ptrdiff_t>(Parts::bytes<Sum>(n) / sizeof(Sum));
      for (int i = 0; i + 1 < down.steps(); ++i) {
        scratch.rings[i] = {parts.take<Sum>(down.rows_kept(i) * pitch), pitch, down.rows_kept(i)};
      }
    }
    return scratch;
  }
  void add_row(const Scratch& scratch, const T* const* rows, std::ptrdiff_t t, std::ptrdiff_t n, std::ptrdiff_t) const {
    if constexpr (slides) {
      box.tile.slide(rows[0], t < box.height ? scratch.zeros : rows[-box.height], scratch.line, n);
    } else {
      combine_rows(down, box.tile.sum, rows, t, scratch.rings, scratch.line, n);
    }
  }
  void result_row(const Scratch& scratch, T* out, std::ptrdiff_t n, std::ptrdiff_t channels) const {
    combine_line(across, box.tile.sum, scratch.line, scratch.buffers, n, channels,
                 [&](const Sum* const* terms, int count) { box.tile.mean(terms, count, out, n, box.mean); });
  }
};

// Sums of whole windows that advance from row to row by what the difference of two rows comes to along the line.
struct DifferenceBox {
  using In = std::uint8_t;
  using Out = std::uint8_t;

  struct Scratch {
    float* total;
    std::int16_t* line;
    std::int16_t* buffers[2];
  };

  const BoxBlurDifferenceTile& tile;
  int width;
  int height;
  BoxMean mean;
  WindowChain across = WindowChain::sum(width);
  // Of the rows that a strip's first window has, so many are added up at once before they are along the line.
  int rows_at_once = std::min(most_difference_width / width, WindowStep::most_terms);

  Reach reach() const { return {width / 2, width / 2, height / 2, height / 2}; }
  double operations() const { return across.terms() + 2; }
  std::size_t scratch_bytes(std::ptrdiff_t n) const {
    return Parts::bytes<float>(n) + 3 * Parts::bytes<std::int16_t>(n);
  }
  Scratch begin(Parts& parts, std::ptrdiff_t n) const {
    Scratch scratch;
    scratch.total = parts.take<float>(n);
    scratch.line = parts.take<std::int16_t>(n);
    for (std::int16_t*& buffer : scratch.buffers) buffer = parts.take<std::int16_t>(n);
    std::fill_n(scratch.total, n, 0.0F);
    return scratch;
  }
  // What row t changes is added to the totals when the result is computed, that of a first window's rows before.
  void add_row(const Scratch& scratch, const In* const* rows, std::ptrdiff_t t, std::ptrdiff_t n,
               std::ptrdiff_t channels) const {
    if (t >= height) return tile.subtract(rows[0], rows[-height], scratch.line, n);
    const auto count = static_cast<int>(t % rows_at_once + 1);
    const bool last = t == height - 1;
    if (count < rows_at_once && !last) return;
    tile.add(rows - count + 1, count, scratch.line, n);
    if (last) return;
    const std::ptrdiff_t results = n - (width - 1) * channels;
    combine_line(across, tile.sum, scratch.line, scratch.buffers, results, channels,
                 [&](const std::int16_t* const* terms, int terms_count) {
                   tile.advance(terms, terms_count, scratch.total, results);
                 });
  }
  void result_row(const Scratch& scratch, Out* out, std::ptrdiff_t n, std::ptrdiff_t channels) const {
    combine_line(across, tile.sum, scratch.line, scratch.buffers, n, channels,
                 [&](const std::int16_t* const* terms, int count) {
                   tile.advance_mean(terms, count, scratch.total, out, n, mean);
                 });
  }
};

template <class T>
constinit runtime::Kernel box_blur_kernel("box_blur", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel box_blur_wide_kernel("box_blur_wide", runtime::element_name<T>);

template <class Sum, class T>
void box_blur_with(ImageView<const T> src, ImageView<T> dst, const BoxBlurOptions& options, const BoxMean& mean) {
  const Box<T, Sum> box = {box_blur_tile<T, Sum>(), options.width, options.height, mean};
  if (std::max(options.width, options.height) <= WindowStep::most_terms) {
    run_line_filter(box_blur_kernel<T>, SmallBox<T, Sum>{box}, src, dst, options);
  } else {
    run_panel_filter(box_blur_wide_kernel<T>, WideBox<T, Sum>{box}, src, dst, options);
  }
}

template <class T>
void box_blur_of(ImageView<const T> src, ImageView<T> dst, const BoxBlurOptions& options) {
  check_images("box_blur", src, dst);
  check_border("box_blur", options.border, options.border_value);
  check_odd_side("box_blur", "width", options.width, most_box_side);
  check_odd_side("box_blur", "height", options.height, most_box_side);
  const int area = options.width * options.height;
  const BoxMean mean = make_box_mean(area);
  if constexpr (std::is_same_v<T, float>) {
    box_blur_with<float>(src, dst, options, mean);
  } else if constexpr (std::is_same_v<T, std::uint16_t>) {
    if (area < float_areas<T>) return box_blur_with<float>(src, dst, options, mean);
    box_blur_with<double>(src, dst, options, mean);
  } else {
    if (fits_16_bits(mean, area)) return box_blur_with<std::uint16_t>(src, dst, options, mean);
    if (area >= float_areas<T> || options.width > most_difference_width) {
      return box_blur_with<double>(src, dst, options, mean);
    }
    run_panel_filter(box_blur_wide_kernel<T>,
                     DifferenceBox{box_blur_difference_tile(), options.width, options.height, mean}, src, dst, options);
  }
}

}  // namespace
}  // namespace image_filter

void box_blur(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const BoxBlurOptions& options) {
  image_filter::box_blur_of(src, dst, options);
}

void box_blur(ImageView<const std::uint16_t> src, ImageView<std::uint16_t> dst, const BoxBlurOptions& options) {
  image_filter::box_blur_of(src, dst, options);
}

void box_blur(ImageView<const float> src, ImageView<float> dst, const BoxBlurOptions& options) {
  image_filter::box_blur_of(src, dst, options);
}

}  // namespace speedwell
