// SPDX-License-Identifier: Apache-2.0
// Every filter against the obvious loop over its window, in integers or in double, on every backend.
#include <speedwell/image_filter.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <limits>
#include <random>
#include <speedwell/error.hpp>
#include <speedwell/runtime.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/every_backend.hpp"

namespace {

namespace sw = speedwell;
using sw::Border;
using testing::HasSubstr;
using tests::generator;
using tests::text;

constexpr Border all_borders[] = {Border::constant, Border::replicate, Border::reflect, Border::reflect_101,
                                  Border::wrap};

// ---- Images

struct Shape {
  int width;
  int height;
  int channels;
};

// How an image lies in memory: rows without a gap; a part of a larger image; the same, bottom row first.
enum class Layout { tight, part, upside_down };
constexpr Layout all_layouts[] = {Layout::tight, Layout::part, Layout::upside_down};

// For the result: never the source's, so that their strides can't be mixed up unseen.
Layout other(Layout layout) { return layout == Layout::part ? Layout::upside_down : Layout::part; }

// An image with the memory round it.
template <class T>
class Image {
 public:
  Image(Shape shape, Layout layout) : shape_(shape) {
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(shape.width) * shape.channels;
    // Odd margins, so that rows begin anywhere in a vector.
    const std::ptrdiff_t margin = layout == Layout::tight ? 0 : 5 * shape.channels;
    const std::ptrdiff_t margin_rows = layout == Layout::tight ? 0 : 2;
    const std::ptrdiff_t pitch = row + 2 * margin;
    samples_.resize(static_cast<std::size_t>(pitch * (shape.height + 2 * margin_rows)));
    first_ = margin_rows * pitch + margin;
    stride_ = pitch;
    if (layout == Layout::upside_down) {
      first_ += (shape.height - 1) * pitch;
      stride_ = -pitch;
    }
  }

  operator sw::ImageView<T>() {
    return {samples_.data() + first_, shape_.width, shape_.height, shape_.channels, stride_};
  }
  operator sw::ImageView<const T>() const {
    return {samples_.data() + first_, shape_.width, shape_.height, shape_.channels, stride_};
  }
  sw::ImageView<T> view() { return *this; }
  sw::ImageView<const T> view() const { return *this; }

  Shape shape() const { return shape_; }
  std::vector<T>& memory() { return samples_; }
  const std::vector<T>& memory() const { return samples_; }

 private:
  Shape shape_;
  std::vector<T> samples_;
  std::ptrdiff_t first_;
  std::ptrdiff_t stride_;
};

constexpr float float_range = 1000;

template <class T>
T random_sample() {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(generator()());
  } else {
    return std::uniform_real_distribution<float>(-float_range / 2, float_range / 2)(generator());
  }
}

template <class T>
Image<T> random_image(Shape shape, Layout layout) {
  Image<T> image(shape, layout);
  for (T& sample : image.memory()) sample = random_sample<T>();
  return image;
}

