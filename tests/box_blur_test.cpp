// SPDX-License-Identifier: Apache-2.0
#include "tests/image_filters.hpp"

namespace {

using namespace tests;

struct Side {
  int width;
  int height;
};

template <class T>
Filter<T, T> box_blur_filter(Side side) {
  return {
      "box_blur " + std::to_string(side.width) + "x" + std::to_string(side.height),
      [side](sw::ImageView<const T> src, sw::ImageView<T> dst, Border border, double value, sw::Backend backend) {
        sw::box_blur(
            src, dst,
            {.width = side.width, .height = side.height, .border = border, .border_value = value, .backend = backend});
      },
      [side, wx = std::vector<double>(side.width, 1), wy = std::vector<double>(side.height, 1)](
          sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside) {
        const double sum = window_sum(image, x, y, channel, border, outside, wx, wy);
        const double area = static_cast<double>(side.width) * side.height;
        // Sums of integers below 2^53 are exact in double, and so is the integer part of a quotient that is a
        // multiple of 1 / area.
        return std::is_integral_v<T> ? std::floor((sum + std::floor(area / 2) + 0.25) / area) : sum / area;
      },
      std::is_integral_v<T> ? 0 : 1e-6 * float_range};
}

template <class T>
void check_each(const std::vector<Side>& sides, const std::vector<Shape>& shapes,
                const std::vector<sw::Backend>& backends = {sw::Sequential{}, sw::Threads{2}, sw::Tbb{3}}) {
  for (const Border border : all_borders) {
    for (const Side side : sides) {
      for (const Shape shape : shapes) check(box_blur_filter<T>(side), shape, border, Layout::part, backends);
    }
  }
}

TEST(BoxBlur, IsTheMeanOfItsWindow) {
  check_shapes(box_blur_filter<std::uint8_t>({3, 3}));
  check_shapes(box_blur_filter<float>({9, 3}));
}

// Each sum of sums, and sides up to the longest that are added up directly in one direction and not in the other.
TEST(BoxBlur, EverySide) {
  for (int side = 1; side <= 41; side += 2) {
    const Shape shape = {75, 50, 1};
    const std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Threads{2}};
    for (const Side s : {Side{side, 1}, {1, side}, {side, 3}}) {
      check(box_blur_filter<std::uint8_t>(s), shape, Border::reflect_101, Layout::part, backends);
      check(box_blur_filter<std::uint16_t>(s), shape, Border::wrap, Layout::part, backends);
      check(box_blur_filter<float>(s), shape, Border::constant, Layout::part, backends);
    }
  }
}

// Images smaller than the window.
TEST(BoxBlur, SmallImages) {
  const std::vector<Shape> shapes = {{1, 1, 1}, {3, 40, 3}, {45, 4, 4}};
  check_each<std::uint8_t>({{31, 31}, {3, 9}, {13, 5}}, shapes);
  check_each<std::uint16_t>({{31, 31}, {3, 9}}, shapes);
  check_each<float>({{31, 31}, {3, 9}}, shapes);
}

// Sums in each of the types, up to areas where one follows the other.
TEST(BoxBlur, LargeAreas) {
  const std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Threads{2}};
  const Shape shape = {40, 30, 1};
  for (const Side side : {Side{15, 17}, {257, 1}, {85, 3}, {87, 3}, {127, 129}, {4095, 5}, {5, 4095}}) {
    check(box_blur_filter<std::uint8_t>(side), {std::max(side.width, side.height) > 1000 ? 3 : 40, 3, 1},
          Border::reflect, Layout::part, backends);
  }
  for (const Side side : {Side{7, 9}, {9, 7}, {65, 1}, {21, 3}}) {
    check(box_blur_filter<std::uint16_t>(side), shape, Border::wrap, Layout::part, backends);
  }
}

// Each mean that 16 bits, float and double are to give, at the sums round where it changes: an image of one row and two
// values, of which the windows hold any number.
TEST(BoxBlur, RoundsHalfUpAtEveryArea) {
  for (const int side : {3, 5, 9, 15, 27, 85, 127, 129, 255, 257, 1023, 4095}) {
    for (const int low : {0, 1, 127, 254}) {
      Image<std::uint8_t> src({2 * side, 1, 1}, Layout::tight);
      Image<std::uint8_t> dst({2 * side, 1, 1}, Layout::tight);
      for (int x = 0; x < 2 * side; ++x) src.view()(x, 0, 0) = static_cast<std::uint8_t>(x < side ? low : low + 1);
      for (const int height : {1, 3}) {
        sw::box_blur(src, dst, {.width = side, .height = height});
        for (int x = side / 2; x < 2 * side - side / 2; ++x) {
          const int high = std::max(0, x + side / 2 - side + 1);  // so many in the window
          ASSERT_EQ(dst.view()(x, 0, 0), low + (2 * high >= side ? 1 : 0)) << side << " " << height << " " << x;
        }
      }
    }
  }
}

