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

// Alpha is how much there is of a pixel, not how bright it is: what moves colours about does the same with alpha, by
// itself, and what changes brightness leaves it as it was.
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

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
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
  if (!size || *size < 3 || *size > 255 || *size % 2 == 0) {
    refuse(entry, argument, "the window's side, an odd number from 3 to 255");
  }
  FilterStep step = same_shape(
      entry, Alpha::filtered,
      [=](auto src, auto dst, const FilterSetting& setting) -> decltype(median_blur(src, dst, MedianBlurOptions{})) {
        median_blur(src, dst, with(MedianBlurOptions{.size = *size}, setting));
      });
  step.check = [&entry, size](const ImageKind& kind) {
    if (kind.bits == 16 && *size > 7) {
      throw UsageError(fmt::format("{} {}: in 16 bits a median has 3, 5 or 7; --depth 8 before it rounds them",
                                   entry.option, *size));
    }
    return kind;
  };
  return step;
}

constexpr auto is_odd_side = [](int value) { return value >= 1 && value <= 4095 && value % 2 == 1; };
constexpr auto is_side = [](int value) { return value >= 1; };

FilterStep make_box(const FilterEntry& entry, const std::string& argument) {
  const auto size =
      parse_pair<int>(entry, argument, "the window's sides, odd and at most 4095, such as 5 or 9x3", is_odd_side);
  return same_shape(
      entry, Alpha::filtered,
      [=](auto src, auto dst, const FilterSetting& setting) -> decltype(box_blur(src, dst, BoxBlurOptions{})) {
        box_blur(src, dst, with(BoxBlurOptions{.width = size.x, .height = size.y}, setting));
      });
}

FilterStep make_bilateral(const FilterEntry& entry, const std::string& argument) {
  const std::vector<std::string_view> parts = split(argument, ',');
  const auto number = [&]<class Number>(std::size_t i, Number otherwise) {
    return i < parts.size() ? parse_number<Number>(parts[i]) : std::optional(otherwise);
  };
  const BilateralFilterOptions defaults;
  const std::optional<int> diameter = parse_number<int>(parts.front());
  const std::optional<double> color = number(1, defaults.sigma_color), space = number(2, defaults.sigma_space);
  const auto is_sigma = [](const std::optional<double>& sigma) { return sigma && std::isfinite(*sigma) && *sigma > 0; };
  if (parts.size() > 3 || !diameter || *diameter < 1 || *diameter > 255 || *diameter % 2 == 0 || !is_sigma(color) ||
      !is_sigma(space)) {
    refuse(entry, argument,
           "an odd diameter up to 255 and two standard deviations above 0, of colours (out of 255) and of pixels, such "
           "as 9 or 9,25,5");
  }
  return same_shape(
      entry, Alpha::filtered,
      [=](auto src, auto dst,
          const FilterSetting& setting) -> decltype(bilateral_filter(src, dst, BilateralFilterOptions{})) {
        bilateral_filter(
            src, dst,
            with(BilateralFilterOptions{.diameter = *diameter, .sigma_color = *color, .sigma_space = *space}, setting));
      });
}

// "0,-1,0/-1,5,-1/0,-1,0": rows and their elements.
FilterStep make_convolve(const FilterEntry& entry, const std::string& argument) {
  constexpr const char* expected =
      "rows of finite numbers, each row and their number odd and at most 63, such as 0,-1,0/-1,5,-1/0,-1,0";
  std::vector<float> elements;
  const std::vector<std::string_view> rows = split(argument, '/');
  const std::size_t width = split(rows.front(), ',').size();
  for (const std::string_view row : rows) {
    const std::vector<std::string_view> words = split(row, ',');
    if (words.size() != width) refuse(entry, argument, expected);
    for (const std::string_view word : words) {
      const std::optional<float> element = parse_number<float>(word);
      if (!element || !std::isfinite(*element)) refuse(entry, argument, expected);
      elements.push_back(*element);
    }
  }
  const auto fits = [](std::size_t side) { return side % 2 == 1 && side <= 63; };
  if (!fits(width) || !fits(rows.size())) refuse(entry, argument, expected);
  // A kernel whose elements don't add up to one would make alpha another.
  return same_shape(entry, Alpha::kept,
                    [elements, width, height = rows.size()](auto src, auto dst, const FilterSetting& setting)
                        -> decltype(convolve(src, MatrixView<const float>(), dst, ConvolveOptions{})) {
                      convolve(src, MatrixView<const float>(elements.data(), height, width), dst,
                               with(ConvolveOptions{}, setting));
                    });
}

FilterStep make_erode(const FilterEntry& entry, const std::string& argument) {
  const auto size = parse_pair<int>(entry, argument, "the rectangle's sides, such as 3 or 15x1", is_side);
  return same_shape(entry, Alpha::filtered,
                    [=](auto src, auto dst, const FilterSetting& setting) -> decltype(erode(src, dst, ErodeOptions{})) {
                      erode(src, dst, with(ErodeOptions{.width = size.x, .height = size.y}, setting));
                    });
}

