// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <limits>

#include <speedwell/matmul.hpp>
#include <speedwell/runtime.hpp>

#include "bench/cases/buffer.hpp"
#include "bench/cases/matmul_case.hpp"
#include "bench/cases/random.hpp"

namespace speedwell::bench {
namespace {

template <class T>
void fill(Buffer<T>& matrix, std::ptrdiff_t rows, std::ptrdiff_t cols, std::uint64_t seed, int threads) {
  in_shares(threads, rows, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    for (std::ptrdiff_t i = first; i < last; ++i) {
      Random random(seed + static_cast<std::uint64_t>(i));
      for (std::ptrdiff_t j = 0; j < cols; ++j) matrix.data()[i * cols + j] = uniform<T>(random());
    }
  });
}

std::string wrong(const char* what, std::ptrdiff_t i, double got, double expected, double tolerance) {
  return std::string(what) + " " + std::to_string(i) + " is " + std::to_string(got) + ", expected " +
         std::to_string(expected) + " within " + std::to_string(tolerance);
}

template <class T>
class Product final : public MatmulWorkload<T> {
 public:
  Product(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, int threads)
      : m_(m), n_(n), k_(k), a_(m * k), b_(k * n), c_(m * n) {
    fill(a_, m, k, 1'000'000, threads);
    fill(b_, k, n, 2'000'000, threads);
    in_shares(threads, m, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      std::fill(c_.data() + first * n, c_.data() + last * n, poison);
    });
  }

  MatrixView<const T> a() const override { return {a_.data(), m_, k_}; }
  MatrixView<const T> b() const override { return {b_.data(), k_, n_}; }
  MatrixView<T> c() override { return {c_.data(), m_, n_}; }

  void run(const Backend& backend) override { matmul(a(), b(), c(), {.backend = backend}); }

  int threads_used() const override { return last_run().threads; }

  void spoil(std::size_t first, std::size_t step) override {
    for (std::size_t i = first; i < c_.size(); i += step) c_.data()[i] = poison;
  }

  std::uint64_t output_hash() const override { return hash_bytes(std::as_bytes(c_.span())); }

  std::size_t bytes() const override { return a_.bytes() + b_.bytes() + c_.bytes(); }

  // Freivalds: C x = A (B x) for vectors x of random signs finds any wrong element but for cancellation, in O(n^2).
  // Then some elements by the plain loop, so that nothing rests on C x alone.
  //
  // Tolerances. With elements uniform in (-1, 1) a partial sum of i products has standard deviation sqrt(i) / 3, and
  // rounding it errs by eps sqrt(i) / 3 / sqrt(12), eps = the distance from 1 to the next number; over a chain of k
  // that makes 0.07 eps k, and over n of them, as in C x, 0.07 eps k sqrt(n). We allow 14 times that, which is 14
  // standard deviations. The oracle's own sums are doubles and err likewise: 0.07 eps (n sqrt(k) + k sqrt(n)) of
  // theirs. A missing or doubled term of one element is about 0.3, above this up to n = k = 12,000 in float.
  std::string verify() const override {
    const double eps = std::numeric_limits<T>::epsilon();
    constexpr double oracle_eps = std::numeric_limits<double>::epsilon();
    const auto k = static_cast<double>(k_), n = static_cast<double>(n_);
    const double of_row = eps * k * std::sqrt(n) + oracle_eps * (n * std::sqrt(k) + k * std::sqrt(n));
    const double of_element = (eps + oracle_eps) * k;

    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      const std::vector<double> x = signs(seed);
      const std::vector<double> bx = times(b_.data(), k_, n_, x);
      const std::vector<double> expected = times(a_.data(), m_, k_, bx);
      const std::vector<double> got = times(c_.data(), m_, n_, x);
      for (std::ptrdiff_t i = 0; i < m_; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (!(std::abs(got[at] - expected[at]) <= of_row)) {
          return wrong("the signed sum of row", i, got[at], expected[at], of_row);
        }
      }
    }

