// SPDX-License-Identifier: Apache-2.0
// PNG images in and out, for the command; the library knows no file formats.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <vector>

namespace speedwell::bench {

// 8 bits a sample; 1 channel is gray, 3 are RGB, 4 are RGB with alpha.
struct Image {
  std::ptrdiff_t width = 0;
  std::ptrdiff_t height = 0;
  int channels = 1;
  std::vector<std::uint8_t> samples;  // rows without gaps
};

// A file that isn't a PNG image, or a damaged or an unreasonably large one. The message names the file, what was found
// and what was expected.
class ImageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reads any PNG: 16 bits are rounded to 8, fewer are widened, a palette becomes its colours, gray with alpha becomes
// RGB with alpha. Samples stay as they are stored: no colour management. Throws ImageError, or std::system_error if the
// file can't be read.
Image read_png(const std::filesystem::path& path);

// Throws std::system_error, with what was there before untouched.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace speedwell::bench
