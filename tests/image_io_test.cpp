// SPDX-License-Identifier: Apache-2.0
// Image files: ours, others', and hostile ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <png.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "bench/image_io.hpp"
#include "bench/journal.hpp"
#include "tests/image_files.hpp"

namespace speedwell::bench {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

class ImageFile : public testing::Test {
 protected:
  ImageFile() {
    std::string name = (fs::temp_directory_path() / "speedwell-images-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~ImageFile() override { fs::remove_all(folder_); }

  fs::path path(const std::string& name) const { return folder_ / name; }

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

  fs::path folder_;
};

// What is said of an image that is refused; empty: it isn't.
std::string refusal(const std::function<void()>& decode) {
  try {
    decode();
  } catch (const ImageError& error) {
    return error.what();
  }
  return {};
}

std::string refusal_of_bytes(const std::string& bytes) {
  return refusal([&] { decode_image(bytes, "it"); });
}

std::string refusal_of_file(const fs::path& path) {
  return refusal([&] { read_image(path); });
}

template <class T>
std::vector<T> values(const Raster<T>& raster) {
  return {raster.samples().begin(), raster.samples().end()};
}

template <class T>
Image random_image(std::ptrdiff_t width, std::ptrdiff_t height, int channels, bool alpha, std::mt19937& random) {
  Layers<T> layers = {Raster<T>(width, height, channels)};
  if (alpha) layers.alpha.emplace(width, height, 1);
  for (T& value : layers.colour.samples()) value = static_cast<T>(random());
  if (alpha) {
    for (T& value : layers.alpha->samples()) value = static_cast<T>(random());
  }
  return layers;
}

template <class T>
void expect_same(const Image& image, const Image& expected) {
  ASSERT_TRUE(std::holds_alternative<Layers<T>>(image));
  const auto& [colour, alpha] = std::get<Layers<T>>(image);
  const auto& [expected_colour, expected_alpha] = std::get<Layers<T>>(expected);
  EXPECT_EQ(colour.width(), expected_colour.width());
  EXPECT_EQ(colour.height(), expected_colour.height());
  EXPECT_EQ(colour.channels(), expected_colour.channels());
  EXPECT_EQ(values(colour), values(expected_colour));
  ASSERT_EQ(alpha.has_value(), expected_alpha.has_value());
  if (alpha) {
    EXPECT_EQ(values(*alpha), values(*expected_alpha));
  }
}

TEST_F(ImageFile, PngRoundTrips) {
  const std::uint32_t seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  for (const int channels : {1, 3}) {
    for (const bool alpha : {false, true}) {
      for (const auto& [width, height] : {std::pair{1, 1}, {1, 7}, {7, 1}, {31, 13}, {301, 200}}) {
        SCOPED_TRACE(testing::Message() << width << " x " << height << " x " << channels << " alpha " << alpha
                                        << " seed " << seed);
        const Image narrow = random_image<std::uint8_t>(width, height, channels, alpha, random);
        write_image(path("i.png"), narrow, ImageFormat::png);
        expect_same<std::uint8_t>(read_image(path("i.png")).image, narrow);
        const Image wide = random_image<std::uint16_t>(width, height, channels, alpha, random);
        write_image(path("i.png"), wide, ImageFormat::png);
        expect_same<std::uint16_t>(read_image(path("i.png")).image, wide);
      }
    }
  }
}

// Loses little of what is smooth, at the best quality.
TEST_F(ImageFile, JpegRoundTripsNearly) {
  for (const int channels : {1, 3}) {
    for (const auto& [width, height] : {std::pair{1, 1}, {9, 17}, {130, 70}}) {
      Layers<std::uint8_t> layers = {Raster<std::uint8_t>(width, height, channels)};
      const ImageView<std::uint8_t> view = layers.colour.view();
      for (std::ptrdiff_t y = 0; y < height; ++y) {
        for (std::ptrdiff_t x = 0; x < width; ++x) {
          for (int i = 0; i < channels; ++i) view(x, y, i) = static_cast<std::uint8_t>(20 + x + y / 2 + 30 * i);
        }
      }
      const Bytes before = values(layers.colour);
      const Image image = std::move(layers);
      write_image(path("i.jpg"), image, ImageFormat::jpeg, 100);
      const DecodedImage read = read_image(path("i.jpg"));
      EXPECT_EQ(read.format, ImageFormat::jpeg);
      const Bytes after = values(std::get<Layers<std::uint8_t>>(read.image).colour);
      ASSERT_EQ(after.size(), before.size());
      for (std::size_t i = 0; i < after.size(); ++i) ASSERT_NEAR(after[i], before[i], 4) << i;
      EXPECT_LT(encode_image(image, ImageFormat::jpeg, 20).size(), encode_image(image, ImageFormat::jpeg, 100).size());
    }
  }
  std::mt19937 random(1);
  EXPECT_THAT(refusal([&] {
                write_image(path("i.jpg"), random_image<std::uint16_t>(2, 2, 1, false, random), ImageFormat::jpeg);
              }),
              HasSubstr("a JPEG image has 8 bits a sample, this one has 16"));
  EXPECT_THAT(refusal([&] {
                write_image(path("i.jpg"), random_image<std::uint8_t>(2, 2, 3, true, random), ImageFormat::jpeg);
              }),
              HasSubstr("a JPEG image has no alpha"));
  EXPECT_THAT(refusal([&] {
                write_image(path("i.jpg"), random_image<std::uint8_t>(65501, 1, 1, false, random), ImageFormat::jpeg);
              }),
              HasSubstr("Maximum supported image dimension"));
}

// Written by libpng without our encoder.
TEST_F(ImageFile, EveryPngKindBecomesWhatItShows) {
  struct Kind {
    PngFile file;
    Bytes rows;
    int bits;
    std::vector<int> colour;
    std::vector<int> alpha;
  };
  const Kind kinds[] = {
      {{.width = 3,
        .height = 1,
        .colour_type = PNG_COLOR_TYPE_PALETTE,
        .palette = {10, 20, 30, 200, 150, 100},
        .palette_alpha = {}},
       {1, 0, 1},
       8,
       {200, 150, 100, 10, 20, 30, 200, 150, 100},
       {}},
      {{.width = 3,
        .height = 1,
        .colour_type = PNG_COLOR_TYPE_PALETTE,
        .palette = {10, 20, 30, 200, 150, 100},
        .palette_alpha = {77}},
       {1, 0, 1},
       8,
       {200, 150, 100, 10, 20, 30, 200, 150, 100},
       {255, 77, 255}},
      {{.width = 4, .height = 1, .bits = 2}, {0x1b}, 8, {0, 85, 170, 255}, {}},
      {{.width = 4, .height = 1, .bits = 2, .with_transparent_colour = true},
       {0x1b},
       8,
       {0, 85, 170, 255},
       {0, 255, 255, 255}},
      {{.width = 9, .height = 1, .bits = 1, .with_profile = true},
       {0xa0, 0x80},
       8,
       {255, 0, 255, 0, 0, 0, 0, 0, 255},
       {}},
      {{.width = 2, .height = 1, .bits = 16}, {1, 2, 0xff, 0xfe}, 16, {0x102, 0xfffe}, {}},
      {{.width = 1, .height = 2, .bits = 16, .colour_type = PNG_COLOR_TYPE_GRAY_ALPHA},
       {1, 2, 3, 4, 5, 6, 7, 8},
       16,
       {0x102, 0x506},
       {0x304, 0x708}},
      {{.width = 2, .height = 1, .bits = 16, .colour_type = PNG_COLOR_TYPE_RGB, .with_transparent_colour = true},
       {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
       16,
       {0, 0, 0, 0, 0, 1},
       {0, 0xffff}},
  };
  for (const Kind& kind : kinds) {
    const Image image = decode_image(bytes_of(kind.file, kind.rows), "it").image;
    const auto check = [&]<class T>(const Layers<T>& layers) {
      EXPECT_EQ(8 * int{sizeof(T)}, kind.bits);
      const auto colour = layers.colour.samples();
      EXPECT_EQ(std::vector<int>(colour.begin(), colour.end()), kind.colour);
      EXPECT_EQ(layers.alpha.has_value(), !kind.alpha.empty());
      if (!layers.alpha) return;
      const auto alpha = layers.alpha->samples();
      EXPECT_EQ(std::vector<int>(alpha.begin(), alpha.end()), kind.alpha);
    };
    std::visit(check, image);
  }
}

TEST_F(ImageFile, InterlacedPngsAreTheSame) {
  std::mt19937 random(3);
  for (const auto& [bits, type] :
       {std::pair{8, PNG_COLOR_TYPE_RGB}, {16, PNG_COLOR_TYPE_RGB_ALPHA}, {1, PNG_COLOR_TYPE_GRAY}}) {
    PngFile file = {.width = 37, .height = 21, .bits = bits, .colour_type = type};
    Bytes rows(37 * 8 * 21);
    for (std::uint8_t& value : rows) value = static_cast<std::uint8_t>(random());
    const Image plain = decode_image(bytes_of(file, rows), "it").image;
    file.interlaced = true;
    const Image interlaced = decode_image(bytes_of(file, rows), "it").image;
    if (bits == 16) {
      expect_same<std::uint16_t>(interlaced, plain);
    } else {
      expect_same<std::uint8_t>(interlaced, plain);
    }
  }
}

// The blocks that are at the top left and the top right of what is stored, and where they are to be seen.
TEST_F(ImageFile, JpegsAreTurnedUpright) {
  constexpr int width = 24, height = 16, block = 8;
  Bytes samples(width * height, 10);
  for (int y = 0; y < block; ++y) {
    for (int x = 0; x < block; ++x) {
      samples[static_cast<std::size_t>(y * width + x)] = 250;
      samples[static_cast<std::size_t>(y * width + width - 1 - x)] = 120;
    }
  }
  struct Corner {
    bool right, bottom;
  };
  const std::pair<Corner, Corner> places[] = {{{false, false}, {true, false}}, {{true, false}, {false, false}},
                                              {{true, true}, {false, true}},   {{false, true}, {true, true}},
                                              {{false, false}, {false, true}}, {{true, false}, {true, true}},
                                              {{true, true}, {true, false}},   {{false, true}, {false, false}}};
  for (int orientation = 0; orientation <= 9; ++orientation) {
    for (const bool little : {false, true}) {
      const JpegFile file = {
          .width = width, .height = height, .components = 1, .orientation = orientation, .exif_is_little = little};
      const DecodedImage decoded = decode_image(bytes_of(file, samples), "it");
      const auto& colour = std::get<Layers<std::uint8_t>>(decoded.image).colour;
      const bool turned = orientation >= 5 && orientation <= 8;
      ASSERT_EQ(colour.width(), turned ? height : width) << orientation;
      ASSERT_EQ(colour.height(), turned ? width : height) << orientation;
      const auto& [first, second] = places[orientation >= 1 && orientation <= 8 ? orientation - 1 : 0];
      const auto at = [&](const Corner& corner) -> int {
        return colour.view()(corner.right ? colour.width() - 1 : 0, corner.bottom ? colour.height() - 1 : 0);
      };
      EXPECT_NEAR(at(first), 250, 2) << orientation;
      EXPECT_NEAR(at(second), 120, 2) << orientation;
    }
  }
}

TEST_F(ImageFile, JpegsOfOtherKindsAreReadOrRefused) {
  const Bytes samples(40 * 40 * 4, 100);
  const auto file = [&](JpegFile of) {
    of.width = of.height = 40;
    return bytes_of(of, samples);
  };
  EXPECT_THAT(refusal_of_bytes(file({.components = 4})),
              HasSubstr("it: the JPEG image has 4 colours (CMYK, for printing)"));
  EXPECT_THAT(refusal_of_bytes(file({.arithmetic = true})), HasSubstr("arithmetic coding, expected Huffman"));
  for (const JpegFile& kind :
       {JpegFile{.progressive = true}, JpegFile{.half_colours = true}, JpegFile{.restart_rows = 1}}) {
    const DecodedImage decoded = decode_image(file(kind), "it");
    for (const std::uint8_t value : std::get<Layers<std::uint8_t>>(decoded.image).colour.samples()) {
      ASSERT_NEAR(value, 100, 2);
    }
  }
}

TEST_F(ImageFile, WhatIsCutIsRefused) {
  for (const auto& [name, bytes] : image_files()) {
    const std::string whole = refusal_of_bytes(bytes);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      ASSERT_NE(refusal_of_bytes(bytes.substr(0, length)), "") << name << " cut to " << length;
    }
    EXPECT_EQ(refusal_of_bytes(bytes + "what comes after the end doesn't matter"), whole) << name;
  }
}

TEST_F(ImageFile, WhatIsDamagedIsRefusedOrReadButDoesNoHarm) {
  std::mt19937 random(5);
  for (const auto& [name, bytes] : image_files()) {
    for (int i = 0; i < 200; ++i) {
      std::string damaged = bytes;
      damaged[random() % damaged.size()] = static_cast<char>(random());
      refusal_of_bytes(damaged);
    }
  }
  // Each byte of a PNG image is under a checksum, or is one.
  const std::string png = bytes_of(PngFile{}, Bytes(15, 7));
  for (std::size_t i = 0; i < png.size(); ++i) {
    std::string damaged = png;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    EXPECT_NE(refusal_of_bytes(damaged), "") << i;
  }
}

std::string png_of_size(std::uint32_t width, std::uint32_t height) {
  std::string bytes = bytes_of(PngFile{}, {});
  for (int i = 0; i < 4; ++i) {
    bytes[static_cast<std::size_t>(16 + i)] = static_cast<char>(width >> (24 - 8 * i));
    bytes[static_cast<std::size_t>(20 + i)] = static_cast<char>(height >> (24 - 8 * i));
  }
  const std::uint32_t sum = crc32(std::string_view(bytes).substr(12, 17));
  for (int i = 0; i < 4; ++i) bytes[static_cast<std::size_t>(29 + i)] = static_cast<char>(sum >> (24 - 8 * i));
  return bytes;
}

// A header may promise a terabyte; nothing is allocated for it.
TEST_F(ImageFile, HugePromiseInASmallFileIsRefused) {
  EXPECT_THAT(refusal_of_bytes(png_of_size(31623, 31623)),
              HasSubstr("promises 31623 x 31623 pixels, which can't be in"));
  EXPECT_THAT(refusal_of_bytes(png_of_size(1u << 20, 1u << 20)),
              HasSubstr("expected at most 1048576 a side and 1073741824 in all"));
  EXPECT_THAT(refusal_of_bytes(png_of_size(1u << 30, 4)), HasSubstr("damaged"));
  EXPECT_THAT(refusal_of_bytes(png_of_size(0, 4)), HasSubstr("damaged"));

  for (const bool progressive : {false, true}) {
    std::string jpeg = bytes_of(JpegFile{.progressive = progressive}, {});
    const std::size_t frame = jpeg.find(progressive ? "\xff\xc2" : "\xff\xc0");
    ASSERT_NE(frame, std::string::npos);
    for (std::size_t i = 5; i < 9; ++i) jpeg[frame + i] = static_cast<char>(0x7b);  // 31611 x 31611
    EXPECT_THAT(refusal_of_bytes(jpeg), HasSubstr("promises 31611 x 31611 pixels, which can't be in"));
  }
}

// The last scan again and again: each would go through the whole image.
TEST_F(ImageFile, EndlessScansAreRefused) {
  const std::string jpeg = bytes_of(JpegFile{.progressive = true}, Bytes(16 * 8 * 3, 9));
  const std::size_t scan = jpeg.rfind("\xff\xda");
  const std::string body = jpeg.substr(scan, jpeg.size() - 2 - scan);
  const auto with_scans = [&](int more) {
    std::string bytes = jpeg.substr(0, jpeg.size() - 2);
    for (int i = 0; i < more; ++i) bytes += body;
    return bytes + jpeg.substr(jpeg.size() - 2);
  };
  EXPECT_EQ(refusal_of_bytes(with_scans(0)), "");
  EXPECT_EQ(refusal_of_bytes(with_scans(20)), "");
  EXPECT_THAT(refusal_of_bytes(with_scans(200)), HasSubstr("more than 100 scans"));
}

TEST_F(ImageFile, WhatIsNoImageIsSaid) {
  EXPECT_THAT(refusal_of_file(write("e.png", "")), HasSubstr("e.png: the file is empty, expected a PNG or JPEG image"));
  EXPECT_THAT(refusal_of_file(write("t.png", "hello")), HasSubstr("t.png: this is neither a PNG nor a JPEG image"));
  EXPECT_THAT(refusal_of_file(write("g.png", "GIF89a and so on")), HasSubstr("this is a GIF image"));
  EXPECT_THAT(refusal_of_file(write("w.jpg", "RIFF1234WEBPVP8 ")), HasSubstr("this is a WebP image"));
  EXPECT_THAT(refusal_of_file(write("p.jpg", "%PDF-1.7")), HasSubstr("this is a PDF document"));
  EXPECT_THAT(refusal_of_file(folder_), HasSubstr("this is a directory"));
  ASSERT_EQ(::mkfifo(path("f.png").c_str(), 0600), 0);
  EXPECT_THAT(refusal_of_file(path("f.png")), HasSubstr("f.png: this is a pipe"));
  EXPECT_THAT(refusal_of_file("/dev/zero"), HasSubstr("this is a device"));
  EXPECT_THROW(read_image(path("none.png")), std::system_error);
}

TEST_F(ImageFile, NamesMustNotLie) {
  const std::string png = bytes_of(PngFile{}, {}), jpeg = bytes_of(JpegFile{}, {});
  EXPECT_THAT(refusal_of_file(write("j.png", jpeg)), HasSubstr("this is a JPEG image under a PNG image's name"));
  EXPECT_THAT(refusal_of_file(write("p.JPG", png)), HasSubstr("this is a PNG image under a JPEG image's name"));
  EXPECT_EQ(refusal_of_file(write("j.jpeg", jpeg)), "");
  EXPECT_EQ(refusal_of_file(write("j", jpeg)), "");
  EXPECT_EQ(refusal_of_file(write("p.image", png)), "");
}

}  // namespace
}  // namespace speedwell::bench
