// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/convolve_tile.hpp"

#include <cmath>

#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/convolve_separable_tile.hpp"
#include "kernels/image_filter/window_filter.hpp"

namespace speedwell {

namespace image_filter {

bool separate(const ConvolveKernel& kernel, SeparableKernel& separable) {
  const auto weight = [&kernel](int i, int j) -> float { return kernel.weights[i * kernel.width + j]; };
  // The quotients are by the largest weight: none overflows.
  int at_row = 0;
  int at_column = 0;
  for (int i = 0; i < kernel.height; ++i) {
    for (int j = 0; j < kernel.width; ++j) {
      if (std::abs(weight(i, j)) > std::abs(weight(at_row, at_column))) {
        at_row = i;
        at_column = j;
      }
    }
  }
  const float largest = weight(at_row, at_column);
  if (largest == 0) return false;

  separable.width = kernel.width;
  separable.height = kernel.height;
  separable.bias = kernel.bias;
  for (int j = 0; j < kernel.width; ++j) separable.row[j] = weight(at_row, j);
  for (int i = 0; i < kernel.height; ++i) separable.column[i] = weight(i, at_column) / largest;
  for (int i = 0; i < kernel.height; ++i) {
    for (int j = 0; j < kernel.width; ++j) {
      const double product = double{separable.column[i]} * double{separable.row[j]};  // exact
      if (std::abs(product - weight(i, j)) > product_error * std::abs(weight(i, j))) return false;
    }
  }
  return true;
}

namespace {

// Below so many multiplications for each of the separated kernel's, two passes take longer than one.
constexpr int worth_separating = 2;

int kernel_side(std::string_view name, std::ptrdiff_t side) {
  if (side < 1 || side % 2 == 0 || side > most_side) {
    refuse("convolve", "kernel has " + std::to_string(side) + " " + std::string(name) +
                           ", expected an odd number from 1 to " + std::to_string(most_side));
  }
  return static_cast<int>(side);
}

float finite(std::string_view name, double value) {
  const auto rounded = saturated<float>(value);
  if (!std::isfinite(value)) {
    refuse("convolve", std::string(name) + " is " + text(value) + ", expected a finite number");
  }
  return rounded;
}

template <class T>
constinit runtime::Kernel convolve_kernel("convolve", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel convolve_as_separable_kernel("convolve_as_separable", runtime::element_name<T>);

template <class T>
void convolve_of(ImageView<const T> src, MatrixView<const float> kernel, ImageView<T> dst,
                 const ConvolveOptions& options) {
  check_images("convolve", src, dst);
  runtime::check_matrix("convolve", "kernel", kernel);
  check_border("convolve", options.border, options.border_value);
  ConvolveKernel given;
  given.width = kernel_side("columns", kernel.cols);
  given.height = kernel_side("rows", kernel.rows);
  given.bias = finite("bias", options.bias);
  float* to = given.weights;
  for (std::ptrdiff_t i = 0; i < kernel.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < kernel.cols; ++j) *to++ = finite("an element of kernel", kernel(i, j));
  }

  SeparableKernel separated;
  if (given.products() > worth_separating * (given.width + given.height) && separate(given, separated)) {
    run_window_filter(convolve_as_separable_kernel<T>,
                      ConvolveWindow<T, SeparableKernel>{convolve_separable_tile<T>(), separated}, src, dst, options);
  } else {
    run_window_filter(convolve_kernel<T>, ConvolveWindow<T, ConvolveKernel>{convolve_tile<T>(), given}, src, dst,
                      options);
  }
}

}  // namespace
}  // namespace image_filter

void convolve(ImageView<const std::uint8_t> src, MatrixView<const float> kernel, ImageView<std::uint8_t> dst,
              const ConvolveOptions& options) {
  image_filter::convolve_of(src, kernel, dst, options);
}

void convolve(ImageView<const float> src, MatrixView<const float> kernel, ImageView<float> dst,
              const ConvolveOptions& options) {
  image_filter::convolve_of(src, kernel, dst, options);
}

}  // namespace speedwell
