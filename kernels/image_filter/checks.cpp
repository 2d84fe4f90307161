// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/checks.hpp"

#include <array>
#include <charconv>

#include <speedwell/error.hpp>

namespace speedwell::image_filter {

namespace {

std::string shape(std::ptrdiff_t width, std::ptrdiff_t height, std::ptrdiff_t channels) {
  return std::to_string(width) + " x " + std::to_string(height) + " with " + std::to_string(channels) + " channels";
}

}  // namespace

std::string text(double value) {
  std::array<char, 32> buffer;
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

void refuse(std::string_view function, const std::string& complaint) {
  throw InvalidArgument(std::string(function) + ": " + complaint);
}

void check_channels(std::string_view function, std::ptrdiff_t channels) {
  if (channels != 1 && channels != 3 && channels != 4) {
    refuse(function, "an image has " + std::to_string(channels) + " channels, expected 1, 3 or 4");
  }
}

void check_same_shape(std::string_view function, std::ptrdiff_t src_width, std::ptrdiff_t src_height,
                      std::ptrdiff_t src_channels, std::ptrdiff_t dst_width, std::ptrdiff_t dst_height,
                      std::ptrdiff_t dst_channels) {
  if (src_width != dst_width || src_height != dst_height || src_channels != dst_channels) {
    refuse(function, "dst is " + shape(dst_width, dst_height, dst_channels) + ", expected the same as src, " +
                         shape(src_width, src_height, src_channels));
  }
}

void check_border(std::string_view function, Border border, double border_value) {
  if (border < Border::constant || border > Border::wrap) {
    refuse(function, "border is " + std::to_string(static_cast<int>(border)) +
                         ", expected constant, replicate, reflect, reflect_101 or wrap");
  }
  if (std::isnan(border_value)) refuse(function, "border_value is nan, expected a number");
}

void check_odd_side(std::string_view function, std::string_view name, int side, int most) {
  if (side < 1 || side % 2 == 0 || side > most) {
    refuse(function, std::string(name) + " is " + std::to_string(side) + ", expected an odd number from 1 to " +
                         std::to_string(most));
  }
}

}  // namespace speedwell::image_filter
