// SPDX-License-Identifier: Apache-2.0
// What the cases of all image filters are made of: images, and the comparison of a result with what a filter's own
// reference says.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <speedwell/runtime.hpp>
#include <speedwell/view.hpp>

#include "bench/cases/any_size.hpp"
#include "bench/cases/buffer.hpp"
#include "bench/cases/case_image.hpp"
#include "bench/cases/image_filter_case.hpp"
#include "bench/cases/random.hpp"

namespace speedwell::bench {

struct ImageSize {
  std::ptrdiff_t width = 0;
  std::ptrdiff_t height = 0;
  bool operator==(const ImageSize&) const = default;
};

// Sizes from a last-level cache's to several times it; 640 x 480 shows what a fork-join costs.
inline constexpr std::array filter_sizes = {ImageSize{640, 480}, ImageSize{1920, 1080}, ImageSize{3840, 2160}};

// Of the image that was brought, or else these.
inline std::vector<ImageSize> sizes_of_filter_cases() {
  if (const CaseImage* const image = case_image()) return {{image->width, image->height}};
  return {filter_sizes.begin(), filter_sizes.end()};
}

inline bool is_of_case_image(ImageSize size) {
  const CaseImage* const image = case_image();
  return image != nullptr && size == ImageSize{image->width, image->height};
}

// The most that neighbours in a row of `count` samples of 8 bits can differ by, added up. In painted ones noise differs
// by 12 levels on the average, and two edges by 96.
inline double most_differences(std::ptrdiff_t count) {
  return case_image() != nullptr ? 255.0 * static_cast<double>(count) : 12.0 * static_cast<double>(count) + 2 * 96;
}

// The size of a tiny case.
inline constexpr ImageSize icon_size = {64, 32};

// Pixels x0 <= x < x1, y0 <= y < y1 of a result.
struct Rectangle {
  std::ptrdiff_t x0, x1, y0, y1;
};

// What a filter's reference says of a rectangle, row by row, and how far a right result may be from it.
struct Expected {
  std::vector<double> values;
  double tolerance = 0;
};

// What a photograph has: slow gradients, edges (patches of differing brightness), noise. From 1 to 254 in 8 bits; in
// float the same over 256, with finer noise. Each row depends on its number only.
template <class S>
void paint_row(S* row, std::ptrdiff_t y, ImageSize size, std::ptrdiff_t channels) {
  Random noise(static_cast<std::uint64_t>(y));
  for (std::ptrdiff_t x = 0; x < size.width; ++x) {
    for (std::ptrdiff_t channel = 0; channel < channels; ++channel) {
      const auto gradient = 90 * x / size.width + 40 * y / size.height;                          // 0 to 128
      const auto patch = Random::scramble(static_cast<std::uint64_t>(x / 67 + 1000 * (y / 41) +  //
                                                                     1'000'000 * (channel + 1))) %
                         96;
      const std::uint64_t random = noise();
      const auto value = static_cast<double>(gradient) + static_cast<double>(patch + random % 31 + 1);
      if constexpr (std::same_as<S, float>) {
        const auto fraction = static_cast<float>(random >> 48) / 65536.0F;
        row[x * channels + channel] = (static_cast<float>(value) + fraction) / 256.0F;
      } else {
        row[x * channels + channel] = static_cast<S>(value);
      }
    }
  }
}

// Border::reflect_101, one reflection after the other.
inline std::ptrdiff_t reflected(std::ptrdiff_t i, std::ptrdiff_t size) {
  while (i < 0 || i >= size) {
    if (size == 1) return 0;
    i = i < 0 ? -i : 2 * (size - 1) - i;
  }
  return i;
}

template <class S>
double pixel(ImageView<const S> image, std::ptrdiff_t x, std::ptrdiff_t y, std::ptrdiff_t channel) {
  return image(reflected(x, image.width), reflected(y, image.height), channel);
}

// One filter on one image.
template <class S, class D>
struct FilterCase {
  FilterTask task;
  ImageSize size;
  std::ptrdiff_t channels = 1;
  // Of the result; none: the same.
  ImageSize dst_size = {};
  std::ptrdiff_t dst_channels = 0;

  std::function<void(ImageView<const S> src, ImageView<D> dst, const Backend& backend)> run;
  // By a reference that shares nothing with the kernel.
  std::function<Expected(ImageView<const S> src, Rectangle part)> expected;

