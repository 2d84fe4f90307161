// SPDX-License-Identifier: Apache-2.0
#include <span>

#include "tests/convolutions.hpp"
#include "tests/image_filters.hpp"

namespace {

using namespace tests;

template <class T>
Filter<T, T> separable_filter(const std::vector<float>& row, const std::vector<float>& column) {
  return {"convolve_separable " + std::to_string(row.size()) + "x" + std::to_string(column.size()),
          [=](sw::ImageView<const T> src, sw::ImageView<T> dst, Border border, double value, sw::Backend backend) {
            sw::convolve_separable(src, row, column, dst,
                                   {.border = border, .border_value = value, .backend = backend});
          },
          [wx = std::vector<double>(row.begin(), row.end()), wy = std::vector<double>(column.begin(), column.end())](
              sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside) {
            return saturated<T>(window_sum(image, x, y, channel, border, outside, wx, wy));
          },
          tolerance<T>()};
}

template <class T>
Filter<T, T> random_filter(int width, int height) {
  return separable_filter<T>(random_weights(width), random_weights(height));
}

TEST(ConvolveSeparable, IsTheWeightedSumOfItsWindow) {
  for (const auto& [width, height] : {std::pair{3, 5}, {5, 1}, {1, 3}}) {
    check_shapes(random_filter<std::uint8_t>(width, height));
    check_shapes(random_filter<float>(width, height));
  }
}

// Wider than the image, and longer than the pieces of a row that are done at a time.
TEST(ConvolveSeparable, LargeKernelsAndLongRows) {
  for (const auto& [width, height] : {std::pair{7, 5}, {63, 1}, {1, 63}, {1, 1}}) {
    for (const Shape shape : {Shape{1, 1, 1}, {3, 7, 4}, {530, 1, 1}, {175, 5, 3}, {261, 2, 4}}) {
      for (const Border border : {Border::constant, Border::reflect, Border::wrap}) {
        check(random_filter<std::uint8_t>(width, height), shape, border, Layout::part,
              {sw::Sequential{}, sw::Threads{2}});
        check(random_filter<float>(width, height), shape, border, Layout::upside_down, {sw::Sequential{}, sw::Tbb{2}});
      }
    }
  }
}

TEST(ConvolveSeparable, AddsAlongColumnsThenAlongRows) {
  for (const auto& [width, height] : {std::pair{5, 5}, {3, 9}, {7, 1}, {1, 5}}) {
    const std::vector<float> row = random_weights(width);
    const std::vector<float> column = random_weights(height);
    const Shape shape = {541, 6, 1};
    const Image<float> src = random_image<float>(shape, Layout::part);
    Image<float> dst = poisoned<float>(shape, Layout::part);
    sw::convolve_separable(src, row, column, dst, {.border = Border::constant, .border_value = 3.25});
    const auto down = [&, height = height](int x, int y) {
      float sum = 0;
      for (int j = 0; j < height; ++j) {
        const double sample = sample_at(src.view(), x, y + j - height / 2, 0, Border::constant, 3.25);
        sum = multiply_add(column[static_cast<std::size_t>(j)], sample, sum);
      }
      return sum;
    };
    for (int y = 0; y < shape.height; ++y) {
      for (int x = 0; x < shape.width; ++x) {
        float sum = 0;
        for (int i = 0; i < width; ++i) {
          sum = multiply_add(row[static_cast<std::size_t>(i)], down(x + i - width / 2, y), sum);
        }
        ASSERT_EQ(dst.view()(x, y), sum) << "at (" << x << ", " << y << ")";
      }
    }
  }
}

TEST(ConvolveSeparable, WhiteStaysWhite) {
  Image<std::uint8_t> white({70, 30, 3}, Layout::tight);
  std::fill(white.memory().begin(), white.memory().end(), std::uint8_t{255});
  for (const int side : {1, 3, 11, 63}) {
    Image<std::uint8_t> result = poisoned<std::uint8_t>(white.shape(), Layout::tight);
    const std::vector<float> mean(static_cast<std::size_t>(side), 1.0F / static_cast<float>(side));
    sw::convolve_separable(white, mean, mean, result);
    EXPECT_TRUE(same_bits(result.memory(), white.memory())) << side;
  }
}

// Weights so large that sums overflow.
TEST(ConvolveSeparable, WhatIsNoNumberGivesZeroInBytes) {
  Image<std::uint8_t> white({70, 9, 1}, Layout::tight);
  std::fill(white.memory().begin(), white.memory().end(), std::uint8_t{255});
  Image<std::uint8_t> result = poisoned<std::uint8_t>(white.shape(), Layout::tight);
  const std::vector<float> column = {3e38F, 3e38F, 3e38F};
  for (const auto& [last, expected] : {std::pair{1.0F, 255}, {-1.0F, 0}, {0.0F, 0}}) {
    sw::convolve_separable(white, std::vector<float>{1, 1, last}, column, result);
    for (const std::uint8_t sample : result.memory()) ASSERT_EQ(sample, expected) << "last weight " << last;
  }
}

TEST(ConvolveSeparable, RefusesBadKernels) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({9, 7, 1}, Layout::part);
  Image<std::uint8_t> dst({9, 7, 1}, Layout::part);
  std::vector<float> weights(65, 0.5F);
  const std::span<const float> all(weights);
  const std::span<const float> good = all.first(3);
  const auto refused = [&](std::span<const float> row, std::span<const float> column,
                           const std::vector<std::string>& words) {
    expect_refused(
        dst, [&] { sw::convolve_separable(src, row, column, dst); }, words);
  };
  refused({}, good, {"convolve_separable", "row", "0 elements", "odd number from 1 to 63"});
  refused(good, all.first(4), {"column", "4 elements"});
  refused(good, all, {"column", "65 elements"});
  refused(std::span<const float>(static_cast<const float*>(nullptr), 3), good, {"row", "null"});
  weights[1] = std::numeric_limits<float>::infinity();
  refused(good, all.first(1), {"row", "inf", "finite"});
}

}  // namespace
