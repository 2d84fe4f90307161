// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <limits>
#include <vector>

#include <speedwell/image_filter.hpp>
#include <speedwell/runtime.hpp>

#include "bench/cases/buffer.hpp"
#include "bench/cases/image_filter_case.hpp"
#include "bench/cases/random.hpp"

namespace speedwell::bench {
namespace {

struct Size {
  std::ptrdiff_t width, height;
};

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
void paint_row(S* row, std::ptrdiff_t y, Size size, std::ptrdiff_t channels) {
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
std::ptrdiff_t reflected(std::ptrdiff_t i, std::ptrdiff_t size) {
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

std::vector<double> gaussian_weights(int width, double sigma) {
  std::vector<double> weights;
  double sum = 0;
  for (int i = -(width / 2); i <= width / 2; ++i) {
    weights.push_back(std::exp(-i * i / (2 * sigma * sigma)));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

// Along rows, then along columns, in double.
// float: each pass is a chain of `width` terms of values below 1, so each rounding errs by eps / 2 at most; the
// weights' own rounding adds as much.
// 8 bits: weights out of 256 whose errors are carried on are off by at most 1/2 of 1/256 in any partial sum, so a pass
// errs by at most 1/512 of the differences of neighbours added up over the window: about 12 levels of noise each, and
// two edges of 96. The end is rounded by 1/2.
template <class S>
Expected expected_gaussian(ImageView<const S> src, Rectangle part, int width, double sigma) {
  const std::vector<double> weights = gaussian_weights(width, sigma);
  const std::ptrdiff_t radius = width / 2;
  const std::ptrdiff_t length = (part.x1 - part.x0) * src.channels;
  std::vector<double> across(static_cast<std::size_t>((part.y1 - part.y0 + 2 * radius) * length));
  std::vector<double> wide(static_cast<std::size_t>(length + 2 * radius * src.channels));  // a row and its border
  double* to = across.data();
  for (std::ptrdiff_t y = part.y0 - radius; y < part.y1 + radius; ++y, to += length) {
    double* at = wide.data();
    for (std::ptrdiff_t x = part.x0 - radius; x < part.x1 + radius; ++x) {
      for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) *at++ = pixel(src, x, y, channel);
    }
    for (std::ptrdiff_t i = 0; i < width; ++i) {
      const double* from = wide.data() + i * src.channels;
      for (std::ptrdiff_t j = 0; j < length; ++j) to[j] += weights[static_cast<std::size_t>(i)] * from[j];
    }
  }
  Expected expected;
  expected.tolerance = std::same_as<S, float> ? 2 * width * double{std::numeric_limits<float>::epsilon()}
                                              : 0.5 + 2 * (12 * width + 2 * 96) / 512.0;
  expected.values.assign(static_cast<std::size_t>((part.y1 - part.y0) * length), 0.0);
  for (std::ptrdiff_t y = 0; y < part.y1 - part.y0; ++y) {
    for (std::ptrdiff_t i = 0; i < width; ++i) {
      const double* from = across.data() + (y + i) * length;
      double* sum = expected.values.data() + y * length;
      for (std::ptrdiff_t j = 0; j < length; ++j) sum[j] += weights[static_cast<std::size_t>(i)] * from[j];
    }
  }
  return expected;
}

// float: eight terms of values below 1, none of whose sums passes 4, so that each rounding errs by 2 eps at most.
template <class S>
Expected expected_sobel(ImageView<const S> src, Rectangle part) {
  Expected expected;
  expected.tolerance = std::same_as<S, float> ? 8 * 2 * double{std::numeric_limits<float>::epsilon()} : 0;
  for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
    for (std::ptrdiff_t x = part.x0; x < part.x1; ++x) {
      for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) {
        const auto slope = [&](std::ptrdiff_t row) {
          return pixel(src, x + 1, row, channel) - pixel(src, x - 1, row, channel);
        };
        expected.values.push_back(slope(y - 1) + 2 * slope(y) + slope(y + 1));
      }
    }
  }
  return expected;
}

template <class S>
Expected expected_median(ImageView<const S> src, Rectangle part) {
  Expected expected;
  for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
    for (std::ptrdiff_t x = part.x0; x < part.x1; ++x) {
      for (std::ptrdiff_t channel = 0; channel < src.channels; ++channel) {
        std::array<double, 9> window;
        for (std::ptrdiff_t i = 0; i < 9; ++i) {
          const std::ptrdiff_t column = std::clamp<std::ptrdiff_t>(x - 1 + i % 3, 0, src.width - 1);
          const std::ptrdiff_t row = std::clamp<std::ptrdiff_t>(y - 1 + i / 3, 0, src.height - 1);
          window[static_cast<std::size_t>(i)] = src(column, row, channel);
        }
        std::nth_element(window.begin(), window.begin() + 4, window.end());
        expected.values.push_back(window[4]);
      }
    }
  }
  return expected;
}

// One filter on one image.
struct Task {
  Filter filter = Filter::gaussian_blur;
  double sigma = 1;
  int width = 3;
  Size size = {};
  std::ptrdiff_t channels = 1;
};

template <class S, class D>
class Filtered final : public FilterWorkload<S, D> {
 public:
  Filtered(const Task& task, int threads)
      : task_(task),
        src_(task.size.width * task.size.height * task.channels),
        dst_(task.size.width * task.size.height * task.channels) {
    const std::ptrdiff_t length = task.size.width * task.channels;
    in_shares(threads, task.size.height, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      for (std::ptrdiff_t y = first; y < last; ++y) paint_row(src_.data() + y * length, y, task.size, task.channels);
      std::fill(dst_.data() + first * length, dst_.data() + last * length, D{});
    });
  }

