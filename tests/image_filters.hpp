// SPDX-License-Identifier: Apache-2.0
// What the tests of all image filters share: images in memory, borders found by walking, and a filter on every backend
// against the obvious loop over its window, in integers or in double. Defined in image_filters.cpp, for the types that
// filters have, so that not every test compiles it.
#pragma once

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
Image<T> random_image(Shape shape, Layout layout);

// Of one value, NaN in floats.
template <class T>
Image<T> poisoned(Shape shape, Layout layout);

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

// The sum of the samples round one, times the weights of its column and of its row.
template <class T>
double window_sum(sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside,
                  const std::vector<double>& wx, const std::vector<double>& wy);

// Sizes round those of a vector of bytes or floats on each instruction set, and round a turn of the row loop.
inline const std::vector<int> widths = {1,  2,  3,  4,  5,  7,  8,  9,   15,  16,  17,  31,
                                        32, 33, 47, 63, 64, 65, 67, 127, 128, 129, 191, 257};
inline const std::vector<int> heights = {1, 2, 3, 4, 5, 6, 7, 9, 16, 23};

// ---- Checks, which fail the test that calls them

// Runs a filter on every backend; each result must be what is expected, bit for bit the same, and stay in its image.
template <class In, class Out>
void check_result(const Image<In>& src, Shape shape, Layout layout,
                  const std::function<void(sw::ImageView<const In>, sw::ImageView<Out>, sw::Backend)>& run,
                  const std::function<double(int x, int y, int channel)>& expected_at, double tolerance,
                  const std::vector<sw::Backend>& backends);

// The same of an image of random samples.
template <class In, class Out>
void check(const Filter<In, Out>& filter, Shape shape, Border border, Layout layout,
           const std::vector<sw::Backend>& backends);

// All borders, sizes round those of a vector of bytes or floats on each instruction set, channels, layouts, backends.
template <class In, class Out>
void check_shapes(const Filter<In, Out>& filter);

// Source and result, 295 MB in float, exceed the caches of nearly every machine, so that the result goes past them.
// Some rows are compared with the reference, all with each other.
template <class In, class Out>
void check_large(const Filter<In, Out>& filter);

// The call throws InvalidArgument with all `words` in its message, and leaves the result alone.
template <class T>
void expect_refused(Image<T>& dst, const std::function<void()>& call, const std::vector<std::string>& words);

}  // namespace tests
