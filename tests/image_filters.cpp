// SPDX-License-Identifier: Apache-2.0
#include "tests/image_filters.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include <speedwell/error.hpp>

namespace tests {

namespace {

template <class T>
T random_sample() {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(generator()());
  } else {
    return std::uniform_real_distribution<float>(-float_range / 2, float_range / 2)(generator());
  }
}

}  // namespace

template <class T>
Image<T> random_image(Shape shape, Layout layout) {
  Image<T> image(shape, layout);
  for (T& sample : image.memory()) sample = random_sample<T>();
  return image;
}

template <class T>
Image<T> poisoned(Shape shape, Layout layout) {
  Image<T> image(shape, layout);
  const T poison =
      std::is_integral_v<T> ? static_cast<T>(random_sample<std::int16_t>()) : std::numeric_limits<T>::quiet_NaN();
  std::fill(image.memory().begin(), image.memory().end(), poison);
  return image;
}

template <class T>
double window_sum(sw::ImageView<const T> image, int x, int y, int channel, Border border, double outside,
                  const std::vector<double>& wx, const std::vector<double>& wy) {
  double sum = 0;
  for (int j = 0; j < static_cast<int>(wy.size()); ++j) {
    for (int i = 0; i < static_cast<int>(wx.size()); ++i) {
      const int rx = static_cast<int>(wx.size()) / 2;
      const int ry = static_cast<int>(wy.size()) / 2;
      sum += wx[i] * wy[j] * sample_at(image, x + i - rx, y + j - ry, channel, border, outside);
    }
  }
  return sum;
}

template <class In, class Out>
void check_result(const Image<In>& src, Shape shape, Layout layout,
                  const std::function<void(sw::ImageView<const In>, sw::ImageView<Out>, sw::Backend)>& run,
                  const std::function<double(int x, int y, int channel)>& expected_at, double tolerance,
                  const std::vector<sw::Backend>& backends) {
  Image<Out> expected_memory = poisoned<Out>(shape, layout);
  const std::vector<Out> poison = expected_memory.memory();

  Image<Out> first = expected_memory;
  run(src, first, backends.front());
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x) {
      for (int k = 0; k < shape.channels; ++k) {
        const double expected = expected_at(x, y, k);
        const Out found = first.view()(x, y, k);
        ASSERT_TRUE(std::abs(static_cast<double>(found) - expected) <= tolerance)
            << "at (" << x << ", " << y << ", " << k << "): " << +found << ", expected " << expected;
        // What should be there in the end, so that the rest can be compared with the poison.
        expected_memory.view()(x, y, k) = found;
      }
    }
  }
  ASSERT_TRUE(same_bits(first.memory(), expected_memory.memory())) << "wrote outside of the image";
  for (const sw::Backend& backend : backends) {
    Image<Out> result(shape, layout);
    result.memory() = poison;
    run(src, result, backend);
    ASSERT_TRUE(same_bits(result.memory(), first.memory())) << "other bits on " << text(backend);
  }
}

template <class In, class Out>
void check(const Filter<In, Out>& filter, Shape shape, Border border, Layout layout,
           const std::vector<sw::Backend>& backends) {
  SCOPED_TRACE(filter.name +
               (std::is_same_v<In, float> ? " f32 "
                : sizeof(In) == 1         ? " u8 "
                                          : " u16 ") +
               std::to_string(shape.width) + "x" + std::to_string(shape.height) + "x" + std::to_string(shape.channels) +
               " " + std::string(sw::name(border)) + " layout " + std::to_string(static_cast<int>(layout)) + " seed " +
               std::to_string(seed()));
  const Image<In> src = random_image<In>(shape, layout);
  const double outside = random_sample<In>();
  check_result<In, Out>(
      src, shape, other(layout),
      [&](sw::ImageView<const In> from, sw::ImageView<Out> to, const sw::Backend& backend) {
        filter.run(from, to, border, outside, backend);
      },
      [&](int x, int y, int k) { return filter.expected(src, x, y, k, border, outside); }, filter.tolerance, backends);
}

template <class In, class Out>
void check_shapes(const Filter<In, Out>& filter) {
  constexpr int channels[] = {1, 3, 4};
  const std::vector<sw::Backend> backends = every_backend();
  std::size_t turn = 0;
  // Channels, layouts and backends take turns, out of step with shapes and borders.
  const auto check_one = [&](int width, int height, Border border) {
    check(filter, {width, height, channels[turn % 3]}, border, all_layouts[turn / 3 % 3],
          {sw::Sequential{}, backends[turn % backends.size()], backends[(turn + 5) % backends.size()]});
    ++turn;
  };
  for (const Border border : all_borders) {
    for (const int width : widths) check_one(width, 5, border);
    for (const int height : heights) check_one(37, height, border);
    check(filter, {67, 23, 3}, border, Layout::part, backends);
  }
}

