// SPDX-License-Identifier: Apache-2.0
// What holds of all image filters.
#include "tests/image_filters.hpp"

namespace {

using namespace tests;

// Values of the border are rounded and saturated.
TEST(ImageFilter, BorderValueFitsTheType) {
  const Image<std::uint8_t> src({1, 1, 1}, Layout::tight);
  Image<std::uint8_t> dst({1, 1, 1}, Layout::tight);
  for (const auto& [value, expected] : {std::pair{1e9, 255}, {-1e9, 0}, {99.5, 100}, {99.4, 99}}) {
    sw::median_blur(src, dst, {.border = Border::constant, .border_value = value});
    EXPECT_EQ(dst.view()(0, 0), expected) << value;
  }
}

TEST(ImageFilter, EmptyImagesAreDone) {
  constexpr std::ptrdiff_t huge = std::numeric_limits<std::ptrdiff_t>::max();
  const std::vector<float> kernel(25, 1.0f);
  for (const auto& [width, height] :
       {std::pair<std::ptrdiff_t, std::ptrdiff_t>{0, 0}, {0, 5}, {5, 0}, {0, huge}, {huge, 0}}) {
    const sw::ImageView<const float> src(nullptr, width, height, 3);
    const sw::ImageView<float> dst(nullptr, width, height, 3);
    const sw::ImageView<const std::uint8_t> bytes(nullptr, width, height, 3);
    const sw::ImageView<std::uint8_t> to_bytes(nullptr, width, height, 3);
    for (const sw::Backend& backend : tests::every_backend()) {
      sw::box_blur(src, dst, {.backend = backend});
      sw::box_blur(src, dst, {.width = 31, .backend = backend});
      sw::dilate(src, dst, {.backend = backend});
      sw::erode(src, dst, {.width = 31, .height = 31, .backend = backend});
      sw::gaussian_blur(src, dst, {.backend = backend});
      sw::sobel(src, dst, {.backend = backend});
      for (const int size : {3, 5, 7}) sw::median_blur(src, dst, {.size = size, .backend = backend});
      sw::median_blur(bytes, to_bytes, {.size = 9, .backend = backend});
      sw::bilateral_filter(src, dst, {.backend = backend});
      sw::convolve(src, {kernel.data(), 5, 5}, dst, {.backend = backend});
      sw::convolve_separable(src, kernel, kernel, dst, {.backend = backend});
      EXPECT_EQ(sw::histogram(bytes, {.backend = backend}), sw::Histogram{});
    }
  }
}

// A model that isn't the one it says it is computes the same; only the threads that took part tell.
TEST(ImageFilter, AsManyThreadsTakePartAsAsked) {
  const Shape shape = {2000, 1500, 1};
  const Image<float> src = random_image<float>(shape, Layout::tight);
  Image<float> dst = poisoned<float>(shape, Layout::tight);
  for (const int threads : {1, 2, 3}) {
    for (const sw::Backend& backend :
         {sw::Backend(sw::Threads{threads}), sw::Backend(sw::OpenMp{threads}), sw::Backend(sw::Tbb{threads})}) {
      if (!sw::is_built(backend)) continue;
      // A thread that the system doesn't let run in time finds no work left: some attempts.
      int took_part = 0;
      for (int attempt = 0; attempt < 200 && took_part != threads; ++attempt) {
        sw::gaussian_blur(src, dst, {.sigma = 5, .backend = backend});
        took_part = sw::last_run().threads;
        EXPECT_EQ(sw::last_run().backend, sw::name(backend)) << text(backend);
      }
      EXPECT_EQ(took_part, threads) << text(backend);
    }
  }
  sw::gaussian_blur(src, dst, {.backend = sw::Sequential{}});
  EXPECT_EQ(sw::last_run().backend, "sequential");
  EXPECT_EQ(sw::last_run().threads, 1);
}

TEST(ImageFilter, RefusesBadImages) {
  using Src = sw::ImageView<const float>;
  using Dst = sw::ImageView<float>;
  const Image<float> image = random_image<float>({9, 7, 3}, Layout::part);
  Image<float> out({9, 7, 3}, Layout::part);
  const Src src = image;
  const Dst dst = out;
  const std::ptrdiff_t huge = std::numeric_limits<std::ptrdiff_t>::max() / 2;
  const std::vector<float> kernel(25, 1.0f);

  struct Bad {
    Src src;
    Dst dst;
    std::vector<std::string> words;
  };
  const std::vector<Bad> bad = {
      {src, Dst(dst.data, 8, 7, 3), {"8 x 7", "9 x 7"}},
      {src, Dst(dst.data, 9, 6, 3), {"9 x 6", "9 x 7"}},
      {src, Dst(dst.data, 9, 7, 1), {"1 channel", "3 channel"}},
      {Src(src.data, 4, 4, 2), Dst(dst.data, 4, 4, 2), {"2 channels", "1, 3 or 4"}},
      {Src(src.data, 4, 4, 0), Dst(dst.data, 4, 4, 0), {"channel"}},
      {Src(nullptr, 9, 7, 3), dst, {"src", "null"}},
      {src, Dst(nullptr, 9, 7, 3), {"dst", "null"}},
      {Src(src.data, -1, 7, 3), dst, {"src", "-1"}},
      {Src(src.data, 9, -7, 3), Dst(dst.data, 9, -7, 3), {"-7"}},
      {Src(src.data, huge, huge, 3), Dst(dst.data, huge, huge, 3), {"src", "fits in memory"}},
      {Src(src.data, 9, 7, 3, huge), dst, {"src", "fits in memory"}},
      // Partly over the source, the source itself, rows over each other.
      {Src(dst.data, 6, 4, 1, 11), Dst(dst.data + 30, 6, 4, 1, 11), {"dst", "src", "apart"}},
      {Src(dst), dst, {"dst", "src", "apart"}},
      {src, Dst(dst.data, 9, 7, 3, 0), {"dst", "twice"}},
      {src, Dst(dst.data, 9, 7, 3, 26), {"dst", "twice"}},
  };
  for (const Bad& b : bad) {
    expect_refused(
        out, [&] { sw::box_blur(b.src, b.dst); }, b.words);
    expect_refused(
        out, [&] { sw::dilate(b.src, b.dst); }, b.words);
    expect_refused(
        out, [&] { sw::erode(b.src, b.dst); }, b.words);
    expect_refused(
        out, [&] { sw::gaussian_blur(b.src, b.dst); }, b.words);
    expect_refused(
        out, [&] { sw::sobel(b.src, b.dst); }, b.words);
    for (const int size : {3, 5}) {
      expect_refused(
          out, [&] { sw::median_blur(b.src, b.dst, {.size = size}); }, b.words);
    }
    expect_refused(
        out, [&] { sw::bilateral_filter(b.src, b.dst); }, b.words);
    expect_refused(
        out,
        [&] {
          sw::convolve(b.src, {kernel.data(), 5, 5}, b.dst);
        },
        b.words);
    expect_refused(
        out, [&] { sw::convolve_separable(b.src, kernel, kernel, b.dst); }, b.words);
  }
  // Side by side in one image is fine, and so is a source that repeats one row.
  sw::median_blur(Src(dst.data, 2, 4, 1, 11), Dst(dst.data + 2, 2, 4, 1, 11));
  sw::median_blur(Src(src.data, 9, 7, 3, 0), dst);
}

}  // namespace