template <class T>
Image<T> poisoned(Shape shape, Layout layout) {
  Image<T> image(shape, layout);
  const T poison =
      std::is_integral_v<T> ? static_cast<T>(random_sample<std::int16_t>()) : std::numeric_limits<T>::quiet_NaN();
  std::fill(image.memory().begin(), image.memory().end(), poison);
  return image;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// ---- References

// The sample at a position that may lie outside, found by walking: one fold, step or jump at a time.
template <class T>
double sample_at(sw::ImageView<const T> image, std::ptrdiff_t x, std::ptrdiff_t y, std::ptrdiff_t channel,
                 Border border, double outside) {
  const auto inside = [border](std::ptrdiff_t i, std::ptrdiff_t n) -> std::ptrdiff_t {
    while (i < 0 || i >= n) {
      switch (border) {
        case Border::constant:
          return -1;
        case Border::replicate:
          i += i < 0 ? 1 : -1;
          break;
        case Border::reflect:
          i = i < 0 ? -1 - i : 2 * n - 1 - i;
          break;
        case Border::reflect_101:
          if (n == 1) return 0;
          i = i < 0 ? -i : 2 * (n - 1) - i;
          break;
        case Border::wrap:
          i += i < 0 ? n : -n;
          break;
      }
    }
    return i;
  };
  const std::ptrdiff_t from_x = inside(x, image.width);
  const std::ptrdiff_t from_y = inside(y, image.height);
  return from_x < 0 || from_y < 0 ? outside : static_cast<double>(image(from_x, from_y, channel));
}

// A filter as a test sees it.
template <class In, class Out>
struct Filter {
  std::string name;
  std::function<void(sw::ImageView<const In>, sw::ImageView<Out>, Border, double, sw::Backend)> run;
  // The expected sample, exact in integers.
  std::function<double(sw::ImageView<const In>, int x, int y, int channel, Border, double)> expected;
  double tolerance;
};

std::vector<double> bell(int side, double sigma) {
  std::vector<double> weights;
  double sum = 0;
  for (int i = 0; i < side; ++i) {
    const double distance = i - side / 2;
    weights.push_back(std::exp(-distance * distance / (2 * sigma * sigma)));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

// Out of 256: from the edge inwards each takes on the rounding error of the one before, and the centre what is left.
std::vector<double> bell_of_256(int side, double sigma) {
  std::vector<double> weights = bell(side, sigma);
  double error = 0;
  double left = 256;
  for (int i = 0; i < side / 2; ++i) {
    const double exact = 256 * weights[i] + error;
    const double rounded = std::nearbyint(exact);
    error = exact - rounded;
    weights[i] = weights[side - 1 - i] = rounded;
    left -= 2 * rounded;
  }
  weights[side / 2] = left;
  return weights;
}

template <class T>
double window_sum(sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside,
                  const std::vector<double>& wx, const std::vector<double>& wy) {
  double sum = 0;
  for (int j = 0; j < static_cast<int>(wy.size()); ++j) {
    for (int i = 0; i < static_cast<int>(wx.size()); ++i) {
      const int rx = static_cast<int>(wx.size()) / 2;
      const int ry = static_cast<int>(wy.size()) / 2;
      sum += wx[i] * wy[j] * sample_at(image, x + i - rx, y + j - ry, channel, border, outside);
    }
  }
  return sum;
}

struct Gauss {
  double sigma;
  double sigma_y;
  int width;
  int height;
};

template <class T>
Filter<T, T> gaussian_blur_filter(Gauss gauss) {
  const double sigma_y = gauss.sigma_y == 0 ? gauss.sigma : gauss.sigma_y;
  const auto run = [gauss](sw::ImageView<const T> src, sw::ImageView<T> dst, Border border, double value,
                           sw::Backend backend) {
    sw::gaussian_blur(src, dst,
                      {.sigma = gauss.sigma,
                       .sigma_y = gauss.sigma_y,
                       .width = gauss.width,
                       .height = gauss.height,
                       .border = border,
                       .border_value = value,
                       .backend = backend});
  };
  const std::string name = "gaussian_blur " + std::to_string(gauss.width) + "x" + std::to_string(gauss.height);
  if constexpr (std::is_integral_v<T>) {
    // Sums of products of integers below 2^53 are exact in double.
    return {name, run,
            [wx = bell_of_256(gauss.width, gauss.sigma), wy = bell_of_256(gauss.height, sigma_y)](
                sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside) {
              return std::floor((window_sum(image, x, y, channel, border, outside, wx, wy) + 32768) / 65536);
            },
            0};
  } else {
    // Some rounding errors of float at the size of the samples.
    return {name, run,
            [wx = bell(gauss.width, gauss.sigma), wy = bell(gauss.height, sigma_y)](
                sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside) {
              return window_sum(image, x, y, channel, border, outside, wx, wy);
            },
            1e-6 * float_range};
  }
}

template <class In, class Out>
Filter<In, Out> sobel_filter(int dx, int dy) {
  const std::vector<double> smooth = {1, 2, 1};
  const std::vector<double> difference = {-1, 0, 1};
  return {
      "sobel " + std::to_string(dx) + std::to_string(dy),
      [dx, dy](sw::ImageView<const In> src, sw::ImageView<Out> dst, Border border, double value, sw::Backend backend) {
        sw::sobel(src, dst, {.dx = dx, .dy = dy, .border = border, .border_value = value, .backend = backend});
      },
      [wx = dx ? difference : smooth, wy = dy ? difference : smooth](sw::ImageView<const In> image, int x, int y,
                                                                     int channel, Border border, double outside) {
        return window_sum(image, x, y, channel, border, outside, wx, wy);
      },
      std::is_integral_v<In> ? 0 : 1e-6 * float_range};
}

template <class T>
Filter<T, T> median_blur_filter() {
  return {"median_blur 3",
          [](sw::ImageView<const T> src, sw::ImageView<T> dst, Border border, double value, sw::Backend backend) {
            sw::median_blur(src, dst, {.border = border, .border_value = value, .backend = backend});
          },
          [](sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside) {
            std::vector<double> window;
            for (int j = -1; j <= 1; ++j) {
              for (int i = -1; i <= 1; ++i) window.push_back(sample_at(image, x + i, y + j, channel, border, outside));
            }
            std::sort(window.begin(), window.end());
            return window[4];
          },
          0};
}

// Runs the filter on every backend; each result must be what is expected, bit for bit the same, and stay in its image.
template <class In, class Out>
void check(const Filter<In, Out>& filter, Shape shape, Border border, Layout layout,
           const std::vector<sw::Backend>& backends) {
  SCOPED_TRACE(filter.name + (sizeof(In) == 1 ? " u8 " : " f32 ") + std::to_string(shape.width) + "x" +
               std::to_string(shape.height) + "x" + std::to_string(shape.channels) + " " +
               std::string(sw::name(border)) + " layout " + std::to_string(static_cast<int>(layout)) + " seed " +
               std::to_string(tests::seed()));
  const Image<In> src = random_image<In>(shape, layout);
  const double outside = random_sample<In>();
  Image<Out> expected_memory = poisoned<Out>(shape, other(layout));
  const std::vector<Out> poison = expected_memory.memory();

  Image<Out> first = expected_memory;
  filter.run(src, first, border, outside, backends.front());
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x) {
      for (int k = 0; k < shape.channels; ++k) {
        const double expected = filter.expected(src, x, y, k, border, outside);
        const Out found = first.view()(x, y, k);
        ASSERT_TRUE(std::abs(static_cast<double>(found) - expected) <= filter.tolerance)
            << "at (" << x << ", " << y << ", " << k << "): " << +found << ", expected " << expected;
        // What should be there in the end, so that the rest can be compared with the poison.
        expected_memory.view()(x, y, k) = found;
      }
    }
  }
  ASSERT_TRUE(same_bits(first.memory(), expected_memory.memory())) << "wrote outside of the image";
  for (const sw::Backend& backend : backends) {
    Image<Out> result(shape, other(layout));
    result.memory() = poison;
    filter.run(src, result, border, outside, backend);
    ASSERT_TRUE(same_bits(result.memory(), first.memory())) << "other bits on " << text(backend);
  }
}

// Sizes round those of a vector of bytes or floats on each instruction set, and round a turn of the row loop.
const std::vector<int> widths = {1,  2,  3,  4,  5,  7,  8,  9,   15,  16,  17,  31,
                                 32, 33, 47, 63, 64, 65, 67, 127, 128, 129, 191, 257};
const std::vector<int> heights = {1, 2, 3, 4, 5, 6, 7, 9, 16, 23};

template <class In, class Out>
void check_shapes(const Filter<In, Out>& filter) {
  constexpr int channels[] = {1, 3, 4};
  const std::vector<sw::Backend> backends = tests::every_backend();
  std::size_t turn = 0;
  // Channels, layouts and backends take turns, out of step with shapes and borders.
  const auto check_one = [&](int width, int height, Border border) {
    check(filter, {width, height, channels[turn % 3]}, border, all_layouts[turn / 3 % 3],
          {sw::Sequential{}, backends[turn % backends.size()], backends[(turn + 5) % backends.size()]});
    ++turn;
  };
  for (const Border border : all_borders) {
    for (const int width : widths) check_one(width, 5, border);
    for (const int height : heights) check_one(37, height, border);
    check(filter, {67, 23, 3}, border, Layout::part, backends);
  }
}

TEST(GaussianBlur, IsTheWeightedSumOfItsWindow) {
  for (const Gauss gauss :
       {Gauss{0.8, 0, 3, 3}, {1, 0, 5, 5}, {1.5, 0, 7, 7}, {2, 0, 9, 9}, {0.7, 1.9, 3, 9}, {1.7, 0.6, 7, 1}}) {
    check_shapes(gaussian_blur_filter<std::uint8_t>(gauss));
    check_shapes(gaussian_blur_filter<float>(gauss));
  }
}

TEST(GaussianBlur, LargeSigma) {
  const Gauss gauss = {5, 0, 31, 31};
  for (const Border border : all_borders) {
    for (const Shape shape : {Shape{1, 1, 1}, {3, 50, 3}, {61, 4, 4}, {70, 33, 1}}) {
      check(gaussian_blur_filter<std::uint8_t>(gauss), shape, border, Layout::part, tests::every_backend());
      check(gaussian_blur_filter<float>(gauss), shape, border, Layout::part, tests::every_backend());
    }
  }
}

TEST(Sobel, IsTheDifferenceAcrossTheSmoothing) {
  for (const auto& [dx, dy] : {std::pair{1, 0}, {0, 1}, {1, 1}}) {
    check_shapes(sobel_filter<std::uint8_t, std::int16_t>(dx, dy));
    check_shapes(sobel_filter<float, float>(dx, dy));
  }
}

TEST(MedianBlur, IsTheMiddleOfItsWindow) {
  check_shapes(median_blur_filter<std::uint8_t>());
  check_shapes(median_blur_filter<float>());
}

// Rows of several turns of the row loop, the last one of any length.
TEST(ImageFilter, LongRows) {
  const std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Threads{2}};
  for (const Border border : all_borders) {
    for (const int width : {1023, 1024, 1025, 1026, 2048, 2055, 4099}) {
      for (const int channels : {1, 3}) {
        check(gaussian_blur_filter<std::uint8_t>({1, 0, 5, 5}), {width, 3, channels}, border, Layout::part, backends);
        check(gaussian_blur_filter<float>({1.5, 0, 7, 3}), {width, 3, channels}, border, Layout::part, backends);
        check(sobel_filter<std::uint8_t, std::int16_t>(1, 0), {width, 3, channels}, border, Layout::upside_down,
              backends);
        check(median_blur_filter<std::uint8_t>(), {width, 3, channels}, border, Layout::tight, backends);
      }
    }
  }
}

