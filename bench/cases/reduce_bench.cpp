// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <limits>

#include <speedwell/reduce.hpp>
#include <speedwell/runtime.hpp>

#include "bench/cases/any_size.hpp"
#include "bench/cases/buffer.hpp"
#include "bench/cases/random_vector.hpp"
#include "bench/cases/reduce_case.hpp"

namespace speedwell::bench {
namespace {

// Wide enough that a plain sum is exact beside one of T.
template <class T>
using Wide = std::conditional_t<std::same_as<T, float>, double, long double>;

// term(0) + ... + term(count - 1). Eight sums side by side, since one would wait for each addition.
template <class W, class Term>
W wide_sum(std::ptrdiff_t count, Term term) {
  std::array<W, 8> sums = {};
  std::ptrdiff_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (std::ptrdiff_t s = 0; s < 8; ++s) sums[static_cast<std::size_t>(s)] += term(i + s);
  }
  for (; i < count; ++i) sums[0] += term(i);
  W sum = 0;
  for (const W part : sums) sum += part;
  return sum;
}

// How far from the exact value n terms of variance v may add up to. An addition that makes the sum of m terms rounds by
// a standard deviation of eps sqrt(v m / 12), eps = the distance from 1 to the next number. A peer may have but 32
// chains, each over n / 32 terms: all its roundings together make eps n sqrt(v / 768). We allow 5 standard deviations.
// (Ours make eps sqrt(v n (11 + log2 n) / 12), less than that from 4096 elements on.)
template <class T>
double tolerance(std::ptrdiff_t count, double variance) {
  return 5 * std::numeric_limits<T>::epsilon() * static_cast<double>(count) * std::sqrt(variance / 768);
}

template <class T>
std::string compare(T got, Wide<T> exact, double tolerance) {
  if (std::abs(static_cast<Wide<T>>(got) - exact) <= tolerance) return {};
  return "the result is " + std::to_string(got) + ", expected " + std::to_string(exact) + " within " +
         std::to_string(tolerance);
}

// The result as the one element of the output, which any spoiling hits.
template <class T>
class Result {
 public:
  T value = poison;

  void spoil() { value = poison; }
  std::uint64_t hash() const { return hash_bytes(std::as_bytes(std::span<const T>(&value, 1))); }

 private:
  static constexpr T poison = std::numeric_limits<T>::quiet_NaN();
};

template <class T>
class Dot final : public DotWorkload<T> {
 public:
  Dot(std::ptrdiff_t count, int threads)
      : x_(random_vector<T>(count, 1'000'000, threads)), y_(random_vector<T>(count, 2'000'000, threads)) {}

  std::span<const T> x() const override { return x_.span(); }
  std::span<const T> y() const override { return y_.span(); }
  T& result() override { return result_.value; }

  void run(const Backend& backend) override { result_.value = dot(x(), y(), {.backend = backend}); }
  int threads_used() const override { return last_run().threads; }
  void spoil(std::size_t, std::size_t) override { result_.spoil(); }
  std::uint64_t output_hash() const override { return result_.hash(); }
  std::size_t bytes() const override { return x_.bytes() + y_.bytes(); }

  std::string verify() const override {
    const auto count = static_cast<std::ptrdiff_t>(x_.size());
    const auto exact =
        wide_sum<Wide<T>>(count, [&](std::ptrdiff_t i) { return static_cast<Wide<T>>(x_.data()[i]) * y_.data()[i]; });
    return compare(result_.value, exact, tolerance<T>(count, 1.0 / 9));
  }

 private:
  Buffer<T> x_, y_;
  Result<T> result_;
};

template <class T>
class Sum final : public Workload {
 public:
  Sum(std::ptrdiff_t count, int threads) : x_(random_vector<T>(count, 3'000'000, threads)) {}

  void run(const Backend& backend) override { result_.value = sum(x_.span(), {.backend = backend}); }
  int threads_used() const override { return last_run().threads; }
  void spoil(std::size_t, std::size_t) override { result_.spoil(); }
  std::uint64_t output_hash() const override { return result_.hash(); }
  std::size_t bytes() const override { return x_.bytes(); }

  std::string verify() const override {
    const auto count = static_cast<std::ptrdiff_t>(x_.size());
    const auto exact = wide_sum<Wide<T>>(count, [&](std::ptrdiff_t i) { return static_cast<Wide<T>>(x_.data()[i]); });
    return compare(result_.value, exact, tolerance<T>(count, 1.0 / 3));
  }

 private:
  Buffer<T> x_;
  Result<T> result_;
};

template <class T>
Case dot_case(std::ptrdiff_t count) {
  const auto n = static_cast<double>(count);
  return {.kernel = "dot",
          .variant = std::same_as<T, float> ? "f32" : "f64",
          .size = std::to_string(count),
          .flops = 2 * n,  // a multiplication and an addition a term
          .bytes = 2 * sizeof(T) * n,
          .precision = std::same_as<T, float> ? "f32" : "f64",
          .make = [count](int threads) { return std::make_unique<Dot<T>>(count, threads); },
          .of_size = any_count(dot_case<T>),
          .size_at = count_at};
}

template <class T>
Case sum_case(std::ptrdiff_t count) {
  const auto n = static_cast<double>(count);
  return {.kernel = "sum",
          .variant = std::same_as<T, float> ? "f32" : "f64",
          .size = std::to_string(count),
          .flops = n,
          .bytes = sizeof(T) * n,
          .precision = std::same_as<T, float> ? "f32" : "f64",
          .make = [count](int threads) { return std::make_unique<Sum<T>>(count, threads); },
          .of_size = any_count(sum_case<T>),
          .size_at = count_at};
}

Case quick(Case which) {
  which.quick = true;
  return which;
}

Case grown(Case (*make_case)(std::ptrdiff_t count)) {
  constexpr std::ptrdiff_t base = 1'048'576;
  return weak(make_case(base), "elements ∝ p", [=](int threads) { return make_case(base * threads); });
}

}  // namespace

// Vectors in the first-level cache, in the second, in the last, and in memory.
std::vector<Case> reduce_cases() {
  return {dot_case<float>(4096),         dot_case<float>(65'536),
          dot_case<float>(1'048'576),    quick(dot_case<float>(16'777'216)),
          dot_case<double>(4096),        dot_case<double>(65'536),
          dot_case<double>(1'048'576),   dot_case<double>(8'388'608),
          sum_case<float>(4096),         sum_case<float>(65'536),
          sum_case<float>(1'048'576),    sum_case<float>(16'777'216),
          sum_case<double>(4096),        sum_case<double>(65'536),
          sum_case<double>(1'048'576),   quick(sum_case<double>(16'777'216)),
          tiny(dot_case<float>(32'768)), tiny(sum_case<double>(32'768)),
          grown(dot_case<float>),        grown(sum_case<double>)};
}

}  // namespace speedwell::bench
