// SPDX-License-Identifier: Apache-2.0
// Where the pixels of an image of another size come from, and the tables that rows are resized by.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/image_filter/resize_tile.hpp"

namespace speedwell::image_filter {

// A place on an axis: `fraction` of the way from sample `index` to the next one, which there is unless it is zero.
struct Place {
  std::ptrdiff_t index;
  double fraction;
};

// From `from` samples to `to`, neither zero; both small enough for products of them.
struct Axis {
  std::ptrdiff_t from;
  std::ptrdiff_t to;

  double scale() const { return static_cast<double>(from) / static_cast<double>(to); }

  // By the scale that OpenCV computes, the inverse of an inverse, which isn't always the quotient.
  std::ptrdiff_t nearest(std::ptrdiff_t i) const {
    const double scale = 1 / (static_cast<double>(to) / static_cast<double>(from));
    return std::min(static_cast<std::ptrdiff_t>(static_cast<double>(i) * scale), from - 1);
  }

  // The centre of a sample: (i + 1/2) from / to - 1/2, not beyond the outermost centres.
  Place linear(std::ptrdiff_t i) const {
    const std::ptrdiff_t twice_to = 2 * to;
    const std::ptrdiff_t place = std::max<std::ptrdiff_t>((2 * i + 1) * from - to, 0);
    return inside({place / twice_to, static_cast<double>(place % twice_to) / static_cast<double>(twice_to)});
  }

  // Interpolation as if samples were areas, for enlarging: a sample of the result that lies in one of the source's is
  // it; one across the edge of two is between them, in proportion.
  Place linear_area(std::ptrdiff_t i) const {
    const std::ptrdiff_t index = i * from / to;
    const double beyond =
        static_cast<double>(i + 1) - static_cast<double>((index + 1) * to) / static_cast<double>(from);
    return inside({index, beyond <= 0 ? 0 : beyond - std::floor(beyond)});
  }

  // The samples that one of the result covers, in shrinking, and the first of them.
  std::ptrdiff_t area_first(std::ptrdiff_t i) const { return i * from / to; }
  std::ptrdiff_t area_count(std::ptrdiff_t i) const { return ((i + 1) * from + to - 1) / to - area_first(i); }
  std::ptrdiff_t most_area() const { return from % to == 0 ? from / to : from / to + 2; }

  // The parts of it that they are; their sum is 1.
  void area_weights(std::ptrdiff_t i, float* weights) const {
    const std::ptrdiff_t first = area_first(i);
    const std::ptrdiff_t count = area_count(i);
    for (std::ptrdiff_t k = 0; k < count; ++k) {
      const std::ptrdiff_t begin = std::max((first + k) * to, i * from);
      const std::ptrdiff_t end = std::min((first + k + 1) * to, (i + 1) * from);
      weights[k] = static_cast<float>(static_cast<double>(end - begin) / static_cast<double>(from));
    }
  }

 private:
  Place inside(Place place) const { return place.index >= from - 1 ? Place{from - 1, 0} : place; }
};

// The memory of a pixel table, and how it is made.
class PixelTableMaker {
 public:
  PixelTableMaker(std::ptrdiff_t pixels, std::ptrdiff_t pixel_bytes) : pixels_(pixels), pixel_bytes_(pixel_bytes) {}

  std::size_t bytes() const {
    return static_cast<std::size_t>(pixels_) * sizeof(std::int32_t) +
           static_cast<std::size_t>(blocks()) * (sizeof(std::int32_t) + PixelTable::most_chunks * block);
  }

  // Pixel x begins at pixel index_of(x), which doesn't fall, of a row of which `readable` bytes may be read.
  template <class IndexOf>
  PixelTable make(std::byte* memory, std::ptrdiff_t readable, const IndexOf& index_of) const {
    const auto index = reinterpret_cast<std::int32_t*>(memory);
    const auto from = index + pixels_;
    const auto order = reinterpret_cast<std::uint8_t*>(from + blocks());
    for (std::ptrdiff_t x = 0; x < pixels_; ++x) index[x] = static_cast<std::int32_t>(index_of(x));
    PixelTable table = {pixels_, pixel_bytes_, index, 0, from, order};
    if (table.bytes() < block) return table;

    std::ptrdiff_t reach = 0;
    for_blocks([&](std::ptrdiff_t, std::ptrdiff_t first_byte) {
      const auto [first, last] = range(index, first_byte);
      reach = std::max(reach, last + 1 - first);
    });
    const std::ptrdiff_t chunks = (reach + block - 1) / block;
    if (chunks > PixelTable::most_chunks || chunks * block > readable) return table;
    table.chunks = static_cast<int>(chunks);
    std::fill_n(order, blocks() * chunks * block, std::uint8_t{0x80});
    for_blocks([&](std::ptrdiff_t at, std::ptrdiff_t first_byte) {
      from[at] = static_cast<std::int32_t>(std::min(range(index, first_byte).first, readable - chunks * block));
      std::uint8_t* const of_block = order + at * chunks * block;
      for_bytes(index, first_byte, [&](std::ptrdiff_t i, std::ptrdiff_t byte) {
        const std::ptrdiff_t distance = byte - from[at];
        of_block[distance / block * block + i] = static_cast<std::uint8_t>(distance % block);
      });
    });
    return table;
  }

 private:
  static constexpr std::ptrdiff_t block = PixelTable::block_bytes;

  std::ptrdiff_t blocks() const { return (pixels_ * pixel_bytes_ + block - 1) / block; }

  // Calls body(block, the byte of the result that it begins with).
  template <class Body>
  void for_blocks(const Body& body) const {
    const std::ptrdiff_t last = blocks() - 1;
    for (std::ptrdiff_t i = 0; i < last; ++i) body(i, i * block);
    body(last, pixels_ * pixel_bytes_ - block);
  }

  // Calls body(i, the byte of the row) for the bytes of a block.
  template <class Body>
  void for_bytes(const std::int32_t* index, std::ptrdiff_t first_byte, const Body& body) const {
    std::ptrdiff_t x = first_byte / pixel_bytes_;
    std::ptrdiff_t in_pixel = first_byte % pixel_bytes_;
    for (std::ptrdiff_t i = 0; i < block; ++i) {
      body(i, index[x] * pixel_bytes_ + in_pixel);
      if (++in_pixel == pixel_bytes_) {
        in_pixel = 0;
        ++x;
      }
    }
  }

  struct Range {
    std::ptrdiff_t first;
    std::ptrdiff_t last;
  };

  Range range(const std::int32_t* index, std::ptrdiff_t first_byte) const {
    Range of = {index[first_byte / pixel_bytes_] * pixel_bytes_ + first_byte % pixel_bytes_, 0};
    for_bytes(index, first_byte, [&](std::ptrdiff_t, std::ptrdiff_t byte) {
      of = {std::min(of.first, byte), std::max(of.last, byte)};
    });
    return of;
  }

  std::ptrdiff_t pixels_;
  std::ptrdiff_t pixel_bytes_;
};

}  // namespace speedwell::image_filter
