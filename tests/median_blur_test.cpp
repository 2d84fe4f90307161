// SPDX-License-Identifier: Apache-2.0
#include "tests/image_filters.hpp"

namespace {

using namespace tests;

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

TEST(MedianBlur, IsTheMiddleOfItsWindow) {
  check_shapes(median_blur_filter<std::uint8_t>());
  check_shapes(median_blur_filter<float>());
}

// Rows of several turns of the row loop, the last one of any length.
TEST(MedianBlur, LongRows) {
  const std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Threads{2}};
  for (const Border border : all_borders) {
    for (const int width : {1023, 1024, 1025, 1026, 2048, 2055, 4099}) {
      for (const int channels : {1, 3}) {
        check(median_blur_filter<std::uint8_t>(), {width, 3, channels}, border, Layout::tight, backends);
      }
    }
  }
}

TEST(MedianBlur, LargeImages) { check_large(median_blur_filter<std::uint8_t>()); }

TEST(MedianBlur, RefusesBadOptions) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({9, 7, 1}, Layout::part);
  Image<std::uint8_t> dst({9, 7, 1}, Layout::part);
  for (const int size : {0, 1, 4, 5}) {
    expect_refused(dst, [&] { sw::median_blur(src, dst, {.size = size}); }, {"size", std::to_string(size), "3"});
  }
}

}  // namespace
