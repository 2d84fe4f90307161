// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <concepts>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>

#include <speedwell/runtime.hpp>
#include <speedwell/sort.hpp>

#include "bench/cases/any_size.hpp"
#include "bench/cases/buffer.hpp"
#include "bench/cases/random.hpp"
#include "bench/cases/sort_case.hpp"

namespace speedwell::bench {
namespace {

enum class Pattern { random, sorted, reversed, few_unique, all_equal };

// Integers: all values alike. Floats: uniform in (-1, 1), and never zero.
template <class T>
T random_key(std::uint64_t bits) {
  if constexpr (std::integral<T>) {
    return static_cast<T>(bits >> (64 - 8 * sizeof(T)));
  } else {
    return uniform<T>(bits);
  }
}

template <class T>
T make_key(Pattern pattern, std::ptrdiff_t i, std::ptrdiff_t n) {
  const auto random = [](std::ptrdiff_t of) { return Random::scramble(static_cast<std::uint64_t>(of) + 1); };
  const auto rising = [n](std::ptrdiff_t at) {
    return static_cast<T>(static_cast<double>(at + 1) / static_cast<double>(n));
  };
  switch (pattern) {
    case Pattern::random:
      break;
    case Pattern::sorted:
      return rising(i);
    case Pattern::reversed:
      return rising(n - 1 - i);
    case Pattern::few_unique:
      return random_key<T>(random(static_cast<std::ptrdiff_t>(random(i) % 16)));
    case Pattern::all_equal:
      return random_key<T>(random(0));
  }
  return random_key<T>(random(i));
}

// Of the keys as a multiset: the same in any order. A key that is lost, doubled or changed changes the sum but for a
// chance of 2^-64.
template <class T>
std::uint64_t sum_of(std::span<const T> keys) {
  std::array<std::uint64_t, 4> sums = {};  // side by side
  std::size_t i = 0;
  const auto scrambled = [&](std::size_t at) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &keys[at], sizeof(T));
    return Random::scramble(bits + 0x9E3779B97F4A7C15);
  };
  for (; i + 4 <= keys.size(); i += 4) {
    for (std::size_t s = 0; s < 4; ++s) sums[s] += scrambled(i + s);
  }
  for (; i < keys.size(); ++i) sums[0] += scrambled(i);
  return sums[0] + sums[1] + sums[2] + sums[3];
}

template <class T>
class Keys final : public SortWorkload<T> {
 public:
  Keys(Pattern pattern, std::ptrdiff_t n, int threads) : input_(n), keys_(n) {
    in_shares(threads, n, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      for (std::ptrdiff_t i = first; i < last; ++i) input_.data()[i] = make_key<T>(pattern, i, n);
      std::copy(input_.data() + first, input_.data() + last, keys_.data() + first);
    });
  }

  std::span<T> keys() override { return keys_.span(); }

  void run(const Backend& backend) override { sort(keys_.span(), {.backend = backend}); }

  bool needs_reset() const override { return true; }
  void reset() override { std::copy_n(input_.data(), input_.size(), keys_.data()); }

  int threads_used() const override { return last_run().threads; }

  void spoil(std::size_t first, std::size_t step) override {
    for (std::size_t i = first; i < keys_.size(); i += step) keys_.data()[i] = wrong_key(keys_.data()[i]);
  }

  std::uint64_t output_hash() const override { return hash_bytes(std::as_bytes(keys_.span())); }

  std::size_t bytes() const override { return input_.bytes() + keys_.bytes(); }

  std::string verify() const override {
    const T* const keys = keys_.data();
    for (std::size_t i = 1; i < keys_.size(); ++i) {
      if (!(keys[i - 1] <= keys[i])) {
        return "key " + std::to_string(i) + " is " + std::to_string(keys[i]) + ", expected at least the one before, " +
               std::to_string(keys[i - 1]);
      }
    }
    if (sum_of(keys_.span()) != sum_of(input_.span())) return "the keys are not those of the input";
    return {};
  }

 private:
  static T wrong_key(T key) {
    if constexpr (std::integral<T>) return static_cast<T>(~key);
    return key + 2;  // beyond all of the input
  }

  Buffer<T> input_, keys_;
};

// In the second-level cache of most machines, in the last, and beyond it.
constexpr std::ptrdiff_t sizes[] = {100'000, 1'000'000, 10'000'000};
constexpr std::ptrdiff_t tiny_size = 4096;

template <class T>
Case sort_case(std::string variant, Pattern pattern, std::ptrdiff_t n) {
  return {
      .kernel = "sort",
      .variant = variant,
      .size = std::to_string(n),
      .flops = 0,  // no operations that a peak is known for
      .bytes = 2.0 * sizeof(T) * static_cast<double>(n),
      .written_bytes = 1.0 * sizeof(T) * static_cast<double>(n),
      .precision = variant.substr(0, 3),
      .quick = variant == "f32" && n == 1'000'000,
      .make = [pattern, n](int threads) { return std::make_unique<Keys<T>>(pattern, n, threads); },
      .of_size = any_count([=](std::ptrdiff_t other) { return sort_case<T>(variant, pattern, other); }),
      .size_at = count_at,
  };
}

}  // namespace

std::vector<Case> sort_cases() {
  std::vector<Case> cases;
  for (const std::ptrdiff_t n : sizes) {
    cases.push_back(sort_case<float>("f32", Pattern::random, n));
    cases.push_back(sort_case<std::int32_t>("i32", Pattern::random, n));
    cases.push_back(sort_case<std::uint64_t>("u64", Pattern::random, n));
    cases.push_back(sort_case<double>("f64", Pattern::random, n));
    cases.push_back(sort_case<std::uint32_t>("u32", Pattern::random, n));
    cases.push_back(sort_case<std::int64_t>("i64", Pattern::random, n));
    cases.push_back(sort_case<float>("f32_sorted", Pattern::sorted, n));
    cases.push_back(sort_case<float>("f32_reversed", Pattern::reversed, n));
    cases.push_back(sort_case<float>("f32_few_unique", Pattern::few_unique, n));
    cases.push_back(sort_case<std::uint64_t>("u64_few_unique", Pattern::few_unique, n));
    cases.push_back(sort_case<float>("f32_all_equal", Pattern::all_equal, n));
  }
  cases.push_back(tiny(sort_case<float>("f32", Pattern::random, tiny_size)));
  constexpr std::ptrdiff_t base = 1'000'000;
  cases.push_back(weak(sort_case<float>("f32", Pattern::random, base), "keys ∝ p",
                       [](int threads) { return sort_case<float>("f32", Pattern::random, base * threads); }));
  return cases;
}

}  // namespace speedwell::bench
