// SPDX-License-Identifier: Apache-2.0
// What the filters' entries check. Each throws InvalidArgument with a message that begins with the function's name and
// says what was given and what was expected.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

#include <speedwell/image_filter.hpp>

#include "runtime/checks.hpp"

namespace speedwell::image_filter {

// The number as a caller would write it.
std::string text(double value);

[[noreturn]] void refuse(std::string_view function, const std::string& complaint);

void check_channels(std::string_view function, std::ptrdiff_t channels);
void check_same_shape(std::string_view function, std::ptrdiff_t src_width, std::ptrdiff_t src_height,
                      std::ptrdiff_t src_channels, std::ptrdiff_t dst_width, std::ptrdiff_t dst_height,
                      std::ptrdiff_t dst_channels);
void check_border(std::string_view function, Border border, double border_value);

// A window's side: odd, from 1 to `most`.
void check_odd_side(std::string_view function, std::string_view name, int side, int most);

// Images of any two sizes and numbers of channels that don't overlap.
template <class In, class Out>
void check_apart_images(std::string_view function, ImageView<const In> src, ImageView<Out> dst) {
  runtime::check_image(function, "src", src);
  runtime::check_image(function, "dst", dst);
  check_channels(function, src.channels);
  check_channels(function, dst.channels);
  runtime::check_output(function, "dst", dst);
  runtime::check_apart(function, "dst", dst, "src", src);
}

// Images of one size and number of channels that don't overlap. Empty ones become 0 x 0: their other side may be any
// number, from which nothing can be computed.
template <class In, class Out>
void check_images(std::string_view function, ImageView<const In>& src, ImageView<Out>& dst) {
  runtime::check_image(function, "src", src);
  runtime::check_image(function, "dst", dst);
  check_channels(function, src.channels);
  check_channels(function, dst.channels);
  check_same_shape(function, src.width, src.height, src.channels, dst.width, dst.height, dst.channels);
  runtime::check_output(function, "dst", dst);
  runtime::check_apart(function, "dst", dst, "src", src);
  if (src.width == 0 || src.height == 0) src.width = src.height = dst.width = dst.height = 0;
}

// A border's value as a sample: rounded to nearest, halves away from zero, and saturated. A float may be infinite.
template <class T>
T saturated(double value) {
  if (std::numeric_limits<T>::has_infinity && std::isinf(value)) return static_cast<T>(value);
  const double clamped = std::clamp<double>(value, std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max());
  return static_cast<T>(std::numeric_limits<T>::is_integer ? std::round(clamped) : clamped);
}

}  // namespace speedwell::image_filter
