// SPDX-License-Identifier: Apache-2.0
// PNG and JPEG images in and out, for the command; the library knows no file formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

#include <speedwell/view.hpp>

#include "bench/cases/buffer.hpp"

namespace speedwell::bench {

// Interleaved samples, rows without gaps. They are zero where nobody has written, and take no memory there.
template <class T>
class Raster {
 public:
  Raster(std::ptrdiff_t width, std::ptrdiff_t height, int channels)
      : width_(width), height_(height), channels_(channels), samples_(width * height * channels) {}

  std::ptrdiff_t width() const { return width_; }
  std::ptrdiff_t height() const { return height_; }
  int channels() const { return channels_; }
  std::span<T> samples() { return samples_.span(); }
  std::span<const T> samples() const { return samples_.span(); }
  ImageView<T> view() { return {samples_.data(), width_, height_, channels_}; }
  ImageView<const T> view() const { return {samples_.data(), width_, height_, channels_}; }

 private:
  std::ptrdiff_t width_;
  std::ptrdiff_t height_;
  int channels_;
  Buffer<T> samples_;
};

// Colours of 1 channel (gray) or 3 (RGB), and straight alpha, of the same size, if there is any.
template <class T>
struct Layers {
  Raster<T> colour;
  std::optional<Raster<T>> alpha{};
};

// Of 8 or 16 bits a sample.
using Image = std::variant<Layers<std::uint8_t>, Layers<std::uint16_t>>;

enum class ImageFormat { png, jpeg };

std::string_view name(ImageFormat format);  // "PNG"

// A file that isn't an image of these formats, or a damaged or an unreasonably large one. The message names the file,
// what was found and what was expected.
class ImageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The format that a file's name promises by its extension, if it ends in one of .png, .jpg and .jpeg.
std::optional<ImageFormat> format_of_name(const std::filesystem::path& path);

struct DecodedImage {
  Image image;
  ImageFormat format;
};

// Reads a PNG or JPEG file, whichever its first bytes say. Of PNG any: fewer than 8 bits are widened, a palette becomes
// its colours, a transparent colour becomes alpha. Of JPEG gray and colours in Huffman coding, turned upright where the
// camera says how it was held. Samples stay as they are stored: no colour management.
//
// For files of anybody: what isn't a regular file, or isn't what its name says, is refused before it is read; sides are
// at most 2^20 pixels and images 2^30; a header that promises more than the file can hold is refused, and memory is
// taken for what is decoded only. Throws ImageError, or std::system_error if the file can't be read.
DecodedImage read_image(const std::filesystem::path& path);

// The same of a file's bytes. `name` is for messages.
DecodedImage decode_image(std::string_view bytes, const std::string& name);

// `quality`, 1 to 100, is JPEG's, which has neither alpha nor 16 bits: they are not given to it. Colours are stored in
// full resolution.
std::string encode_image(const Image& image, ImageFormat format, int quality);

// Throws std::system_error, with what was there before untouched; ImageError for an image that the format can't hold.
void write_image(const std::filesystem::path& path, const Image& image, ImageFormat format, int quality = 95);

}  // namespace speedwell::bench
