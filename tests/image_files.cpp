// SPDX-License-Identifier: Apache-2.0
#include "tests/image_files.hpp"

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include <png.h>

#include <jpeglib.h>

namespace speedwell::bench {

namespace {

void append(png_structp png, png_bytep from, std::size_t count) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<const char*>(from), count);
}

// A slope in x and y, other in each channel, with a step in the middle.
std::vector<std::uint8_t> slope(std::size_t row_bytes, int height) {
  std::vector<std::uint8_t> rows;
  for (int y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < row_bytes; ++x) {
      rows.push_back(
          static_cast<std::uint8_t>(7 * x + 13 * static_cast<std::size_t>(y) + (2 * x < row_bytes ? 90 : 0)));
    }
  }
  return rows;
}

void write_exif(jpeg_compress_struct& jpeg, int orientation, bool little) {
  std::string exif("Exif\0\0", 6);
  const auto u16 = [&](int value) {
    const char low = static_cast<char>(value & 255), high = static_cast<char>(value >> 8);
    exif += little ? low : high;
    exif += little ? high : low;
  };
  const auto u32 = [&](int value) {
    if (!little) u16(0);
    u16(value);
    if (little) u16(0);
  };
  exif += little ? "II" : "MM";
  u16(42);
  u32(8);  // where the directory is
  u16(2);  // how many entries it has: another, then tag, type, count, value
  for (const auto& [tag, value] : {std::pair{256, 1}, {274, orientation}}) {
    u16(tag);
    u16(3);
    u32(1);
    u16(value);
    u16(0);
  }
  u32(0);
  jpeg_write_marker(&jpeg, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(exif.data()),
                    static_cast<unsigned>(exif.size()));
}

}  // namespace

std::string bytes_of(const PngFile& file, std::vector<std::uint8_t> rows) {
  std::string bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, append, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(file.width), static_cast<png_uint_32>(file.height), file.bits,
               file.colour_type, file.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!file.palette.empty()) {
    std::vector<png_color> palette;
    for (std::size_t i = 0; i + 2 < file.palette.size(); i += 3) {
      palette.push_back({file.palette[i], file.palette[i + 1], file.palette[i + 2]});
    }
    png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  }
  if (!file.palette_alpha.empty()) {
    png_set_tRNS(png, info, file.palette_alpha.data(), static_cast<int>(file.palette_alpha.size()), nullptr);
  }
  const png_color_16 black = {};
  if (file.with_transparent_colour) png_set_tRNS(png, info, nullptr, 0, &black);
  if (file.with_profile) {
    png_set_gAMA(png, info, 0.45);
    std::string key = "Comment", text(2000, 'x');
    png_text comment = {};
    comment.compression = PNG_TEXT_COMPRESSION_zTXt;
    comment.key = key.data();
    comment.text = text.data();
    comment.text_length = text.size();
    png_set_text(png, info, &comment, 1);
  }
  const std::size_t row_bytes = png_get_rowbytes(png, info);
  rows.resize(row_bytes * static_cast<std::size_t>(file.height));
  std::vector<png_bytep> pointers;
  for (std::size_t y = 0; y < static_cast<std::size_t>(file.height); ++y) pointers.push_back(&rows[y * row_bytes]);
  png_set_rows(png, info, pointers.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

std::string bytes_of(const JpegFile& file, std::vector<std::uint8_t> samples) {
  jpeg_compress_struct jpeg = {};
  jpeg_error_mgr errors = {};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* to = nullptr;
  unsigned long length = 0;
  jpeg_mem_dest(&jpeg, &to, &length);
  jpeg.image_width = static_cast<JDIMENSION>(file.width);
  jpeg.image_height = static_cast<JDIMENSION>(file.height);
  jpeg.input_components = file.components;
  jpeg.in_color_space = file.components == 1 ? JCS_GRAYSCALE : file.components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, file.quality, TRUE);
  if (!file.half_colours) jpeg.comp_info[0].h_samp_factor = jpeg.comp_info[0].v_samp_factor = 1;
  if (file.progressive) jpeg_simple_progression(&jpeg);
  jpeg.arith_code = file.arithmetic ? TRUE : FALSE;
  jpeg.restart_in_rows = file.restart_rows;
  jpeg_start_compress(&jpeg, TRUE);
  if (file.orientation > 0) write_exif(jpeg, file.orientation, file.exif_is_little);
  const std::size_t row_bytes = static_cast<std::size_t>(file.width) * static_cast<std::size_t>(file.components);
  samples.resize(row_bytes * static_cast<std::size_t>(file.height));
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW row = &samples[jpeg.next_scanline * row_bytes];
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::string bytes(reinterpret_cast<const char*>(to), length);
  std::free(to);
  return bytes;
}

std::vector<std::pair<std::string, std::string>> image_files() {
  std::vector<std::pair<std::string, std::string>> files;
  for (const int type :
       {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB_ALPHA}) {
    for (const int bits : {8, 16}) {
      for (const bool interlaced : {false, true}) {
        const PngFile file = {.bits = bits, .colour_type = type, .interlaced = interlaced};
        files.emplace_back(
            "type" + std::to_string(type) + "-" + std::to_string(bits) + (interlaced ? "i" : "") + ".png",
            bytes_of(file, slope(40, file.height)));
      }
    }
  }
  for (const int bits : {1, 2, 4}) {
    const PngFile file = {.width = 11, .bits = bits, .with_transparent_colour = bits == 2, .with_profile = bits == 4};
    files.emplace_back("gray" + std::to_string(bits) + ".png", bytes_of(file, slope(8, file.height)));
  }
  const PngFile transparent = {.bits = 16, .colour_type = PNG_COLOR_TYPE_RGB, .with_transparent_colour = true};
  files.emplace_back("transparent.png", bytes_of(transparent, std::vector<std::uint8_t>(90)));
  const PngFile palette = {.bits = 2,
                           .colour_type = PNG_COLOR_TYPE_PALETTE,
                           .palette = {10, 20, 30, 200, 150, 100, 0, 0, 0, 255, 255, 255},
                           .palette_alpha = {0, 128}};
  files.emplace_back("palette.png", bytes_of(palette, {0x1b, 0x40, 0xe4, 0x80, 0x1b, 0xc0}));
  for (const int components : {1, 3, 4}) {
    for (const int variant : {0, 1, 2, 3}) {
      const JpegFile file = {.width = 20,
                             .height = 18,
                             .components = components,
                             .quality = 80,
                             .progressive = variant == 1,
                             .arithmetic = variant == 3,
                             .half_colours = variant == 0,
                             .restart_rows = variant == 2 ? 1 : 0,
                             .orientation = components + 3 * (variant & 1)};
      files.emplace_back("components" + std::to_string(components) + "-" + std::to_string(variant) + ".jpg",
                         bytes_of(file, slope(static_cast<std::size_t>(20 * components), file.height)));
    }
  }
  return files;
}

}  // namespace speedwell::bench
