// SPDX-License-Identifier: Apache-2.0
#include "bench/image_io.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include <png.h>

#include "bench/files.hpp"

namespace speedwell::bench {

namespace {

// The caps of OpenCV's decoders.
constexpr png_uint_32 most_side = 1u << 20;
constexpr std::uint64_t most_pixels = std::uint64_t{1} << 30;
// An image of the most pixels, stored without compression, in 16 bits with alpha.
constexpr std::size_t most_file_bytes = std::size_t{8} << 30;
// Deflate can't make more than this of one byte, so a header that promises more lies, and nothing is allocated for it.
constexpr std::uint64_t most_inflation = 1032;

// Where libpng leaves off. It is C: an error jumps to `escape` over frames that hold nothing to destroy.
struct Source {
  const char* next;
  std::size_t left;
  std::jmp_buf escape;
  char message[200];
};

struct Sink {
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

// Damaged text or time chunks don't matter to a filter.
void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  auto* const source = static_cast<Source*>(png_get_io_ptr(png));
  if (count > source->left) png_error(png, "the file ends too early");
  std::memcpy(to, source->next, count);
  source->next += count;
  source->left -= count;
}

void write_bytes(png_structp png, png_bytep from, std::size_t count) {
  auto* const sink = static_cast<Sink*>(png_get_io_ptr(png));
  try {
    sink->bytes->append(reinterpret_cast<const char*>(from), count);
  } catch (const std::bad_alloc&) {
    sink->out_of_memory = true;
  }
  if (sink->out_of_memory) png_error(png, "out of memory");
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

// The functions that setjmp keep nothing of their own alive across it.
bool read_header(png_structp png, png_infop info, Source& source) {
  if (setjmp(source.escape) != 0) return false;
  png_read_info(png, info);
  return true;
}

bool set_conversions(png_structp png, png_infop info, Source& source) {
  if (setjmp(source.escape) != 0) return false;
  png_set_expand(png);
  png_set_scale_16(png);
  if ((png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR) == 0 &&
      ((png_get_color_type(png, info) & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png, info, PNG_INFO_tRNS) != 0)) {
    png_set_gray_to_rgb(png);
  }
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return true;
}

bool read_rows(png_structp png, png_bytepp rows, Source& source) {
  if (setjmp(source.escape) != 0) return false;
  png_read_image(png, rows);
  png_read_end(png, nullptr);
  return true;
}

bool write_rows(png_structp png, png_infop info, png_bytepp rows, Sink& sink) {
  if (setjmp(sink.escape) != 0) return false;
  png_write_info(png, info);
  png_write_image(png, rows);
  png_write_end(png, nullptr);
  return true;
}

bool set_header(png_structp png, png_infop info, png_uint_32 width, png_uint_32 height, int colour, Sink& sink) {
  if (setjmp(sink.escape) != 0) return false;
  png_set_IHDR(png, info, width, height, 8, colour, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  return true;
}

std::vector<png_bytep> rows_of(std::uint8_t* samples, std::size_t height, std::size_t row_bytes) {
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) rows[y] = samples + y * row_bytes;
  return rows;
}

}  // namespace

Image read_png(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, most_file_bytes);
  const auto fail = [&](std::string_view what) { throw ImageError(fmt::format("{}: {}", path.string(), what)); };
  const auto* const magic = reinterpret_cast<png_const_bytep>(bytes.data());
  if (bytes.empty()) fail("the file is empty, expected a PNG image");
  if (png_sig_cmp(magic, 0, std::min<std::size_t>(bytes.size(), 8)) != 0) {
    const bool jpeg = bytes.starts_with("\xff\xd8");
    fail(fmt::format("{}, expected a PNG image", jpeg ? "this is a JPEG image" : "this isn't a PNG image"));
  }

  Source source = {bytes.data(), bytes.size(), {}, {}};
  Reader reader;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, on_error<Source>, on_warning);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) throw std::bad_alloc();
  const auto damaged = [&] {
    fail(fmt::format("the PNG image is damaged or cut short ({}), expected a whole one", source.message));
  };
  png_set_read_fn(reader.png, &source, read_bytes);
  png_set_user_limits(reader.png, most_side, most_side);
  if (!read_header(reader.png, reader.info, source)) damaged();

  const std::uint64_t width = png_get_image_width(reader.png, reader.info);
  const std::uint64_t height = png_get_image_height(reader.png, reader.info);
  const std::uint64_t stored = static_cast<std::uint64_t>(png_get_rowbytes(reader.png, reader.info)) * height;
  if (width * height > most_pixels) {
    fail(fmt::format("the image has {} x {} pixels, expected at most {}", width, height, most_pixels));
  }
  if (stored / most_inflation > bytes.size()) {
    fail(fmt::format("the PNG image is cut short: {} x {} pixels can't be in {} bytes", width, height, bytes.size()));
  }
  if (!set_conversions(reader.png, reader.info, source)) damaged();

  Image image;
  image.width = static_cast<std::ptrdiff_t>(width);
  image.height = static_cast<std::ptrdiff_t>(height);
  image.channels = png_get_channels(reader.png, reader.info);
  const std::size_t row_bytes = png_get_rowbytes(reader.png, reader.info);
  image.samples.resize(row_bytes * height);
  std::vector<png_bytep> rows = rows_of(image.samples.data(), height, row_bytes);
  if (!read_rows(reader.png, rows.data(), source)) damaged();
  return image;
}

void write_png(const std::filesystem::path& path, const Image& image) {
  std::string bytes;
  Sink sink = {&bytes, false, {}, {}};
  Writer writer;
  writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &sink, on_error<Sink>, on_warning);
  if (writer.png != nullptr) writer.info = png_create_info_struct(writer.png);
  if (writer.info == nullptr) throw std::bad_alloc();
  png_set_write_fn(writer.png, &sink, write_bytes, nullptr);
  const int colour = image.channels == 1   ? PNG_COLOR_TYPE_GRAY
                     : image.channels == 3 ? PNG_COLOR_TYPE_RGB
                                           : PNG_COLOR_TYPE_RGB_ALPHA;
  const auto height = static_cast<std::size_t>(image.height);
  const std::size_t row_bytes = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.channels);
  // libpng's rows aren't const, and are only read.
  std::vector<png_bytep> rows = rows_of(const_cast<std::uint8_t*>(image.samples.data()), height, row_bytes);
  if (!set_header(writer.png, writer.info, static_cast<png_uint_32>(image.width),
                  static_cast<png_uint_32>(image.height), colour, sink) ||
      !write_rows(writer.png, writer.info, rows.data(), sink)) {
    if (sink.out_of_memory) throw std::bad_alloc();
    throw ImageError(fmt::format("cannot encode {}: {}", path.string(), sink.message));
  }
  write_file_atomically(path, bytes);
}

}  // namespace speedwell::bench