// A kernel wider than a turn of the row loop.
TEST(GaussianBlur, VeryLargeSigma) {
  for (const Border border : all_borders) {
    check(gaussian_blur_filter<float>({90, 1, 701, 1}), {1500, 1, 1}, border, Layout::part, tests::every_backend());
    check(gaussian_blur_filter<std::uint8_t>({300, 1, 4095, 1}), {45, 1, 1}, border, Layout::part,
          tests::every_backend());
  }
}

// Source and result, 295 MB in float, exceed the caches of nearly every machine, so that the result goes past them.
// Some rows are compared with the reference, all with each other.
template <class In, class Out>
void check_large(const Filter<In, Out>& filter) {
  const Shape shape = {4099, 3001, 3};
  const Image<In> src = random_image<In>(shape, Layout::part);
  Image<Out> first = poisoned<Out>(shape, Layout::part);
  filter.run(src, first, Border::reflect_101, 0, sw::Sequential{});
  for (const int y : {0, 1, 1500, 3000}) {
    for (int x = 0; x < shape.width; ++x) {
      const double expected = filter.expected(src, x, y, 1, Border::reflect_101, 0);
      ASSERT_LE(std::abs(first.view()(x, y, 1) - expected), filter.tolerance) << "at (" << x << ", " << y << ")";
    }
  }
  for (const sw::Backend& backend :
       {sw::Backend(sw::Threads{2}), sw::Backend(sw::OpenMp{3}), sw::Backend(sw::Tbb{2})}) {
    if (!sw::is_built(backend)) continue;
    Image<Out> result = poisoned<Out>(shape, Layout::part);
    filter.run(src, result, Border::reflect_101, 0, backend);
    for (int y = 0; y < shape.height; ++y) {
      ASSERT_EQ(std::memcmp(result.view().row(y), first.view().row(y), sizeof(Out) * shape.width * shape.channels), 0)
          << "other bits on " << text(backend) << " in row " << y;
    }
  }
}

