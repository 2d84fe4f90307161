// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <speedwell/error.hpp>
#include <speedwell/matmul.hpp>
#include <speedwell/runtime.hpp>

#include "bench/cases/any_size.hpp"
#include "bench/cases/buffer.hpp"
#include "bench/cases/matmul_case.hpp"
#include "bench/cases/random.hpp"

namespace speedwell::bench {
namespace {

// How the matrices lie in memory.
enum class Layout { contiguous, a_transposed, b_transposed, powers_of_two, block };

// The rest of a variant's name, after the type.
struct NamedLayout {
  Layout layout;
  const char* suffix;
};
constexpr std::array layouts = {
    NamedLayout{Layout::contiguous, ""},      NamedLayout{Layout::a_transposed, "_at"},
    NamedLayout{Layout::b_transposed, "_bt"}, NamedLayout{Layout::powers_of_two, "_pow2"},
    NamedLayout{Layout::block, "_block"},
};

// Rows in memory, which are the matrix's columns where it is transposed. What is around them, between the end of one
// and the beginning of the next, before the first and after the last, belongs to someone else.
struct Rows {
  std::ptrdiff_t count = 0, length = 0, stride = 0;
  std::ptrdiff_t before = 0;  // elements
  std::ptrdiff_t after = 0;

  std::ptrdiff_t elements() const { return before + count * stride + after; }
};

Rows rows_of(std::ptrdiff_t count, std::ptrdiff_t length, Layout layout) {
  Rows rows = {.count = count, .length = length, .stride = length};
  if (layout == Layout::powers_of_two) {
    rows.stride = static_cast<std::ptrdiff_t>(std::bit_ceil(static_cast<std::size_t>(length)));
  }
  return rows;
}

// Its first element is at (3, 3) of a larger matrix, with four columns and three rows behind it: nothing is aligned.
Rows rows_of_block(std::ptrdiff_t count, std::ptrdiff_t length) {
  const std::ptrdiff_t stride = length + 7;
  return {.count = count, .length = length, .stride = stride, .before = 3 * stride + 3, .after = 3 * stride - 3};
}

template <class T>
constexpr T poison = std::numeric_limits<T>::quiet_NaN();

// What stands around C, for no call to touch.
template <class T>
constexpr T surroundings = 7;

template <class T>
class Matrix {
 public:
  Matrix(const Rows& rows, bool transposed) : rows_(rows), transposed_(transposed), buffer_(rows.elements()) {}

  MatrixView<T> view() { return view_of(buffer_.data()); }
  MatrixView<const T> view() const { return view_of(buffer_.data()); }

  // Random numbers that depend on a row's index and the seed, and `around` beside them.
  void fill(std::uint64_t seed, T around, int threads) {
    each_row(around, threads, [&](std::ptrdiff_t i, T* row) {
      Random random(seed + static_cast<std::uint64_t>(i));
      for (std::ptrdiff_t j = 0; j < rows_.length; ++j) row[j] = uniform<T>(random());
    });
  }

  void fill_with(T value, T around, int threads) {
    each_row(around, threads, [&](std::ptrdiff_t, T* row) { std::fill_n(row, rows_.length, value); });
  }

  // Whether every element around the matrix still is `around`.
  bool surrounded_by(T around) const {
    const auto all = [around](const T* first, std::ptrdiff_t count) {
      return std::all_of(first, first + count, [around](T element) { return element == around; });
    };
    const T* row = buffer_.data() + rows_.before;
    bool untouched = all(buffer_.data(), rows_.before);
    for (std::ptrdiff_t i = 0; i < rows_.count; ++i, row += rows_.stride) {
      untouched = untouched && all(row + rows_.length, rows_.stride - rows_.length);
    }
    return untouched && all(row, rows_.after);
  }

  std::size_t bytes() const { return buffer_.bytes(); }
  std::uint64_t hash() const { return hash_bytes(std::as_bytes(buffer_.span())); }