  double operations = 1;  // a sample of the result

  ImageSize result_size() const { return dst_size.width > 0 ? dst_size : size; }
  std::ptrdiff_t result_channels() const { return dst_channels > 0 ? dst_channels : channels; }
};

template <class S, class D>
class Filtered final : public FilterWorkload<S, D> {
 public:
  Filtered(const FilterCase<S, D>& of, int threads)
      : case_(of),
        src_(of.size.width * of.size.height * of.channels),
        dst_(of.result_size().width * of.result_size().height * of.result_channels()) {
    const std::ptrdiff_t length = of.size.width * of.channels;
    in_shares(threads, of.size.height, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      for (std::ptrdiff_t y = first; y < last; ++y) {
        S* const row = src_.data() + y * length;
        if (is_of_case_image(of.size)) {
          copy_row(*case_image(), y, of.channels, row);
        } else {
          paint_row(row, y, of.size, of.channels);
        }
      }
    });
    const std::ptrdiff_t dst_length = of.result_size().width * of.result_channels();
    in_shares(threads, of.result_size().height, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      std::fill(dst_.data() + first * dst_length, dst_.data() + last * dst_length, D{});
    });
  }

  const FilterTask& task() const override { return case_.task; }
  ImageView<const S> src() const override { return {src_.data(), case_.size.width, case_.size.height, case_.channels}; }
  ImageView<D> dst() override {
    return {dst_.data(), case_.result_size().width, case_.result_size().height, case_.result_channels()};
  }

  void run(const Backend& backend) override { case_.run(src(), dst(), backend); }

  int threads_used() const override { return last_run().threads; }

  // Any integer may be right somewhere: there a spoiled element is the last one moved by more than any tolerance.
  void spoil(std::size_t first, std::size_t step) override {
    for (std::size_t i = first; i < dst_.size(); i += step) {
      if constexpr (std::floating_point<D>) {
        dst_.data()[i] = std::numeric_limits<D>::quiet_NaN();
      } else {
        dst_.data()[i] = static_cast<D>(dst_.data()[i] + 101);
      }
    }
  }

  std::uint64_t output_hash() const override { return hash_bytes(std::as_bytes(dst_.span())); }

  std::size_t bytes() const override { return src_.bytes() + dst_.bytes(); }

  // Small images wholly. Of others all four borders, as wide as the window reaches and one more, and full rows in
  // between: where the rows of equal shares meet, and others at random.
  std::string verify() const override {
    const auto [width, height] = case_.result_size();
    constexpr std::ptrdiff_t small = 640 * 480;
    if (width * height <= small) return check({{0, width, 0, height}});

    const std::ptrdiff_t reach = std::max(case_.task.width, case_.task.height) / 2 + 1;
    const std::ptrdiff_t edge = std::min({reach, width, height});
    std::vector<Rectangle> parts = {
        {0, width, 0, edge}, {0, width, height - edge, height}, {0, edge, 0, height}, {width - edge, width, 0, height}};
    Random random(4);
    for (int row = 0; row < 16; ++row) {
      const std::ptrdiff_t y =
          row < 8 ? height * (row + 1) / 9 : static_cast<std::ptrdiff_t>(random() % static_cast<std::uint64_t>(height));
      parts.push_back({0, width, y, y + 1});
    }
    return check(parts);
  }

 private:
  std::string check(const std::vector<Rectangle>& parts) const {
    double sum_of_errors = 0;
    double count = 0;
    const std::ptrdiff_t channels = case_.result_channels();
    const std::ptrdiff_t length = case_.result_size().width * channels;
    for (const Rectangle& part : parts) {
      const Expected right = case_.expected(src(), part);
      const double* value = right.values.data();
      for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
        for (std::ptrdiff_t i = part.x0 * channels; i < part.x1 * channels; ++i) {
          const double error = static_cast<double>(dst_.data()[y * length + i]) - *value++;
          if (!(std::abs(error) <= right.tolerance)) {
            return "channel " + std::to_string(i % channels) + " of pixel (" + std::to_string(i / channels) + ", " +
                   std::to_string(y) + ") is " + std::to_string(value[-1] + error) + ", expected " +
                   std::to_string(value[-1]) + " within " + std::to_string(right.tolerance);
          }
          sum_of_errors += error;
          count += 1;
        }
      }
    }
    // Rounding to nearest is right on the average; cutting off would be half a level too dark. An image that repeats
    // itself may have the same rest everywhere.
    if (std::integral<D> && case_image() == nullptr && std::abs(sum_of_errors) > count / 4) {
      return "the result is " + std::to_string(sum_of_errors / count) +
             " levels off on the average, expected at most 0.25";
    }
    return {};
  }

  FilterCase<S, D> case_;
  Buffer<S> src_;
  Buffer<D> dst_;
};

