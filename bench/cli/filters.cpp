// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/filters.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "bench/driver/plan.hpp"

namespace speedwell::bench {

namespace {

// Alpha is how much there is of a pixel, not how bright it is: what moves colours about moves it along, by itself, and
// what says something about brightness leaves it as it was.
enum class Alpha { filtered, kept };

[[noreturn]] void refuse(const FilterEntry& entry, std::string_view given, std::string_view expected) {
  throw UsageError(fmt::format("{} {}: expected {}", entry.option, given, expected));
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

template <class Number>
struct Pair {
  Number x, y;
};

// "5" or "5x3": along x and y, each of which `fits`.
template <class Number, class Fits>
Pair<Number> parse_pair(const FilterEntry& entry, std::string_view text, std::string_view expected, Fits fits) {
  const std::size_t cross = text.find('x');
  const std::optional<Number> x = parse_number<Number>(text.substr(0, cross));
  const std::optional<Number> y = cross == std::string_view::npos ? x : parse_number<Number>(text.substr(cross + 1));
  if (!x || !y || !fits(*x) || !fits(*y)) refuse(entry, text, expected);
  return {*x, *y};
}

template <class Options>
Options with(Options options, const FilterSetting& setting) {
  if constexpr (requires { options.border; }) {
    if (setting.border) options.border = *setting.border;
    if (setting.border_value) options.border_value = *setting.border_value;
  }
  options.backend = setting.backend;
  return options;
}

// Whether the filter, a function object over the library's, has a form for this type of sample.
template <class T, class Filter>
constexpr bool takes = std::is_invocable_v<const Filter&, ImageView<const T>, ImageView<T>, const FilterSetting&>;

void check_8_bits(const FilterEntry& entry, const ImageKind& kind) {
  if (kind.bits == 8) return;
  throw UsageError(fmt::format("{} takes 8 bits a sample, and the image has {}; --depth 8 before it rounds them",
                               entry.option, kind.bits));
}

// A filter whose result has its source's type, size and channels.
template <class Filter>
FilterStep same_shape(const FilterEntry& entry, Alpha alpha, Filter filter) {
  return {
      .check =
          [&entry](const ImageKind& kind) {
            if (!takes<std::uint16_t, Filter>) check_8_bits(entry, kind);
            return kind;
          },
      .run =
          [=](Image image, const FilterSetting& setting) {
            const auto run = [&]<class T>(Layers<T>& layers) {
              const auto replace = [&](Raster<T>& raster) {
                if constexpr (takes<T, Filter>) {
                  Raster<T> result(raster.width(), raster.height(), raster.channels());
                  filter(std::as_const(raster).view(), result.view(), setting);
                  raster = std::move(result);
                }
              };
              replace(layers.colour);
              if (layers.alpha && alpha == Alpha::filtered) replace(*layers.alpha);
            };
            std::visit(run, image);
            return image;
          },
  };
}

FilterStep make_gaussian(const FilterEntry& entry, const std::string& argument) {
  const auto sigma = parse_pair<double>(entry, argument, "standard deviations in pixels, above 0, such as 2 or 2x0.5",
                                        [](double value) { return std::isfinite(value) && value > 0; });
  return same_shape(entry, Alpha::filtered,
                    [=](auto src, auto dst,
                        const FilterSetting& setting) -> decltype(gaussian_blur(src, dst, GaussianBlurOptions{})) {
                      gaussian_blur(src, dst, with(GaussianBlurOptions{.sigma = sigma.x, .sigma_y = sigma.y}, setting));
                    });
}

FilterStep make_median(const FilterEntry& entry, const std::string& argument) {
  const std::optional<int> size = parse_number<int>(argument);
  if (!size || *size != 3) refuse(entry, argument, "the window's side, which is 3");
  return same_shape(
      entry, Alpha::filtered,
      [=](auto src, auto dst, const FilterSetting& setting) -> decltype(median_blur(src, dst, MedianBlurOptions{})) {
        median_blur(src, dst, with(MedianBlurOptions{.size = *size}, setting));
      });
}

// The gradient has a sign and goes beyond 8 bits: shown is its magnitude, cut off at 255.
FilterStep make_sobel(const FilterEntry& entry, const std::string& argument) {
  if (argument != "x" && argument != "y") refuse(entry, argument, "the direction, x or y");
  const SobelOptions options = {.dx = argument == "x" ? 1 : 0, .dy = argument == "y" ? 1 : 0};
  return same_shape(entry, Alpha::kept,
                    [=](ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const FilterSetting& setting) {
                      Raster<std::int16_t> gradient(src.width, src.height, static_cast<int>(src.channels));
                      sobel(src, gradient.view(), with(options, setting));
                      std::transform(gradient.samples().begin(), gradient.samples().end(), dst.data,
                                     [](std::int16_t slope) {
                                       return static_cast<std::uint8_t>(std::min(std::abs(int{slope}), 255));
                                     });
                    });
}

template <class To, class From>
To rescaled(From sample) {
  constexpr unsigned from = std::numeric_limits<From>::max(), to = std::numeric_limits<To>::max();
  // White becomes white, and what lies between the nearest.
  return static_cast<To>((sample * std::uint64_t{to} + from / 2) / from);
}

template <class To, class From>
Raster<To> rescaled(const Raster<From>& from) {
  Raster<To> to(from.width(), from.height(), from.channels());
  std::transform(from.samples().begin(), from.samples().end(), to.samples().begin(),
                 [](From sample) { return rescaled<To>(sample); });
  return to;
}

template <class To>
Image rescaled(const Image& image) {
  return std::visit(
      [](const auto& from) -> Image {
        Layers<To> to = {rescaled<To>(from.colour)};
        if (from.alpha) to.alpha = rescaled<To>(*from.alpha);
        return to;
      },
      image);
}

FilterStep make_depth(const FilterEntry& entry, const std::string& argument) {
  if (argument != "8" && argument != "16") refuse(entry, argument, "8 or 16 bits a sample");
  const int bits = argument == "8" ? 8 : 16;
  return {
      .check =
          [=](ImageKind kind) {
            kind.bits = bits;
            return kind;
          },
      .run =
          [=](Image image, const FilterSetting&) {
            if (kind_of(image).bits == bits) return image;
            return bits == 8 ? rescaled<std::uint8_t>(image) : rescaled<std::uint16_t>(image);
          },
      .by_the_library = false,
  };
}

FilterStep make_drop_alpha(const FilterEntry&, const std::string&) {
  return {
      .check =
          [](ImageKind kind) {
            kind.alpha = false;
            return kind;
          },
      .run =
          [](Image image, const FilterSetting&) {
            std::visit([](auto& layers) { layers.alpha.reset(); }, image);
            return image;
          },
      .by_the_library = false,
  };
}

constexpr FilterEntry entries[] = {
    {"--gaussian", "SIGMA", "Blur by a Gaussian of this standard deviation in pixels; 2x0.5: along x and along y",
     make_gaussian},
    {"--median", "SIZE", "Median of a square window of side 3", make_median},
    {"--sobel", "x|y", "Derivative along x or y; shown is its magnitude, cut off at 255", make_sobel},
    {"--depth", "BITS", "Round to 8 bits a sample, or widen to 16", make_depth},
    {"--drop-alpha", "", "Leave out alpha, which a JPEG image can't have", make_drop_alpha},
};

}  // namespace

ImageKind kind_of(const Image& image) {
  return std::visit(
      []<class T>(const Layers<T>& layers) -> ImageKind {
        return {.bits = 8 * int{sizeof(T)}, .colours = layers.colour.channels(), .alpha = layers.alpha.has_value()};
      },
      image);
}

std::span<const FilterEntry> filter_entries() { return entries; }

}  // namespace speedwell::bench
