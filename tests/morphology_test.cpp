// SPDX-License-Identifier: Apache-2.0
#include "tests/image_filters.hpp"

namespace {

using namespace tests;

struct Side {
  int width;
  int height;
};

enum class Way { erode, dilate };

template <class T>
Filter<T, T> morphology_filter(Way way, Side side) {
  return {(way == Way::erode ? "erode " : "dilate ") + std::to_string(side.width) + "x" + std::to_string(side.height),
          [=](sw::ImageView<const T> src, sw::ImageView<T> dst, Border border, double value, sw::Backend backend) {
            const auto [width, height] = side;
            if (way == Way::erode) {
              sw::erode(src, dst, {width, height, border, value, backend});
            } else {
              sw::dilate(src, dst, {width, height, border, value, backend});
            }
          },
          [=](sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside) {
            const int left = x - side.width / 2;
            const int top = y - side.height / 2;
            double extremum = sample_at(image, left, top, channel, border, outside);
            for (int j = top; j < top + side.height; ++j) {
              for (int i = left; i < left + side.width; ++i) {
                const double sample = sample_at(image, i, j, channel, border, outside);
                extremum = way == Way::erode ? std::min(extremum, sample) : std::max(extremum, sample);
              }
            }
            return extremum;
          },
          0};
}

template <class T>
void check_both(Side side, Shape shape, Border border,
                const std::vector<sw::Backend>& backends = {sw::Sequential{}, sw::Threads{2}}) {
  check(morphology_filter<T>(Way::erode, side), shape, border, Layout::part, backends);
  check(morphology_filter<T>(Way::dilate, side), shape, border, Layout::part, backends);
}

TEST(Morphology, IsTheExtremumOfItsWindow) {
  check_shapes(morphology_filter<float>(Way::dilate, {3, 4}));
  check_shapes(morphology_filter<std::uint8_t>(Way::erode, {8, 3}));
}

// Each window made of windows, and sides that are compared directly in one direction and not in the other.
TEST(Morphology, EverySide) {
  for (int side = 1; side <= 40; ++side) {
    const Border border = all_borders[side % 5];
    for (const Side s : {Side{side, 1}, {1, side}, {side, 3}}) {
      check_both<std::uint8_t>(s, {75, 30, 1}, border);
      check_both<float>(s, {30, 50, 1}, border);
    }
  }
}

// Images smaller than the window.
TEST(Morphology, SmallImages) {
  for (const Border border : all_borders) {
    for (const Shape shape : {Shape{1, 1, 1}, {3, 40, 3}, {45, 4, 4}}) {
      for (const Side side : {Side{31, 31}, {16, 9}, {2, 2}}) {
        check_both<std::uint8_t>(side, shape, border);
        check_both<float>(side, shape, border);
      }
    }
  }
}

// Sides whose far ends can't matter any more, and the longest there are.
TEST(Morphology, HugeSides) {
  for (const Border border : all_borders) {
    for (const Shape shape : {Shape{1, 1, 1}, {5, 4, 1}, {2, 7, 3}}) {
      for (int side = 6; side <= 44; side += 3) check_both<std::uint8_t>({side, side / 2}, shape, border);
    }
  }
  const Shape shape = {50, 40, 1};
  const Image<float> src = random_image<float>(shape, Layout::part);
  float least = src.view()(0, 0, 0);
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x) least = std::min(least, src.view()(x, y, 0));
  }
  const int most = std::numeric_limits<int>::max();
  for (const Border border : {Border::replicate, Border::reflect, Border::reflect_101, Border::wrap}) {
    Image<float> dst = poisoned<float>(shape, Layout::part);
    sw::erode(src, dst, {.width = most, .height = most - 1, .border = border});
    for (int y = 0; y < shape.height; ++y) {
      for (int x = 0; x < shape.width; ++x) ASSERT_EQ(dst.view()(x, y, 0), least) << x << " " << y;
    }
  }
}

// Rows of several turns of the row loop and of several panels, strips that begin anywhere.
TEST(Morphology, LongRowsAndTallImages) {
  for (const Border border : all_borders) {
    for (const int width : {1023, 1025, 4099}) {
      for (const int channels : {1, 3}) {
        check(morphology_filter<std::uint8_t>(Way::erode, {3, 3}), {width, 3, channels}, border, Layout::tight,
              {sw::Sequential{}});
        check(morphology_filter<float>(Way::dilate, {8, 7}), {width, 2, channels}, border, Layout::tight,
              {sw::Sequential{}});
      }
    }
    check(morphology_filter<std::uint8_t>(Way::dilate, {15, 7}), {30000, 2, 1}, border, Layout::part,
          {sw::Sequential{}});
    check_both<std::uint8_t>({3, 15}, {5, 400, 1}, border, every_backend());
    check_both<float>({3, 26}, {5, 400, 1}, border, every_backend());
  }
}

TEST(Morphology, LargeImages) {
  for (const Side side : {Side{3, 2}, {9, 8}}) check_large(morphology_filter<std::uint8_t>(Way::dilate, side));
}

// By default nothing comes in from beyond the edge, not even where an image holds the greatest float or infinities.
TEST(Morphology, DefaultBorderIsNeutral) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const int side : {3, 9}) {
    for (const float value : {0.0F, -infinity, infinity, std::numeric_limits<float>::max()}) {
      Image<float> src({13, 11, 1}, Layout::tight);
      std::fill(src.memory().begin(), src.memory().end(), value);
      Image<float> dst({13, 11, 1}, Layout::tight);
      sw::erode(src, dst, {.width = side, .height = side});
      EXPECT_TRUE(same_bits(dst.memory(), src.memory())) << value;
      std::fill(dst.memory().begin(), dst.memory().end(), 3.0F);
      sw::dilate(src, dst, {.width = side, .height = side});
      EXPECT_TRUE(same_bits(dst.memory(), src.memory())) << value;
    }
    for (const std::uint8_t value : {0, 7, 255}) {
      Image<std::uint8_t> src({13, 11, 3}, Layout::tight);
      std::fill(src.memory().begin(), src.memory().end(), value);
      Image<std::uint8_t> dst({13, 11, 3}, Layout::tight);
      sw::erode(src, dst, {.width = side});
      EXPECT_TRUE(same_bits(dst.memory(), src.memory())) << value;
      std::fill(dst.memory().begin(), dst.memory().end(), 3);
      sw::dilate(src, dst, {.width = side});
      EXPECT_TRUE(same_bits(dst.memory(), src.memory())) << value;
    }
  }
}

TEST(Morphology, RefusesBadOptions) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({9, 7, 1}, Layout::part);
  Image<std::uint8_t> dst({9, 7, 1}, Layout::part);
  for (const int side : {0, -3}) {
    const std::string given = std::to_string(side);
    expect_refused(dst, [&] { sw::erode(src, dst, {.width = side}); }, {"erode", "width", given, "at least 1"});
    expect_refused(dst, [&] { sw::dilate(src, dst, {.height = side}); }, {"dilate", "height", given, "at least 1"});
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  expect_refused(dst, [&] { sw::dilate(src, dst, {.border_value = nan}); }, {"dilate", "border_value"});
}

}  // namespace
