// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <string>

#include <speedwell/runtime.hpp>
#include <speedwell/stream.hpp>

#include "bench/cases/any_size.hpp"
#include "bench/cases/buffer.hpp"
#include "bench/cases/random_vector.hpp"
#include "bench/cases/stream_case.hpp"

namespace speedwell::bench {
namespace {

enum class Kind { copy, triad };

template <class T>
class Streamed final : public StreamWorkload<T> {
 public:
  Streamed(Kind kind, std::ptrdiff_t count, int threads)
      : kind_(kind),
        a_(count),
        b_(random_vector<T>(count, 1'000'000'000, threads)),
        c_(random_vector<T>(kind == Kind::triad ? count : 0, 2'000'000'000, threads)) {
    in_shares(threads, count, [this](std::ptrdiff_t first, std::ptrdiff_t last) {
      std::fill(a_.data() + first, a_.data() + last, poison);
    });
  }

  std::span<T> a() override { return a_.span(); }
  std::span<const T> b() const override { return b_.span(); }
  std::span<const T> c() const override { return c_.span(); }
  T scale() const override { return 3; }

  void run(const Backend& backend) override {
    if (kind_ == Kind::copy) {
      copy(b(), a(), {.backend = backend});
    } else {
      triad(b(), c(), a(), {.scale = scale(), .backend = backend});
    }
  }

  int threads_used() const override { return last_run().threads; }

  void spoil(std::size_t first, std::size_t step) override {
    for (std::size_t i = first; i < a_.size(); i += step) a_.data()[i] = poison;
  }

  std::uint64_t output_hash() const override { return hash_bytes(std::as_bytes(a_.span())); }

  std::size_t bytes() const override { return a_.bytes() + b_.bytes() + c_.bytes(); }

  // Each element in long double. Two roundings, or one if they are fused, err by no more than an epsilon of the terms'
  // absolute values; a copy has none.
  std::string verify() const override {
    constexpr long double eps = std::numeric_limits<T>::epsilon();
    for (std::size_t i = 0; i < a_.size(); ++i) {
      long double expected = b_.data()[i], tolerance = 0;
      if (kind_ == Kind::triad) {
        const long double term = static_cast<long double>(scale()) * c_.data()[i];
        tolerance = eps * (std::abs(expected) + std::abs(term));
        expected += term;
      }
      const long double got = a_.data()[i];
      if (!(std::abs(got - expected) <= tolerance)) {
        return "element " + std::to_string(i) + " is " + std::to_string(got) + ", expected " + std::to_string(expected);
      }
    }
    return {};
  }

 private:
  static constexpr T poison = std::numeric_limits<T>::quiet_NaN();

  Kind kind_;
  Buffer<T> a_, b_, c_;
};

template <class T>
Case make_case(Kind kind, std::ptrdiff_t count) {
  const auto n = static_cast<double>(count);
  const bool triad = kind == Kind::triad;
  return {.kernel = triad ? "triad" : "copy",
          .variant = std::same_as<T, float> ? "f32" : "f64",
          .size = std::to_string(count),
          .flops = triad ? 2 * n : 0,
          .bytes = (triad ? 3 : 2) * n * sizeof(T),
          .written_bytes = n * sizeof(T),
          .precision = std::same_as<T, float> ? "f32" : "f64",
          .make = [=](int threads) { return std::make_unique<Streamed<T>>(kind, count, threads); },
          .of_size = any_count([=](std::ptrdiff_t other) { return make_case<T>(kind, other); }),
          .size_at = count_at};
}

}  // namespace

// Elements: in the first-level cache, the second, the last one of most machines, and the memory.
std::vector<Case> stream_cases() {
  std::vector<Case> cases;
  for (const Kind kind : {Kind::copy, Kind::triad}) {
    for (const std::ptrdiff_t count : {2048, 32768, 524288, 16777216}) cases.push_back(make_case<float>(kind, count));
    for (const std::ptrdiff_t count : {1024, 16384, 262144, 8388608}) cases.push_back(make_case<double>(kind, count));
    cases.back().quick = true;
    cases.push_back(tiny(make_case<float>(kind, 8192)));
  }
  cases.back().quick = true;
  // Large enough for the memory where all cores have as much to do, and not too large where there are many.
  constexpr std::ptrdiff_t base = 524288;
  for (const Kind kind : {Kind::copy, Kind::triad}) {
    cases.push_back(weak(make_case<float>(kind, base), "elements ∝ p",
                         [=](int threads) { return make_case<float>(kind, base * threads); }));
  }
  cases.back().quick = true;
  return cases;
}

}  // namespace speedwell::bench
