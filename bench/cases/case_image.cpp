// SPDX-License-Identifier: Apache-2.0
#include "bench/cases/case_image.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace speedwell::bench {

namespace {

// At the beginning of the memory that is handed on; the samples follow.
struct Header {
  std::array<char, 8> magic;
  std::int64_t width, height, channels;
};

constexpr std::array<char, 8> magic = {'s', 'w', 'i', 'm', 'a', 'g', 'e', '1'};

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), "cannot hand the image on: " + what);
}

std::optional<CaseImage> open_image() {
  const char* const name = std::getenv(case_image_variable);
  if (name == nullptr || *name == 0) return std::nullopt;
  const auto refuse = [&] {
    throw std::runtime_error(std::string(case_image_variable) + " is '" + name +
                             "', expected what `speedwell bench --image` sets it to");
  };
  const int file = ::open(name, O_RDONLY | O_CLOEXEC);
  struct stat status = {};
  const bool there = file >= 0 && ::fstat(file, &status) == 0 && status.st_size >= off_t{sizeof(Header)};
  // Stays mapped for as long as the process lives.
  void* const bytes =
      there ? ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
  if (file >= 0) ::close(file);
  if (bytes == MAP_FAILED) refuse();
  const auto* const header = static_cast<const Header*>(bytes);
  const auto samples = (static_cast<std::size_t>(status.st_size) - sizeof(Header)) / sizeof(std::uint16_t);
  if (header->magic != magic ||
      static_cast<std::size_t>(header->width * header->height * header->channels) != samples) {
    refuse();
  }
  return CaseImage{.width = header->width,
                   .height = header->height,
                   .channels = header->channels,
                   .samples = {reinterpret_cast<const std::uint16_t*>(header + 1), samples}};
}

template <class S>
S sample_of(std::uint16_t value) {
  if constexpr (std::is_same_v<S, float>) return static_cast<float>(value) / 65536.0F;
  if constexpr (std::is_same_v<S, std::uint8_t>) return static_cast<S>((value * 255U + 32767U) / 65535U);
  return static_cast<S>(value);
}

template <class S>
void convert_row(const CaseImage& image, std::ptrdiff_t y, std::ptrdiff_t channels, S* row) {
  const std::uint16_t* from = image.samples.data() + y * image.width * image.channels;
  for (std::ptrdiff_t x = 0; x < image.width; ++x, from += image.channels, row += channels) {
    if (channels == 1 && image.channels == 3) {
      row[0] = sample_of<S>(
          static_cast<std::uint16_t>((9798U * from[0] + 19235U * from[1] + 3735U * from[2] + 16384U) >> 15));
      continue;
    }
    for (std::ptrdiff_t i = 0; i < channels; ++i) {
      row[i] = sample_of<S>(i == 3 ? std::uint16_t{65535} : from[image.channels == 1 ? 0 : i]);
    }
  }
}

}  // namespace

const CaseImage* case_image() {
  static const std::optional<CaseImage> image = open_image();
  return image ? &*image : nullptr;
}

void offer_case_image(const CaseImage& image) {
  // Stays open, here and in every process that is started: it is the memory.
  const int file = ::memfd_create("speedwell-image", 0);
  if (file < 0) fail("memory for it");
  const std::size_t bytes = sizeof(Header) + image.samples.size_bytes();
  if (::ftruncate(file, static_cast<off_t>(bytes)) != 0) fail("memory for it");
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) fail("memory for it");
  auto* const header = new (memory) Header{magic, image.width, image.height, image.channels};
  std::copy(image.samples.begin(), image.samples.end(), reinterpret_cast<std::uint16_t*>(header + 1));
  ::munmap(memory, bytes);
  ::setenv(case_image_variable, ("/proc/self/fd/" + std::to_string(file)).c_str(), 1);
}

void copy_row(const CaseImage& image, std::ptrdiff_t y, std::ptrdiff_t channels, std::uint8_t* row) {
  convert_row(image, y, channels, row);
}

void copy_row(const CaseImage& image, std::ptrdiff_t y, std::ptrdiff_t channels, std::uint16_t* row) {
  convert_row(image, y, channels, row);
}

void copy_row(const CaseImage& image, std::ptrdiff_t y, std::ptrdiff_t channels, float* row) {
  convert_row(image, y, channels, row);
}

}  // namespace speedwell::bench
