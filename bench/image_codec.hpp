// SPDX-License-Identifier: Apache-2.0
// The formats, each a pair of functions: what image_io.cpp is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/image_io.hpp"

namespace speedwell::bench {

// The caps of OpenCV's decoders.
inline constexpr std::uint64_t most_side = std::uint64_t{1} << 20;
inline constexpr std::uint64_t most_pixels = std::uint64_t{1} << 30;

// A file's bytes in order, a piece at a time, so that of a file that is refused early little was read. Throws nothing:
// it is called from C.
class ByteSource {
 public:
  explicit ByteSource(std::string_view bytes) : size_(bytes.size()), memory_(bytes) {}
  ByteSource(int file, std::uint64_t size) : size_(size), file_(file), buffer_(most_piece) {}
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  std::uint64_t size() const { return size_; }

  // What follows, not taken yet: empty only at the end, or when the file can't be read.
  std::string_view piece() noexcept;
  void take(std::size_t count) noexcept { piece_.remove_prefix(count); }

  // The system's number for why it couldn't be read; 0: it could.
  int error() const { return error_; }

 private:
  static constexpr std::size_t most_piece = 65536;

  std::uint64_t size_;
  std::string_view memory_{};
  int file_ = -1;
  std::vector<char> buffer_{};
  std::string_view piece_{};
  int error_ = 0;
};

// Throw ImageError, whose message doesn't name the file; errors of the source are the caller's to look for first.
Image decode_png(ByteSource& source);
Image decode_jpeg(ByteSource& source);

std::string encode_png(const Image& image);
std::string encode_jpeg(const Image& image, int quality);

// Throws ImageError if an image of this size is larger than the caps, or than what `source` can hold at so many bytes
// of it, as stored without compression, for each byte of a file.
void check_promise(std::uint64_t width, std::uint64_t height, std::uint64_t stored_bytes, std::uint64_t most_inflation,
                   const ByteSource& source);

}  // namespace speedwell::bench
