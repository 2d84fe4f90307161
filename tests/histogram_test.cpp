// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <speedwell/error.hpp>

#include "tests/allocations.hpp"
#include "tests/image_filters.hpp"

namespace {

using namespace tests;
using Bytes = sw::ImageView<const std::uint8_t>;

sw::Histogram counted(Bytes image) {
  sw::Histogram counts = {};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      for (int k = 0; k < image.channels; ++k) ++counts[k][image(x, y, k)];
    }
  }
  return counts;
}

TEST(Histogram, CountsEachChannel) {
  const std::vector<sw::Backend> backends = every_backend();
  std::size_t turn = 0;
  for (const int channels : {1, 3, 4}) {
    for (int width = 1; width <= 40; ++width) {
      const Image<std::uint8_t> image =
          random_image<std::uint8_t>({width, 1 + width % 5, channels}, all_layouts[turn % 3]);
      const sw::Backend& backend = backends[turn++ % backends.size()];
      EXPECT_EQ(sw::histogram(image, {.backend = backend}), counted(image)) << width << " " << text(backend);
    }
    // Many strips.
    const Image<std::uint8_t> image = random_image<std::uint8_t>({1031, 797, channels}, Layout::part);
    const sw::Histogram expected = counted(image);
    for (const sw::Backend& backend : backends) {
      EXPECT_EQ(sw::histogram(image, {.backend = backend}), expected) << text(backend);
    }
  }
}

// Equal neighbours, whose counts follow each other in one table after the other.
TEST(Histogram, OneColour) {
  Image<std::uint8_t> image({301, 203, 4}, Layout::tight);
  for (std::size_t i = 0; i < image.memory().size(); ++i) image.memory()[i] = static_cast<std::uint8_t>(255 - i % 4);
  const sw::Histogram counts = sw::histogram(image);
  for (std::size_t k = 0; k < 4; ++k) EXPECT_EQ(counts[k][255 - k], 301U * 203U);
  EXPECT_EQ(counts, counted(image));
}

// More samples in a row than one set of tables counts.
TEST(Histogram, LongRows) {
  for (const int channels : {1, 3}) {
    const Image<std::uint8_t> image = random_image<std::uint8_t>({7'000'001 / channels, 1, channels}, Layout::tight);
    EXPECT_EQ(sw::histogram(image), counted(image));
  }
}

TEST(Histogram, EmptyImagesCountNothing) {
  for (const auto& [width, height] : {std::pair{0, 0}, {0, 5}, {5, 0}}) {
    for (const sw::Backend& backend : every_backend()) {
      EXPECT_EQ(sw::histogram(Bytes(nullptr, width, height, 3), {.backend = backend}), sw::Histogram{});
    }
  }
}

TEST(Histogram, AllocatesNothing) {
  const Image<std::uint8_t> image = random_image<std::uint8_t>({640, 480, 3}, Layout::tight);
  for (const sw::Backend& backend : {sw::Backend(sw::Sequential{}), sw::Backend(sw::Threads{2})}) {
    sw::histogram(image, {.backend = backend});
    const long before = allocations();
    sw::histogram(image, {.backend = backend});
    EXPECT_EQ(allocations(), before) << text(backend);
  }
}

TEST(Histogram, AsManyThreadsTakePartAsAsked) {
  const Image<std::uint8_t> image = random_image<std::uint8_t>({4000, 2000, 1}, Layout::tight);
  for (const sw::Backend& backend :
       {sw::Backend(sw::Threads{2}), sw::Backend(sw::OpenMp{2}), sw::Backend(sw::Tbb{2})}) {
    if (!sw::is_built(backend)) continue;
    int took_part = 0;
    for (int attempt = 0; attempt < 20 && took_part != 2; ++attempt) {
      sw::histogram(image, {.backend = backend});
      took_part = sw::last_run().threads;
    }
    EXPECT_EQ(took_part, 2) << text(backend);
  }
}

TEST(Histogram, RefusesBadImages) {
  const std::uint8_t sample = 0;
  const auto message = [](Bytes image) -> std::string {
    try {
      sw::histogram(image);
    } catch (const sw::InvalidArgument& error) {
      return error.what();
    }
    return "not refused";
  };
  EXPECT_THAT(message(Bytes(nullptr, 3, 3)), testing::HasSubstr("histogram: src"));
  EXPECT_THAT(message(Bytes(&sample, 1, 1, 2)), testing::HasSubstr("2 channels, expected 1, 3 or 4"));
  EXPECT_THAT(message(Bytes(&sample, -1, 1)), testing::HasSubstr("-1"));
}

}  // namespace