  Filter filter() const override { return task_.filter; }
  double sigma() const override { return task_.sigma; }
  int width() const override { return task_.width; }
  ImageView<const S> src() const override { return {src_.data(), task_.size.width, task_.size.height, task_.channels}; }
  ImageView<D> dst() override { return {dst_.data(), task_.size.width, task_.size.height, task_.channels}; }

  void run(const Backend& backend) override {
    // Each destination type belongs to some of the filters only.
    if constexpr (std::same_as<S, D>) {
      if (task_.filter == Filter::gaussian_blur) {
        return gaussian_blur(src(), dst(),
                             {.sigma = task_.sigma, .width = task_.width, .height = task_.width, .backend = backend});
      }
      if (task_.filter == Filter::median_blur)
        return median_blur(src(), dst(), {.size = task_.width, .border = Border::replicate, .backend = backend});
    }
    if constexpr (std::same_as<D, float> || std::same_as<D, std::int16_t>) sobel(src(), dst(), {.backend = backend});
  }

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
    const auto [width, height] = task_.size;
    constexpr std::ptrdiff_t small = 640 * 480;
    if (width * height <= small) return check({{0, width, 0, height}});

    const std::ptrdiff_t edge = task_.width / 2 + 1;
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
  Expected expected(Rectangle part) const {
    switch (task_.filter) {
      case Filter::gaussian_blur:
        return expected_gaussian(src(), part, task_.width, task_.sigma);
      case Filter::sobel:
        return expected_sobel(src(), part);
      case Filter::median_blur:
        break;
    }
    return expected_median(src(), part);
  }

  std::string check(const std::vector<Rectangle>& parts) const {
    double sum_of_errors = 0;
    double count = 0;
    const std::ptrdiff_t length = task_.size.width * task_.channels;
    for (const Rectangle& part : parts) {
      const Expected right = expected(part);
      const double* value = right.values.data();
      for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
        for (std::ptrdiff_t i = part.x0 * task_.channels; i < part.x1 * task_.channels; ++i) {
          const double error = static_cast<double>(dst_.data()[y * length + i]) - *value++;
          if (!(std::abs(error) <= right.tolerance)) {
            return "channel " + std::to_string(i % task_.channels) + " of pixel (" +
                   std::to_string(i / task_.channels) + ", " + std::to_string(y) + ") is " +
                   std::to_string(value[-1] + error) + ", expected " + std::to_string(value[-1]) + " within " +
                   std::to_string(right.tolerance);
          }
          sum_of_errors += error;
          count += 1;
        }
      }
    }
    // Rounding to nearest is right on the average; cutting off would be half a level too dark.
    if (std::integral<D> && std::abs(sum_of_errors) > count / 4) {
      return "the result is " + std::to_string(sum_of_errors / count) +
             " levels off on the average, expected at most 0.25";
    }
    return {};
  }

  Task task_;
  Buffer<S> src_;
  Buffer<D> dst_;
};

struct Variant {
  const char* suffix;
  double sigma;
  int width;
};

// Sizes from a last-level cache's to several times it; 640 x 480 shows what a fork-join costs.
constexpr std::array sizes = {Size{640, 480}, Size{1920, 1080}, Size{3840, 2160}};

