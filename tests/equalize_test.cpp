// SPDX-License-Identifier: Apache-2.0
#include "tests/image_filters.hpp"

namespace {

using namespace tests;
using Bytes = sw::ImageView<const std::uint8_t>;

// OpenCV's definition, by the value.
double expected_value(Bytes src, int value) {
  std::int64_t smaller = 0, pixels = 0, least_value = 255;
  for (int y = 0; y < src.height; ++y) {
    for (int x = 0; x < src.width; ++x) least_value = std::min<std::int64_t>(least_value, src(x, y));
  }
  std::int64_t least_pixels = 0;
  for (int y = 0; y < src.height; ++y) {
    for (int x = 0; x < src.width; ++x) {
      ++pixels;
      least_pixels += src(x, y) == least_value;
      smaller += src(x, y) <= value && src(x, y) != least_value;
    }
  }
  if (least_pixels == pixels) return value;
  const float scale = 255.0F / static_cast<float>(pixels - least_pixels);
  const float position = static_cast<float>(smaller) * scale;
  return std::nearbyint(position);
}

std::vector<double> expected_table(Bytes src) {
  std::vector<double> table;
  for (int value = 0; value < 256; ++value) table.push_back(expected_value(src, value));
  return table;
}

void check_equalized(const Image<std::uint8_t>& src, Layout layout, const std::vector<sw::Backend>& backends) {
  const std::vector<double> table = expected_table(src);
  check_result<std::uint8_t, std::uint8_t>(
      src, src.shape(), layout,
      [](Bytes from, sw::ImageView<std::uint8_t> to, const sw::Backend& backend) {
        sw::equalize(from, to, {.backend = backend});
      },
      [&](int x, int y, int) { return table[src.view()(x, y)]; }, 0, backends);
}

TEST(Equalize, IsOpenCvs) {
  const std::vector<sw::Backend> backends = every_backend();
  std::size_t turn = 0;
  for (const int width : widths) {
    for (const int height : {1, 2, 7}) {
      SCOPED_TRACE(std::to_string(width) + "x" + std::to_string(height));
      const Layout layout = all_layouts[turn % 3];
      check_equalized(random_image<std::uint8_t>({width, height, 1}, layout), other(layout),
                      {sw::Sequential{}, backends[turn % backends.size()]});
      ++turn;
    }
  }
  // Dark and of few values, the smallest of which isn't zero; every value; many strips.
  Image<std::uint8_t> dark = random_image<std::uint8_t>({197, 111, 1}, Layout::part);
  for (std::uint8_t& sample : dark.memory()) sample = static_cast<std::uint8_t>(7 + sample % 64);
  check_equalized(dark, Layout::tight, backends);
  check_equalized(random_image<std::uint8_t>({301, 207, 1}, Layout::part), Layout::tight, backends);
}

TEST(Equalize, OneValueStays) {
  for (const int value : {0, 77, 255}) {
    Image<std::uint8_t> src({131, 9, 1}, Layout::tight);
    std::fill(src.memory().begin(), src.memory().end(), static_cast<std::uint8_t>(value));
    check_equalized(src, Layout::part, {sw::Sequential{}});
  }
}

TEST(Equalize, InPlace) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({333, 200, 1}, Layout::part);
  Image<std::uint8_t> dst = src;
  sw::equalize(src, dst);
  for (const sw::Backend& backend : every_backend()) {
    Image<std::uint8_t> image = src;
    sw::equalize(image.view(), image.view(), {.backend = backend});
    EXPECT_TRUE(same_bits(image.memory(), dst.memory())) << text(backend);
  }
}

TEST(Equalize, EmptyImagesAreDone) {
  for (const auto& [width, height] : {std::pair{0, 0}, {0, 5}, {5, 0}}) {
    sw::equalize(Bytes(nullptr, width, height), sw::ImageView<std::uint8_t>(nullptr, width, height));
  }
}

TEST(Equalize, RefusesBadImages) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({9, 7, 1}, Layout::part);
  Image<std::uint8_t> dst({9, 7, 1}, Layout::part);
  const Bytes from = src;
  const sw::ImageView<std::uint8_t> to = dst;
  using Dst = sw::ImageView<std::uint8_t>;
  const auto refused = [&](Bytes bad_src, Dst bad_dst, const std::vector<std::string>& words) {
    expect_refused(
        dst, [&] { sw::equalize(bad_src, bad_dst); }, words);
  };
  refused(Bytes(from.data, 3, 2, 3), Dst(to.data, 3, 2, 3), {"equalize", "3 channels, expected 1"});
  refused(from, Dst(to.data, 9, 6), {"9 x 6", "9 x 7"});
  refused(from, Dst(nullptr, 9, 7), {"dst", "null"});
  refused(from, Dst(to.data, 9, 7, 1, 0), {"dst", "twice"});
  refused(Bytes(to.data, 9, 4), Dst(to.data + 1, 9, 4), {"dst", "src", "apart"});
  refused(Bytes(to.data, 9, 4, 1, 10), Dst(to.data, 9, 4, 1, 9), {"dst", "src", "apart"});
}

}  // namespace
