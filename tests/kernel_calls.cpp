// SPDX-License-Identifier: Apache-2.0
#include "tests/kernel_calls.hpp"

#include <cstddef>
#include <span>
#include <vector>

#include <speedwell/image_filter.hpp>
#include <speedwell/inclusive_scan.hpp>
#include <speedwell/matmul.hpp>
#include <speedwell/reduce.hpp>

namespace tests {

namespace {

using speedwell::Backend;

template <class T>
std::vector<T> numbers(std::size_t count) {
  std::vector<T> made(count);
  std::uint32_t state = 12345;
  for (T& number : made) {
    state = state * 1664525 + 1013904223;
    number = static_cast<T>(state >> 24);
  }
  return made;
}

template <class T>
std::uint64_t hash(const std::vector<T>& written) {
  std::uint64_t hash = 14695981039346656037U;
  for (const std::byte byte : std::as_bytes(std::span<const T>(written))) {
    hash = (hash ^ static_cast<std::uint64_t>(byte)) * 1099511628211U;
  }
  return hash;
}

std::uint64_t matmul(const Backend& backend) {
  constexpr std::ptrdiff_t m = 97, n = 83, k = 61;
  const std::vector<float> a = numbers<float>(m * k), b = numbers<float>(k * n);
  std::vector<float> c(m * n, -1);
  speedwell::matmul({a.data(), m, k}, {b.data(), k, n}, {c.data(), m, n}, {.backend = backend});
  return hash(c);
}

constexpr std::ptrdiff_t width = 131, height = 120, channels = 3;

std::uint64_t gaussian_blur(const Backend& backend) {
  const std::vector<std::uint8_t> src = numbers<std::uint8_t>(width * height * channels);
  std::vector<std::uint8_t> dst(src.size());
  speedwell::gaussian_blur({src.data(), width, height, channels}, {dst.data(), width, height, channels},
                           {.sigma = 1.5, .backend = backend});
  return hash(dst);
}

std::uint64_t equalize(const Backend& backend) {
  const std::vector<std::uint8_t> src = numbers<std::uint8_t>(width * height);
  std::vector<std::uint8_t> dst(src.size());
  speedwell::equalize({src.data(), width, height, 1}, {dst.data(), width, height, 1}, {.backend = backend});
  return hash(dst);
}

std::uint64_t sum(const Backend& backend) {
  const std::vector<double> x = numbers<double>(12 * 2048 + 5);
  return hash(std::vector<double>{speedwell::sum(x, {.backend = backend})});
}

std::uint64_t inclusive_scan(const Backend& backend) {
  const std::vector<float> in = numbers<float>(40'000);
  std::vector<float> out(in.size());
  speedwell::inclusive_scan(in, out, {.backend = backend});
  return hash(out);
}

}  // namespace

const KernelCall kernel_calls[number_of_kernel_calls] = {
    {"matmul", matmul}, {"gaussian_blur", gaussian_blur},   {"equalize", equalize},
    {"sum", sum},       {"inclusive_scan", inclusive_scan},
};

}  // namespace tests