 private:
  template <class U>
  MatrixView<U> view_of(U* data) const {
    const MatrixView<U> rows(data + rows_.before, rows_.count, rows_.length, rows_.stride, 1);
    return transposed_ ? transposed(rows) : rows;
  }

  template <class FillRow>
  void each_row(T around, int threads, const FillRow& fill_row) {
    T* const data = buffer_.data();
    std::fill_n(data, rows_.before, around);
    in_shares(threads, rows_.count, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      for (std::ptrdiff_t i = first; i < last; ++i) {
        T* const row = data + rows_.before + i * rows_.stride;
        fill_row(i, row);
        std::fill(row + rows_.length, row + rows_.stride, around);
      }
    });
    std::fill_n(data + rows_.before + rows_.count * rows_.stride, rows_.after, around);
  }

  Rows rows_;
  bool transposed_;
  Buffer<T> buffer_;
};

std::string wrong(const std::string& what, double got, double expected, double tolerance) {
  return what + " is " + std::to_string(got) + ", expected " + std::to_string(expected) + " within " +
         std::to_string(tolerance);
}

std::vector<double> signs(std::uint64_t seed, std::ptrdiff_t count) {
  Random random(seed);
  std::vector<double> x(static_cast<std::size_t>(count));
  for (double& value : x) value = (random() & 1) != 0 ? 1 : -1;
  return x;
}

// Eight sums side by side, since one would wait for each addition.
template <class T>
double dot(const T* row, std::ptrdiff_t length, const std::vector<double>& x) {
  std::array<double, 8> sums = {};
  std::ptrdiff_t j = 0;
  for (; j + 8 <= length; j += 8) {
    for (std::ptrdiff_t s = 0; s < 8; ++s) {
      sums[static_cast<std::size_t>(s)] += static_cast<double>(row[j + s]) * x[static_cast<std::size_t>(j + s)];
    }
  }
  double sum = 0;
  for (; j < length; ++j) sum += static_cast<double>(row[j]) * x[static_cast<std::size_t>(j)];
  for (const double part : sums) sum += part;
  return sum;
}

// Along what lies together in memory.
template <class T>
std::vector<double> times(MatrixView<const T> matrix, const std::vector<double>& x) {
  std::vector<double> product(static_cast<std::size_t>(matrix.rows));
  if (matrix.col_stride == 1) {
    for (std::ptrdiff_t i = 0; i < matrix.rows; ++i) {
      product[static_cast<std::size_t>(i)] = dot(&matrix(i, 0), matrix.cols, x);
    }
    return product;
  }
  for (std::ptrdiff_t j = 0; j < matrix.cols; ++j) {
    const double factor = x[static_cast<std::size_t>(j)];
    for (std::ptrdiff_t i = 0; i < matrix.rows; ++i) {
      product[static_cast<std::size_t>(i)] += static_cast<double>(matrix(i, j)) * factor;
    }
  }
  return product;
}

// Freivalds: C x = A (B x) for vectors x of random signs finds any wrong element but for cancellation, in O(n^2).
// Then some elements by the plain loop, so that nothing rests on C x alone.
//
// Tolerances. With elements uniform in (-1, 1) a partial sum of i products has standard deviation sqrt(i) / 3, and
// rounding it errs by eps sqrt(i) / 3 / sqrt(12), eps = the distance from 1 to the next number; over a chain of k
// that makes 0.07 eps k, and over n of them, as in C x, 0.07 eps k sqrt(n). We allow 14 times that, which is 14
// standard deviations. The oracle's own sums are doubles and err likewise: 0.07 eps (n sqrt(k) + k sqrt(n)) of
// theirs. A missing or doubled term of one element is about 0.3, above this up to n = k = 12,000 in float.
template <class T>
std::string verify_product(MatrixView<const T> a, MatrixView<const T> b, MatrixView<const T> c) {
  const double eps = std::numeric_limits<T>::epsilon();
  constexpr double oracle_eps = std::numeric_limits<double>::epsilon();
  const auto k = static_cast<double>(a.cols), n = static_cast<double>(c.cols);
  const double of_row = eps * k * std::sqrt(n) + oracle_eps * (n * std::sqrt(k) + k * std::sqrt(n));
  const double of_element = (eps + oracle_eps) * k;

  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const std::vector<double> x = signs(seed, c.cols);
    const std::vector<double> bx = times(b, x);
    const std::vector<double> expected = times(a, bx);
    const std::vector<double> got = times(c, x);
    for (std::ptrdiff_t i = 0; i < c.rows; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (!(std::abs(got[at] - expected[at]) <= of_row)) {
        return wrong("the signed sum of row " + std::to_string(i), got[at], expected[at], of_row);
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
    const std::ptrdiff_t i = pick(1, c.rows), j = pick(2, c.cols);
    double expected = 0;
    for (std::ptrdiff_t p = 0; p < a.cols; ++p) {
      expected += static_cast<double>(a(i, p)) * static_cast<double>(b(p, j));
    }
    const double got = c(i, j);
    if (!(std::abs(got - expected) <= of_element)) {
      return wrong("the element at row " + std::to_string(i) + ", column " + std::to_string(j), got, expected,
                   of_element);
    }
  }
  return {};
}

struct Size {
  std::ptrdiff_t m, n, k;
};

template <class T>
class Product final : public MatmulWorkload<T> {
 public:
  Product(const Size& size, Layout layout, int threads)
      : m_(size.m),
        n_(size.n),
        k_(size.k),
        a_(layout == Layout::a_transposed ? rows_of(k_, m_, layout) : rows_of(m_, k_, layout),
           layout == Layout::a_transposed),
        b_(layout == Layout::b_transposed ? rows_of(n_, k_, layout) : rows_of(k_, n_, layout),
           layout == Layout::b_transposed),
        c_(layout == Layout::block ? rows_of_block(m_, n_) : rows_of(m_, n_, layout), false) {
    a_.fill(1'000'000, poison<T>, threads);
    b_.fill(2'000'000, poison<T>, threads);
    c_.fill_with(poison<T>, surroundings<T>, threads);
  }

  MatrixView<const T> a() const override { return a_.view(); }
  MatrixView<const T> b() const override { return b_.view(); }
  MatrixView<T> c() override { return c_.view(); }

  void run(const Backend& backend) override { matmul(a(), b(), c(), {.backend = backend}); }

  std::function<void()> call(const Backend& backend) override {
    return [a = a(), b = b(), c = c(), options = MatmulOptions{.backend = backend}] { matmul(a, b, c, options); };
  }

  int threads_used() const override { return last_run().threads; }

  void spoil(std::size_t first, std::size_t step) override {
    const MatrixView<T> elements = c();
    const auto length = static_cast<std::size_t>(n_), all = static_cast<std::size_t>(m_) * length;
    for (std::size_t i = first; i < all; i += step) {
      elements(static_cast<std::ptrdiff_t>(i / length), static_cast<std::ptrdiff_t>(i % length)) = poison<T>;
    }
  }

  std::uint64_t output_hash() const override { return c_.hash(); }

  std::size_t bytes() const override { return a_.bytes() + b_.bytes() + c_.bytes(); }

  std::string verify() const override {
    if (const std::string wrong = verify_product(a_.view(), b_.view(), c_.view()); !wrong.empty()) return wrong;
    if (!c_.surrounded_by(surroundings<T>)) return "elements around C were written, expected only C's own";
    return {};
  }

 private:
  std::ptrdiff_t m_, n_, k_;
  Matrix<T> a_, b_, c_;
};

// Products of one shape, one behind the other in memory.
template <class T>
class BatchProduct final : public MatmulBatchWorkload<T> {
 public:
  BatchProduct(const Size& size, std::ptrdiff_t count, int threads)
      : size_(size),
        count_(count),
        a_(rows_of(count * size.m, size.k, Layout::contiguous), false),
        b_(rows_of(count * size.k, size.n, Layout::contiguous), false),
        c_(rows_of(count * size.m, size.n, Layout::contiguous), false) {
    a_.fill(1'000'000, poison<T>, threads);
    b_.fill(2'000'000, poison<T>, threads);
    c_.fill_with(poison<T>, surroundings<T>, threads);
  }

  MatrixBatchView<const T> a() const override { return {{a_.view().data, size_.m, size_.k}, count_}; }
  MatrixBatchView<const T> b() const override { return {{b_.view().data, size_.k, size_.n}, count_}; }
  MatrixBatchView<T> c() override { return {{c_.view().data, size_.m, size_.n}, count_}; }

  void run(const Backend& backend) override { matmul_batch(a(), b(), c(), {.backend = backend}); }

  std::function<void()> call(const Backend& backend) override {
    return [a = a(), b = b(), c = c(), options = MatmulOptions{.backend = backend}] { matmul_batch(a, b, c, options); };
  }

  int threads_used() const override { return last_run().threads; }

  void spoil(std::size_t first, std::size_t step) override {
    const auto all = static_cast<std::size_t>(count_ * size_.m * size_.n);
    for (std::size_t i = first; i < all; i += step) c_.view().data[i] = poison<T>;
  }

  std::uint64_t output_hash() const override { return c_.hash(); }

  std::size_t bytes() const override { return a_.bytes() + b_.bytes() + c_.bytes(); }

  std::string verify() const override {
    const MatrixBatchView<const T> c({c_.view().data, size_.m, size_.n}, count_);
    for (std::ptrdiff_t i = 0; i < count_; ++i) {
      if (const std::string wrong = verify_product(a()[i], b()[i], c[i]); !wrong.empty()) {
        return "product " + std::to_string(i) + ": " + wrong;
      }
    }
    return {};
  }

 private:
  Size size_;
  std::ptrdiff_t count_;
  Matrix<T> a_, b_, c_;
};

struct ListedSize {
  Size size;
  bool quick_f32 = false, quick_f64 = false;
};

// C is m x n, and the size is written m x n x k. Squares from a few tiles to beyond the last cache of most machines;
// then shapes that starve one or two dimensions of a blocked product, down to products with a vector.
constexpr std::array sizes = {
    ListedSize{{8, 8, 8}},
    ListedSize{{16, 16, 16}},
    ListedSize{{64, 64, 64}},
    ListedSize{{128, 128, 128}, true},
    ListedSize{{200, 200, 200}},
    ListedSize{{256, 256, 256}},
    ListedSize{{512, 512, 512}, true, true},
    ListedSize{{1000, 1000, 1000}},
    ListedSize{{1024, 1024, 1024}, true, true},
    ListedSize{{2048, 2048, 2048}},
    ListedSize{{2000, 16, 2000}},
    ListedSize{{16, 2000, 2000}},
    ListedSize{{2000, 2000, 16}},
    ListedSize{{1000, 37, 61}},
    ListedSize{{4096, 64, 64}},
    ListedSize{{64, 64, 4096}},
    ListedSize{{1, 2048, 2048}},
    ListedSize{{2048, 1, 2048}},
};

struct BatchSize {
  Size size;
  std::ptrdiff_t count;
};

// Of the small matrices that batches are made of; what a few megabytes hold, so that they come from beyond the
// second-level cache.
constexpr std::array batch_sizes = {
    BatchSize{{4, 4, 4}, 10000},
    BatchSize{{8, 8, 8}, 10000},
    BatchSize{{16, 16, 16}, 1000},
    BatchSize{{32, 32, 32}, 1000},
};

// Of each layout that isn't the usual one.
constexpr std::array layout_sizes = {Size{200, 200, 200}, Size{1000, 37, 61}, Size{1000, 1000, 1000}};

// Nothing if the text isn't written as a size.
std::optional<Size> size_of(std::string_view text) {
  // A gigabyte of floats a matrix, and a minute on one slow core.
  constexpr std::ptrdiff_t longest = 1'000'000, most_elements = std::ptrdiff_t{1} << 28;
  constexpr std::ptrdiff_t most_terms = std::ptrdiff_t{1} << 39;
  const auto sides = numbers_of_size<3>(text, longest);
  if (!sides) return std::nullopt;
  const auto [m, n, k] = *sides;
  for (const auto& [rows, cols] : {std::pair(m, n), {m, k}, {k, n}}) {
    if (rows * cols > most_elements) {
      throw InvalidArgument("the size " + std::string(text) + " has a matrix of " + std::to_string(rows) + " x " +
                            std::to_string(cols) + ", expected " + std::to_string(most_elements) + " elements at most");
    }
  }
  if (m * n > most_terms / k) {
    throw InvalidArgument("the size " + std::string(text) + " is more work than " + std::to_string(most_terms) +
                          " multiplications, the most that a case may be");
  }
  return Size{m, n, k};
}

template <class T>
Case make_case(const Size& size, const char* type, const NamedLayout& named = layouts.front()) {
  const auto m = static_cast<double>(size.m), n = static_cast<double>(size.n), k = static_cast<double>(size.k);
  return {
      .kernel = "matmul",
      .variant = std::string(type) + named.suffix,
      .size = std::to_string(size.m) + "x" + std::to_string(size.n) + "x" + std::to_string(size.k),
      .flops = 2 * m * n * k,                        // a multiplication and an addition a term
      .bytes = (m * k + k * n + m * n) * sizeof(T),  // beta = 0: C isn't read
      .written_bytes = m * n * sizeof(T),
      .precision = type,
      .make = [size,
               layout = named.layout](int threads) { return std::make_unique<Product<T>>(size, layout, threads); },
      .of_size = [type, named](std::string_view text) -> std::optional<Case> {
        const auto other = size_of(text);
        return other ? std::optional(make_case<T>(*other, type, named)) : std::nullopt;
      },
      .size_at =
          [](double part) {
            const std::string side = std::to_string(number_between(12, 1000, part));
            return side + "x" + side + "x" + side;
          },
  };
}

template <class T>
Case make_batch_case(const BatchSize& batch, const char* type) {
  Case made = make_case<T>(batch.size, type);
  const auto count = static_cast<double>(batch.count);
  made.kernel = "matmul_batch";
  made.size += "x" + std::to_string(batch.count);
  made.flops *= count;
  made.bytes *= count;
  made.written_bytes *= count;
  made.make = [batch](int threads) { return std::make_unique<BatchProduct<T>>(batch.size, batch.count, threads); };
  made.of_size = [type](std::string_view text) -> std::optional<Case> {
    const auto numbers = numbers_of_size<4>(text, 1'000'000);
    if (!numbers) return std::nullopt;
    const auto [m, n, k, others] = *numbers;
    return make_batch_case<T>({{m, n, k}, others}, type);
  };
  made.size_at = [](double part) { return "16x16x16x" + std::to_string(number_between(10, 1e5, part)); };
  return made;
}

template <class T>
void add_batches(std::vector<Case>& cases, const char* type) {
  for (const BatchSize& batch : batch_sizes) cases.push_back(make_batch_case<T>(batch, type));
  const BatchSize base = {{16, 16, 16}, 1000};
  cases.push_back(weak(make_batch_case<T>(base, type), "products ∝ p", [base, type](int threads) {
    const BatchSize grown = {base.size, base.count * threads};
    return make_batch_case<T>(grown, type);
  }));
}

template <class T>
void add(std::vector<Case>& cases, const char* type) {
  for (const ListedSize& listed : sizes) {
    cases.push_back(make_case<T>(listed.size, type));
    cases.back().quick = std::same_as<T, float> ? listed.quick_f32 : listed.quick_f64;
  }
  for (const NamedLayout& named : layouts) {
    if (named.layout == Layout::contiguous) continue;
    for (const Size& size : layout_sizes) cases.push_back(make_case<T>(size, type, named));
  }
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
  add_batches<float>(cases, "f32");
  add_batches<double>(cases, "f64");
  return cases;
}

std::unique_ptr<MatmulWorkload<float>> make_matmul_f32(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k,
                                                       int threads) {
  return std::make_unique<Product<float>>(Size{m, n, k}, Layout::contiguous, threads);
}

}  // namespace speedwell::bench
