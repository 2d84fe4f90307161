// SPDX-License-Identifier: Apache-2.0
// PNG by libpng. It is C: an error jumps to `escape` over frames that hold nothing to destroy, and the functions that
// set where to keep nothing of their own alive across it.
#include <fmt/format.h>
#include <algorithm>
#include <bit>
#include <csetjmp>
#include <cstddef>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <png.h>

#include "bench/image_codec.hpp"

namespace speedwell::bench {

namespace {

// Deflate can't make more than this of one byte, so a header that promises more lies, and nothing is allocated for it.
constexpr std::uint64_t most_inflation = 1032;

struct Reading {
  ByteSource* source;
  std::jmp_buf escape;
  char message[200];
};

struct Writing {
  std::string* bytes;
  bool out_of_memory;
  std::jmp_buf escape;
  char message[200];
};

template <class Context>
[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* const context = static_cast<Context*>(png_get_error_ptr(png));
  std::strncpy(context->message, message, sizeof context->message - 1);
  std::longjmp(context->escape, 1);
}

// What is wrong in parts that aren't the pixels doesn't matter to a filter.
void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  ByteSource& source = *static_cast<Reading*>(png_get_io_ptr(png))->source;
  while (count > 0) {
    const std::string_view piece = source.piece();
    if (piece.empty()) png_error(png, "the file ends too early");
    const std::size_t part = std::min(count, piece.size());
    std::memcpy(to, piece.data(), part);
    source.take(part);
    to += part;
    count -= part;
  }
}

void write_bytes(png_structp png, png_bytep from, std::size_t count) {
  auto* const writing = static_cast<Writing*>(png_get_io_ptr(png));
  try {
    writing->bytes->append(reinterpret_cast<const char*>(from), count);
  } catch (const std::bad_alloc&) {
    writing->out_of_memory = true;
  }
  if (writing->out_of_memory) png_error(png, "out of memory");
}

struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct Writer {
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~Writer() { png_destroy_write_struct(&png, &info); }
};

bool read_header(png_structp png, png_infop info, Reading& reading) {
  if (setjmp(reading.escape) != 0) return false;
  png_set_user_limits(png, most_side, most_side);
  // Only what the pixels are made of is looked at: profiles and texts may be small and unpack to much.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(png, info);
  return true;
}

bool set_conversions(png_structp png, png_infop info, Reading& reading) {
  if (setjmp(reading.escape) != 0) return false;
  png_set_expand(png);
  if (std::endian::native == std::endian::little) png_set_swap(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return true;
}

bool read_rows(png_structp png, png_bytepp rows, Reading& reading) {
  if (setjmp(reading.escape) != 0) return false;
  png_read_image(png, rows);
  png_read_end(png, nullptr);
  return true;
}

bool set_header(png_structp png, png_infop info, png_uint_32 width, png_uint_32 height, int bits, int colour,
                Writing& writing) {
  if (setjmp(writing.escape) != 0) return false;
  png_set_user_limits(png, most_side, most_side);
  png_set_IHDR(png, info, width, height, bits, colour, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  return true;
}

bool write_rows(png_structp png, png_infop info, png_bytepp rows, Writing& writing) {
  if (setjmp(writing.escape) != 0) return false;
  png_write_info(png, info);
  if (std::endian::native == std::endian::little) png_set_swap(png);
  png_write_image(png, rows);
  png_write_end(png, nullptr);
  return true;
}

template <class T>
std::vector<png_bytep> rows_of(ImageView<T> image) {
  std::vector<png_bytep> rows(static_cast<std::size_t>(image.height));
  for (std::ptrdiff_t y = 0; y < image.height; ++y) {
    // What libpng writes out isn't const to it, and is only read.
    rows[static_cast<std::size_t>(y)] = reinterpret_cast<png_bytep>(const_cast<std::remove_const_t<T>*>(image.row(y)));
  }
  return rows;
}

// Of 2 or 4 channels the last is alpha.
template <class T>
Layers<T> split(Raster<T> all) {
  if (all.channels() % 2 != 0) return {std::move(all)};
  const auto colours = static_cast<std::size_t>(all.channels() - 1);
  Layers<T> layers = {Raster<T>(all.width(), all.height(), all.channels() - 1),
                      Raster<T>(all.width(), all.height(), 1)};
  T* colour = layers.colour.samples().data();
  T* alpha = layers.alpha->samples().data();
  const std::span<const T> samples = all.samples();
  for (const T *from = samples.data(), *const end = from + samples.size(); from < end; from += colours + 1) {
    colour = std::copy_n(from, colours, colour);
    *alpha++ = from[colours];
  }
  return layers;
}

// Colours and alpha interleaved.
template <class T>
Raster<T> joined(const Layers<T>& layers) {
  const Raster<T>& colours = layers.colour;
  Raster<T> all(colours.width(), colours.height(), colours.channels() + 1);
  const T* colour = colours.samples().data();
  T* to = all.samples().data();
  for (const T alpha : layers.alpha->samples()) {
    to = std::copy_n(colour, colours.channels(), to);
    colour += colours.channels();
    *to++ = alpha;
  }
  return all;
}

[[noreturn]] void refuse(const Reading& reading) {
  throw ImageError(fmt::format("the PNG image is damaged or cut short ({}), expected a whole one", reading.message));
}

template <class T>
Image decode_as(Reader& reader, Reading& reading) {
  Raster<T> raster(png_get_image_width(reader.png, reader.info), png_get_image_height(reader.png, reader.info),
                   png_get_channels(reader.png, reader.info));
  std::vector<png_bytep> rows = rows_of(raster.view());
  if (!read_rows(reader.png, rows.data(), reading)) refuse(reading);
  return split(std::move(raster));
}

template <class T>
void encode_raster(const Raster<T>& raster, std::string& bytes) {
  Writing writing = {&bytes, false, {}, {}};
  Writer writer;
  writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writing, on_error<Writing>, on_warning);
  if (writer.png != nullptr) writer.info = png_create_info_struct(writer.png);
  if (writer.info == nullptr) throw std::bad_alloc();
  png_set_write_fn(writer.png, &writing, write_bytes, nullptr);
  constexpr int colours[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                             PNG_COLOR_TYPE_RGB_ALPHA};
  std::vector<png_bytep> rows = rows_of(raster.view());
  if (!set_header(writer.png, writer.info, static_cast<png_uint_32>(raster.width()),
                  static_cast<png_uint_32>(raster.height()), 8 * int{sizeof(T)}, colours[raster.channels() - 1],
                  writing) ||
      !write_rows(writer.png, writer.info, rows.data(), writing)) {
    if (writing.out_of_memory) throw std::bad_alloc();
    throw ImageError(fmt::format("libpng says '{}'", writing.message));
  }
}

}  // namespace

Image decode_png(ByteSource& source) {
  Reading reading = {&source, {}, {}};
  Reader reader;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading, on_error<Reading>, on_warning);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) throw std::bad_alloc();
  png_set_read_fn(reader.png, &reading, read_bytes);
  if (!read_header(reader.png, reader.info, reading)) refuse(reading);
  const std::uint64_t height = png_get_image_height(reader.png, reader.info);
  check_promise(png_get_image_width(reader.png, reader.info), height,
                static_cast<std::uint64_t>(png_get_rowbytes(reader.png, reader.info)) * height, most_inflation, source);
  if (!set_conversions(reader.png, reader.info, reading)) refuse(reading);
  return png_get_bit_depth(reader.png, reader.info) == 16 ? decode_as<std::uint16_t>(reader, reading)
                                                          : decode_as<std::uint8_t>(reader, reading);
}

std::string encode_png(const Image& image) {
  std::string bytes;
  std::visit(
      [&](const auto& layers) {
        if (layers.alpha) {
          encode_raster(joined(layers), bytes);
        } else {
          encode_raster(layers.colour, bytes);
        }
      },
      image);
  return bytes;
}

}  // namespace speedwell::bench