template <class S, class D>
Case make_case(const char* kernel, Filter filter, Variant variant, Size size, std::ptrdiff_t channels,
               double operations) {
  const auto samples = static_cast<double>(size.width * size.height * channels);
  const char* precision = std::same_as<S, float> ? "f32" : "u8";
  const Task task = {filter, variant.sigma, variant.width, size, channels};
  return {
      .kernel = kernel,
      .variant = std::string(precision) + "c" + std::to_string(channels) + variant.suffix,
      .size = std::to_string(size.width) + "x" + std::to_string(size.height),
      .flops = operations * samples,
      .bytes = samples * (sizeof(S) + sizeof(D)),  // read once, written once
      .written_bytes = samples * sizeof(D),
      .precision = precision,
      .make = [task](int threads) { return std::make_unique<Filtered<S, D>>(task, threads); },
  };
}

template <class S, class D>
void add(std::vector<Case>& cases, const char* kernel, Filter filter, Variant variant, std::ptrdiff_t channels,
         double operations, std::ptrdiff_t quick_width) {
  for (const Size size : sizes) {
    cases.push_back(make_case<S, D>(kernel, filter, variant, size, channels, operations));
    cases.back().quick = size.width == quick_width;
  }
}

// As many rows as threads times those of one.
template <class S, class D>
void add_weak(std::vector<Case>& cases, const char* kernel, Filter filter, Variant variant, double operations) {
  constexpr std::ptrdiff_t width = 1920, height = 1080;
  const auto grown = [=](int threads) {
    return make_case<S, D>(kernel, filter, variant, {width, height * threads}, 1, operations);
  };
  cases.push_back(weak(grown(1), "pixels ∝ p", grown));
}

}  // namespace

std::vector<Case> image_filter_cases() {
  std::vector<Case> cases;
  // 5 x 5 is the blur people take against noise, 31 x 31 one whose arithmetic outweighs its memory traffic.
  for (const Variant variant : {Variant{"", 1, 5}, Variant{"_sigma5", 5, 31}}) {
    // Each of two passes: `width` multiplications and width - 1 additions.
    const double operations = 2 * (2 * variant.width - 1);
    const std::ptrdiff_t quick = variant.width == 5 ? 3840 : 0;
    add<std::uint8_t, std::uint8_t>(cases, "gaussian_blur", Filter::gaussian_blur, variant, 1, operations, quick);
    add<std::uint8_t, std::uint8_t>(cases, "gaussian_blur", Filter::gaussian_blur, variant, 3, operations, 0);
    add<float, float>(cases, "gaussian_blur", Filter::gaussian_blur, variant, 1, operations, quick);
    add<float, float>(cases, "gaussian_blur", Filter::gaussian_blur, variant, 3, operations, 0);
  }
  // Separated: a difference along the row, then first + 2 middle + last, three more.
  constexpr double sobel_operations = 4;
  const Variant window = {"", 0, 3};
  add<std::uint8_t, std::int16_t>(cases, "sobel", Filter::sobel, window, 1, sobel_operations, 3840);
  add<std::uint8_t, std::int16_t>(cases, "sobel", Filter::sobel, window, 3, sobel_operations, 0);
  add<float, float>(cases, "sobel", Filter::sobel, window, 1, sobel_operations, 3840);
  // 19 exchanges, each a minimum and a maximum.
  constexpr double median_operations = 2 * 19;
  add<std::uint8_t, std::uint8_t>(cases, "median_blur", Filter::median_blur, window, 1, median_operations, 3840);
  add<std::uint8_t, std::uint8_t>(cases, "median_blur", Filter::median_blur, window, 3, median_operations, 0);
  add<float, float>(cases, "median_blur", Filter::median_blur, window, 1, median_operations, 3840);

  constexpr Size icon = {64, 32};
  using std::uint8_t;
  cases.push_back(tiny(make_case<uint8_t, uint8_t>("gaussian_blur", Filter::gaussian_blur, {"", 1, 5}, icon, 1, 18)));
  cases.push_back(tiny(make_case<uint8_t, std::int16_t>("sobel", Filter::sobel, window, icon, 1, sobel_operations)));
  cases.push_back(
      tiny(make_case<uint8_t, uint8_t>("median_blur", Filter::median_blur, window, icon, 1, median_operations)));
  add_weak<uint8_t, uint8_t>(cases, "gaussian_blur", Filter::gaussian_blur, {"", 1, 5}, 18);
  add_weak<uint8_t, std::int16_t>(cases, "sobel", Filter::sobel, window, sobel_operations);
  add_weak<uint8_t, uint8_t>(cases, "median_blur", Filter::median_blur, window, median_operations);
  return cases;
}

}  // namespace speedwell::bench