TEST(ImageFilter, LargeImages) {
  check_large(sobel_filter<float, float>(0, 1));
  check_large(median_blur_filter<std::uint8_t>());
}

TEST(GaussianBlur, WhiteStaysWhite) {
  const Image<std::uint8_t> white = [] {
    Image<std::uint8_t> image({40, 30, 3}, Layout::tight);
    std::fill(image.memory().begin(), image.memory().end(), std::uint8_t{255});
    return image;
  }();
  for (const Border border : all_borders) {
    for (const double sigma : {0.1, 0.3, 0.5, 0.8, 1.0, 1.3, 2.0, 3.7, 5.0, 12.0, 40.0}) {
      Image<std::uint8_t> result = poisoned<std::uint8_t>(white.shape(), Layout::tight);
      sw::gaussian_blur(white, result, {.sigma = sigma, .border = border, .border_value = 255});
      EXPECT_TRUE(same_bits(result.memory(), white.memory())) << "sigma " << sigma << ", " << sw::name(border);
    }
  }
}

// An impulse shows the filter itself: how far it reaches is its size.
template <class T>
std::pair<int, int> reach(const sw::GaussianBlurOptions& options) {
  constexpr int side = 101;
  Image<T> src({side, side, 1}, Layout::tight);
  src.view()(side / 2, side / 2) = std::is_integral_v<T> ? T(255) : T(1e30);
  Image<T> dst = poisoned<T>(src.shape(), Layout::tight);
  sw::gaussian_blur(src, dst, options);
  int columns = 0;
  int rows = 0;
  for (int i = 0; i < side; ++i) {
    columns += dst.view()(i, side / 2) != 0;
    rows += dst.view()(side / 2, i) != 0;
  }
  return {columns, rows};
}

