// SPDX-License-Identifier: Apache-2.0
#include "tests/allocations.hpp"
#include "tests/convolutions.hpp"

namespace {

using namespace tests;

// A kernel and the memory it is in.
struct Kernel {
  int width;
  int height;
  std::vector<float> weights;  // by rows

  float operator()(int j, int i) const { return weights[static_cast<std::size_t>(j * width + i)]; }
  sw::MatrixView<const float> view() const { return {weights.data(), height, width}; }
};

Kernel random_kernel(int width, int height) { return {width, height, random_weights(width * height)}; }

Kernel product(const std::vector<float>& row, const std::vector<float>& column) {
  Kernel kernel = {static_cast<int>(row.size()), static_cast<int>(column.size()), {}};
  for (const float y : column) {
    for (const float x : row) kernel.weights.push_back(y * x);
  }
  return kernel;
}

template <class T>
Filter<T, T> convolve_filter(const Kernel& kernel, double bias) {
  return {"convolve " + std::to_string(kernel.width) + "x" + std::to_string(kernel.height),
          [=](sw::ImageView<const T> src, sw::ImageView<T> dst, Border border, double value, sw::Backend backend) {
            sw::convolve(src, kernel.view(), dst,
                         {.bias = bias, .border = border, .border_value = value, .backend = backend});
          },
          [=](sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside) {
            double sum = bias;
            for (int j = 0; j < kernel.height; ++j) {
              for (int i = 0; i < kernel.width; ++i) {
                sum += kernel(j, i) *
                       sample_at(image, x + i - kernel.width / 2, y + j - kernel.height / 2, channel, border, outside);
              }
            }
            return saturated<T>(sum);
          },
          tolerance<T>()};
}

TEST(Convolve, IsTheWeightedSumOfItsWindow) {
  for (const auto& [width, height, bias] : {std::tuple{5, 3, 11.5}, {1, 5, -3.0}, {3, 1, 0.0}}) {
    check_shapes(convolve_filter<std::uint8_t>(random_kernel(width, height), bias));
    check_shapes(convolve_filter<float>(random_kernel(width, height), bias));
  }
}

TEST(Convolve, LargeKernels) {
  for (const auto& [width, height] : {std::pair{11, 11}, {63, 63}, {63, 3}, {1, 63}, {1, 1}}) {
    for (const Shape shape : {Shape{1, 1, 1}, {2, 6, 4}, {25, 5, 3}}) {
      for (const Border border : {Border::constant, Border::reflect, Border::wrap}) {
        check(convolve_filter<std::uint8_t>(random_kernel(width, height), 0.25), shape, border, Layout::part,
              {sw::Sequential{}, sw::Threads{2}});
        check(convolve_filter<float>(random_kernel(width, height), 0.25), shape, border, Layout::upside_down,
              {sw::Sequential{}, sw::Tbb{2}});
      }
    }
  }
}

TEST(Convolve, SeparableKernels) {
  for (const auto& [width, height] : {std::pair{5, 7}, {7, 5}, {63, 3}, {11, 31}}) {
    const Kernel kernel = product(random_weights(width), random_weights(height));
    for (const Shape shape : {Shape{1, 1, 1}, {200, 5, 3}, {31, 13, 4}}) {
      for (const Border border : {Border::constant, Border::reflect_101, Border::wrap}) {
        check(convolve_filter<std::uint8_t>(kernel, 4.5), shape, border, Layout::part,
              {sw::Sequential{}, sw::Threads{3}});
        check(convolve_filter<float>(kernel, 4.5), shape, border, Layout::part, {sw::Sequential{}, sw::OpenMp{2}});
      }
    }
  }
}

// The sum in the order that the header promises.
float chain(sw::ImageView<const float> image, const Kernel& kernel, int x, int y, float bias) {
  float sum = bias;
  for (int j = 0; j < kernel.height; ++j) {
    for (int i = 0; i < kernel.width; ++i) {
      const double sample = sample_at(image, x + i - kernel.width / 2, y + j - kernel.height / 2, 0, Border::wrap, 0);
      sum = multiply_add(kernel(j, i), sample, sum);
    }
  }
  return sum;
}

TEST(Convolve, AddsInTheOrderOfTheKernel) {
  for (const auto& [width, height] : {std::pair{5, 5}, {3, 9}, {7, 1}, {1, 5}}) {
    const Kernel kernel = random_kernel(width, height);
    for (const Shape shape : {Shape{141, 11, 1}, {7, 5, 1}, {1, 9, 1}}) {
      const Image<float> src = random_image<float>(shape, Layout::part);
      Image<float> dst = poisoned<float>(shape, Layout::part);
      sw::convolve(src, kernel.view(), dst, {.bias = 0.3, .border = Border::wrap});
      for (int y = 0; y < shape.height; ++y) {
        for (int x = 0; x < shape.width; ++x) ASSERT_EQ(dst.view()(x, y), chain(src, kernel, x, y, 0.3F));
      }
    }
  }
}

// A kernel that is a product is applied as one, with the bits that convolve_separable has; one that isn't, by a little,
// is not.
TEST(Convolve, SeparatesWhatIsAProduct) {
  const Shape shape = {70, 20, 1};
  const Image<float> src = random_image<float>(shape, Layout::part);
  // Exact in float, with the largest element in the first place.
  const std::vector<float> row = {4, 1, -2, 3, 0, 1, 2};
  const std::vector<float> column = {1, 0.25F, 0, -0.5F, 0.75F, 0.125F, -1};
  Kernel kernel = product(row, column);
  Image<float> separated = poisoned<float>(shape, Layout::part);
  Image<float> at_once = poisoned<float>(shape, Layout::part);
  sw::convolve_separable(src, row, column, separated);
  sw::convolve(src, kernel.view(), at_once);
  EXPECT_TRUE(same_bits(separated.memory(), at_once.memory()));

  kernel.weights[8] *= 1 + 0x1p-20F;
  sw::convolve(src, kernel.view(), at_once, {.border = Border::wrap});
  for (int x = 0; x < shape.width; ++x) ASSERT_EQ(at_once.view()(x, 9), chain(src, kernel, x, 9, 0));
}

TEST(Convolve, KernelsMayHaveAnyStrides) {
  const Shape shape = {40, 12, 3};
  const Image<std::uint8_t> src = random_image<std::uint8_t>(shape, Layout::part);
  const Kernel kernel = random_kernel(5, 7);
  Image<std::uint8_t> expected = poisoned<std::uint8_t>(shape, Layout::part);
  Image<std::uint8_t> result = expected;
  sw::convolve(src, kernel.view(), expected);
  std::vector<float> apart(5 * 7 * 3, std::numeric_limits<float>::quiet_NaN());
  const sw::MatrixView<float> upwards(apart.data() + 6, 7, 5, 15, -1);  // mirrored, with gaps
  for (int j = 0; j < 7; ++j) {
    for (int i = 0; i < 5; ++i) upwards(j, i) = kernel(j, i);
  }
  sw::convolve(src, upwards, result);
  EXPECT_TRUE(same_bits(expected.memory(), result.memory()));
}

// Halves go to even, what is too small or too large to the ends.
TEST(Convolve, RoundsBytesToNearestEven) {
  Image<std::uint8_t> src({256, 1, 1}, Layout::tight);
  for (int x = 0; x < 256; ++x) src.view()(x, 0) = static_cast<std::uint8_t>(x);
  Image<std::uint8_t> dst = poisoned<std::uint8_t>(src.shape(), Layout::tight);
  for (const auto& [weight, bias] : {std::pair{0.5F, 0.0}, {2.0F, -120.0}, {-1.5F, 300.25}, {1e30F, -1e20}}) {
    sw::convolve(src, sw::MatrixView<const float>(&weight, 1, 1), dst, {.bias = bias});
    for (int x = 0; x < 256; ++x) {
      const double sum = std::clamp(x * static_cast<double>(weight) + bias, 0.0, 255.0);
      ASSERT_EQ(dst.view()(x, 0), std::nearbyint(sum)) << x << " * " << weight << " + " << bias;
    }
  }
}

// NaN and infinity reach exactly the windows that they are in, whatever the weight.
TEST(Convolve, NanAndInfinitySpreadOverTheWindow) {
  for (const bool separable : {false, true}) {
    Kernel kernel = separable ? product({1, 0, 2, 0, 1, 3, 1}, {1, 0, 0, 2, 1}) : random_kernel(7, 5);
    if (!separable) kernel.weights[9] = 0;
    for (const float special : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      Image<float> src = random_image<float>({80, 30, 1}, Layout::part);
      Image<float> dst = poisoned<float>(src.shape(), Layout::part);
      src.view()(40, 15) = special;
      sw::convolve(src, kernel.view(), dst);
      for (int y = 0; y < 30; ++y) {
        for (int x = 0; x < 80; ++x) {
          const bool inside = std::abs(x - 40) <= 3 && std::abs(y - 15) <= 2;
          ASSERT_EQ(std::isfinite(dst.view()(x, y)), !inside) << x << ", " << y;
          if (!inside) continue;
          const float product = kernel(15 - y + 2, 40 - x + 3) * special;
          ASSERT_EQ(std::isnan(dst.view()(x, y)), std::isnan(product)) << x << ", " << y;
        }
      }
    }
  }
}

TEST(Convolve, WhiteStaysWhite) {
  Image<std::uint8_t> white({70, 30, 3}, Layout::tight);
  std::fill(white.memory().begin(), white.memory().end(), std::uint8_t{255});
  for (const int side : {3, 5, 11, 63}) {
    Image<std::uint8_t> result = poisoned<std::uint8_t>(white.shape(), Layout::tight);
    const std::vector<float> mean(static_cast<std::size_t>(side * side), 1.0F / static_cast<float>(side * side));
    sw::convolve(white, sw::MatrixView<const float>(mean.data(), side, side), result);
    EXPECT_TRUE(same_bits(result.memory(), white.memory())) << side;
  }
}

TEST(Convolve, RefusesBadKernels) {
  const Image<float> src = random_image<float>({9, 7, 1}, Layout::part);
  Image<float> dst({9, 7, 1}, Layout::part);
  std::vector<float> weights(65 * 65, 0.5F);
  const auto refused = [&](int height, int width, const std::vector<std::string>& words) {
    expect_refused(
        dst, [&] { sw::convolve(src, sw::MatrixView<const float>(weights.data(), height, width), dst); }, words);
  };
  refused(4, 3, {"convolve", "4 rows", "odd number from 1 to 63"});
  refused(3, 2, {"2 columns"});
  refused(0, 0, {"0 columns"});
  refused(65, 1, {"65 rows"});
  refused(1, 65, {"65 columns"});
  weights[4] = std::numeric_limits<float>::quiet_NaN();
  refused(3, 3, {"element of kernel", "nan", "finite"});
  expect_refused(dst, [&] { sw::convolve(src, sw::MatrixView<const float>(nullptr, 3, 3), dst); }, {"kernel", "null"});
  weights[4] = 1;
  for (const double bias : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    expect_refused(dst,
                   [&] { sw::convolve(src, sw::MatrixView<const float>(weights.data(), 3, 3), dst, {.bias = bias}); },
                   {"bias", "finite"});
  }
}

TEST(Convolve, AllocatesNothingWarm) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({100, 50, 3}, Layout::part);
  Image<std::uint8_t> dst({100, 50, 3}, Layout::part);
  const Kernel kernel = random_kernel(63, 63);
  const auto run = [&] { sw::convolve(src, kernel.view(), dst, {.backend = sw::Sequential{}}); };
  run();
  const long before = allocations();
  run();
  EXPECT_EQ(allocations(), before);
}

}  // namespace
