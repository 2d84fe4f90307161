// SPDX-License-Identifier: Apache-2.0
// The C functions: each makes views and options of what it was given, and calls the C++ function of its name.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include <speedwell/image_filter.hpp>
#include <speedwell/matmul.hpp>
#include <speedwell/runtime.hpp>
#include <speedwell/stream.hpp>

#include "c_api/guard.hpp"

namespace speedwell::c_api {

namespace {

// In the order of the header's numbers.
constexpr std::array<std::string_view, 5> models = {Automatic::name, Sequential::name, Threads::name, OpenMp::name,
                                                    Tbb::name};
constexpr std::array borders = {Border::reflect_101, Border::reflect, Border::replicate, Border::wrap,
                                Border::constant};
constexpr std::array interpolations = {Interpolation::nearest, Interpolation::linear, Interpolation::area};

template <class T, std::size_t count>
T chosen(const std::array<T, count>& choices, int number, const char* what) {
  if (number < 0 || static_cast<std::size_t>(number) >= count) {
    throw InvalidArgument(fmt::format("{} is {}, expected 0 to {}", what, number, count - 1));
  }
  return choices[static_cast<std::size_t>(number)];
}

Backend to_backend(speedwell_backend backend) {
  return backend_from_name(chosen(models, backend.model, "the backend's model"), backend.threads);
}

template <class T>
MatrixView<T> view(T* data, speedwell_matrix layout) {
  return {data, layout.rows, layout.cols, layout.row_stride, layout.col_stride};
}

template <class T>
ImageView<T> view(T* data, speedwell_image layout) {
  return {data, layout.width, layout.height, layout.channels, layout.row_stride};
}

template <class Options>
Options with_border(Options options, speedwell_border border) {
  options.border = chosen(borders, border.mode, "the border's mode");
  options.border_value = border.value;
  return options;
}

template <class T>
speedwell_status matmul_of(double alpha, const T* a, speedwell_matrix a_layout, const T* b, speedwell_matrix b_layout,
                           double beta, T* c, speedwell_matrix c_layout, speedwell_backend backend) {
  return guarded([&] {
    matmul(view(a, a_layout), view(b, b_layout), view(c, c_layout),
           {.alpha = alpha, .beta = beta, .backend = to_backend(backend)});
  });
}

template <class T>
speedwell_status triad_of(const T* b, double scale, const T* c, T* a, std::size_t count, speedwell_backend backend) {
  return guarded([&] {
    triad(std::span(b, count), std::span(c, count), std::span(a, count),
          {.scale = scale, .backend = to_backend(backend)});
  });
}

template <class T>
speedwell_status gaussian_blur_of(const T* src, speedwell_image src_layout, T* dst, speedwell_image dst_layout,
                                  double sigma_x, double sigma_y, speedwell_border border, speedwell_backend backend) {
  return guarded([&] {
    gaussian_blur(
        view(src, src_layout), view(dst, dst_layout),
        with_border(GaussianBlurOptions{.sigma = sigma_x, .sigma_y = sigma_y, .backend = to_backend(backend)}, border));
  });
}

template <class T>
speedwell_status box_blur_of(const T* src, speedwell_image src_layout, T* dst, speedwell_image dst_layout, int width,
                             int height, speedwell_border border, speedwell_backend backend) {
  return guarded([&] {
    box_blur(view(src, src_layout), view(dst, dst_layout),
             with_border(BoxBlurOptions{.width = width, .height = height, .backend = to_backend(backend)}, border));
  });
}

template <class T>
speedwell_status median_blur_of(const T* src, speedwell_image src_layout, T* dst, speedwell_image dst_layout, int size,
                                speedwell_border border, speedwell_backend backend) {
  return guarded([&] {
    median_blur(view(src, src_layout), view(dst, dst_layout),
                with_border(MedianBlurOptions{.size = size, .backend = to_backend(backend)}, border));
  });
}

template <class From, class To>
speedwell_status sobel_of(const From* src, speedwell_image src_layout, To* dst, speedwell_image dst_layout, int dx,
                          int dy, speedwell_border border, speedwell_backend backend) {
  return guarded([&] {
    sobel(view(src, src_layout), view(dst, dst_layout),
          with_border(SobelOptions{.dx = dx, .dy = dy, .backend = to_backend(backend)}, border));
  });
}

template <class T>
speedwell_status bilateral_filter_of(const T* src, speedwell_image src_layout, T* dst, speedwell_image dst_layout,
                                     int diameter, double sigma_color, double sigma_space, speedwell_border border,
                                     speedwell_backend backend) {
  return guarded([&] {
    bilateral_filter(view(src, src_layout), view(dst, dst_layout),
                     with_border(BilateralFilterOptions{.diameter = diameter,
                                                        .sigma_color = sigma_color,
                                                        .sigma_space = sigma_space,
                                                        .backend = to_backend(backend)},
                                 border));
  });
}

template <class T>
speedwell_status erode_of(const T* src, speedwell_image src_layout, T* dst, speedwell_image dst_layout, int width,
                          int height, speedwell_backend backend) {
  return guarded([&] {
    erode(view(src, src_layout), view(dst, dst_layout),
          {.width = width, .height = height, .backend = to_backend(backend)});
  });
}

template <class T>
speedwell_status dilate_of(const T* src, speedwell_image src_layout, T* dst, speedwell_image dst_layout, int width,
                           int height, speedwell_backend backend) {
  return guarded([&] {
    dilate(view(src, src_layout), view(dst, dst_layout),
           {.width = width, .height = height, .backend = to_backend(backend)});
  });
}

template <class T>
speedwell_status convolve_of(const T* src, speedwell_image src_layout, const float* kernel,
                             speedwell_matrix kernel_layout, double bias, T* dst, speedwell_image dst_layout,
                             speedwell_border border, speedwell_backend backend) {
  return guarded([&] {
    convolve(view(src, src_layout), view(kernel, kernel_layout), view(dst, dst_layout),
             with_border(ConvolveOptions{.bias = bias, .backend = to_backend(backend)}, border));
  });
}

template <class T>
speedwell_status resize_of(const T* src, speedwell_image src_layout, T* dst, speedwell_image dst_layout,
                           int interpolation, speedwell_backend backend) {
  return guarded([&] {
    resize(
        view(src, src_layout), view(dst, dst_layout),
        {.interpolation = chosen(interpolations, interpolation, "the interpolation"), .backend = to_backend(backend)});
  });
}

template <class T>
speedwell_status rgb_to_gray_of(const T* src, speedwell_image src_layout, T* dst, speedwell_image dst_layout,
                                speedwell_backend backend) {
  return guarded([&] { rgb_to_gray(view(src, src_layout), view(dst, dst_layout), {.backend = to_backend(backend)}); });
}

speedwell_run run_of(const LastRun& last) {
  for (std::size_t model = 0; model < models.size(); ++model) {
    if (models[model] == last.backend) return {static_cast<int>(model), last.threads};
  }
  return {SPEEDWELL_AUTOMATIC, 0};
}

}  // namespace

}  // namespace speedwell::c_api