TEST(GaussianBlur, SidesFollowFromSigma) {
  // round(8 sigma + 1) | 1: 9, 17, and 2 * 4 * 1.3 + 1 = 11.4.
  EXPECT_EQ(reach<float>({.sigma = 1}), std::pair(9, 9));
  EXPECT_EQ(reach<float>({.sigma = 2}), std::pair(17, 17));
  EXPECT_EQ(reach<float>({.sigma = 1.3, .sigma_y = 2}), std::pair(11, 17));
  EXPECT_EQ(reach<float>({.sigma = 1, .width = 5}), std::pair(5, 9));
  // Bytes: round(6 sigma + 1) | 1 = 7, 13; the outermost weights are one or two out of 256.
  for (const double sigma : {1.0, 2.0}) {
    Image<std::uint8_t> src = random_image<std::uint8_t>({50, 40, 1}, Layout::tight);
    Image<std::uint8_t> by_rule = poisoned<std::uint8_t>(src.shape(), Layout::tight);
    Image<std::uint8_t> by_size = by_rule;
    const int side = sigma == 1.0 ? 7 : 13;
    sw::gaussian_blur(src, by_rule, {.sigma = sigma});
    sw::gaussian_blur(src, by_size, {.sigma = sigma, .width = side, .height = side});
    EXPECT_TRUE(same_bits(by_rule.memory(), by_size.memory())) << "sigma " << sigma;
  }
}