template <class S>
constexpr const char* sample_name() {
  if constexpr (std::same_as<S, float>) return "f32";
  return sizeof(S) == 1 ? "u8" : "u16";
}

inline std::optional<ImageSize> image_size_of(std::string_view text) {
  const auto sides = numbers_of_size<2>(text, 1 << 16);
  return sides ? std::optional(ImageSize{(*sides)[0], (*sides)[1]}) : std::nullopt;
}

// From a thumbnail to twelve million pixels.
inline std::string image_size_at(double part) {
  const std::ptrdiff_t width = number_between(64, 4000, part);
  return std::to_string(width) + "x" + std::to_string(width * 3 / 4);
}

// For cases whose results are as large as their images, or that know what others are: make_on(size) gives the case.
template <class MakeOn>
Case of_any_image_size(Case of, const MakeOn& make_on) {
  if (of.on_image) return of;
  of.of_size = [make_on](std::string_view text) -> std::optional<Case> {
    const auto size = image_size_of(text);
    return size ? std::optional<Case>(make_on(*size)) : std::nullopt;
  };
  of.size_at = image_size_at;
  return of;
}

// kernel/u8c3SUFFIX/1920x1080
template <class S, class D>
Case make_filter_case(const std::string& kernel, const std::string& suffix, const FilterCase<S, D>& of) {
  const auto read = static_cast<double>(of.size.width * of.size.height * of.channels);
  const auto written = static_cast<double>(of.result_size().width * of.result_size().height * of.result_channels());
  std::string variant = sample_name<S>();
  variant.append("c").append(std::to_string(of.channels)).append(suffix);
  return {
      .kernel = kernel,
      .variant = variant,
      .size = std::to_string(of.size.width) + "x" + std::to_string(of.size.height),
      .flops = of.operations * written,
      .bytes = read * sizeof(S) + written * sizeof(D),  // read once, written once
      .written_bytes = written * sizeof(D),
      .precision = sample_name<S>(),
      .quick = is_of_case_image(of.size),
      .on_image = is_of_case_image(of.size),
      .make = [of](int threads) { return std::make_unique<Filtered<S, D>>(of, threads); },
  };
}

// The filter on images of all sizes; the quick suite has the one of `quick_width`, if there is one.
template <class S, class D>
void add_filter_cases(std::vector<Case>& cases, const std::string& kernel, const std::string& suffix,
                      FilterCase<S, D> of, std::ptrdiff_t quick_width = 0) {
  for (const ImageSize size : sizes_of_filter_cases()) {
    of.size = size;
    cases.push_back(of_any_image_size(make_filter_case(kernel, suffix, of), [=](ImageSize other) {
      FilterCase<S, D> sized = of;
      sized.size = other;
      return make_filter_case(kernel, suffix, sized);
    }));
    if (size.width == quick_width) cases.back().quick = true;
  }
}

// On as many rows as threads times those of one; made_on(size) gives the case.
template <class MadeOn>
Case weak_filter_case(const MadeOn& made_on) {
  const auto grown = [made_on](int threads) { return made_on(ImageSize{1920, 1080 * threads}); };
  return weak(grown(1), "pixels ∝ p", grown);
}

template <class S, class D>
Case weak_filter_case(const std::string& kernel, const std::string& suffix, const FilterCase<S, D>& of) {
  return weak_filter_case([=](ImageSize size) {
    FilterCase<S, D> sized = of;
    sized.size = size;
    return make_filter_case(kernel, suffix, sized);
  });
}

// On an image of a few microseconds.
template <class S, class D>
Case tiny_filter_case(const std::string& kernel, FilterCase<S, D> of) {
  of.size = icon_size;
  return tiny(make_filter_case(kernel, "", of));
}

}  // namespace speedwell::bench