    Random random(3);
    for (int sample = 0; sample < 64; ++sample) {
      // The four corners first: edges of tiles meet there.
      const auto pick = [&](int bit, std::ptrdiff_t size) -> std::ptrdiff_t {
        if (sample < 4) return (sample & bit) != 0 ? size - 1 : 0;
        return static_cast<std::ptrdiff_t>(random() % static_cast<std::uint64_t>(size));
      };
      const std::ptrdiff_t i = pick(1, m_), j = pick(2, n_);
      double expected = 0;
      for (std::ptrdiff_t p = 0; p < k_; ++p) {
        expected += static_cast<double>(a_.data()[i * k_ + p]) * static_cast<double>(b_.data()[p * n_ + j]);
      }
      const double got = c_.data()[i * n_ + j];
      if (!(std::abs(got - expected) <= of_element)) {
        return wrong("the element with index", i * n_ + j, got, expected, of_element);
      }
    }
    return {};
  }

 private:
  static constexpr T poison = std::numeric_limits<T>::quiet_NaN();

  std::vector<double> signs(std::uint64_t seed) const {
    Random random(seed);
    std::vector<double> x(static_cast<std::size_t>(n_));
    for (double& value : x) value = (random() & 1) != 0 ? 1 : -1;
    return x;
  }

  // Eight sums side by side, since one would wait for each addition.
  static std::vector<double> times(const T* matrix, std::ptrdiff_t rows, std::ptrdiff_t cols,
                                   const std::vector<double>& x) {
    std::vector<double> product(static_cast<std::size_t>(rows));
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      const T* row = matrix + i * cols;
      std::array<double, 8> sums = {};
      std::ptrdiff_t j = 0;
      for (; j + 8 <= cols; j += 8) {
        for (std::ptrdiff_t s = 0; s < 8; ++s) {
          sums[static_cast<std::size_t>(s)] += static_cast<double>(row[j + s]) * x[static_cast<std::size_t>(j + s)];
        }
      }
      double sum = 0;
      for (; j < cols; ++j) sum += static_cast<double>(row[j]) * x[static_cast<std::size_t>(j)];
      for (const double part : sums) sum += part;
      product[static_cast<std::size_t>(i)] = sum;
    }
    return product;
  }

  std::ptrdiff_t m_, n_, k_;
  Buffer<T> a_, b_, c_;
};

struct Size {
  std::ptrdiff_t m, n, k;
  bool quick_f32 = false, quick_f64 = false;
};

// C is m x n, and the size is written m x n x k. Squares from a fork-join's own cost to beyond the last cache of most
// machines; then shapes that starve one dimension of a blocked product.
constexpr std::array sizes = {
    Size{64, 64, 64},
    Size{128, 128, 128, true},
    Size{256, 256, 256},
    Size{512, 512, 512, true, true},
    Size{1024, 1024, 1024, true, true},
    Size{2048, 2048, 2048},
    Size{2000, 16, 2000},
    Size{16, 2000, 2000},
    Size{1000, 37, 61},
};

template <class T>
Case make_case(const Size& size, const char* type) {
  const auto m = static_cast<double>(size.m), n = static_cast<double>(size.n), k = static_cast<double>(size.k);
  return {
      .kernel = "matmul",
      .variant = type,
      .size = std::to_string(size.m) + "x" + std::to_string(size.n) + "x" + std::to_string(size.k),
      .flops = 2 * m * n * k,                        // a multiplication and an addition a term
      .bytes = (m * k + k * n + m * n) * sizeof(T),  // beta = 0: C isn't read
      .written_bytes = m * n * sizeof(T),
      .precision = type,
      .quick = std::same_as<T, float> ? size.quick_f32 : size.quick_f64,
      .make = [size](int threads) { return std::make_unique<Product<T>>(size.m, size.n, size.k, threads); },
  };
}

template <class T>
void add(std::vector<Case>& cases, const char* type) {
  for (const Size& size : sizes) cases.push_back(make_case<T>(size, type));
  // Flat, so that there are rows for a second thread.
  cases.push_back(tiny(make_case<T>({96, 16, 16}, type)));
  constexpr Size base = {512, 512, 512};
  cases.push_back(weak(make_case<T>(base, type), "n = 512 · ∛p", [=](int threads) {
    const std::ptrdiff_t n = std::lround(static_cast<double>(base.n) * std::cbrt(threads));
    return make_case<T>({n, n, n}, type);
  }));
  cases.back().quick = std::same_as<T, float>;
}

}  // namespace

std::vector<Case> matmul_cases() {
  std::vector<Case> cases;
  add<float>(cases, "f32");
  add<double>(cases, "f64");
  return cases;
}

std::unique_ptr<MatmulWorkload<float>> make_matmul_f32(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k,
                                                       int threads) {
  return std::make_unique<Product<float>>(m, n, k, threads);
}

}  // namespace speedwell::bench