template <class In, class Out>
void check_large(const Filter<In, Out>& filter) {
  const Shape shape = {4099, 3001, 3};
  const Image<In> src = random_image<In>(shape, Layout::part);
  Image<Out> first = poisoned<Out>(shape, Layout::part);
  filter.run(src, first, Border::reflect_101, 0, sw::Sequential{});
  for (const int y : {0, 1, 1500, 3000}) {
    for (int x = 0; x < shape.width; ++x) {
      const double expected = filter.expected(src, x, y, 1, Border::reflect_101, 0);
      ASSERT_LE(std::abs(first.view()(x, y, 1) - expected), filter.tolerance) << "at (" << x << ", " << y << ")";
    }
  }
  for (const sw::Backend& backend :
       {sw::Backend(sw::Threads{2}), sw::Backend(sw::OpenMp{3}), sw::Backend(sw::Tbb{2})}) {
    if (!sw::is_built(backend)) continue;
    Image<Out> result = poisoned<Out>(shape, Layout::part);
    filter.run(src, result, Border::reflect_101, 0, backend);
    for (int y = 0; y < shape.height; ++y) {
      ASSERT_EQ(std::memcmp(result.view().row(y), first.view().row(y), sizeof(Out) * shape.width * shape.channels), 0)
          << "other bits on " << text(backend) << " in row " << y;
    }
  }
}

template <class T>
void expect_refused(Image<T>& dst, const std::function<void()>& call, const std::vector<std::string>& words) {
  dst.memory() = poisoned<T>(dst.shape(), Layout::part).memory();
  const std::vector<T> before = dst.memory();
  try {
    call();
    ADD_FAILURE() << "not refused, expected: " << testing::PrintToString(words);
  } catch (const sw::InvalidArgument& error) {
    for (const std::string& word : words) EXPECT_THAT(error.what(), testing::HasSubstr(word));
  }
  EXPECT_TRUE(same_bits(dst.memory(), before)) << "wrote before it refused: " << testing::PrintToString(words);
}

// ---- For these types

template Image<std::uint8_t> random_image(Shape, Layout);
template Image<std::uint16_t> random_image(Shape, Layout);
template Image<float> random_image(Shape, Layout);
template Image<std::uint8_t> poisoned(Shape, Layout);
template Image<std::uint16_t> poisoned(Shape, Layout);
template Image<std::int16_t> poisoned(Shape, Layout);
template Image<float> poisoned(Shape, Layout);
template double window_sum(sw::ImageView<const std::uint8_t>, int, int, int, Border, double, const std::vector<double>&,
                           const std::vector<double>&);
template double window_sum(sw::ImageView<const std::uint16_t>, int, int, int, Border, double,
                           const std::vector<double>&, const std::vector<double>&);
template double window_sum(sw::ImageView<const float>, int, int, int, Border, double, const std::vector<double>&,
                           const std::vector<double>&);

template void check_result(
    const Image<std::uint8_t>&, Shape, Layout,
    const std::function<void(sw::ImageView<const std::uint8_t>, sw::ImageView<std::uint8_t>, sw::Backend)>&,
    const std::function<double(int, int, int)>&, double, const std::vector<sw::Backend>&);
template void check(const Filter<std::uint8_t, std::uint8_t>&, Shape, Border, Layout, const std::vector<sw::Backend>&);
template void check_shapes(const Filter<std::uint8_t, std::uint8_t>&);
template void check_large(const Filter<std::uint8_t, std::uint8_t>&);

template void check_result(
    const Image<std::uint16_t>&, Shape, Layout,
    const std::function<void(sw::ImageView<const std::uint16_t>, sw::ImageView<std::uint16_t>, sw::Backend)>&,
    const std::function<double(int, int, int)>&, double, const std::vector<sw::Backend>&);
template void check(const Filter<std::uint16_t, std::uint16_t>&, Shape, Border, Layout,
                    const std::vector<sw::Backend>&);
template void check_shapes(const Filter<std::uint16_t, std::uint16_t>&);
template void check_large(const Filter<std::uint16_t, std::uint16_t>&);

template void check_result(const Image<float>&, Shape, Layout,
                           const std::function<void(sw::ImageView<const float>, sw::ImageView<float>, sw::Backend)>&,
                           const std::function<double(int, int, int)>&, double, const std::vector<sw::Backend>&);
template void check(const Filter<float, float>&, Shape, Border, Layout, const std::vector<sw::Backend>&);
template void check_shapes(const Filter<float, float>&);
template void check_large(const Filter<float, float>&);

template void check_result(
    const Image<std::uint8_t>&, Shape, Layout,
    const std::function<void(sw::ImageView<const std::uint8_t>, sw::ImageView<std::int16_t>, sw::Backend)>&,
    const std::function<double(int, int, int)>&, double, const std::vector<sw::Backend>&);
template void check(const Filter<std::uint8_t, std::int16_t>&, Shape, Border, Layout, const std::vector<sw::Backend>&);
template void check_shapes(const Filter<std::uint8_t, std::int16_t>&);
template void check_large(const Filter<std::uint8_t, std::int16_t>&);

template void expect_refused(Image<std::uint8_t>&, const std::function<void()>&, const std::vector<std::string>&);
template void expect_refused(Image<std::uint16_t>&, const std::function<void()>&, const std::vector<std::string>&);
template void expect_refused(Image<std::int16_t>&, const std::function<void()>&, const std::vector<std::string>&);
template void expect_refused(Image<float>&, const std::function<void()>&, const std::vector<std::string>&);

}  // namespace tests