// Values of the border are rounded and saturated.
TEST(ImageFilter, BorderValueFitsTheType) {
  const Image<std::uint8_t> src({1, 1, 1}, Layout::tight);
  Image<std::uint8_t> dst({1, 1, 1}, Layout::tight);
  for (const auto& [value, expected] : {std::pair{1e9, 255}, {-1e9, 0}, {99.5, 100}, {99.4, 99}}) {
    sw::median_blur(src, dst, {.border = Border::constant, .border_value = value});
    EXPECT_EQ(dst.view()(0, 0), expected) << value;
  }
}

TEST(ImageFilter, EmptyImagesAreDone) {
  for (const auto& [width, height] : {std::pair{0, 0}, {0, 5}, {5, 0}}) {
    const sw::ImageView<const float> src(nullptr, width, height);
    const sw::ImageView<float> dst(nullptr, width, height);
    for (const sw::Backend& backend : tests::every_backend()) {
      sw::gaussian_blur(src, dst, {.backend = backend});
      sw::sobel(src, dst, {.backend = backend});
      sw::median_blur(src, dst, {.backend = backend});
    }
  }
}

// A model that isn't the one it says it is computes the same; only the threads that took part tell.
TEST(ImageFilter, AsManyThreadsTakePartAsAsked) {
  const Shape shape = {2000, 1500, 1};
  const Image<float> src = random_image<float>(shape, Layout::tight);
  Image<float> dst = poisoned<float>(shape, Layout::tight);
  for (const int threads : {1, 2, 3}) {
    for (const sw::Backend& backend :
         {sw::Backend(sw::Threads{threads}), sw::Backend(sw::OpenMp{threads}), sw::Backend(sw::Tbb{threads})}) {
      if (!sw::is_built(backend)) continue;
      // A thread that the system doesn't let run in time finds no work left: some attempts.
      int took_part = 0;
      for (int attempt = 0; attempt < 20 && took_part != threads; ++attempt) {
        sw::gaussian_blur(src, dst, {.sigma = 5, .backend = backend});
        took_part = sw::last_run().threads;
        EXPECT_EQ(sw::last_run().backend, sw::name(backend)) << text(backend);
      }
      EXPECT_EQ(took_part, threads) << text(backend);
    }
  }
  sw::gaussian_blur(src, dst, {.backend = sw::Sequential{}});
  EXPECT_EQ(sw::last_run().backend, "sequential");
  EXPECT_EQ(sw::last_run().threads, 1);
}

// ---- Bad input

// The call throws InvalidArgument with all `words` in its message, and leaves the result alone.
template <class T>
void expect_refused(Image<T>& dst, const std::function<void()>& call, const std::vector<std::string>& words) {
  dst.memory() = poisoned<T>(dst.shape(), Layout::part).memory();
  const std::vector<T> before = dst.memory();
  try {
    call();
    ADD_FAILURE() << "not refused, expected: " << testing::PrintToString(words);
  } catch (const sw::InvalidArgument& error) {
    for (const std::string& word : words) EXPECT_THAT(error.what(), HasSubstr(word));
  }
  EXPECT_TRUE(same_bits(dst.memory(), before)) << "wrote before it refused: " << testing::PrintToString(words);
}