extern "C" {

using namespace speedwell::c_api;

const char* speedwell_version(void) { return SPEEDWELL_VERSION; }

speedwell_status speedwell_shutdown(void) {
  return guarded([] { speedwell::shutdown(); });
}

speedwell_run speedwell_last_run(void) { return run_of(speedwell::last_run()); }

speedwell_status speedwell_matmul_f32(double alpha, const float* a, speedwell_matrix a_layout, const float* b,
                                      speedwell_matrix b_layout, double beta, float* c, speedwell_matrix c_layout,
                                      speedwell_backend backend) {
  return matmul_of(alpha, a, a_layout, b, b_layout, beta, c, c_layout, backend);
}

speedwell_status speedwell_matmul_f64(double alpha, const double* a, speedwell_matrix a_layout, const double* b,
                                      speedwell_matrix b_layout, double beta, double* c, speedwell_matrix c_layout,
                                      speedwell_backend backend) {
  return matmul_of(alpha, a, a_layout, b, b_layout, beta, c, c_layout, backend);
}

speedwell_status speedwell_triad_f32(const float* b, double scale, const float* c, float* a, std::size_t count,
                                     speedwell_backend backend) {
  return triad_of(b, scale, c, a, count, backend);
}

speedwell_status speedwell_triad_f64(const double* b, double scale, const double* c, double* a, std::size_t count,
                                     speedwell_backend backend) {
  return triad_of(b, scale, c, a, count, backend);
}

speedwell_status speedwell_gaussian_blur_u8(const std::uint8_t* src, speedwell_image src_layout, std::uint8_t* dst,
                                            speedwell_image dst_layout, double sigma_x, double sigma_y,
                                            speedwell_border border, speedwell_backend backend) {
  return gaussian_blur_of(src, src_layout, dst, dst_layout, sigma_x, sigma_y, border, backend);
}

speedwell_status speedwell_gaussian_blur_f32(const float* src, speedwell_image src_layout, float* dst,
                                             speedwell_image dst_layout, double sigma_x, double sigma_y,
                                             speedwell_border border, speedwell_backend backend) {
  return gaussian_blur_of(src, src_layout, dst, dst_layout, sigma_x, sigma_y, border, backend);
}

speedwell_status speedwell_box_blur_u8(const std::uint8_t* src, speedwell_image src_layout, std::uint8_t* dst,
                                       speedwell_image dst_layout, int width, int height, speedwell_border border,
                                       speedwell_backend backend) {
  return box_blur_of(src, src_layout, dst, dst_layout, width, height, border, backend);
}

speedwell_status speedwell_box_blur_f32(const float* src, speedwell_image src_layout, float* dst,
                                        speedwell_image dst_layout, int width, int height, speedwell_border border,
                                        speedwell_backend backend) {
  return box_blur_of(src, src_layout, dst, dst_layout, width, height, border, backend);
}

speedwell_status speedwell_median_blur_u8(const std::uint8_t* src, speedwell_image src_layout, std::uint8_t* dst,
                                          speedwell_image dst_layout, int size, speedwell_border border,
                                          speedwell_backend backend) {
  return median_blur_of(src, src_layout, dst, dst_layout, size, border, backend);
}

speedwell_status speedwell_median_blur_f32(const float* src, speedwell_image src_layout, float* dst,
                                           speedwell_image dst_layout, int size, speedwell_border border,
                                           speedwell_backend backend) {
  return median_blur_of(src, src_layout, dst, dst_layout, size, border, backend);
}

speedwell_status speedwell_sobel_u8(const std::uint8_t* src, speedwell_image src_layout, std::int16_t* dst,
                                    speedwell_image dst_layout, int dx, int dy, speedwell_border border,
                                    speedwell_backend backend) {
  return sobel_of(src, src_layout, dst, dst_layout, dx, dy, border, backend);
}

speedwell_status speedwell_sobel_f32(const float* src, speedwell_image src_layout, float* dst,
                                     speedwell_image dst_layout, int dx, int dy, speedwell_border border,
                                     speedwell_backend backend) {
  return sobel_of(src, src_layout, dst, dst_layout, dx, dy, border, backend);
}

speedwell_status speedwell_bilateral_filter_u8(const std::uint8_t* src, speedwell_image src_layout, std::uint8_t* dst,
                                               speedwell_image dst_layout, int diameter, double sigma_color,
                                               double sigma_space, speedwell_border border, speedwell_backend backend) {
  return bilateral_filter_of(src, src_layout, dst, dst_layout, diameter, sigma_color, sigma_space, border, backend);
}

speedwell_status speedwell_bilateral_filter_f32(const float* src, speedwell_image src_layout, float* dst,
                                                speedwell_image dst_layout, int diameter, double sigma_color,
                                                double sigma_space, speedwell_border border,
                                                speedwell_backend backend) {
  return bilateral_filter_of(src, src_layout, dst, dst_layout, diameter, sigma_color, sigma_space, border, backend);
}

speedwell_status speedwell_erode_u8(const std::uint8_t* src, speedwell_image src_layout, std::uint8_t* dst,
                                    speedwell_image dst_layout, int width, int height, speedwell_backend backend) {
  return erode_of(src, src_layout, dst, dst_layout, width, height, backend);
}

speedwell_status speedwell_erode_f32(const float* src, speedwell_image src_layout, float* dst,
                                     speedwell_image dst_layout, int width, int height, speedwell_backend backend) {
  return erode_of(src, src_layout, dst, dst_layout, width, height, backend);
}

speedwell_status speedwell_dilate_u8(const std::uint8_t* src, speedwell_image src_layout, std::uint8_t* dst,
                                     speedwell_image dst_layout, int width, int height, speedwell_backend backend) {
  return dilate_of(src, src_layout, dst, dst_layout, width, height, backend);
}

speedwell_status speedwell_dilate_f32(const float* src, speedwell_image src_layout, float* dst,
                                      speedwell_image dst_layout, int width, int height, speedwell_backend backend) {
  return dilate_of(src, src_layout, dst, dst_layout, width, height, backend);
}

speedwell_status speedwell_convolve_u8(const std::uint8_t* src, speedwell_image src_layout, const float* kernel,
                                       speedwell_matrix kernel_layout, double bias, std::uint8_t* dst,
                                       speedwell_image dst_layout, speedwell_border border, speedwell_backend backend) {
  return convolve_of(src, src_layout, kernel, kernel_layout, bias, dst, dst_layout, border, backend);
}

speedwell_status speedwell_convolve_f32(const float* src, speedwell_image src_layout, const float* kernel,
                                        speedwell_matrix kernel_layout, double bias, float* dst,
                                        speedwell_image dst_layout, speedwell_border border,
                                        speedwell_backend backend) {
  return convolve_of(src, src_layout, kernel, kernel_layout, bias, dst, dst_layout, border, backend);
}

speedwell_status speedwell_resize_u8(const std::uint8_t* src, speedwell_image src_layout, std::uint8_t* dst,
                                     speedwell_image dst_layout, int interpolation, speedwell_backend backend) {
  return resize_of(src, src_layout, dst, dst_layout, interpolation, backend);
}

speedwell_status speedwell_resize_f32(const float* src, speedwell_image src_layout, float* dst,
                                      speedwell_image dst_layout, int interpolation, speedwell_backend backend) {
  return resize_of(src, src_layout, dst, dst_layout, interpolation, backend);
}

speedwell_status speedwell_rgb_to_gray_u8(const std::uint8_t* src, speedwell_image src_layout, std::uint8_t* dst,
                                          speedwell_image dst_layout, speedwell_backend backend) {
  return rgb_to_gray_of(src, src_layout, dst, dst_layout, backend);
}

speedwell_status speedwell_rgb_to_gray_f32(const float* src, speedwell_image src_layout, float* dst,
                                           speedwell_image dst_layout, speedwell_backend backend) {
  return rgb_to_gray_of(src, src_layout, dst, dst_layout, backend);
}

}  // extern "C"
