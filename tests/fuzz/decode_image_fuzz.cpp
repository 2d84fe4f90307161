// SPDX-License-Identifier: Apache-2.0
// libFuzzer on the decoders' entry. Whatever it takes for an image must survive being written and read again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <variant>

#include <zlib.h>

#include "bench/image_io.hpp"

namespace {

using namespace speedwell::bench;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class T>
bool same(const Raster<T>& a, const Raster<T>& b) {
  return a.width() == b.width() && a.height() == b.height() && a.channels() == b.channels() &&
         std::equal(a.samples().begin(), a.samples().end(), b.samples().begin(), b.samples().end());
}

template <class T>
void check(const Layers<T>& layers, const Image& image) {
  const auto channels = layers.colour.channels();
  require(channels == 1 || channels == 3);
  require(layers.colour.width() > 0 && layers.colour.height() > 0);
  // Large ones only cost time here.
  if (layers.colour.samples().size() > 100'000) return;
  const DecodedImage back = decode_image(encode_image(image, ImageFormat::png, 0), "again");
  const auto& again = std::get<Layers<T>>(back.image);
  require(back.format == ImageFormat::png && same(layers.colour, again.colour));
  require(layers.alpha.has_value() == again.alpha.has_value());
  if (layers.alpha) require(same(*layers.alpha, *again.alpha));
  if (sizeof(T) > 1 || layers.alpha || layers.colour.width() > 65500 || layers.colour.height() > 65500) return;
  const DecodedImage lossy = decode_image(encode_image(image, ImageFormat::jpeg, 90), "again");
  const auto& near = std::get<Layers<std::uint8_t>>(lossy.image);
  require(near.colour.width() == layers.colour.width() && near.colour.height() == layers.colour.height());
  require(near.colour.channels() == channels);
}

// PNG's checksums, of which a change at random would hardly get past the first.
void repair_checksums(std::uint8_t* data, std::size_t size) {
  const auto big_endian = [&](std::size_t at) {
    return std::size_t{data[at]} << 24 | std::size_t{data[at + 1]} << 16 | std::size_t{data[at + 2]} << 8 |
           data[at + 3];
  };
  constexpr std::size_t signature = 8, around = 12;  // a chunk is its length, its type, its data and its checksum
  for (std::size_t at = signature; at + around <= size;) {
    const std::size_t length = big_endian(at);
    if (length > size - at - around) return;
    const auto sum = static_cast<std::uint32_t>(::crc32(0, data + at + 4, static_cast<uInt>(length + 4)));
    for (std::size_t i = 0; i < 4; ++i) data[at + 8 + length + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
    at += around + length;
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, most);
  const bool png = mutated > 1 && data[0] == 0x89 && data[1] == 'P';
  if (png && seed % 16 != 0) repair_checksums(data, mutated);
  return mutated;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const DecodedImage decoded = decode_image({reinterpret_cast<const char*>(data), size}, "input");
    std::visit([&](const auto& layers) { check(layers, decoded.image); }, decoded.image);
  } catch (const ImageError&) {
  }
  return 0;
}
