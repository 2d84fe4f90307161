// SPDX-License-Identifier: Apache-2.0
#include "tests/image_filters.hpp"

namespace {

using namespace tests;

template <class In, class Out>
Filter<In, Out> sobel_filter(int dx, int dy) {
  const std::vector<double> smooth = {1, 2, 1};
  const std::vector<double> difference = {-1, 0, 1};
  return {
      "sobel " + std::to_string(dx) + std::to_string(dy),
      [dx, dy](sw::ImageView<const In> src, sw::ImageView<Out> dst, Border border, double value, sw::Backend backend) {
        sw::sobel(src, dst, {.dx = dx, .dy = dy, .border = border, .border_value = value, .backend = backend});
      },
      [wx = dx ? difference : smooth, wy = dy ? difference : smooth](sw::ImageView<const In> image, int x, int y,
                                                                     int channel, Border border, double outside) {
        return window_sum(image, x, y, channel, border, outside, wx, wy);
      },
      std::is_integral_v<In> ? 0 : 1e-6 * float_range};
}

TEST(Sobel, IsTheDifferenceAcrossTheSmoothing) {
  for (const auto& [dx, dy] : {std::pair{1, 0}, {0, 1}, {1, 1}}) {
    check_shapes(sobel_filter<std::uint8_t, std::int16_t>(dx, dy));
    check_shapes(sobel_filter<float, float>(dx, dy));
  }
}

// Rows of several turns of the row loop, the last one of any length.
TEST(Sobel, LongRows) {
  const std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Threads{2}};
  for (const Border border : all_borders) {
    for (const int width : {1023, 1024, 1025, 1026, 2048, 2055, 4099}) {
      for (const int channels : {1, 3}) {
        check(sobel_filter<std::uint8_t, std::int16_t>(1, 0), {width, 3, channels}, border, Layout::upside_down,
              backends);
      }
    }
  }
}

TEST(Sobel, LargeImages) { check_large(sobel_filter<float, float>(0, 1)); }

TEST(Sobel, RefusesBadOptions) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({9, 7, 1}, Layout::part);
  Image<std::int16_t> slope({9, 7, 1}, Layout::part);
  for (const auto& [dx, dy] : {std::pair{0, 0}, {2, 0}, {0, -1}}) {
    expect_refused(slope, [&, dx = dx, dy = dy] { sw::sobel(src, slope, {.dx = dx, .dy = dy}); },
                   {"dx", "dy", "0 or 1"});
  }
}

}  // namespace
