// SPDX-License-Identifier: Apache-2.0
#include "tests/allocations.hpp"
#include "tests/image_filters.hpp"

namespace {

using namespace tests;
using sw::Interpolation;

constexpr Interpolation all_interpolations[] = {Interpolation::nearest, Interpolation::linear, Interpolation::area};

// ---- Reference: the samples of the source that one of the result is made of, along one axis

struct Part {
  int at;
  double weight;
};

std::vector<Part> parts(Interpolation interpolation, int i, int from, int to, bool shrinks) {
  if (interpolation == Interpolation::nearest) {
    const double scale = 1 / (static_cast<double>(to) / from);
    return {{std::min(static_cast<int>(std::floor(i * scale)), from - 1), 1}};
  }
  const double scale = static_cast<double>(from) / to;
  double place = 0;
  if (interpolation == Interpolation::linear) {
    place = std::clamp((i + 0.5) * scale - 0.5, 0.0, from - 1.0);
  } else if (!shrinks) {
    const int k = i * from / to;
    place = std::min(k + std::max(0.0, i + 1 - (k + 1) / scale), from - 1.0);
  } else {
    std::vector<Part> covered;
    for (int k = 0; k < from; ++k) {
      const double overlap = std::min((i + 1) * scale, k + 1.0) - std::max(i * scale, static_cast<double>(k));
      if (overlap > 0) covered.push_back({k, overlap / scale});
    }
    return covered;
  }
  const int k = static_cast<int>(place);
  const double fraction = place - k;
  if (fraction == 0) return {{k, 1}};
  return {{k, 1 - fraction}, {k + 1, fraction}};
}

template <class T>
double tolerance(Interpolation interpolation) {
  if (interpolation == Interpolation::nearest) return 0;
  return std::is_integral_v<T> ? 0.53 : 1e-6 * float_range;
}

template <class T>
void check_resize(Shape shape, int width, int height, Interpolation interpolation, Layout layout,
                  const std::vector<sw::Backend>& backends) {
  SCOPED_TRACE(std::string(sw::name(interpolation)) + (sizeof(T) == 1 ? " u8 " : " f32 ") +
               std::to_string(shape.width) + "x" + std::to_string(shape.height) + "x" + std::to_string(shape.channels) +
               " to " + std::to_string(width) + "x" + std::to_string(height) + " seed " + std::to_string(seed()));
  const Image<T> src = random_image<T>(shape, layout);
  const bool shrinks = shape.width >= width && shape.height >= height;
  std::vector<std::vector<Part>> columns, rows;
  for (int x = 0; x < width; ++x) columns.push_back(parts(interpolation, x, shape.width, width, shrinks));
  for (int y = 0; y < height; ++y) rows.push_back(parts(interpolation, y, shape.height, height, shrinks));
  check_result<T, T>(
      src, {width, height, shape.channels}, other(layout),
      [&](sw::ImageView<const T> from, sw::ImageView<T> to, const sw::Backend& backend) {
        sw::resize(from, to, {.interpolation = interpolation, .backend = backend});
      },
      [&](int x, int y, int k) {
        double sum = 0;
        for (const Part& row : rows[y]) {
          for (const Part& column : columns[x]) sum += row.weight * column.weight * src.view()(column.at, row.at, k);
        }
        return sum;
      },
      tolerance<T>(interpolation), backends);
}

void check_all(Shape shape, int width, int height, Layout layout, const std::vector<sw::Backend>& backends) {
  for (const Interpolation interpolation : all_interpolations) {
    check_resize<std::uint8_t>(shape, width, height, interpolation, layout, backends);
    check_resize<float>(shape, width, height, interpolation, layout, backends);
  }
}

// Widths round those of blocks and vectors, from a few times larger (blocks of up to four loads, and then single
// pixels) to many times smaller.
TEST(Resize, AnyWidths) {
  const std::vector<sw::Backend> backends = every_backend();
  std::size_t turn = 0;
  for (const int from : {1, 2, 3, 5, 16, 17, 31, 47, 64, 100, 129}) {
    for (const int to : {1, 2, 3, 4, 5, 8, 11, 15, 16, 17, 23, 32, 50, 67, 130}) {
      constexpr int channels[] = {1, 3, 4};
      check_all({from, 3, channels[turn % 3]}, to, 2, all_layouts[turn / 3 % 3],
                {sw::Sequential{}, backends[turn % backends.size()]});
      ++turn;
    }
  }
}

TEST(Resize, AnyHeights) {
  const std::vector<sw::Backend> backends = every_backend();
  std::size_t turn = 0;
  for (const int from : {1, 2, 3, 5, 8, 16, 31}) {
    for (const int to : {1, 2, 3, 5, 7, 8, 16, 33}) {
      check_all({9, from, 3}, 5, to, all_layouts[turn % 3], {sw::Sequential{}, backends[turn % backends.size()]});
      ++turn;
    }
  }
}

// Exactly half, where linear and area are the same means of four.
TEST(Resize, Half) {
  const std::vector<sw::Backend> backends = every_backend();
  for (const int channels : {1, 3, 4}) {
    for (int width = 1; width <= 34; ++width) {
      check_all({2 * width, 6, channels}, width, 3, all_layouts[width % 3], {sw::Sequential{}});
    }
    check_all({2 * 333, 2 * 51, channels}, 333, 51, Layout::part, backends);
    const Image<std::uint8_t> src = random_image<std::uint8_t>({134, 20, channels}, Layout::part);
    Image<std::uint8_t> linear({67, 10, channels}, Layout::tight);
    Image<std::uint8_t> area = linear;
    sw::resize(src, linear, {.interpolation = Interpolation::linear});
    sw::resize(src, area, {.interpolation = Interpolation::area});
    for (int y = 0; y < 10; ++y) {
      for (int x = 0; x < 67; ++x) {
        for (int k = 0; k < channels; ++k) {
          const sw::ImageView<const std::uint8_t> from = src;
          const int sum = from(2 * x, 2 * y, k) + from(2 * x + 1, 2 * y, k) + from(2 * x, 2 * y + 1, k) +
                          from(2 * x + 1, 2 * y + 1, k);
          ASSERT_EQ(linear.view()(x, y, k), (sum + 2) / 4);
          ASSERT_EQ(area.view()(x, y, k), (sum + 2) / 4);
        }
      }
    }
  }
}

// Many strips, ratios between integers, one way larger and the other smaller.
TEST(Resize, LargerImages) {
  const std::vector<sw::Backend> backends = every_backend();
  check_all({211, 157, 1}, 127, 94, Layout::part, backends);
  check_all({97, 61, 3}, 146, 92, Layout::upside_down, backends);
  check_all({205, 150, 4}, 41, 50, Layout::part, backends);
  check_all({120, 50, 3}, 55, 131, Layout::tight, backends);
}

// What takes no rounding stays: the same size, and one level everywhere.
TEST(Resize, ExactValues) {
  for (const Interpolation interpolation : all_interpolations) {
    const Image<std::uint8_t> src = random_image<std::uint8_t>({53, 17, 3}, Layout::tight);
    Image<std::uint8_t> same = poisoned<std::uint8_t>({53, 17, 3}, Layout::tight);
    sw::resize(src, same, {.interpolation = interpolation});
    EXPECT_EQ(same.memory(), src.memory()) << sw::name(interpolation);
    for (const int level : {0, 1, 254, 255}) {
      Image<std::uint8_t> flat({53, 17, 3}, Layout::tight);
      std::fill(flat.memory().begin(), flat.memory().end(), static_cast<std::uint8_t>(level));
      for (const auto& [width, height] : {std::pair{31, 9}, {100, 40}, {106, 5}, {7, 3}}) {
        Image<std::uint8_t> dst = poisoned<std::uint8_t>({width, height, 3}, Layout::tight);
        sw::resize(flat, dst, {.interpolation = interpolation});
        for (const std::uint8_t sample : dst.memory()) ASSERT_EQ(sample, level) << width << " " << height;
      }
    }
  }
}

TEST(Resize, AllocatesNothingOnceWarm) {
  const Image<std::uint8_t> src = random_image<std::uint8_t>({640, 480, 3}, Layout::tight);
  Image<std::uint8_t> dst({333, 222, 3}, Layout::tight);
  for (const Interpolation interpolation : all_interpolations) {
    const sw::ResizeOptions options = {.interpolation = interpolation, .backend = sw::Sequential{}};
    sw::resize(src, dst, options);
    const long before = allocations();
    sw::resize(src, dst, options);
    EXPECT_EQ(allocations(), before) << sw::name(interpolation);
  }
}

TEST(Resize, EmptyResultsAreDone) {
  const Image<float> src = random_image<float>({9, 7, 1}, Layout::tight);
  for (const Interpolation interpolation : all_interpolations) {
    for (const auto& [width, height] : {std::pair{0, 0}, {0, 5}, {5, 0}}) {
      sw::resize(src, sw::ImageView<float>(nullptr, width, height), {.interpolation = interpolation});
      sw::resize(sw::ImageView<const float>(nullptr, 0, 0), sw::ImageView<float>(nullptr, width, height),
                 {.interpolation = interpolation});
    }
  }
}

TEST(Resize, RefusesBadArguments) {
  const Image<float> src = random_image<float>({9, 7, 3}, Layout::part);
  Image<float> dst({5, 4, 3}, Layout::part);
  using Src = sw::ImageView<const float>;
  using Dst = sw::ImageView<float>;
  const Src from = src;
  const Dst to = dst;
  const auto refused = [&](Src bad_src, Dst bad_dst, const sw::ResizeOptions& options,
                           const std::vector<std::string>& words) {
    expect_refused(
        dst, [&] { sw::resize(bad_src, bad_dst, options); }, words);
  };
  refused(from, Dst(to.data, 5, 4, 1), {}, {"resize", "dst has 1 channels", "src, 3"});
  refused(Src(from.data, 9, 7, 2), Dst(to.data, 5, 4, 2), {}, {"2 channels", "1, 3 or 4"});
  refused(Src(nullptr, 0, 7, 3), to, {}, {"src has no pixels"});
  refused(Src(nullptr, 9, 7, 3), to, {}, {"src", "null"});
  refused(from, Dst(nullptr, 5, 4, 3), {}, {"dst", "null"});
  refused(from, Dst(to.data, 5, 4, 3, 3), {}, {"dst", "twice"});
  refused(from, to, {.interpolation = static_cast<Interpolation>(3)}, {"interpolation is 3", "area"});
  refused(from, to, {.interpolation = static_cast<Interpolation>(-1)}, {"interpolation is -1"});
  refused(Src(from.data, 3, std::ptrdiff_t{1} << 27, 3, 0), to, {}, {"134217728", "67108864"});
  refused(Src(to.data, 3, 2, 3, 9), Dst(to.data + 10, 2, 1, 3), {}, {"dst", "src", "apart"});
}

}  // namespace
