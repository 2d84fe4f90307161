// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/convolve_separable_tile.hpp"

#include <cmath>
#include <span>

#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/window_filter.hpp"

namespace speedwell {

namespace image_filter {
namespace {

// Copies one direction's weights, and returns how many there are.
int copy_weights(std::string_view name, std::span<const float> weights, float* to) {
  runtime::check_span("convolve_separable", name, weights);
  if (weights.size() % 2 == 0 || weights.size() > most_side) {
    refuse("convolve_separable", std::string(name) + " has " + std::to_string(weights.size()) +
                                     " elements, expected an odd number from 1 to " + std::to_string(most_side));
  }
  for (const float weight : weights) {
    if (!std::isfinite(weight)) {
      refuse("convolve_separable",
             "an element of " + std::string(name) + " is " + text(weight) + ", expected a finite number");
    }
    *to++ = weight;
  }
  return static_cast<int>(weights.size());
}

template <class T>
constinit runtime::Kernel convolve_separable_kernel("convolve_separable", runtime::element_name<T>);

template <class T>
void convolve_separable_of(ImageView<const T> src, std::span<const float> row, std::span<const float> column,
                           ImageView<T> dst, const ConvolveSeparableOptions& options) {
  check_images("convolve_separable", src, dst);
  check_border("convolve_separable", options.border, options.border_value);
  SeparableKernel kernel;
  kernel.width = copy_weights("row", row, kernel.row);
  kernel.height = copy_weights("column", column, kernel.column);
  kernel.bias = 0;
  run_window_filter(convolve_separable_kernel<T>,
                    ConvolveWindow<T, SeparableKernel>{convolve_separable_tile<T>(), kernel}, src, dst, options);
}

}  // namespace
}  // namespace image_filter

void convolve_separable(ImageView<const std::uint8_t> src, std::span<const float> row, std::span<const float> column,
                        ImageView<std::uint8_t> dst, const ConvolveSeparableOptions& options) {
  image_filter::convolve_separable_of(src, row, column, dst, options);
}

void convolve_separable(ImageView<const float> src, std::span<const float> row, std::span<const float> column,
                        ImageView<float> dst, const ConvolveSeparableOptions& options) {
  image_filter::convolve_separable_of(src, row, column, dst, options);
}

}  // namespace speedwell
