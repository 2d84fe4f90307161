// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>

#include <speedwell/inclusive_scan.hpp>
#include <speedwell/runtime.hpp>

#include "bench/cases/any_size.hpp"
#include "bench/cases/buffer.hpp"
#include "bench/cases/inclusive_scan_case.hpp"
#include "bench/cases/random.hpp"

namespace speedwell::bench {
namespace {

// The sum of the elements before i: uniform in (-1, 1), or in [-2^29, 2^29). The
// elements are its differences, so that no sum of neighbours exceeds 2, or 2^30: rounding errors stay small however
// long the array is, and integers don't overflow in peers, which mustn't.
template <class T>
T sum_before(std::ptrdiff_t i) {
  const std::uint64_t bits = Random::scramble(static_cast<std::uint64_t>(i));
  if constexpr (std::floating_point<T>) return uniform<T>(bits);
  return static_cast<T>(static_cast<std::int64_t>(bits >> 34) - (std::int64_t{1} << 29));
}

template <class T>
class Scan final : public ScanWorkload<T> {
 public:
  Scan(std::ptrdiff_t count, int threads) : in_(count), out_(count) {
    in_shares(threads, count, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      T before = sum_before<T>(first);
      for (std::ptrdiff_t i = first; i < last; ++i) {
        const T next = sum_before<T>(i + 1);
        in_.data()[i] = next - before;
        before = next;
      }
      std::fill(out_.data() + first, out_.data() + last, poison);
    });
  }

  std::span<const T> in() const override { return in_.span(); }
  std::span<T> out() override { return out_.span(); }

  void run(const Backend& backend) override { inclusive_scan(in(), out(), {.backend = backend}); }

  int threads_used() const override { return last_run().threads; }

  void spoil(std::size_t first, std::size_t step) override {
    for (std::size_t i = first; i < out_.size(); i += step) out_.data()[i] = poison;
  }

  std::uint64_t output_hash() const override { return hash_bytes(std::as_bytes(out_.span())); }

  std::size_t bytes() const override { return in_.bytes() + out_.bytes(); }

  // A running sum of more precision; exact for integers.
  //
  // Tolerance. A sum of neighbours is below 2, and a sum of up to 64 scattered elements, as the kernel makes them for
  // its totals, seldom above 8: the rounding of an addition has a standard deviation of at most 8 eps / sqrt(12), eps =
  // the distance from 1 to the next number. No order has more than i additions on the way to element i, or, as in
  // totals, beside it: that makes 2.3 eps sqrt(i). We allow 14 times that. An element left out is about 0.7, and the
  // tolerance is 0.02 at the longest, of 2^24 floats.
  std::string verify() const override {
    using Sum = std::conditional_t<std::floating_point<T>, long double, std::int64_t>;
    const double eps = std::floating_point<T> ? static_cast<double>(std::numeric_limits<T>::epsilon()) : 0;
    const double allowed = 32 * eps * std::sqrt(static_cast<double>(in_.size()));
    Sum sum = 0;
    for (std::size_t i = 0; i < in_.size(); ++i) {
      sum += in_.data()[i];
      const Sum got = out_.data()[i];
      // A NaN is no less than anything.
      if (!(std::abs(got - sum) <= static_cast<Sum>(allowed))) {
        return "element " + std::to_string(i) + " is " + std::to_string(got) + ", expected " + std::to_string(sum) +
               " within " + std::to_string(allowed);
      }
    }
    return {};
  }

 private:
  static constexpr T poison =
      std::floating_point<T> ? std::numeric_limits<T>::quiet_NaN() : std::numeric_limits<T>::max();

  Buffer<T> in_, out_;
};

template <class T>
Case scan_case(const char* type, std::ptrdiff_t count) {
  const auto n = static_cast<double>(count);
  return {
      .kernel = "inclusive_scan",
      .variant = type,
      .size = std::to_string(count),
      .flops = n,
      .bytes = 2 * n * sizeof(T),
      .written_bytes = n * sizeof(T),
      .precision = type,
      .make = [count](int threads) { return std::make_unique<Scan<T>>(count, threads); },
      .of_size = any_count([=](std::ptrdiff_t other) { return scan_case<T>(type, other); }),
      .size_at = count_at,
  };
}

template <class T>
void add(std::vector<Case>& cases, const char* type) {
  // In the second-level cache, in the last-level cache, in memory.
  for (const std::ptrdiff_t count : {65536, 1048576, 16777216}) {
    cases.push_back(scan_case<T>(type, count));
    cases.back().quick = std::same_as<T, float> && count == 16777216;
  }
}

}  // namespace

std::vector<Case> inclusive_scan_cases() {
  std::vector<Case> cases;
  add<float>(cases, "f32");
  add<double>(cases, "f64");
  add<std::int32_t>(cases, "i32");
  add<std::int64_t>(cases, "i64");
  cases.push_back(tiny(scan_case<float>("f32", 32768)));
  constexpr std::ptrdiff_t base = 1048576;
  cases.push_back(weak(scan_case<float>("f32", base), "elements ∝ p",
                       [](int threads) { return scan_case<float>("f32", base * threads); }));
  return cases;
}

}  // namespace speedwell::bench
