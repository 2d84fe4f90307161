// SPDX-License-Identifier: Apache-2.0
#include "tests/image_filters.hpp"

namespace {

using namespace tests;

// The positions i - radius .. i + radius of n, -1 for those that are outside.
std::vector<std::ptrdiff_t> positions(int i, int radius, std::ptrdiff_t n, Border border) {
  std::vector<std::ptrdiff_t> found;
  for (int k = i - radius; k <= i + radius; ++k) found.push_back(position_inside(k, n, border));
  return found;
}

template <class T>
double median_of_window(sw::ImageView<const T> image, int x, int y, int channel, int size, Border border,
                        double outside) {
  const std::vector<std::ptrdiff_t> columns = positions(x, size / 2, image.width, border);
  std::vector<double> window;
  for (const std::ptrdiff_t j : positions(y, size / 2, image.height, border)) {
    for (const std::ptrdiff_t i : columns)
      window.push_back(i < 0 || j < 0 ? outside : static_cast<double>(image(i, j, channel)));
  }
  const auto middle = window.begin() + static_cast<std::ptrdiff_t>(window.size() / 2);
  std::nth_element(window.begin(), middle, window.end());
  return *middle;
}

template <class T>
Filter<T, T> median_blur_filter(int size) {
  return {"median_blur " + std::to_string(size),
          [size](sw::ImageView<const T> src, sw::ImageView<T> dst, Border border, double value, sw::Backend backend) {
            sw::median_blur(src, dst, {.size = size, .border = border, .border_value = value, .backend = backend});
          },
          [size](sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside) {
            return median_of_window(image, x, y, channel, size, border, outside);
          },
          0};
}

TEST(MedianBlur, OfThreeIsTheMiddleOfItsWindow) {
  check_shapes(median_blur_filter<std::uint8_t>(3));
  check_shapes(median_blur_filter<float>(3));
}

// The same networks serve all types and both sizes: one of them in every shape, the others in a few.
TEST(MedianBlur, OfSevenIsTheMiddleOfItsWindow) { check_shapes(median_blur_filter<std::uint16_t>(7)); }

template <class T>
void check_networks() {
  const std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Threads{2}};
  for (const int size : {3, 5, 7}) {
    for (const Border border : all_borders) {
      check(median_blur_filter<T>(size), {67, 6, 4}, border, Layout::part, every_backend());
      check(median_blur_filter<T>(size), {33, 5, 3}, border, Layout::upside_down, backends);
      check(median_blur_filter<T>(size), {3, 2, 1}, border, Layout::tight, backends);
      check(median_blur_filter<T>(size), {1, 1, 1}, border, Layout::part, backends);
    }
  }
}

TEST(MedianBlur, NetworksOfEveryType) {
  check_networks<std::uint8_t>();
  check_networks<std::uint16_t>();
  check_networks<float>();
}

// Rows of several turns of the row loop, the last one of any length.
TEST(MedianBlur, LongRows) {
  const std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Threads{2}};
  for (const Border border : all_borders) {
    for (const int width : {1023, 1024, 1025, 1026, 2048, 2055, 4099}) {
      for (const int channels : {1, 3}) {
        check(median_blur_filter<std::uint8_t>(3), {width, 3, channels}, border, Layout::tight, backends);
      }
    }
    check(median_blur_filter<std::uint8_t>(7), {1025, 3, 1}, border, Layout::tight, backends);
    check(median_blur_filter<float>(5), {341, 3, 3}, border, Layout::tight, backends);
  }
}

TEST(MedianBlur, LargeImages) { check_large(median_blur_filter<std::uint8_t>(3)); }

// Every kind of size, those round where counts grow beyond a byte, and the largest.
TEST(MedianBlur, OfManySizesIsTheMiddleOfItsWindow) {
  const std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Threads{2}, sw::OpenMp{3}, sw::Tbb{2}};
  std::size_t turn = 0;
  const auto check_one = [&](int size, Shape shape, Border border) {
    const sw::Backend& backend = backends[turn++ % backends.size()];
    if (!sw::is_built(backend)) return;
    check(median_blur_filter<std::uint8_t>(size), shape, border, all_layouts[turn % 3], {sw::Sequential{}, backend});
  };
  for (int size = 9; size <= 63; size += 6) check_one(size, {66, 3, 1}, all_borders[size / 2 % 5]);
  for (const int size : {79, 113, 161, 243}) check_one(size, {4, 5, 3}, all_borders[size % 5]);
  for (const Border border : all_borders) {
    for (const int size : {15, 17}) {
      for (const Shape shape : {Shape{1, 1, 1}, Shape{1, 40, 3}, Shape{63, 2, 4}, Shape{64, 17, 1}, Shape{129, 3, 3}}) {
        check_one(size, shape, border);
      }
    }
    // Strips and tiles of more than one, the last ones cut.
    check_one(9, {70, 131, 1}, border);
    check_one(33, {65, 66, 1}, border);
    check_one(255, {5, 3, 1}, border);
  }
}

