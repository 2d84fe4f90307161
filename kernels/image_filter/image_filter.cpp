// SPDX-License-Identifier: Apache-2.0
#include <speedwell/image_filter.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <speedwell/error.hpp>
#include <string>
#include <utility>

#include "kernels/image_filter/gaussian_blur_tile.hpp"
#include "kernels/image_filter/line_filter.hpp"
#include "kernels/image_filter/median_blur_tile.hpp"
#include "kernels/image_filter/sobel_tile.hpp"
#include "kernels/image_filter/strip_pass.hpp"
#include "runtime/caches.hpp"
#include "runtime/checks.hpp"

namespace speedwell {

namespace image_filter {
namespace {

// ---- Checks

std::string text(double value) {
  std::array<char, 32> buffer;
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

[[noreturn]] void refuse(std::string_view function, const std::string& complaint) {
  throw InvalidArgument(std::string(function) + ": " + complaint);
}

std::string shape(std::ptrdiff_t width, std::ptrdiff_t height, std::ptrdiff_t channels) {
  return std::to_string(width) + " x " + std::to_string(height) + " with " + std::to_string(channels) + " channels";
}

template <class In, class Out>
void check_images(std::string_view function, ImageView<const In> src, ImageView<Out> dst) {
  runtime::check_image(function, "src", src);
  runtime::check_image(function, "dst", dst);
  for (const std::ptrdiff_t channels : {src.channels, dst.channels}) {
    if (channels != 1 && channels != 3 && channels != 4) {
      refuse(function, "an image has " + std::to_string(channels) + " channels, expected 1, 3 or 4");
    }
  }
  if (src.width != dst.width || src.height != dst.height || src.channels != dst.channels) {
    refuse(function, "dst is " + shape(dst.width, dst.height, dst.channels) + ", expected the same as src, " +
                         shape(src.width, src.height, src.channels));
  }
  runtime::check_output(function, "dst", dst);
  runtime::check_apart(function, "dst", dst, "src", src);
}

void check_border(std::string_view function, Border border, double border_value) {
  if (border < Border::constant || border > Border::wrap) {
    refuse(function, "border is " + std::to_string(static_cast<int>(border)) +
                         ", expected constant, replicate, reflect, reflect_101 or wrap");
  }
  if (std::isnan(border_value)) refuse(function, "border_value is nan, expected a number");
}

void check_sigma(std::string_view function, std::string_view name, double sigma) {
  if (!(sigma > 0 && std::isfinite(sigma))) {
    refuse(function, std::string(name) + " is " + text(sigma) + ", expected a positive finite number");
  }
}

// The side of a Gaussian filter: as given, or from sigma, looking `reach` sigmas far to each side.
int gaussian_side(std::string_view name, int side, double sigma, double reach) {
  constexpr int most = 2 * max_radius + 1;
  if (side != 0) {
    if (side < 0 || side % 2 == 0 || side > most) {
      refuse("gaussian_blur", std::string(name) + " is " + std::to_string(side) +
                                  ", expected an odd number from 1 to " + std::to_string(most) + ", or 0");
    }
    return side;
  }
  const double wanted = std::round(2 * reach * sigma + 1);
  if (wanted > most) {
    refuse("gaussian_blur", "sigma " + text(sigma) + " asks for a " + std::string(name) + " of " + text(wanted) +
                                ", expected at most " + std::to_string(most));
  }
  return static_cast<int>(wanted) | 1;
}

// ---- Filters, as FilterCall wants them

template <class T, class LineSample>
struct GaussianBlur {
  using In = T;
  using Line = LineSample;
  using Out = T;
  static constexpr int planes = 1;

  const GaussianBlurTile<T, Line>& tile;
  GaussianWeights<T> x;
  GaussianWeights<T> y;

  // The weights aren't set to zero first: they are large, and few of them are used.
  GaussianBlur() : tile(gaussian_blur_tile<T, Line>()) {}

  int radius_x() const { return x.radius; }
  int radius_y() const { return y.radius; }
  // Operations a sample: a multiplication and an addition a tap.
  double operations() const { return 4.0 * (x.radius + y.radius + 1); }
  void vertical(const In* const* rows, Line* line, std::ptrdiff_t, std::ptrdiff_t first, std::ptrdiff_t n) const {
    tile.vertical(rows, line, first, n, y);
  }
  void horizontal(const Line* line, std::ptrdiff_t, Out* out, std::ptrdiff_t n, std::ptrdiff_t channels) const {
    tile.horizontal(line, out, n, channels, x);
  }
};

template <class T, class Derivative>
struct Sobel {
  using In = T;
  using Line = Derivative;
  using Out = Derivative;
  static constexpr int planes = 1;

  const SobelTile<In, Out>& tile;
  int dx;
  int dy;

  int radius_x() const { return 1; }
  int radius_y() const { return 1; }
  // At most three additions in each direction.
  double operations() const { return 6; }
  void vertical(const In* const* rows, Line* line, std::ptrdiff_t, std::ptrdiff_t first, std::ptrdiff_t n) const {
    tile.vertical[dy](rows, line, first, n);
  }
  void horizontal(const Line* line, std::ptrdiff_t, Out* out, std::ptrdiff_t n, std::ptrdiff_t channels) const {
    tile.horizontal[dx](line, out, n, channels);
  }
};

template <class T>
struct MedianBlur {
  using In = T;
  using Line = T;
  using Out = T;
  static constexpr int planes = 3;

  const MedianBlurTile<T>& tile;

  int radius_x() const { return 1; }
  int radius_y() const { return 1; }
  // Minima and maxima: 6 to sort a column, 12 for the median of three columns.
  double operations() const { return 18; }
  void vertical(const In* const* rows, Line* line, std::ptrdiff_t plane, std::ptrdiff_t first, std::ptrdiff_t n) const {
    tile.vertical(rows, line, plane, first, n);
  }
  void horizontal(const Line* line, std::ptrdiff_t plane, Out* out, std::ptrdiff_t n, std::ptrdiff_t channels) const {
    tile.horizontal(line, plane, out, n, channels);
  }
};

// ---- From a filter to a pass

template <class T>
T saturated(double value) {
  const double clamped = std::clamp<double>(value, std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max());
  return static_cast<T>(std::numeric_limits<T>::is_integer ? std::round(clamped) : clamped);
}

// How many strips to cut the rows into. A strip's rows of source and result fill half of the second-level cache, so
// that the rows it shares with the next strip are still there when the same thread goes on; and each thread has at
// least four strips, so that one that is held up loses a quarter of its share to the others.
std::ptrdiff_t strip_count(std::ptrdiff_t rows, std::size_t row_bytes, int threads) {
  constexpr std::ptrdiff_t least_per_thread = 4;
  constexpr std::size_t least_l2 = 256 * 1024;  // what small cores have had for many years, where it isn't known
  const std::size_t l2 = std::max(runtime::cache_bytes(2), least_l2);
  const auto strip_rows = std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(l2 / 2 / row_bytes));
  const std::ptrdiff_t per_thread = std::max(least_per_thread, rows / strip_rows / threads + 1);
  return std::min(rows, per_thread * threads);
}

// The copy that goes past the caches if source and result, `bytes` together, don't fit in the last one; else nullptr.
StreamRow stream_row_for(double bytes) { return runtime::beyond_caches(bytes) ? stream_row_tile() : nullptr; }

// Everything but the filter's own options has to be checked before.
template <class Filter, class Options>
void apply(const Filter& filter, ImageView<const typename Filter::In> src, ImageView<typename Filter::Out> dst,
           const Options& options) {
  using Call = FilterCall<Filter>;
  const double samples =
      static_cast<double>(src.width) * static_cast<double>(src.height) * static_cast<double>(src.channels);
  constexpr std::size_t sample_bytes = sizeof(typename Filter::In) + sizeof(typename Filter::Out);
  runtime::Choice choice =
      runtime::choose(options.backend, {.flops = samples * filter.operations(), .bytes = samples * sample_bytes});
  choice.limit_threads(src.height);

  runtime::Participants participants;
  if (samples == 0) return runtime::record_run(choice, participants);

  std::atomic<bool> out_of_memory = false;
  const Call call = {.filter = filter,
                     .src = src,
                     .dst = dst,
                     .border = options.border,
                     .border_value = saturated<typename Filter::In>(options.border_value),
                     .strips = strip_count(src.height, src.width * src.channels * sample_bytes, choice.threads),
                     .stream_row = stream_row_for(samples * sample_bytes),
                     .participants = participants,
                     .out_of_memory = out_of_memory};
  const StripPass pass = {.strips = call.strips, .call = &call, .filter_strip = filter_strip<Filter>};
  runtime::run_on(choice, participants, [&](auto model) { filter_on(model, pass); });
  if (out_of_memory) throw std::bad_alloc();
}

template <class T, class Line>
void gaussian_blur_of(ImageView<const T> src, ImageView<T> dst, const GaussianBlurOptions& options, double reach) {
  check_images("gaussian_blur", src, dst);
  check_border("gaussian_blur", options.border, options.border_value);
  check_sigma("gaussian_blur", "sigma", options.sigma);
  const double sigma_y = options.sigma_y == 0 ? options.sigma : options.sigma_y;
  check_sigma("gaussian_blur", "sigma_y", sigma_y);
  const int width = gaussian_side("width", options.width, options.sigma, reach);
  const int height = gaussian_side("height", options.height, sigma_y, reach);

  GaussianBlur<T, Line> filter;
  make_gaussian_weights(filter.x, options.sigma, width);
  make_gaussian_weights(filter.y, sigma_y, height);
  apply(filter, src, dst, options);
}

template <class In, class Out>
void sobel_of(ImageView<const In> src, ImageView<Out> dst, const SobelOptions& options) {
  check_images("sobel", src, dst);
  check_border("sobel", options.border, options.border_value);
  const auto valid = [](int order) { return order == 0 || order == 1; };
  if (!valid(options.dx) || !valid(options.dy) || options.dx + options.dy == 0) {
    refuse("sobel", "dx is " + std::to_string(options.dx) + " and dy is " + std::to_string(options.dy) +
                        ", expected 0 or 1, and not both 0");
  }
  apply(Sobel<In, Out>{sobel_tile<In, Out>(), options.dx, options.dy}, src, dst, options);
}

template <class T>
void median_blur_of(ImageView<const T> src, ImageView<T> dst, const MedianBlurOptions& options) {
  check_images("median_blur", src, dst);
  check_border("median_blur", options.border, options.border_value);
  if (options.size != 3) refuse("median_blur", "size is " + std::to_string(options.size) + ", expected 3");
  apply(MedianBlur<T>{median_blur_tile<T>()}, src, dst, options);
}

}  // namespace
}  // namespace image_filter

std::string_view name(Border border) {
  constexpr std::array<std::string_view, 5> names = {"constant", "replicate", "reflect", "reflect_101", "wrap"};
  return names.at(static_cast<std::size_t>(border));
}

void gaussian_blur(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const GaussianBlurOptions& options) {
  image_filter::gaussian_blur_of<std::uint8_t, std::int16_t>(src, dst, options, 3);
}

void gaussian_blur(ImageView<const float> src, ImageView<float> dst, const GaussianBlurOptions& options) {
  image_filter::gaussian_blur_of<float, float>(src, dst, options, 4);
}

void sobel(ImageView<const std::uint8_t> src, ImageView<std::int16_t> dst, const SobelOptions& options) {
  image_filter::sobel_of(src, dst, options);
}

void sobel(ImageView<const float> src, ImageView<float> dst, const SobelOptions& options) {
  image_filter::sobel_of(src, dst, options);
}

void median_blur(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const MedianBlurOptions& options) {
  image_filter::median_blur_of(src, dst, options);
}

void median_blur(ImageView<const float> src, ImageView<float> dst, const MedianBlurOptions& options) {
  image_filter::median_blur_of(src, dst, options);
}

}  // namespace speedwell
