// SPDX-License-Identifier: Apache-2.0
#include "tests/image_filters.hpp"

#include "tests/allocations.hpp"

namespace {

using namespace tests;

struct Parameters {
  int diameter = 9;
  double sigma_color = 25;
  double sigma_space = 5;
};

template <class T>
Filter<T, T> bilateral(Parameters p) {
  return {"bilateral_filter " + std::to_string(p.diameter) + " " + std::to_string(p.sigma_color) + " " +
              std::to_string(p.sigma_space),
          [p](sw::ImageView<const T> src, sw::ImageView<T> dst, Border border, double value, sw::Backend backend) {
            sw::bilateral_filter(src, dst,
                                 {.diameter = p.diameter,
                                  .sigma_color = p.sigma_color,
                                  .sigma_space = p.sigma_space,
                                  .border = border,
                                  .border_value = value,
                                  .backend = backend});
          },
          [p](sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside) {
            const int radius = p.diameter / 2;
            const int colors = image.channels == 1 ? 1 : 3;
            double sum = 0;
            double weights = 0;
            for (int j = -radius; j <= radius; ++j) {
              for (int i = -radius; i <= radius; ++i) {
                if (std::sqrt(i * i + j * j) > radius) continue;
                double distance = 0;
                for (int k = 0; k < colors; ++k) {
                  distance += std::abs(sample_at(image, x + i, y + j, k, border, outside) -
                                       static_cast<double>(image(x, y, k)));
                }
                const double weight = std::exp(-std::pow(distance / p.sigma_color, 2) / 2 -
                                               std::pow(i / p.sigma_space, 2) / 2 - std::pow(j / p.sigma_space, 2) / 2);
                sum += weight * sample_at(image, x + i, y + j, channel, border, outside);
                weights += weight;
              }
            }
            return sum / weights;
          },
          std::is_integral_v<T> ? 0.53 : 3e-6 * float_range};
}

TEST(BilateralFilter, IsTheMeanOfItsWindowWeightedByDistance) {
  check_shapes(bilateral<std::uint8_t>({.diameter = 5}));
  check_shapes(bilateral<float>({.diameter = 5}));
}

// Windows that hold one pixel, or reach round the image more than once; weights that are all alike, or but the
// centre's.
TEST(BilateralFilter, AnyParameters) {
  const std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Threads{3}};
  constexpr int channels[] = {1, 3, 4};
  int turn = 0;
  for (const Parameters p : {Parameters{},
                             {1},
                             {3, 100, 0.5},
                             {5, 1, 1},
                             {7, 1e-200, 4},
                             {9, 1e200, 1e200},
                             {5, 30, 1e-200},
                             {5, 0.2, 4},
                             {31, 60, 8},
                             {43, 20, 12}}) {
    for (const Border border : all_borders) {
      const Layout layout = all_layouts[turn % 3];
      check(bilateral<std::uint8_t>(p), {19, 7, channels[turn % 3]}, border, layout, backends);
      check(bilateral<float>(p), {19, 7, channels[(turn + 1) % 3]}, border, layout, backends);
      ++turn;
    }
  }
}

TEST(BilateralFilter, KeepsConstantImages) {
  for (const int channels : {1, 3, 4}) {
    for (const int value : {0, 1, 77, 254, 255}) {
      Image<std::uint8_t> bytes({37, 9, channels}, Layout::part);
      Image<float> floats({37, 9, channels}, Layout::part);
      std::fill(bytes.memory().begin(), bytes.memory().end(), static_cast<std::uint8_t>(value));
      std::fill(floats.memory().begin(), floats.memory().end(), static_cast<float>(value) / 255);
      Image<std::uint8_t> bytes_out = bytes;
      Image<float> floats_out = floats;
      for (const double sigma : {0.01, 3.0, 25.0, 1e9}) {
        bytes_out.memory().assign(bytes.memory().size(), static_cast<std::uint8_t>(value + 100));
        sw::bilateral_filter(bytes, bytes_out, {.sigma_color = sigma});
        sw::bilateral_filter(floats, floats_out, {.sigma_color = sigma});
        for (int y = 0; y < 9; ++y) {
          for (int i = 0; i < 37 * channels; ++i) {
            ASSERT_EQ(bytes_out.view().row(y)[i], value);
            ASSERT_EQ(floats_out.view().row(y)[i], static_cast<float>(value) / 255);
          }
        }
      }
    }
  }
}

TEST(BilateralFilter, AllocatesNothingOnceWarm) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({64, 48, 3}, Layout::part);
  Image<std::uint8_t> dst({64, 48, 3}, Layout::part);
  sw::bilateral_filter(src, dst, {.backend = sw::Sequential{}});
  const long before = allocations();
  sw::bilateral_filter(src, dst, {.backend = sw::Sequential{}});
  EXPECT_EQ(allocations(), before);
}

TEST(BilateralFilter, RefusesBadOptions) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({9, 7, 1}, Layout::part);
  Image<std::uint8_t> dst({9, 7, 1}, Layout::part);
  for (const int diameter : {-1, 0, 2, 257}) {
    expect_refused(dst, [&] { sw::bilateral_filter(src, dst, {.diameter = diameter}); },
                   {"bilateral_filter", "diameter", std::to_string(diameter), "odd", "255"});
  }
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const double sigma : {0.0, -1.0, infinity, std::numeric_limits<double>::quiet_NaN()}) {
    expect_refused(dst, [&] { sw::bilateral_filter(src, dst, {.sigma_color = sigma}); }, {"sigma_color", "positive"});
    expect_refused(dst, [&] { sw::bilateral_filter(src, dst, {.sigma_space = sigma}); }, {"sigma_space", "positive"});
  }
  expect_refused(dst, [&] { sw::bilateral_filter(src, dst, {.border = static_cast<Border>(7)}); }, {"border", "7"});
  expect_refused(dst, [&] { sw::bilateral_filter(src, dst, {.border_value = std::nan("")}); }, {"border_value", "nan"});
}

}  // namespace