// Contents whose medians lie apart, or at the ends of the range, where random samples' medians don't.
TEST(MedianBlur, OfContentsOfEveryKind) {
  const Shape shape = {90, 40, 1};
  const std::vector<std::function<int(int x, int y)>> contents = {
      [](int, int) { return 0; },
      [](int, int) { return 255; },
      [](int x, int) { return x < 45 ? 0 : 255; },
      [](int x, int y) { return (x / 5 + y / 3) % 2 * 255; },
      [](int x, int y) { return (3 * x + y) % 256; },
      [](int x, int y) { return (11 * x + 7 * y) % 256; },
      [](int x, int y) { return 2 * x + y + static_cast<int>(generator()() % 20); },
      [](int x, int y) { return x / 30 * 80 + y / 20 * 40 + static_cast<int>(generator()() % 31); },
      [](int, int) { return static_cast<int>(generator()() % 2); },
      [](int, int) { return 254 + static_cast<int>(generator()() % 2); },
  };
  for (std::size_t content = 0; content < contents.size(); ++content) {
    SCOPED_TRACE("content " + std::to_string(content) + " seed " + std::to_string(seed()));
    Image<std::uint8_t> src(shape, Layout::part);
    for (int y = 0; y < shape.height; ++y) {
      for (int x = 0; x < shape.width; ++x) src.view()(x, y, 0) = static_cast<std::uint8_t>(contents[content](x, y));
    }
    for (const int size : {5, 7, 9, 15, 21}) {
      Image<std::uint8_t> dst = poisoned<std::uint8_t>(shape, Layout::tight);
      sw::median_blur(src, dst, {.size = size});
      for (int y = 0; y < shape.height; y += 3) {
        for (int x = 0; x < shape.width; ++x) {
          const double expected = median_of_window(std::as_const(src).view(), x, y, 0, size, Border::reflect_101, 0);
          ASSERT_EQ(dst.view()(x, y, 0), expected) << "at (" << x << ", " << y << "), size " << size;
        }
      }
    }
  }
}

// In float, where rows are computed in pairs and a pair takes NaN and zeros of both signs in its own way.
TEST(MedianBlur, SpecialFloatsGiveTheSameBitsEverywhere) {
  const Shape shape = {70, 37, 1};
  Image<float> src = random_image<float>(shape, Layout::part);
  const float special[] = {0.0F, -0.0F, std::numeric_limits<float>::quiet_NaN(),
                           std::numeric_limits<float>::infinity()};
  for (float& sample : src.memory()) {
    if (generator()() % 2 == 0) sample = special[generator()() % 4];
  }
  for (const int size : {3, 5, 7}) {
    Image<float> first = poisoned<float>(shape, Layout::tight);
    sw::median_blur(src, first, {.size = size, .backend = sw::Sequential{}});
    for (const sw::Backend& backend : every_backend()) {
      Image<float> result = poisoned<float>(shape, Layout::tight);
      sw::median_blur(src, result, {.size = size, .backend = backend});
      EXPECT_TRUE(same_bits(result.memory(), first.memory())) << size << " on " << text(backend);
    }
  }
}

TEST(MedianBlur, RefusesBadOptions) {
  const Image<std::uint8_t> bytes = random_image<std::uint8_t>({9, 7, 1}, Layout::part);
  Image<std::uint8_t> bytes_out({9, 7, 1}, Layout::part);
  for (const int size : {-3, 0, 1, 4, 6, 256, 257}) {
    expect_refused(bytes_out, [&] { sw::median_blur(bytes, bytes_out, {.size = size}); },
                   {"size", std::to_string(size), "255"});
  }
  const Image<float> floats = random_image<float>({9, 7, 1}, Layout::part);
  Image<float> floats_out({9, 7, 1}, Layout::part);
  const Image<std::uint16_t> words = random_image<std::uint16_t>({9, 7, 1}, Layout::part);
  Image<std::uint16_t> words_out({9, 7, 1}, Layout::part);
  for (const int size : {1, 4, 8, 9}) {
    expect_refused(floats_out, [&] { sw::median_blur(floats, floats_out, {.size = size}); },
                   {"size", std::to_string(size), "7"});
    expect_refused(words_out, [&] { sw::median_blur(words, words_out, {.size = size}); },
                   {"size", std::to_string(size), "7"});
  }
}

}  // namespace
