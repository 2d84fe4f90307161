// SPDX-License-Identifier: Apache-2.0
// Files as others write them, made by libpng and libjpeg without our own encoders.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace speedwell::bench {

struct PngFile {
  int width = 5;
  int height = 3;
  int bits = 8;
  int colour_type = 0;  // libpng's
  bool interlaced = false;
  std::vector<std::uint8_t> palette{};        // R G B, R G B, ...
  std::vector<std::uint8_t> palette_alpha{};  // of its first entries
  bool with_transparent_colour = false;       // whose samples are all 0
  bool with_profile = false;                  // text and a gamma, which nobody asked for
};

// `rows` as they are stored, before compression: each begins at a byte, 16 bits with the higher byte first.
std::string bytes_of(const PngFile& file, std::vector<std::uint8_t> rows);

struct JpegFile {
  int width = 16;
  int height = 8;
  int components = 3;  // 1: gray, 3: stored as YCbCr, 4: CMYK
  int quality = 100;
  bool progressive = false;
  bool arithmetic = false;
  bool half_colours = false;  // 4:2:0
  int restart_rows = 0;
  int orientation = 0;  // of an Exif marker; 0: there is none
  bool exif_is_little = true;
};

// `samples` are interleaved.
std::string bytes_of(const JpegFile& file, std::vector<std::uint8_t> samples);

// One of each kind that our decoders should take, and of some that they refuse: a name with its extension, and bytes.
std::vector<std::pair<std::string, std::string>> image_files();

}  // namespace speedwell::bench
