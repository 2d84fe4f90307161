// SPDX-License-Identifier: Apache-2.0
#include "tests/image_filters.hpp"

namespace {

using namespace tests;

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

// Out of `whole`: from the edge inwards each takes on the rounding error of the one before, and the centre what is
// left.
std::vector<double> bell_out_of(double whole, int side, double sigma) {
  std::vector<double> weights = bell(side, sigma);
  double error = 0;
  double left = whole;
  for (int i = 0; i < side / 2; ++i) {
    const double exact = whole * weights[i] + error;
    const double rounded = std::nearbyint(exact);
    error = exact - rounded;
    weights[i] = weights[side - 1 - i] = rounded;
    left -= 2 * rounded;
  }
  weights[side / 2] = left;
  return weights;
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
    constexpr double whole = std::numeric_limits<T>::max() + 1.0;
    return {name, run,
            [wx = bell_out_of(whole, gauss.width, gauss.sigma), wy = bell_out_of(whole, gauss.height, sigma_y)](
                sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside) {
              return std::floor(window_sum(image, x, y, channel, border, outside, wx, wy) / (whole * whole) + 0.5);
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

TEST(GaussianBlur, IsTheWeightedSumOfItsWindow) {
  // Each radius that has code of its own, along x and along y.
  for (const Gauss gauss :
       {Gauss{1, 0, 5, 5}, {1.5, 0.8, 7, 3}, {0.7, 1.4, 3, 7}, {2, 0.9, 9, 3}, {0.7, 1.9, 3, 9}, {1.7, 0.6, 7, 1}}) {
    check_shapes(gaussian_blur_filter<std::uint8_t>(gauss));
    check_shapes(gaussian_blur_filter<float>(gauss));
  }
  check_shapes(gaussian_blur_filter<std::uint16_t>({0.8, 1.1, 3, 5}));
}

TEST(GaussianBlur, LargeSigma) {
  const Gauss gauss = {5, 0, 31, 31};
  for (const Border border : all_borders) {
    for (const Shape shape : {Shape{1, 1, 1}, {3, 50, 3}, {61, 4, 4}, {70, 33, 1}}) {
      check(gaussian_blur_filter<std::uint8_t>(gauss), shape, border, Layout::part, tests::every_backend());
      check(gaussian_blur_filter<float>(gauss), shape, border, Layout::part, tests::every_backend());
      check(gaussian_blur_filter<std::uint16_t>(gauss), shape, border, Layout::part, {sw::Sequential{}, sw::Tbb{2}});
    }
  }
}

// Where lines are turned into columns: as many rows as a vector has lanes and some that are left, rows of one block of
// columns and less, of several turns, and the smallest radius for which it is done.
TEST(GaussianBlur, WideFiltersOnManyRows) {
  const std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Threads{2}, sw::OpenMp{3}};
  const auto check_both = [&](Gauss gauss, Shape shape, Border border) {
    check(gaussian_blur_filter<std::uint8_t>(gauss), shape, border, Layout::part, backends);
    check(gaussian_blur_filter<float>(gauss), shape, border, Layout::part, backends);
  };
  std::size_t turn = 0;
  for (const int channels : {1, 3, 4}) {
    for (const int width : {3, 4, 5, 15, 16, 17, 40, 67}) {
      check_both({2.5, 1, 13, 3}, {width, 35, channels}, all_borders[turn++ % 5]);
    }
    check_both({2, 1, 11, 3}, {37, 35, channels}, all_borders[turn++ % 5]);
    check_both({4, 0.5, 15, 1}, {2500 / channels, 16, channels}, all_borders[turn++ % 5]);
  }
  check_both({3, 3, 17, 15}, {50, 40, 3}, Border::wrap);
}

// Rows of several turns of the row loop, the last one of any length.
TEST(GaussianBlur, LongRows) {
  const std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Threads{2}};
  for (const Border border : all_borders) {
    for (const int width : {1023, 1024, 1025, 1026, 2048, 2055, 4099}) {
      for (const int channels : {1, 3}) {
        check(gaussian_blur_filter<std::uint8_t>({1, 0, 5, 5}), {width, 3, channels}, border, Layout::part, backends);
        check(gaussian_blur_filter<float>({1.5, 0, 7, 3}), {width, 3, channels}, border, Layout::part, backends);
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

template <class T>
void check_white() {
  constexpr T brightest = std::numeric_limits<T>::max();
  Image<T> white({40, 30, 3}, Layout::tight);
  std::fill(white.memory().begin(), white.memory().end(), brightest);
  for (const Border border : all_borders) {
    for (const double sigma : {0.1, 0.3, 0.5, 0.8, 1.0, 1.3, 2.0, 3.7, 5.0, 12.0, 40.0}) {
      Image<T> result = poisoned<T>(white.shape(), Layout::tight);
      sw::gaussian_blur(white.view(), result, {.sigma = sigma, .border = border, .border_value = brightest});
      EXPECT_TRUE(same_bits(result.memory(), white.memory())) << "sigma " << sigma << ", " << sw::name(border);
    }
  }
}

TEST(GaussianBlur, WhiteStaysWhite) {
  check_white<std::uint8_t>();
  check_white<std::uint16_t>();
}

// An impulse shows the filter itself: how far it reaches is its size.
template <class T>
std::pair<int, int> reach(const sw::GaussianBlurOptions& options) {
  constexpr int side = 101;
  Image<T> src({side, side, 1}, Layout::tight);
  src.view()(side / 2, side / 2) = std::is_integral_v<T> ? std::numeric_limits<T>::max() : T(1e30);
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
  EXPECT_EQ(reach<std::uint16_t>({.sigma = 1}), std::pair(9, 9));
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

TEST(GaussianBlur, RefusesBadOptions) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({9, 7, 1}, Layout::part);
  Image<std::uint8_t> dst({9, 7, 1}, Layout::part);
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
}

}  // namespace