// Rows of several turns of the row loop and of several panels.
TEST(BoxBlur, LongRows) {
  for (const int width : {1023, 1025, 2055, 4099}) {
    for (const int channels : {1, 3}) {
      const std::vector<Shape> shapes = {{width, 3, channels}};
      check_each<std::uint8_t>({{3, 3}}, shapes, {sw::Sequential{}});
    }
  }
  check_each<std::uint8_t>({{13, 3}}, {{40000, 2, 1}}, {sw::Sequential{}});
  check_each<float>({{3, 9}}, {{12345, 2, 1}}, {sw::Sequential{}});
  check_each<float>({{9, 1}}, {{4099, 2, 3}}, {sw::Sequential{}});
}

// Strips that begin anywhere, whose sums slide.
TEST(BoxBlur, TallImages) {
  const std::vector<Shape> shapes = {{5, 400, 1}};
  check_each<std::uint8_t>({{1, 15}, {3, 9}}, shapes, every_backend());
  check_each<float>({{1, 15}, {3, 9}}, shapes, every_backend());
}

TEST(BoxBlur, LargeImages) { check_large(box_blur_filter<std::uint8_t>({9, 11})); }

template <class T>
void white_stays_white(T white, int side) {
  Image<T> src({70, 60, 1}, Layout::tight);
  std::fill(src.memory().begin(), src.memory().end(), white);
  Image<T> dst = poisoned<T>({70, 60, 1}, Layout::tight);
  sw::box_blur(src, dst, {.width = side, .height = side});
  EXPECT_TRUE(same_bits(src.memory(), dst.memory())) << side;
}

TEST(BoxBlur, WhiteStaysWhite) {
  for (const int side : {3, 5, 11, 15, 31, 127, 129}) {
    white_stays_white<std::uint8_t>(255, side);
    white_stays_white<std::uint16_t>(65535, side);
    white_stays_white<float>(1, side);
  }
}

// float: the order that the header promises, bit for bit, whatever the strip, the panel and the instruction set.
float sum_in_order(const std::vector<float>& samples, int first, int n) {
  const auto at = [&](int i) { return samples[static_cast<std::size_t>(i)]; };
  if (n <= 7) {
    float sum = at(first);
    for (int i = 1; i < n; ++i) sum += at(first + i);
    return sum;
  }
  const int k = n / 3;
  float sum = sum_in_order(samples, first, k) + sum_in_order(samples, first + k, k);
  sum += sum_in_order(samples, first + 2 * k, k);
  for (int i = 3 * k; i < n; ++i) sum += at(first + i);
  return sum;
}

TEST(BoxBlur, FloatsAreAddedUpInTheOrderPromised) {
  const Shape shape = {700, 90, 1};
  for (const Side side : {Side{3, 5}, {7, 7}, {31, 31}, {25, 9}, {67, 3}}) {
    const Image<float> src = random_image<float>(shape, Layout::tight);
    Image<float> dst(shape, Layout::tight);
    for (const sw::Backend& backend : {sw::Backend(sw::Sequential{}), sw::Backend(sw::Threads{3})}) {
      sw::box_blur(src, dst, {.width = side.width, .height = side.height, .border = Border::wrap, .backend = backend});
      for (const int x : {0, 5, 333, 699}) {
        for (int y = 0; y < shape.height; ++y) {
          std::vector<float> sums;
          for (int i = -(side.width / 2); i <= side.width / 2; ++i) {
            std::vector<float> column;
            for (int j = -(side.height / 2); j <= side.height / 2; ++j) {
              column.push_back(src.view()((x + i + 700) % 700, (y + j + 90) % 90, 0));
            }
            sums.push_back(sum_in_order(column, 0, side.height));
          }
          const float area = static_cast<float>(side.width * side.height);
          ASSERT_EQ(dst.view()(x, y, 0), sum_in_order(sums, 0, side.width) / area) << x << " " << y;
        }
      }
    }
  }
}

TEST(BoxBlur, NansAndInfinitiesSpoilTheirWindowOnly) {
  const Shape shape = {80, 70, 1};
  Image<float> src = random_image<float>(shape, Layout::tight);
  src.view()(40, 30, 0) = std::numeric_limits<float>::infinity();
  src.view()(41, 30, 0) = std::numeric_limits<float>::quiet_NaN();
  Image<float> dst(shape, Layout::tight);
  sw::box_blur(src, dst, {.width = 15, .height = 11, .backend = sw::Sequential{}});
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x) {
      const bool spoiled = std::abs(y - 30) <= 5 && x >= 40 - 7 && x <= 41 + 7;
      ASSERT_EQ(std::isfinite(dst.view()(x, y, 0)), !spoiled) << x << " " << y;
    }
  }
}

TEST(BoxBlur, RefusesBadOptions) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({9, 7, 1}, Layout::part);
  Image<std::uint8_t> dst({9, 7, 1}, Layout::part);
  for (const int side : {0, -3, 4, 4097}) {
    expect_refused(dst, [&] { sw::box_blur(src, dst, {.width = side}); }, {"width", std::to_string(side), "4095"});
    expect_refused(dst, [&] { sw::box_blur(src, dst, {.height = side}); }, {"height", std::to_string(side), "4095"});
  }
}

}  // namespace
