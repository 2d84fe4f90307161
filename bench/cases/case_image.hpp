// SPDX-License-Identifier: Apache-2.0
// The image that the filters' cases are measured on in place of a painted one. Who reads it from a file hands its
// samples on to every process that it starts: the environment names where they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace speedwell::bench {

inline constexpr const char* case_image_variable = "SPEEDWELL_BENCH_IMAGE";

struct CaseImage {
  std::ptrdiff_t width = 0;
  std::ptrdiff_t height = 0;
  std::ptrdiff_t channels = 0;               // 1: gray, 3: RGB
  std::span<const std::uint16_t> samples{};  // interleaved; white is 65535
};

// The image of this process; nullptr: none. Throws std::runtime_error if there should be one and isn't.
const CaseImage* case_image();

// Makes it the image of this process and of those that it starts, before the first call of case_image(). Throws
// std::system_error.
void offer_case_image(const CaseImage& image);

// A row of the image, in as many channels: gray is BT.601's, as rgb_to_gray has it; a fourth channel is opaque. From 0
// to 255 in uint8_t and to 65535 in uint16_t; in float from 0 to below 1.
void copy_row(const CaseImage& image, std::ptrdiff_t y, std::ptrdiff_t channels, std::uint8_t* row);
void copy_row(const CaseImage& image, std::ptrdiff_t y, std::ptrdiff_t channels, std::uint16_t* row);
void copy_row(const CaseImage& image, std::ptrdiff_t y, std::ptrdiff_t channels, float* row);

}  // namespace speedwell::bench