FilterStep make_dilate(const FilterEntry& entry, const std::string& argument) {
  const auto size = parse_pair<int>(entry, argument, "the rectangle's sides, such as 3 or 15x1", is_side);
  return same_shape(
      entry, Alpha::filtered,
      [=](auto src, auto dst, const FilterSetting& setting) -> decltype(dilate(src, dst, DilateOptions{})) {
        dilate(src, dst, with(DilateOptions{.width = size.x, .height = size.y}, setting));
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

// Of colours and of alpha: what `make` gives for a raster of 8 bits.
template <class Make>
Image of_narrow_layers(const Image& image, Make make) {
  const auto& layers = std::get<Layers<std::uint8_t>>(image);
  Layers<std::uint8_t> made = {make(layers.colour)};
  if (layers.alpha) made.alpha = make(*layers.alpha);
  return made;
}

// "640x480", and how samples between samples are found.
FilterStep make_resize(const FilterEntry& entry, const std::string& argument) {
  constexpr const char* expected = "a size, and nearest, linear or area if not linear, such as 640x480 or 640x480,area";
  const std::vector<std::string_view> parts = split(argument, ',');
  const auto fits = [](int side) { return side >= 1 && side <= int{1 << 20}; };
  if (parts.front().find('x') == std::string_view::npos) refuse(entry, argument, expected);
  const auto size = parse_pair<int>(entry, parts.front(), expected, fits);
  constexpr std::ptrdiff_t most_pixels = std::ptrdiff_t{1} << 30;
  if (std::ptrdiff_t{size.x} * size.y > most_pixels) refuse(entry, argument, "at most 1073741824 pixels");
  ResizeOptions options;
  bool known = parts.size() == 1;
  for (const Interpolation way : {Interpolation::nearest, Interpolation::linear, Interpolation::area}) {
    if (parts.size() != 2 || parts.back() != name(way)) continue;
    options.interpolation = way;
    known = true;
  }
  if (!known) refuse(entry, argument, expected);
  return {
      .check =
          [&entry](const ImageKind& kind) {
            check_8_bits(entry, kind);
            return kind;
          },
      .run =
          [=](const Image& image, const FilterSetting& setting) {
            return of_narrow_layers(image, [&](const Raster<std::uint8_t>& from) {
              Raster<std::uint8_t> to(size.x, size.y, from.channels());
              resize(from.view(), to.view(), with(options, setting));
              return to;
            });
          },
  };
}

FilterStep make_gray(const FilterEntry& entry, const std::string&) {
  return {
      .check =
          [&entry](ImageKind kind) {
            check_8_bits(entry, kind);
            kind.colours = 1;
            return kind;
          },
      .run =
          [](Image image, const FilterSetting& setting) {
            Raster<std::uint8_t>& colour = std::get<Layers<std::uint8_t>>(image).colour;
            if (colour.channels() == 1) return image;
            Raster<std::uint8_t> gray(colour.width(), colour.height(), 1);
            rgb_to_gray(std::as_const(colour).view(), gray.view(), with(RgbToGrayOptions{}, setting));
            colour = std::move(gray);
            return image;
          },
  };
}

FilterStep make_equalize(const FilterEntry& entry, const std::string&) {
  FilterStep step = same_shape(
      entry, Alpha::kept,
      [](auto src, auto dst, const FilterSetting& setting) -> decltype(equalize(src, dst, EqualizeOptions{})) {
        equalize(src, dst, with(EqualizeOptions{}, setting));
      });
  step.check = [&entry](const ImageKind& kind) {
    check_8_bits(entry, kind);
    if (kind.colours != 1) {
      throw UsageError(fmt::format("{} takes a gray image, and this one has {} colours; --gray before it makes it one",
                                   entry.option, kind.colours));
    }
    return kind;
  };
  return step;
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
    {"--box", "SIZE", "Mean of a window, such as 5 or 9x3", make_box},
    {"--median", "SIZE", "Median of a square window, of an odd side up to 255", make_median},
    {"--bilateral", "DIAMETER[,COLOR,SPACE]",
     "Blur that keeps edges; standard deviations of colours (25 out of 255 unless given) and of pixels (5)",
     make_bilateral},
    {"--convolve", "ROWS", "Correlation with a kernel, such as 0,-1,0/-1,5,-1/0,-1,0 to sharpen", make_convolve},
    {"--sobel", "x|y", "Derivative along x or y; shown is its magnitude, cut off at 255", make_sobel},
    {"--erode", "SIZE", "The least of a rectangle, such as 3 or 15x1", make_erode},
    {"--dilate", "SIZE", "The greatest of a rectangle", make_dilate},
    {"--resize", "WIDTHxHEIGHT[,HOW]", "Another size; nearest, linear (unless given) or area", make_resize},
    {"--gray", "", "Colours as gray, by the luma of BT.601", make_gray},
    {"--equalize", "", "Equalise the histogram of a gray image", make_equalize},
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
