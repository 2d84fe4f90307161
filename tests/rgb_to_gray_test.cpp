// SPDX-License-Identifier: Apache-2.0
#include "tests/image_filters.hpp"

namespace {

using namespace tests;

template <class T>
double expected_gray(sw::ImageView<const T> src, int x, int y) {
  if constexpr (std::is_integral_v<T>) {
    return (9798 * src(x, y, 0) + 19235 * src(x, y, 1) + 3735 * src(x, y, 2) + 16384) / 32768;
  } else {
    return 0.299 * src(x, y, 0) + 0.587 * src(x, y, 1) + 0.114 * src(x, y, 2);
  }
}

template <class T>
void check_gray(Shape shape, Layout layout, const std::vector<sw::Backend>& backends) {
  SCOPED_TRACE(std::to_string(shape.width) + "x" + std::to_string(shape.height) + "x" + std::to_string(shape.channels));
  const Image<T> src = random_image<T>(shape, layout);
  check_result<T, T>(
      src, {shape.width, shape.height, 1}, other(layout),
      [](sw::ImageView<const T> from, sw::ImageView<T> to, const sw::Backend& backend) {
        sw::rgb_to_gray(from, to, {.backend = backend});
      },
      [&](int x, int y, int) { return expected_gray(src.view(), x, y); },
      std::is_integral_v<T> ? 0 : 3e-7 * float_range, backends);
}

TEST(RgbToGray, IsTheWeightedSum) {
  const std::vector<sw::Backend> backends = every_backend();
  std::size_t turn = 0;
  const auto check_one = [&](int width, int height, int channels) {
    const Layout layout = all_layouts[turn % 3];
    const std::vector<sw::Backend> some = {sw::Sequential{}, backends[turn % backends.size()]};
    check_gray<std::uint8_t>({width, height, channels}, layout, some);
    check_gray<float>({width, height, channels}, layout, some);
    ++turn;
  };
  for (const int channels : {3, 4}) {
    // A step is of up to 32 pixels and reads up to 6 more; every rest of it.
    for (int width = 1; width <= 80; ++width) check_one(width, 3, channels);
    for (const int height : heights) check_one(257, height, channels);
  }
  check_gray<std::uint8_t>({1031, 63, 3}, Layout::part, backends);
  check_gray<float>({1031, 63, 4}, Layout::part, backends);
}

// Written past the caches, if they are as small as those of most cores.
TEST(RgbToGray, LargeImages) { check_gray<float>({2053, 1301, 3}, Layout::part, {sw::Sequential{}, sw::Threads{2}}); }

// What can't be missed: all 2^15 of 32 levels a channel, black and white among them.
TEST(RgbToGray, EveryColour) {
  constexpr int levels = 32;
  Image<std::uint8_t> src({levels * levels, levels, 3}, Layout::tight);
  for (int y = 0; y < levels; ++y) {
    for (int x = 0; x < levels * levels; ++x) {
      src.view()(x, y, 0) = static_cast<std::uint8_t>(y * 255 / (levels - 1));
      src.view()(x, y, 1) = static_cast<std::uint8_t>(x / levels * 255 / (levels - 1));
      src.view()(x, y, 2) = static_cast<std::uint8_t>(x % levels * 255 / (levels - 1));
    }
  }
  Image<std::uint8_t> dst = poisoned<std::uint8_t>({levels * levels, levels, 1}, Layout::part);
  sw::rgb_to_gray(src, dst);
  for (int y = 0; y < levels; ++y) {
    for (int x = 0; x < levels * levels; ++x) {
      ASSERT_EQ(dst.view()(x, y), expected_gray<std::uint8_t>(src, x, y)) << x << " " << y;
    }
  }
  EXPECT_EQ(dst.view()(levels * levels - 1, levels - 1), 255);
}

TEST(RgbToGray, WhiteStaysWhiteInFloat) {
  Image<float> src({19, 2, 3}, Layout::tight);
  std::fill(src.memory().begin(), src.memory().end(), 1.0F);
  Image<float> dst = poisoned<float>({19, 2, 1}, Layout::tight);
  sw::rgb_to_gray(src, dst);
  for (const float sample : dst.memory()) EXPECT_EQ(sample, 1.0F);
}

TEST(RgbToGray, EmptyImagesAreDone) {
  for (const auto& [width, height] : {std::pair{0, 0}, {0, 5}, {5, 0}}) {
    sw::rgb_to_gray(sw::ImageView<const float>(nullptr, width, height, 3),
                    sw::ImageView<float>(nullptr, width, height, 1));
  }
}

TEST(RgbToGray, RefusesBadImages) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({9, 7, 3}, Layout::part);
  Image<std::uint8_t> dst({9, 7, 1}, Layout::part);
  const sw::ImageView<const std::uint8_t> from = src;
  const sw::ImageView<std::uint8_t> to = dst;
  using Src = sw::ImageView<const std::uint8_t>;
  using Dst = sw::ImageView<std::uint8_t>;
  const auto refused = [&](Src bad_src, Dst bad_dst, const std::vector<std::string>& words) {
    expect_refused(
        dst, [&] { sw::rgb_to_gray(bad_src, bad_dst); }, words);
  };
  refused(Src(from.data, 9, 7, 1), to, {"rgb_to_gray", "src", "1 channel", "3 or 4"});
  refused(Src(from.data, 9, 7, 2), to, {"2 channels"});
  refused(from, Dst(to.data, 3, 2, 3), {"dst", "3 x 2 with 3 channels", "9 x 7 with 1 channels"});
  refused(from, Dst(to.data, 9, 6, 1), {"9 x 6"});
  refused(from, Dst(nullptr, 9, 7, 1), {"dst", "null"});
  refused(from, Dst(to.data, 9, 7, 1, 8), {"dst", "twice"});
  refused(Src(to.data, 3, 2, 3), Dst(to.data + 4, 3, 2, 1), {"dst", "src", "apart"});
}

}  // namespace
