// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/morphology_tile.hpp"

#include <algorithm>

#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/line_filter.hpp"
#include "kernels/image_filter/panel_filter.hpp"
#include "kernels/image_filter/window_chain.hpp"

namespace speedwell {

namespace image_filter {
namespace {

// The longest side whose samples are compared as they are.
constexpr int direct = 6;

template <class T>
struct SmallRectangle {
  using In = T;
  using Line = T;
  using Out = T;
  static constexpr int planes = 1;

  Combine<T> choose;
  Reach reach;

  // Windows of an even side reach farther to the left and above.
  int radius_x() const { return static_cast<int>(reach.left); }
  int radius_y() const { return static_cast<int>(reach.above); }
  double operations() const { return static_cast<double>(reach.across() + reach.down()); }
  void vertical(const In* const* rows, Line* line, std::ptrdiff_t, std::ptrdiff_t first, std::ptrdiff_t n) const {
    const In* terms[direct];
    for (std::ptrdiff_t k = 0; k <= reach.down(); ++k) terms[k] = rows[k - reach.above] + first;
    choose(terms, static_cast<int>(reach.down() + 1), line + first, n);
  }
  void horizontal(const Line* line, std::ptrdiff_t, Out* out, std::ptrdiff_t n, std::ptrdiff_t channels) const {
    const Line* terms[direct];
    for (std::ptrdiff_t k = 0; k <= reach.across(); ++k) terms[k] = line + (k - reach.left) * channels;
    choose(terms, static_cast<int>(reach.across() + 1), out, n);
  }
};

template <class T>
struct WideRectangle {
  using In = T;
  using Out = T;

  struct Scratch {
    T* line;
    T* buffers[2];
    Ring<T> rings[WindowChain::most_steps];
  };

  Combine<T> choose;
  Reach window;
  WindowChain across = WindowChain::extremum(static_cast<int>(window.across() + 1));
  WindowChain down = WindowChain::extremum(static_cast<int>(window.down() + 1));

  Reach reach() const { return window; }
  double operations() const { return across.terms() + down.terms(); }
  std::size_t scratch_bytes(std::ptrdiff_t n) const {
    std::size_t bytes = 3 * Parts::bytes<T>(n);
    for (int i = 0; i + 1 < down.steps(); ++i) bytes += down.rows_kept(i) * Parts::bytes<T>(n);
    return bytes;
  }
  Scratch begin(Parts& parts, std::ptrdiff_t n) const {
    Scratch scratch;
    scratch.line = parts.take<T>(n);
    for (T*& buffer : scratch.buffers) buffer = parts.take<T>(n);
    const auto pitch = static_cast<std::ptrdiff_t>(Parts::bytes<T>(n) / sizeof(T));
    for (int i = 0; i + 1 < down.steps(); ++i) {
      scratch.rings[i] = {parts.take<T>(down.rows_kept(i) * pitch), pitch, down.rows_kept(i)};
    }
    return scratch;
  }
  void add_row(const Scratch& scratch, const T* const* rows, std::ptrdiff_t t, std::ptrdiff_t n, std::ptrdiff_t) const {
    combine_rows(down, choose, rows, t, scratch.rings, scratch.line, n);
  }
  void result_row(const Scratch& scratch, T* out, std::ptrdiff_t n, std::ptrdiff_t channels) const {
    combine_line(across, choose, scratch.line, scratch.buffers, n, channels,
                 [&](const T* const* terms, int count) { choose(terms, count, out, n); });
  }
};

void check_side(std::string_view function, std::string_view name, int side) {
  if (side < 1) refuse(function, std::string(name) + " is " + std::to_string(side) + ", expected at least 1");
}

// How far a side's half reaches, no farther than it matters: all borders repeat what they show after twice the image.
std::ptrdiff_t limited(int reach, std::ptrdiff_t size) { return std::min<std::ptrdiff_t>(reach, 2 * size); }

template <class T>
constinit runtime::Kernel erode_kernel("erode", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel erode_wide_kernel("erode_wide", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel dilate_kernel("dilate", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel dilate_wide_kernel("dilate_wide", runtime::element_name<T>);

template <Extremum extremum, class T, class Options>
void morphology_of(std::string_view function, runtime::Kernel& small, runtime::Kernel& wide, ImageView<const T> src,
                   ImageView<T> dst, const Options& options) {
  check_images(function, src, dst);
  check_border(function, options.border, options.border_value);
  check_side(function, "width", options.width);
  check_side(function, "height", options.height);
  const Reach reach = {.left = limited(options.width / 2, src.width),
                       .right = limited((options.width - 1) / 2, src.width),
                       .above = limited(options.height / 2, src.height),
                       .below = limited((options.height - 1) / 2, src.height)};
  const Combine<T> choose = extremum_tile<extremum, T>();
  if (std::max(reach.across(), reach.down()) < direct) {
    run_line_filter(small, SmallRectangle<T>{choose, reach}, src, dst, options);
  } else {
    run_panel_filter(wide, WideRectangle<T>{choose, reach}, src, dst, options);
  }
}

}  // namespace
}  // namespace image_filter

using image_filter::Extremum;

void erode(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const ErodeOptions& options) {
  image_filter::morphology_of<Extremum::least>("erode", image_filter::erode_kernel<std::uint8_t>,
                                               image_filter::erode_wide_kernel<std::uint8_t>, src, dst, options);
}

void erode(ImageView<const float> src, ImageView<float> dst, const ErodeOptions& options) {
  image_filter::morphology_of<Extremum::least>("erode", image_filter::erode_kernel<float>,
                                               image_filter::erode_wide_kernel<float>, src, dst, options);
}

void dilate(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const DilateOptions& options) {
  image_filter::morphology_of<Extremum::greatest>("dilate", image_filter::dilate_kernel<std::uint8_t>,
                                                  image_filter::dilate_wide_kernel<std::uint8_t>, src, dst, options);
}

void dilate(ImageView<const float> src, ImageView<float> dst, const DilateOptions& options) {
  image_filter::morphology_of<Extremum::greatest>("dilate", image_filter::dilate_kernel<float>,
                                                  image_filter::dilate_wide_kernel<float>, src, dst, options);
}

}  // namespace speedwell
