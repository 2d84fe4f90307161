// SPDX-License-Identifier: Apache-2.0
// What the wide filters cost for each radius, beside OpenCV, on one core: lines of CSV.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/core/utility.hpp>
#include <opencv2/imgproc.hpp>

#include <speedwell/image_filter.hpp>

#include "bench/cases/buffer.hpp"

namespace {

using namespace speedwell;

constexpr int width = 1920, height = 1080;
constexpr int radii[] = {1, 2, 3, 5, 7, 10, 15, 20, 31};
constexpr int most_rounds = 15;
constexpr double budget_s = 0.4;  // of a radius and a filter; each library has one call at least

double seconds(const std::function<void()>& call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The least times, as neighbours on the machine only ever add to them, in turns.
void measure(const char* filter, const char* type, int radius, const std::function<void()>& ours,
             const std::function<void()>& theirs) {
  double least[2] = {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  double spent = 0;
  for (int round = 0; round < most_rounds && (round == 0 || spent < budget_s); ++round) {
    const double times[2] = {seconds(ours), seconds(theirs)};
    for (int i = 0; i < 2; ++i) {
      least[i] = std::min(least[i], times[i]);
      spent += times[i];
    }
  }
  constexpr double pixels = static_cast<double>(width) * height;
  std::printf("%s,%s,%d,%.4f,%.4f\n", filter, type, radius, least[0] / pixels * 1e9, least[1] / pixels * 1e9);
  std::fflush(stdout);
}

template <class T>
void measure_all(const char* type) {
  constexpr std::ptrdiff_t pixels = std::ptrdiff_t{width} * height;
  bench::Buffer<T> in(pixels), out(pixels);
  // A gradient and noise, of which a photograph has both.
  std::mt19937 random(1);
  for (std::size_t i = 0; i < in.size(); ++i) {
    const auto value = static_cast<double>(i % width * 128 / width + random() % 31);
    in.data()[i] = static_cast<T>(sizeof(T) == 1 ? value : value / 256);
  }
  const ImageView<const T> src{in.data(), width, height, 1};
  const ImageView<T> dst{out.data(), width, height, 1};
  const cv::Mat cv_src(height, width, cv::DataType<T>::depth, in.data());
  cv::Mat cv_dst(height, width, cv::DataType<T>::depth, out.data());
  const Backend backend = Sequential{};
  constexpr bool bytes = sizeof(T) == 1;

  for (const int radius : radii) {
    const int side = 2 * radius + 1;
    const cv::Size size(side, side);
    const double sigma = radius / 3.0;
    measure(
        "gaussian_blur", type, radius,
        [&] { gaussian_blur(src, dst, {.sigma = sigma, .width = side, .height = side, .backend = backend}); },
        [&] { cv::GaussianBlur(cv_src, cv_dst, size, sigma, sigma); });
    measure(
        "box_blur", type, radius, [&] { box_blur(src, dst, {.width = side, .height = side, .backend = backend}); },
        [&] { cv::blur(cv_src, cv_dst, size); });
    const cv::Mat window = cv::getStructuringElement(cv::MORPH_RECT, size);
    measure(
        "dilate", type, radius, [&] { dilate(src, dst, {.width = side, .height = side, .backend = backend}); },
        [&] { cv::dilate(cv_src, cv_dst, window); });
    if (bytes || radius <= 2) {
      measure(
          "median_blur", type, radius, [&] { median_blur(src, dst, {.size = side, .backend = backend}); },
          [&] { cv::medianBlur(cv_src, cv_dst, side); });
    }
    // Weights that are no product of a column and a row.
    std::vector<float> weights(static_cast<std::size_t>(side) * side);
    for (float& weight : weights)
      weight = static_cast<float>(random() % 1000) / (500.0F * static_cast<float>(side * side));
    const MatrixView<const float> kernel{weights.data(), side, side};
    const cv::Mat cv_kernel(side, side, CV_32F, weights.data());
    measure(
        "convolve", type, radius, [&] { convolve(src, kernel, dst, {.backend = backend}); },
        [&] { cv::filter2D(cv_src, cv_dst, -1, cv_kernel); });
    if (radius <= 10) {  // a tenth of a second a call from there on
      const double color = bytes ? 25 : 25.0 / 256;
      measure(
          "bilateral_filter", type, radius,
          [&] {
            bilateral_filter(src, dst,
                             {.diameter = side, .sigma_color = color, .sigma_space = sigma, .backend = backend});
          },
          [&] { cv::bilateralFilter(cv_src, cv_dst, side, color, sigma); });
    }
  }
}

}  // namespace

int main() {
  cv::setNumThreads(1);
  std::puts("filter,type,radius,speedwell_ns_per_pixel,opencv_ns_per_pixel");
  measure_all<std::uint8_t>("u8c1");
  measure_all<float>("f32c1");
}