TEST(ImageFilter, RefusesBadImages) {
  using Src = sw::ImageView<const float>;
  using Dst = sw::ImageView<float>;
  const Image<float> image = random_image<float>({9, 7, 3}, Layout::part);
  Image<float> out({9, 7, 3}, Layout::part);
  const Src src = image;
  const Dst dst = out;
  const std::ptrdiff_t huge = std::numeric_limits<std::ptrdiff_t>::max() / 2;

  struct Bad {
    Src src;
    Dst dst;
    std::vector<std::string> words;
  };
  const std::vector<Bad> bad = {
      {src, Dst(dst.data, 8, 7, 3), {"8 x 7", "9 x 7"}},
      {src, Dst(dst.data, 9, 6, 3), {"9 x 6", "9 x 7"}},
      {src, Dst(dst.data, 9, 7, 1), {"1 channel", "3 channel"}},
      {Src(src.data, 4, 4, 2), Dst(dst.data, 4, 4, 2), {"2 channels", "1, 3 or 4"}},
      {Src(src.data, 4, 4, 0), Dst(dst.data, 4, 4, 0), {"channel"}},
      {Src(nullptr, 9, 7, 3), dst, {"src", "null"}},
      {src, Dst(nullptr, 9, 7, 3), {"dst", "null"}},
      {Src(src.data, -1, 7, 3), dst, {"src", "-1"}},
      {Src(src.data, 9, -7, 3), Dst(dst.data, 9, -7, 3), {"-7"}},
      {Src(src.data, huge, huge, 3), Dst(dst.data, huge, huge, 3), {"src", "fits in memory"}},
      {Src(src.data, 9, 7, 3, huge), dst, {"src", "fits in memory"}},
      // Partly over the source, the source itself, rows over each other.
      {Src(dst.data, 6, 4, 1, 11), Dst(dst.data + 30, 6, 4, 1, 11), {"dst", "src", "apart"}},
      {Src(dst), dst, {"dst", "src", "apart"}},
      {src, Dst(dst.data, 9, 7, 3, 0), {"dst", "twice"}},
      {src, Dst(dst.data, 9, 7, 3, 26), {"dst", "twice"}},
  };
  for (const Bad& b : bad) {
    expect_refused(
        out, [&] { sw::gaussian_blur(b.src, b.dst); }, b.words);
    expect_refused(
        out, [&] { sw::sobel(b.src, b.dst); }, b.words);
    expect_refused(
        out, [&] { sw::median_blur(b.src, b.dst); }, b.words);
  }
  // Side by side in one image is fine, and so is a source that repeats one row.
  sw::median_blur(Src(dst.data, 2, 4, 1, 11), Dst(dst.data + 2, 2, 4, 1, 11));
  sw::median_blur(Src(src.data, 9, 7, 3, 0), dst);
}

TEST(ImageFilter, RefusesBadOptions) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({9, 7, 1}, Layout::part);
  Image<std::uint8_t> dst({9, 7, 1}, Layout::part);
  Image<std::int16_t> slope({9, 7, 1}, Layout::part);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const auto blur = [&](const sw::GaussianBlurOptions& options, const std::vector<std::string>& words) {
    expect_refused(
        dst, [&] { sw::gaussian_blur(src, dst, options); }, words);
  };
  for (const double sigma : {0.0, -1.0, nan, infinity}) blur({.sigma = sigma}, {"sigma", "positive finite"});
  for (const double sigma : {-1.0, nan, infinity}) blur({.sigma_y = sigma}, {"sigma_y", "positive finite"});
  blur({.sigma = 1e6}, {"sigma", "4095"});
  for (const int side : {-1, 2, 4096, 4097, std::numeric_limits<int>::max()}) {
    blur({.width = side}, {"width", std::to_string(side), "odd"});
    blur({.height = side}, {"height", std::to_string(side), "odd"});
  }
  blur({.border = static_cast<Border>(5)}, {"border", "5", "reflect_101"});
  blur({.border = Border::constant, .border_value = nan}, {"border_value", "nan"});
  for (const int threads : {-1, 1025, 1'000'000}) {
    blur({.backend = sw::Threads{threads}}, {std::to_string(threads)});
    blur({.backend = sw::OpenMp{threads}}, {std::to_string(threads)});
    blur({.backend = sw::Tbb{threads}}, {std::to_string(threads)});
  }
  for (const auto& [dx, dy] : {std::pair{0, 0}, {2, 0}, {0, -1}}) {
    expect_refused(slope, [&, dx = dx, dy = dy] { sw::sobel(src, slope, {.dx = dx, .dy = dy}); },
                   {"dx", "dy", "0 or 1"});
  }
  for (const int size : {0, 1, 4, 5}) {
    expect_refused(dst, [&] { sw::median_blur(src, dst, {.size = size}); }, {"size", std::to_string(size), "3"});
  }
}

}  // namespace
