// SPDX-License-Identifier: Apache-2.0
// What the tests of all image filters share: images in memory, borders found by walking, and a filter on every backend
// against the obvious loop over its window, in integers or in double.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include <speedwell/error.hpp>
#include <speedwell/image_filter.hpp>
#include <speedwell/runtime.hpp>

#include "tests/every_backend.hpp"

namespace tests {

namespace sw = speedwell;
using sw::Border;

inline constexpr Border all_borders[] = {Border::constant, Border::replicate, Border::reflect, Border::reflect_101,
                                         Border::wrap};

// ---- Images

struct Shape {
  int width;
  int height;
  int channels;
};

// How an image lies in memory: rows without a gap; a part of a larger image; the same, bottom row first.
enum class Layout { tight, part, upside_down };
inline constexpr Layout all_layouts[] = {Layout::tight, Layout::part, Layout::upside_down};

// For the result: never the source's, so that their strides can't be mixed up unseen.
inline Layout other(Layout layout) { return layout == Layout::part ? Layout::upside_down : Layout::part; }

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

inline constexpr float float_range = 1000;

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

// Which of n positions stands at one that may lie outside, found by walking, one fold, step or jump at a time; -1:
// none.
inline std::ptrdiff_t position_inside(std::ptrdiff_t i, std::ptrdiff_t n, Border border) {
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
}

template <class T>
double sample_at(sw::ImageView<const T> image, std::ptrdiff_t x, std::ptrdiff_t y, std::ptrdiff_t channel,
                 Border border, double outside) {
  const std::ptrdiff_t from_x = position_inside(x, image.width, border);
  const std::ptrdiff_t from_y = position_inside(y, image.height, border);
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

// Runs a filter on every backend; each result must be what is expected, bit for bit the same, and stay in its image.
template <class In, class Out>
void check_result(const Image<In>& src, Shape shape, Layout layout,
                  const std::function<void(sw::ImageView<const In>, sw::ImageView<Out>, sw::Backend)>& run,
                  const std::function<double(int x, int y, int channel)>& expected_at, double tolerance,
                  const std::vector<sw::Backend>& backends) {
  Image<Out> expected_memory = poisoned<Out>(shape, layout);
  const std::vector<Out> poison = expected_memory.memory();

  Image<Out> first = expected_memory;
  run(src, first, backends.front());
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x) {
      for (int k = 0; k < shape.channels; ++k) {
        const double expected = expected_at(x, y, k);
        const Out found = first.view()(x, y, k);
        ASSERT_TRUE(std::abs(static_cast<double>(found) - expected) <= tolerance)
            << "at (" << x << ", " << y << ", " << k << "): " << +found << ", expected " << expected;
        // What should be there in the end, so that the rest can be compared with the poison.
        expected_memory.view()(x, y, k) = found;
      }
    }
  }
  ASSERT_TRUE(same_bits(first.memory(), expected_memory.memory())) << "wrote outside of the image";
  for (const sw::Backend& backend : backends) {
    Image<Out> result(shape, layout);
    result.memory() = poison;
    run(src, result, backend);
    ASSERT_TRUE(same_bits(result.memory(), first.memory())) << "other bits on " << text(backend);
  }
}

template <class In, class Out>
void check(const Filter<In, Out>& filter, Shape shape, Border border, Layout layout,
           const std::vector<sw::Backend>& backends) {
  SCOPED_TRACE(filter.name +
               (std::is_same_v<In, float> ? " f32 "
                : sizeof(In) == 1         ? " u8 "
                                          : " u16 ") +
               std::to_string(shape.width) + "x" + std::to_string(shape.height) + "x" + std::to_string(shape.channels) +
               " " + std::string(sw::name(border)) + " layout " + std::to_string(static_cast<int>(layout)) + " seed " +
               std::to_string(seed()));
  const Image<In> src = random_image<In>(shape, layout);
  const double outside = random_sample<In>();
  check_result<In, Out>(
      src, shape, other(layout),
      [&](sw::ImageView<const In> from, sw::ImageView<Out> to, const sw::Backend& backend) {
        filter.run(from, to, border, outside, backend);
      },
      [&](int x, int y, int k) { return filter.expected(src, x, y, k, border, outside); }, filter.tolerance, backends);
}

// Sizes round those of a vector of bytes or floats on each instruction set, and round a turn of the row loop.
inline const std::vector<int> widths = {1,  2,  3,  4,  5,  7,  8,  9,   15,  16,  17,  31,
                                        32, 33, 47, 63, 64, 65, 67, 127, 128, 129, 191, 257};
inline const std::vector<int> heights = {1, 2, 3, 4, 5, 6, 7, 9, 16, 23};

template <class In, class Out>
void check_shapes(const Filter<In, Out>& filter) {
  constexpr int channels[] = {1, 3, 4};
  const std::vector<sw::Backend> backends = every_backend();
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

// The call throws InvalidArgument with all `words` in its message, and leaves the result alone.
template <class T>
void expect_refused(Image<T>& dst, const std::function<void()>& call, const std::vector<std::string>& words) {
  dst.memory() = poisoned<T>(dst.shape(), Layout::part).memory();
  const std::vector<T> before = dst.memory();
  try {
    call();
    ADD_FAILURE() << "not refused, expected: " << testing::PrintToString(words);
  } catch (const sw::InvalidArgument& error) {
    for (const std::string& word : words) EXPECT_THAT(error.what(), testing::HasSubstr(word));
  }
  EXPECT_TRUE(same_bits(dst.memory(), before)) << "wrote before it refused: " << testing::PrintToString(words);
}

}  // namespace tests
