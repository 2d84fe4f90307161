// SPDX-License-Identifier: Apache-2.0
#include "bench/image_io.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/files.hpp"
#include "bench/image_codec.hpp"

namespace speedwell::bench {

namespace fs = std::filesystem;

namespace {

struct Format {
  ImageFormat format;
  std::string_view name;
  std::string_view magic;
  Image (*decode)(ByteSource& source);
};

constexpr Format formats[] = {
    {ImageFormat::png, "PNG", "\x89PNG\r\n\x1a\n", decode_png},
    {ImageFormat::jpeg, "JPEG", "\xff\xd8\xff", decode_jpeg},
};

constexpr std::string_view expectation = "expected a PNG or JPEG image";

// What people hand over by mistake, to be told what it is.
struct Stranger {
  std::size_t at;
  std::string_view magic;
  std::string_view what;
};

constexpr Stranger strangers[] = {
    {0, "GIF8", "a GIF image"},
    {0, "BM", "a BMP image"},
    {0, {"II*\0", 4}, "a TIFF image or a camera's raw file"},
    {0, {"MM\0*", 4}, "a TIFF image or a camera's raw file"},
    {8, "WEBP", "a WebP image"},
    {4, "ftypavif", "an AVIF image"},
    {4, "ftyphei", "an HEIC image"},
    {4, "ftypmif1", "an HEIC image"},
    {4, "ftyp", "a video, or an image in a video's container"},
    {0, {"\0\0\0\x0cjP  ", 8}, "a JPEG 2000 image"},
    {0, {"\0\0\0\x0cJXL ", 8}, "a JPEG XL image"},
    {0, "\xff\x0a", "a JPEG XL image"},
    {0, "P5", "a PGM image"},
    {0, "P6", "a PPM image"},
    {0, "8BPS", "a Photoshop document"},
    {0, "%PDF", "a PDF document"},
    {0, "<svg", "an SVG drawing"},
    {0, "<?xml", "an XML document"},
    {0, "PK\x03\x04", "a ZIP archive"},
    {0, "\x1f\x8b", "a gzip file"},
    {0,
     "\x7f"
     "ELF",
     "a program"},
};

std::string_view what_it_is(std::string_view head) {
  for (const Stranger& stranger : strangers) {
    if (head.size() >= stranger.at && head.substr(stranger.at).starts_with(stranger.magic)) return stranger.what;
  }
  return "neither a PNG nor a JPEG image";
}

// nullptr: none of ours.
const Format* format_of_bytes(std::string_view head) {
  for (const Format& format : formats) {
    if (head.starts_with(format.magic)) return &format;
  }
  return nullptr;
}

DecodedImage decode(ByteSource& source, const std::string& name, std::optional<ImageFormat> promised) {
  const auto fail = [&](std::string_view what) { throw ImageError(fmt::format("{}: {}", name, what)); };
  const std::string_view head = source.piece();
  const auto check_read = [&] {
    if (source.error() != 0) throw std::system_error(source.error(), std::generic_category(), "cannot read " + name);
  };
  check_read();
  if (head.empty()) fail(fmt::format("the file is empty, {}", expectation));
  const Format* const format = format_of_bytes(head);
  if (format == nullptr) {
    fail(fmt::format("this is {}, {}", what_it_is(head), expectation));
  }
  if (promised && *promised != format->format) {
    fail(fmt::format("this is a {} image under a {} image's name, expected a name that says what it is", format->name,
                     speedwell::bench::name(*promised)));
  }
  try {
    return {format->decode(source), format->format};
  } catch (const ImageError& error) {
    check_read();
    fail(error.what());
    throw;
  }
}

std::string_view kind_of_file(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

std::string_view ByteSource::piece() noexcept {
  if (!piece_.empty() || error_ != 0) return piece_;
  if (file_ < 0) {
    piece_ = memory_.substr(0, most_piece);
    memory_.remove_prefix(piece_.size());
    return piece_;
  }
  std::size_t filled = 0;
  while (filled < buffer_.size()) {
    const ssize_t got = ::read(file_, buffer_.data() + filled, buffer_.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error_ = errno;
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
  }
  piece_ = {buffer_.data(), error_ == 0 ? filled : 0};
  return piece_;
}

void check_promise(std::uint64_t width, std::uint64_t height, std::uint64_t stored_bytes, std::uint64_t most_inflation,
                   const ByteSource& source) {
  if (width > most_side || height > most_side || width * height > most_pixels) {
    throw ImageError(fmt::format("the image has {} x {} pixels, expected at most {} a side and {} in all", width,
                                 height, most_side, most_pixels));
  }
  if (stored_bytes / most_inflation > source.size()) {
    throw ImageError(
        fmt::format("the header promises {} x {} pixels, which can't be in {} bytes; expected a whole image", width,
                    height, source.size()));
  }
}

std::string_view name(ImageFormat format) {
  return std::find_if(std::begin(formats), std::end(formats), [&](const Format& one) { return one.format == format; })
      ->name;
}

std::optional<ImageFormat> format_of_name(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& letter : extension) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (extension == ".png") return ImageFormat::png;
  if (extension == ".jpg" || extension == ".jpeg") return ImageFormat::jpeg;
  return std::nullopt;
}

DecodedImage read_image(const fs::path& path) {
  // A pipe that nobody writes to would make the opening wait.
  const OpenFile file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status = {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot read " + path.string());
  }
  if (!S_ISREG(status.st_mode)) {
    throw ImageError(fmt::format("{}: this is {}, {}", path.string(), kind_of_file(status.st_mode), expectation));
  }
  ByteSource source(file.get(), static_cast<std::uint64_t>(status.st_size));
  return decode(source, path.string(), format_of_name(path));
}

DecodedImage decode_image(std::string_view bytes, const std::string& name) {
  ByteSource source(bytes);
  return decode(source, name, std::nullopt);
}

std::string encode_image(const Image& image, ImageFormat format, int quality) {
  return format == ImageFormat::png ? encode_png(image) : encode_jpeg(image, quality);
}

void write_image(const fs::path& path, const Image& image, ImageFormat format, int quality) {
  try {
    write_file_atomically(path, encode_image(image, format, quality));
  } catch (const ImageError& error) {
    throw ImageError(fmt::format("cannot write {}: {}", path.string(), error.what()));
  }
}

}  // namespace speedwell::bench
