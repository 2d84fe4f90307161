// SPDX-License-Identifier: Apache-2.0
// What the tests of all kernels share: the backends to run on, a seed that is printed, and arrays that notice a write
// outside them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <speedwell/backend.hpp>
#include <speedwell/machine.hpp>

namespace tests {

// SPEEDWELL_TEST_SEED, or a new one each time; printed once, so that a failure can be had again.
inline unsigned seed() {
  static const unsigned value = [] {
    const char* const given = std::getenv("SPEEDWELL_TEST_SEED");
    const unsigned chosen = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
    std::cout << "SPEEDWELL_TEST_SEED=" << chosen << "\n";
    return chosen;
  }();
  return value;
}

inline std::mt19937_64& generator() {
  static std::mt19937_64 engine(seed());
  return engine;
}

// Whether the instruction set in use fuses multiply-adds, so that one rounding is what the headers promise. ARM's
// baseline is NEON.
inline bool has_fma() {
  using speedwell::Isa;
  const Isa isa = speedwell::machine().isa;
  const std::vector<Isa>& isas = speedwell::machine().isas;
  return isa == Isa::avx2 || isa == Isa::avx512 || std::find(isas.begin(), isas.end(), Isa::neon) != isas.end();
}

// Sequential, Automatic, and each parallel model of this build with 1, 2, 3 and all threads.
inline std::vector<speedwell::Backend> every_backend() {
  namespace sw = speedwell;
  std::vector<sw::Backend> backends = {sw::Sequential{}, sw::Automatic{}};
  for (const int threads : {1, 2, 3, 0}) {
    for (const sw::Backend& backend :
         {sw::Backend(sw::Threads{threads}), sw::Backend(sw::OpenMp{threads}), sw::Backend(sw::Tbb{threads})}) {
      if (sw::is_built(backend)) backends.push_back(backend);
    }
  }
  return backends;
}

// "openmp/2"
inline std::string text(const speedwell::Backend& backend) {
  const int threads = std::visit(
      [](auto model) {
        if constexpr (requires { model.threads; }) return model.threads;
        return 1;
      },
      backend);
  return std::string(speedwell::name(backend)) + "/" + std::to_string(threads);
}

// `count` elements with a guard before and behind them, the first one `offset` elements behind a cache line's begin, so
// that every alignment can be tried. All bytes begin as 0xFF: NaN in floats, -1 in integers.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::ptrdiff_t count, std::ptrdiff_t offset = 0) : count_(static_cast<std::size_t>(count)) {
    memory_.assign(count_ + 2 * guard + line, T{});
    std::memset(static_cast<void*>(memory_.data()), 0xFF, memory_.size() * sizeof(T));
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data() + guard);
    const std::size_t to_line = (64 - address % 64) % 64 / sizeof(T);
    first_ = guard + to_line + static_cast<std::size_t>(offset) % line;
  }

  std::span<T> span() { return {memory_.data() + first_, count_}; }
  std::span<const T> span() const { return {memory_.data() + first_, count_}; }
  std::span<const T> input() const { return span(); }
  T& operator[](std::ptrdiff_t i) { return memory_[first_ + static_cast<std::size_t>(i)]; }
  const T& operator[](std::ptrdiff_t i) const { return memory_[first_ + static_cast<std::size_t>(i)]; }
  std::ptrdiff_t size() const { return static_cast<std::ptrdiff_t>(count_); }

  // Whether the bytes before and behind are as they were made.
  bool guards_intact() const {
    const auto untouched = [](const std::byte byte) { return byte == std::byte{0xFF}; };
    const auto bytes = std::as_bytes(std::span<const T>(memory_));
    const auto before = bytes.first(first_ * sizeof(T));
    const auto behind = bytes.subspan((first_ + count_) * sizeof(T));
    return std::all_of(before.begin(), before.end(), untouched) && std::all_of(behind.begin(), behind.end(), untouched);
  }

 private:
  static constexpr std::size_t line = 64 / sizeof(T);
  static constexpr std::size_t guard = 2 * line;

  std::size_t count_;
  std::size_t first_ = 0;
  std::vector<T> memory_;
};

// Bit for bit; NaNs too.
template <class T>
bool same_bits(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

}  // namespace tests
