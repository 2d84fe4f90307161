// SPDX-License-Identifier: Apache-2.0
#include <speedwell/matmul.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <Eigen/Core>
#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include "kernels/matmul/matmul_blocking.hpp"
#include "tests/allocations.hpp"
#include "tests/every_backend.hpp"
#include "tests/fenced_matrix.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;
using testing::AllOf;
using testing::HasSubstr;
using tests::every_backend;
using tests::generator;
using tests::has_fma;
using tests::seed;

// Crowding rows are a multiple of 4 KiB apart, distant ones of 64 KiB.
enum class Layout {
  rows,
  cols,
  padded_rows,
  sparse,
  crowding_rows,
  distant_rows,
  flipped_rows,
  flipped_cols,
  flipped,
  zero_rows,
  zero_cols
};
constexpr Layout output_layouts[] = {Layout::rows,         Layout::cols,         Layout::padded_rows, Layout::sparse,
                                     Layout::flipped_rows, Layout::flipped_cols, Layout::flipped};
constexpr Layout input_layouts[] = {Layout::rows,          Layout::cols,         Layout::padded_rows,  Layout::sparse,
                                    Layout::crowding_rows, Layout::flipped_rows, Layout::flipped_cols, Layout::flipped,
                                    Layout::zero_rows,     Layout::zero_cols};

// A matrix in memory of its own, with NaN before, behind and between its elements.
template <class T>
class Matrix {
 public:
  Matrix(ptrdiff_t rows, ptrdiff_t cols, Layout layout = Layout::rows) : rows_(rows), cols_(cols) {
    switch (layout) {
      case Layout::rows:
        strides(cols, 1);
        break;
      case Layout::cols:
        strides(1, rows);
        break;
      case Layout::padded_rows:
        strides(cols + 5, 1);
        break;
      case Layout::sparse:
        strides(2 * cols + 1, 2);
        break;
      case Layout::crowding_rows:
        strides(bytes_apart(cols, 4 << 10), 1);
        break;
      case Layout::distant_rows:
        strides(bytes_apart(cols, 64 << 10), 1);
        break;
      case Layout::flipped_rows:
        strides(-cols, 1);
        break;
      case Layout::flipped_cols:
        strides(cols + 1, -1);
        break;
      case Layout::flipped:
        strides(-1, -rows - 2);
        break;
      case Layout::zero_rows:
        strides(0, 1);
        break;
      case Layout::zero_cols:
        strides(1, 0);
        break;
    }
    const ptrdiff_t row_span = rows > 0 ? (rows - 1) * row_stride_ : 0;
    const ptrdiff_t col_span = cols > 0 ? (cols - 1) * col_stride_ : 0;
    memory_.assign(static_cast<std::size_t>(std::abs(row_span) + std::abs(col_span) + 1 + 2 * margin), poison);
    first_ = margin + std::max<ptrdiff_t>(-row_span, 0) + std::max<ptrdiff_t>(-col_span, 0);
  }

  static Matrix random(ptrdiff_t rows, ptrdiff_t cols, Layout layout = Layout::rows) {
    Matrix matrix(rows, cols, layout);
    std::uniform_real_distribution<T> value(-1, 1);
    for (ptrdiff_t i = 0; i < rows; ++i) {
      for (ptrdiff_t j = 0; j < cols; ++j) matrix(i, j) = value(generator());
    }
    return matrix;
  }

  T& operator()(ptrdiff_t i, ptrdiff_t j) { return memory_[index(i, j)]; }
  T operator()(ptrdiff_t i, ptrdiff_t j) const { return memory_[index(i, j)]; }
  MatrixView<T> view() { return {memory_.data() + first_, rows_, cols_, row_stride_, col_stride_}; }
  MatrixView<const T> input() const { return {memory_.data() + first_, rows_, cols_, row_stride_, col_stride_}; }
  void scale(T factor) {
    for (T& x : memory_) x *= factor;
  }
  ptrdiff_t rows() const { return rows_; }
  ptrdiff_t cols() const { return cols_; }

  // Whether everything outside the matrix is as it was made.
  bool surroundings_intact() const {
    std::vector<bool> inside(memory_.size());
    for (ptrdiff_t i = 0; i < rows_; ++i) {
      for (ptrdiff_t j = 0; j < cols_; ++j) inside[index(i, j)] = true;
    }
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      if (!inside[i] && !std::isnan(memory_[i])) return false;
    }
    return true;
  }

 private:
  static constexpr ptrdiff_t margin = 70;
  static constexpr T poison = std::numeric_limits<T>::quiet_NaN();

  // Elements from row to row, at least `least` and a multiple of so many bytes.
  static ptrdiff_t bytes_apart(ptrdiff_t least, ptrdiff_t bytes) {
    const ptrdiff_t unit = bytes / static_cast<ptrdiff_t>(sizeof(T));
    return (least + unit - 1) / unit * unit;
  }
  void strides(ptrdiff_t row, ptrdiff_t col) {
    row_stride_ = row;
    col_stride_ = col;
  }
  std::size_t index(ptrdiff_t i, ptrdiff_t j) const {
    return static_cast<std::size_t>(first_ + i * row_stride_ + j * col_stride_);
  }

  ptrdiff_t rows_, cols_;
  ptrdiff_t row_stride_ = 0, col_stride_ = 0, first_ = 0;
  std::vector<T> memory_;
};

template <class T>
bool same(T x, T y) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(x) == std::bit_cast<Bits>(y) || (std::isnan(x) && std::isnan(y));
}

// Rounded once where the instruction set fuses them.
template <class T>
T multiply_add(T x, T y, T sum) {
  const T product = x * y;
  return has_fma() ? std::fma(x, y, sum) : sum + product;
}

// The order of operations that the headers state, and how far from the exact value any order may be.
template <class T>
struct Expected {
  Expected(const Matrix<T>& a, const Matrix<T>& b, const Matrix<T>& c, double alpha, double beta)
      : chain(c.rows(), c.cols()), exact(c.rows(), c.cols()), bound(c.rows(), c.cols()) {
    const T scale = static_cast<T>(alpha);
    const T keep = static_cast<T>(beta);
    const ptrdiff_t depth = scale == 0 ? 0 : a.cols();
    for (ptrdiff_t i = 0; i < c.rows(); ++i) {
      for (ptrdiff_t j = 0; j < c.cols(); ++j) {
        T sum = keep == 0 ? T{0} : keep * c(i, j);
        std::array<T, 16> lanes = {};
        double wide = keep == 0 ? 0 : double{keep} * double{c(i, j)};
        double size = std::abs(wide);
        for (ptrdiff_t k = 0; k < depth; ++k) {
          sum = multiply_add<T>(scale * a(i, k), b(k, j), sum);
          T& lane = lanes[static_cast<std::size_t>(k % 16)];
          lane = multiply_add(a(i, k), b(k, j), lane);
          const double term = double{scale} * double{a(i, k)} * double{b(k, j)};
          wide += term;
          size += std::abs(term);
        }
        if (c.rows() == 1 || c.cols() == 1) {
          for (std::size_t half = 8; half > 0; half /= 2) {
            for (std::size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
          }
          sum = keep == 0 ? scale * lanes[0] : multiply_add<T>(scale, lanes[0], keep * c(i, j));
        }
        chain(i, j) = sum;
        exact(i, j) = wide;
        // Each of k products and sums and the two scalings rounds by at most half an epsilon; `wide` itself too.
        bound(i, j) = static_cast<double>(2 * depth + 4) *
                      (size * std::numeric_limits<T>::epsilon() + double{std::numeric_limits<T>::denorm_min()});
      }
    }
  }

  Matrix<T> chain;
  Matrix<double> exact;
  Matrix<double> bound;
};

template <class T>
void expect_product(const Expected<T>& expected, const Matrix<T>& c) {
  ASSERT_TRUE(c.surroundings_intact());
  for (ptrdiff_t i = 0; i < c.rows(); ++i) {
    for (ptrdiff_t j = 0; j < c.cols(); ++j) {
      const bool right = same(c(i, j), expected.chain(i, j));
      const double exact = expected.exact(i, j);
      const bool near = !std::isfinite(exact) || std::abs(double{c(i, j)} - exact) <= expected.bound(i, j);
      ASSERT_TRUE(right && near) << "at (" << i << ", " << j << "): " << c(i, j) << ", expected "
                                 << expected.chain(i, j) << " or near " << exact;
    }
  }
}

struct Shape {
  ptrdiff_t m, n, k;
};

std::string describe(Shape shape) {
  return std::to_string(shape.m) + " x " + std::to_string(shape.n) + " x " + std::to_string(shape.k);
}

template <class T>
class Matmul : public testing::Test {
 protected:
  using Element = T;

  // One product on every backend: right, and the same bits on all.
  static void check(Shape shape, std::span<const Backend> backends, double alpha = 1, double beta = 0,
                    Layout a_layout = Layout::rows, Layout b_layout = Layout::rows, Layout c_layout = Layout::rows) {
    SCOPED_TRACE(describe(shape) + ", seed " + std::to_string(seed()) + ", alpha " + std::to_string(alpha) + ", beta " +
                 std::to_string(beta) + ", layouts " + std::to_string(static_cast<int>(a_layout)) + " " +
                 std::to_string(static_cast<int>(b_layout)) + " " + std::to_string(static_cast<int>(c_layout)));
    const auto a = Matrix<T>::random(shape.m, shape.k, a_layout);
    const auto b = Matrix<T>::random(shape.k, shape.n, b_layout);
    const auto start =
        beta == 0 ? Matrix<T>(shape.m, shape.n, c_layout) : Matrix<T>::random(shape.m, shape.n, c_layout);
    const Expected<T> expected(a, b, start, alpha, beta);
    Matrix<T> first(shape.m, shape.n);
    for (std::size_t i = 0; i < backends.size(); ++i) {
      if (!is_built(backends[i])) continue;
      SCOPED_TRACE(tests::text(backends[i]));
      Matrix<T> c = start;
      matmul(a.input(), b.input(), c.view(), {.alpha = alpha, .beta = beta, .backend = backends[i]});
      expect_product(expected, c);
      if (i == 0) {
        first = c;
      } else {
        for (ptrdiff_t r = 0; r < shape.m; ++r) {
          for (ptrdiff_t s = 0; s < shape.n; ++s) ASSERT_TRUE(same(c(r, s), first(r, s))) << r << ", " << s;
        }
      }
      if (testing::Test::HasFatalFailure()) return;
    }
  }

  static void check(Shape shape, std::initializer_list<Backend> backends, double alpha = 1, double beta = 0,
                    Layout a_layout = Layout::rows, Layout b_layout = Layout::rows, Layout c_layout = Layout::rows) {
    check(shape, std::span<const Backend>(backends.begin(), backends.size()), alpha, beta, a_layout, b_layout,
          c_layout);
  }

  static const MatmulTile<T>& tile() { return matmul_tile<T>(); }
  // Of contiguous rows, or of a B that has to be packed.
  static MatmulCuts cuts(Shape shape, bool b_in_place = true) {
    return matmul_cuts({.m = shape.m,
                        .n = shape.n,
                        .k = shape.k,
                        .tile_rows = tile().rows,
                        .tile_cols = tile().cols,
                        .element_bytes = sizeof(T),
                        .a_row_stride = shape.k,
                        .b_row_stride = shape.n,
                        .b_in_place = b_in_place},
                       matmul_caches(), 1);
  }
};

using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Matmul, Elements, );

TYPED_TEST(Matmul, EveryTileEdge) {
  const ptrdiff_t rows = this->tile().rows;
  const ptrdiff_t cols = this->tile().cols;
  for (const ptrdiff_t m : {ptrdiff_t{0}, ptrdiff_t{1}, ptrdiff_t{2}, rows - 1, rows, rows + 1, 2 * rows + 3}) {
    for (const ptrdiff_t n : {ptrdiff_t{0}, ptrdiff_t{1}, ptrdiff_t{2}, cols - 1, cols, cols + 1, 2 * cols + 3}) {
      for (const ptrdiff_t k : {0, 1, 2, 15, 16, 17, 37}) {
        this->check({m, n, k}, {Sequential{}, Automatic{}}, 1, 0);
        this->check({m, n, k}, {Sequential{}, Threads{2}}, 0.75, -1.5, Layout::cols, Layout::cols, Layout::cols);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

// Columns of B contiguous, or apart: it is packed, or A is in the transposed product. The sizes of panels and blocks
// are those of products that have many of them.
TYPED_TEST(Matmul, EveryEdgeOfPanelsAndBlocks) {
  const ptrdiff_t rows = this->tile().rows;
  const ptrdiff_t cols = this->tile().cols;
  const ptrdiff_t line = 64 / static_cast<ptrdiff_t>(sizeof(TypeParam));
  const ptrdiff_t depth = this->cuts({rows, cols, 1 << 20}, false).depth.largest();
  const ptrdiff_t height = this->cuts({1 << 20, cols, depth}, false).block_rows.largest();
  const ptrdiff_t width = this->cuts({rows, 1 << 30, line}, false).cols.largest();
  ASSERT_LE(depth, 512);
  for (const ptrdiff_t by : {-1, 0, 1}) {
    for (const ptrdiff_t panels : {1, 2, 3}) {
      const Shape shape = {rows + 1, cols + 1, panels * depth + by};
      ASSERT_EQ(this->cuts(shape, false).depth.parts, panels + (by > 0));
      this->check(shape, every_backend(), 1, by, Layout::rows, Layout::cols);
      this->check(shape, every_backend(), 1, 2, Layout::cols, Layout::cols);
    }
    for (const ptrdiff_t blocks : {1, 2}) {
      const Shape shape = {blocks * height + by, 3, depth};
      ASSERT_EQ(this->cuts(shape, false).block_rows.parts, blocks + (by > 0));
      this->check(shape, {Sequential{}, Threads{2}, OpenMp{3}, Tbb{2}}, 1, 2, Layout::rows, Layout::cols);
    }
    const Shape wide = {4, width + by, line};
    ASSERT_EQ(this->cuts(wide, false).cols.parts, 1 + (by > 0));
    this->check(wide, {Sequential{}, Threads{3}}, 1, 0.5, Layout::rows, Layout::sparse);
    if (this->HasFatalFailure()) return;
  }
}

// B in place: a block goes through all of k in steps, and only the first one may know beta.
TYPED_TEST(Matmul, EveryEdgeOfStepsInPlace) {
  const ptrdiff_t rows = this->tile().rows;
  const ptrdiff_t cols = this->tile().cols;
  const ptrdiff_t depth = this->cuts({2 * rows, cols, 1 << 20}).step_depth;
  ASSERT_LE(depth, 512);
  for (const ptrdiff_t by : {-1, 0, 1}) {
    for (const ptrdiff_t steps : {1, 2, 3}) {
      const Shape shape = {2 * rows, cols, steps * depth + by};
      ASSERT_FALSE(this->cuts(shape).pack_b);
      ASSERT_EQ(this->cuts(shape).steps, steps + (by > 0));
      for (const double beta : {0.0, 1.0}) this->check(shape, {Sequential{}, Threads{2}}, 1, beta);
      this->check(shape, every_backend(), 1, -0.75, Layout::sparse);
    }
    if (this->HasFatalFailure()) return;
  }
}

// Sizes on both sides of those at which a factor is packed, in place or direct; the cuts' own test says that they are.
TYPED_TEST(Matmul, BothSidesOfEveryThreshold) {
  const ptrdiff_t rows = this->tile().rows;
  const ptrdiff_t cols = this->tile().cols;
  const ptrdiff_t unit = std::max<ptrdiff_t>(this->tile().in_place_cols, 1);
  const std::vector<Backend> backends = {Sequential{}, Automatic{}, Threads{2}, OpenMp{3}, Tbb{2}};
  for (const double alpha : {1.0, 0.7}) {
    for (const ptrdiff_t by : {ptrdiff_t{0}, unit}) {
      // Slivers of B for a row of A, by how A lies.
      for (const ptrdiff_t m : {ptrdiff_t{3}, 2 * rows / 3, 2 * rows / 3 + 1}) {
        this->check({m, 64 * cols + by, 5}, backends, alpha, 0.5);
      }
      this->check({5, 8 * cols + by, 9}, backends, alpha, 0, Layout::cols);
      this->check({5, cols + by, 9}, backends, alpha, 1, Layout::sparse);
      this->check({5, cols + by, 9}, backends, alpha, 1, Layout::flipped);
      this->check({5, cols + by, 9}, backends, alpha, 0, Layout::crowding_rows);
      this->check({5, 2 * cols + by, 9}, backends, alpha, 0.5, Layout::crowding_rows, Layout::crowding_rows,
                  Layout::crowding_rows);
    }
    for (const ptrdiff_t by : {0, 1}) {
      // Rows of A for an element of B.
      this->check({2 * rows + by, cols + unit, 20}, backends, alpha, 0);
      this->check({2 * rows + by, unit, 20}, backends, alpha, -1, Layout::rows, Layout::distant_rows);
      this->check({64 * rows + by, unit + 1, 7}, backends, alpha, 0);
      const ptrdiff_t depth = matmul_caches().second >> 16;
      this->check({2 * rows + 1, cols, depth + by}, backends, alpha, 0.5, Layout::rows, Layout::distant_rows);
    }
    if (this->HasFatalFailure()) return;
  }
}

// C is one row or one column, which has an order of its own.
TYPED_TEST(Matmul, OneRowOrOneColumn) {
  std::uniform_int_distribution<std::size_t> input(0, std::size(input_layouts) - 1);
  std::uniform_int_distribution<std::size_t> output(0, std::size(output_layouts) - 1);
  const std::vector<Backend> backends = {Sequential{}, Automatic{}, Threads{2}, OpenMp{3}, Tbb{2}};
  for (const ptrdiff_t side : {1, 2, 3, 15, 16, 17, 40, 131, 300}) {
    for (const ptrdiff_t depth : {0, 1, 2, 8, 15, 16, 17, 31, 33, 150, 600}) {
      for (const auto& [alpha, beta] : {std::pair(1.0, 0.0), {1.0, 1.0}, {0.3, -1.7}}) {
        auto& random = generator();
        const Layout a = input_layouts[input(random)], b = input_layouts[input(random)];
        const Layout c = output_layouts[output(random)];
        this->check({1, side, depth}, backends, alpha, beta, a, b, c);
        this->check({side, 1, depth}, backends, alpha, beta, a, b, c);
        this->check({side, 1, depth}, {Sequential{}, Threads{3}}, alpha, beta);
        this->check({1, side, depth}, {Sequential{}, Threads{3}}, alpha, beta);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

// Products that are done at sight, and those on the other side of every length and stride where they no longer are:
// each matrix begins or ends where nobody may read. Some have an infinity or NaN, or terms that all vanish to -0.
TYPED_TEST(Matmul, FewTerms) {
  using T = TypeParam;
  tests::FencedMatrix<T> a_pages(1 << 15), b_pages(1 << 16), c_pages(1 << 15);
  auto& random = generator();
  const auto below = [&](ptrdiff_t end) { return std::uniform_int_distribution<ptrdiff_t>(0, end - 1)(random); };
  const auto one_in = [&](int count) { return below(count) == 0; };
  // So small, and all of one sign, that products with another such matrix vanish below the least number.
  const auto vanish = [](Matrix<T>& matrix, T sign) {
    for (ptrdiff_t i = 0; i < matrix.rows(); ++i) {
      for (ptrdiff_t j = 0; j < matrix.cols(); ++j) {
        matrix(i, j) = sign * std::abs(matrix(i, j)) * std::numeric_limits<T>::min();
      }
    }
  };
  const auto lay = [&](tests::FencedMatrix<T>& pages, const Matrix<T>& of) {
    const bool columns = one_in(8);
    const ptrdiff_t gap = one_in(3) ? 3 : 0;
    const auto view = pages.lay(of.rows(), of.cols(), columns ? 1 : of.cols() + gap, columns ? of.rows() + gap : 1,
                                one_in(2) ? tests::Fence::behind : tests::Fence::before);
    for (ptrdiff_t i = 0; i < of.rows(); ++i) {
      for (ptrdiff_t j = 0; j < of.cols(); ++j) view(i, j) = of(i, j);
    }
    return view;
  };
  const auto check = [&](const Shape& shape, T beta) {
    auto a = Matrix<T>::random(shape.m, shape.k), b = Matrix<T>::random(shape.k, shape.n);
    const auto start = beta == 0 ? Matrix<T>(shape.m, shape.n) : Matrix<T>::random(shape.m, shape.n);
    const double alpha = one_in(8) ? 0.3 : 1;
    if (one_in(4)) {
      const ptrdiff_t k = below(shape.k);
      a(below(shape.m), k) = one_in(2) ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::quiet_NaN();
      b(k, below(shape.n)) = 0;
    } else if (one_in(4)) {
      vanish(a, -1);
      vanish(b, 1);
    }
    const MatrixView<const T> a_view = lay(a_pages, a), b_view = lay(b_pages, b);
    const MatrixView<T> c = lay(c_pages, start);
    SCOPED_TRACE(describe(shape) + ", alpha " + std::to_string(alpha) + ", beta " + std::to_string(beta) + ", seed " +
                 std::to_string(seed()));
    matmul(a_view, b_view, c, {.alpha = alpha, .beta = beta, .backend = Sequential{}});
    Matrix<T> result(shape.m, shape.n);
    for (ptrdiff_t i = 0; i < shape.m; ++i) {
      for (ptrdiff_t j = 0; j < shape.n; ++j) result(i, j) = std::exchange(c(i, j), std::nan(""));
    }
    expect_product(Expected<T>(a, b, start, alpha, beta), result);
    const std::vector<T> memory = c_pages.memory();
    ASSERT_TRUE(std::all_of(memory.begin(), memory.end(), [](T x) { return std::isnan(x); }));
  };
  for (ptrdiff_t k = 1; k <= 18; ++k) {
    for (const T beta : {T(0), T(1), T(-1.25)}) {
      for (ptrdiff_t side = 1; side <= 35; ++side) {
        check({1, side, k}, beta);
        check({side, 1, k}, beta);
        check({2 + below(19), side, k}, beta);
        if (this->HasFatalFailure()) return;
      }
      // More columns, up to those that 32 registers hold.
      for (const ptrdiff_t side : {47, 48, 49, 63, 64, 65}) {
        check({2 + below(19), side, k}, beta);
        if (this->HasFatalFailure()) return;
      }
      for (const ptrdiff_t side : {510, 511, 512}) {
        check({1, side, k}, beta);
        check({side, 1, k}, beta);
        check({side, 3, k}, beta);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

// The stride of a single row or column may be any, so no address may be made with it, as it would overflow. (Only
// a sanitizer sees that: for matmul_tile.cpp clang's, which g++ builds leave out there.)
TYPED_TEST(Matmul, TheStrideOfASingleTermIsUnused) {
  using T = TypeParam;
  constexpr ptrdiff_t huge = (ptrdiff_t{1} << 62) / ptrdiff_t{sizeof(T)};
  for (const ptrdiff_t side : {2, 24, 100}) {
    for (const auto& [alpha, beta] : {std::pair(1.0, 0.0), {2.0, 0.0}, {2.0, -1.5}}) {
      SCOPED_TRACE(std::to_string(side) + ", alpha " + std::to_string(alpha) + ", beta " + std::to_string(beta));
      const auto a = Matrix<T>::random(side, 1), b = Matrix<T>::random(1, side), start = Matrix<T>::random(side, side);
      MatrixView<const T> a_view = a.input(), b_view = b.input();
      a_view.col_stride = b_view.row_stride = huge;
      const Expected<T> expected(a, b, start, alpha, beta);
      for (const Backend& backend : every_backend()) {
        Matrix<T> c = start;
        matmul(a_view, b_view, c.view(), {.alpha = alpha, .beta = beta, .backend = backend});
        expect_product(expected, c);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

// Nothing outside the matrices is read, nor written: each of them ends where a page begins that nobody may touch.
TYPED_TEST(Matmul, StaysWithinItsMatrices) {
  using T = TypeParam;
  tests::FencedMatrix<T> a_pages(1 << 16), b_pages(1 << 16), c_pages(1 << 16);
  auto& random = generator();
  const auto either = [&] { return std::bernoulli_distribution()(random); };
  const auto lay = [&](tests::FencedMatrix<T>& pages, const Matrix<T>& of) {
    const ptrdiff_t padding = either() ? 0 : 3;
    const ptrdiff_t row_sign = either() ? 1 : -1, col_sign = std::bernoulli_distribution(0.8)(random) ? 1 : -1;
    const tests::Fence fence = either() ? tests::Fence::behind : tests::Fence::before;
    const MatrixView<T> view = std::bernoulli_distribution(0.7)(random)
                                   ? pages.lay(of.rows(), of.cols(), row_sign * (of.cols() + padding), col_sign, fence)
                                   : pages.lay(of.rows(), of.cols(), row_sign, col_sign * (of.rows() + padding), fence);
    for (ptrdiff_t i = 0; i < of.rows(); ++i) {
      for (ptrdiff_t j = 0; j < of.cols(); ++j) view(i, j) = of(i, j);
    }
    return view;
  };
  for (const ptrdiff_t m : {1, 2, 5, 13, 26}) {
    for (const ptrdiff_t n : {1, 2, 7, 16, 33, 65}) {
      for (const ptrdiff_t k : {1, 2, 7, 16, 37}) {
        for (const auto& [alpha, beta] : {std::pair(1.0, 0.0), {1.0, 1.0}, {-0.7, 0.0}, {-0.7, 0.3}}) {
          const auto a = Matrix<T>::random(m, k), b = Matrix<T>::random(k, n), start = Matrix<T>::random(m, n);
          const Expected<T> expected(a, b, start, alpha, beta);
          const MatrixView<const T> a_view = lay(a_pages, a), b_view = lay(b_pages, b);
          for (const Backend& backend : {Backend(Sequential{}), Backend(Threads{2})}) {
            const MatrixView<T> c = lay(c_pages, start);
            SCOPED_TRACE(describe({m, n, k}) + ", " + tests::text(backend) + ", seed " + std::to_string(seed()));
            matmul(a_view, b_view, c, {.alpha = alpha, .beta = beta, .backend = backend});
            Matrix<T> result(m, n);
            for (ptrdiff_t i = 0; i < m; ++i) {
              for (ptrdiff_t j = 0; j < n; ++j) result(i, j) = std::exchange(c(i, j), std::nan(""));
            }
            expect_product(expected, result);
            const std::vector<T> memory = c_pages.memory();
            ASSERT_TRUE(std::all_of(memory.begin(), memory.end(), [](T x) { return std::isnan(x); }));
          }
        }
      }
    }
  }
}

// Threads pack their blocks of A at the same time, each into a buffer of its own.
TYPED_TEST(Matmul, BlocksArePackedApart) {
  using T = TypeParam;
  const auto a = Matrix<T>::random(500, 300), b = Matrix<T>::random(300, 40);
  const Matrix<T> start(500, 40);
  const Expected<T> expected(a, b, start, 0.3, 0);
  for (int i = 0; i < 10; ++i) {
    for (const Backend& backend : {Backend(Threads{2}), Backend(OpenMp{2}), Backend(Tbb{2}), Backend(Threads{4})}) {
      if (!is_built(backend)) continue;
      SCOPED_TRACE(tests::text(backend));
      Matrix<T> c = start;
      matmul(a.input(), b.input(), c.view(), {.alpha = 0.3, .backend = backend});
      expect_product(expected, c);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(Matmul, PrimesAndLongSidesOnEveryBackend) {
  for (const Shape shape :
       {Shape{127, 131, 137}, {257, 263, 67}, {4999, 5, 3}, {5, 5003, 3}, {3, 5, 50021}, {1, 1, 9973}}) {
    this->check(shape, every_backend(), 1, 0);
    this->check(shape, every_backend(), -0.3, 1.7, Layout::cols, Layout::rows, Layout::cols);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(Matmul, RandomShapesAndLayouts) {
  std::uniform_int_distribution<ptrdiff_t> side(1, 70);
  std::uniform_int_distribution<std::size_t> input(0, std::size(input_layouts) - 1);
  std::uniform_int_distribution<std::size_t> output(0, std::size(output_layouts) - 1);
  std::uniform_real_distribution<double> factor(-2, 2);
  for (int i = 0; i < 200; ++i) {
    auto& random = generator();
    this->check({side(random), side(random), side(random)}, {Sequential{}, OpenMp{2}, Tbb{3}}, factor(random),
                factor(random), input_layouts[input(random)], input_layouts[input(random)],
                output_layouts[output(random)]);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(Matmul, EveryLayout) {
  for (const Layout a : input_layouts) {
    for (const Layout b : input_layouts) {
      for (const Layout c : output_layouts) {
        this->check({27, 37, 35}, {Sequential{}}, 1, 1, a, b, c);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(Matmul, AlphaAndBeta) {
  for (const double alpha : {0.0, 1.0, -1.0, 0.1, 3.0}) {
    for (const double beta : {0.0, 1.0, -1.0, 0.1, 3.0}) {
      for (const Layout c : {Layout::rows, Layout::cols}) {
        this->check({31, 45, 29}, {Sequential{}, Threads{2}}, alpha, beta, Layout::rows, Layout::rows, c);
      }
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(Matmul, BetaZeroNeverReadsCAndAlphaZeroNeverReadsAOrB) {
  using T = TypeParam;
  const Matrix<T> poisoned_a(40, 50);  // all NaN
  const Matrix<T> poisoned_b(50, 60);
  const auto a = Matrix<T>::random(40, 50);
  const auto b = Matrix<T>::random(50, 60);
  for (const Backend& backend : every_backend()) {
    SCOPED_TRACE(tests::text(backend));
    Matrix<T> c(40, 60);
    matmul(a.input(), b.input(), c.view(), {.beta = 0, .backend = backend});
    for (ptrdiff_t i = 0; i < 40; ++i) {
      for (ptrdiff_t j = 0; j < 60; ++j) ASSERT_FALSE(std::isnan(c(i, j)));
    }
    const Matrix<T> before = c;
    matmul(poisoned_a.input(), poisoned_b.input(), c.view(), {.alpha = 0, .beta = 3, .backend = backend});
    for (ptrdiff_t i = 0; i < 40; ++i) {
      for (ptrdiff_t j = 0; j < 60; ++j) ASSERT_EQ(c(i, j), 3 * before(i, j));
    }
    matmul(poisoned_a.input(), poisoned_b.input(), c.view(), {.alpha = 0, .beta = 0, .backend = backend});
    for (ptrdiff_t i = 0; i < 40; ++i) {
      for (ptrdiff_t j = 0; j < 60; ++j) ASSERT_EQ(c(i, j), 0);
    }
  }
}

TYPED_TEST(Matmul, AlphaZeroTouchesNeitherFactor) {
  using T = TypeParam;
  // Where nobody may read.
  const tests::FencedPages pages(1);
  const T* const fence = reinterpret_cast<const T*>(pages.end());
  for (const Shape shape : {Shape{40, 60, 50}, {1, 60, 50}, {40, 1, 50}, {1, 1, 50}, {300, 300, 300}}) {
    for (const Backend& backend : every_backend()) {
      SCOPED_TRACE(describe(shape) + ", " + tests::text(backend));
      const auto start = Matrix<T>::random(shape.m, shape.n);
      Matrix<T> c = start;
      const MatrixView<const T> a(fence, shape.m, shape.k), b(fence, shape.k, shape.n);
      matmul(a, b, c.view(), {.alpha = 0, .beta = -3, .backend = backend});
      for (ptrdiff_t i = 0; i < shape.m; ++i) {
        for (ptrdiff_t j = 0; j < shape.n; ++j) ASSERT_EQ(c(i, j), -3 * start(i, j));
      }
      Matrix<T> unread(shape.m, shape.n);
      matmul(a, b, unread.view(), {.alpha = 0, .beta = 0, .backend = backend});
      for (ptrdiff_t i = 0; i < shape.m; ++i) {
        for (ptrdiff_t j = 0; j < shape.n; ++j) ASSERT_EQ(unread(i, j), 0);
      }
    }
  }
}

// One element has the bits of the same element of a longer column and of a longer row, each so long that another
// function does it, also where products vanish below the least number, as their sum from 0 is no -0.
TYPED_TEST(Matmul, OneElementHasTheBitsOfOneAmongOthers) {
  using T = TypeParam;
  for (ptrdiff_t k = 1; k <= 20; ++k) {
    for (const Layout layout : {Layout::rows, Layout::cols, Layout::sparse, Layout::flipped}) {
      for (const T scale : {T{1}, -std::numeric_limits<T>::min(), std::numeric_limits<T>::infinity()}) {
        SCOPED_TRACE("k = " + std::to_string(k) + ", scale " + std::to_string(scale));
        constexpr ptrdiff_t many = 9;
        auto a = Matrix<T>::random(many, k, layout);
        auto b = Matrix<T>::random(k, 1, layout);
        for (ptrdiff_t i = 0; i < k; ++i) {
          a(0, i) = scale < 0 ? std::abs(a(0, i)) * scale : a(0, i) * scale;  // all of one sign then
          if (scale != 1) b(i, 0) = std::abs(b(i, 0)) * (scale < 0 ? std::numeric_limits<T>::min() : 1);
        }
        for (const auto& [alpha, beta] : {std::pair{1, 0}, {2, 0}, {1, 1}}) {
          Matrix<T> column(many, 1), row(1, many), one(1, 1);
          column(0, 0) = row(0, 0) = one(0, 0) = beta == 0 ? std::numeric_limits<T>::quiet_NaN() : 3;
          const MatmulOptions options = {.alpha = static_cast<double>(alpha), .beta = static_cast<double>(beta)};
          matmul(a.input(), b.input(), column.view(), options);
          matmul(transposed(b.input()), transposed(a.input()), row.view(), options);
          MatrixView<const T> first = a.input();
          first.rows = 1;
          matmul(first, b.input(), one.view(), options);
          ASSERT_TRUE(same(one(0, 0), column(0, 0))) << one(0, 0) << ", in the column " << column(0, 0);
          ASSERT_TRUE(same(one(0, 0), row(0, 0))) << one(0, 0) << ", in the row " << row(0, 0);
        }
      }
    }
  }
}

// In place and packed, in whole tiles and ragged ones, and where C is one row or one column.
TYPED_TEST(Matmul, NanAndInfinitySpreadAsInTheChain) {
  using T = TypeParam;
  const T infinity = std::numeric_limits<T>::infinity();
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (const Shape shape : {Shape{20, 50, 40}, {20, 33, 40}, {13, 7, 40}, {1, 50, 40}, {50, 1, 40}, {130, 9, 600}}) {
    for (const Layout a_layout : {Layout::rows, Layout::cols, Layout::sparse}) {
      for (const Layout b_layout : {Layout::rows, Layout::cols}) {
        auto a = Matrix<T>::random(shape.m, shape.k, a_layout);
        auto b = Matrix<T>::random(shape.k, shape.n, b_layout);
        const ptrdiff_t last_row = shape.m - 1, last_col = shape.n - 1;
        a(last_row, 7) = nan;
        a(last_row / 2, 0) = infinity;
        b(5, last_col / 2) = -infinity;
        b(shape.k - 1, last_col) = nan;
        a(last_row / 3, 5) = 0;  // times the infinity of b
        auto start = Matrix<T>::random(shape.m, shape.n);
        start(last_row / 4, last_col / 4) = infinity;
        for (const auto& [alpha, beta] : {std::pair(1.0, 0.0), {1.0, 1.0}, {-2.0, 0.5}}) {
          const Expected<T> expected(a, b, start, alpha, beta);
          for (const Backend& backend : {Backend(Sequential{}), Backend(Automatic{}), Backend(Threads{2}),
                                         Backend(OpenMp{2}), Backend(Tbb{2})}) {
            if (!is_built(backend)) continue;
            SCOPED_TRACE(describe(shape) + ", " + tests::text(backend));
            Matrix<T> c = start;
            matmul(a.input(), b.input(), c.view(), {.alpha = alpha, .beta = beta, .backend = backend});
            expect_product(expected, c);
            if (this->HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

// Inputs, products and sums below the least normal number: none is taken for zero.
TYPED_TEST(Matmul, DenormalsCount) {
  using T = TypeParam;
  const T least = std::numeric_limits<T>::min();
  for (const Shape shape : {Shape{13, 37, 41}, {1, 37, 41}, {37, 1, 41}, {100, 100, 100}}) {
    for (const double alpha : {1.0, 0.5}) {
      auto a = Matrix<T>::random(shape.m, shape.k);
      auto b = Matrix<T>::random(shape.k, shape.n);
      auto start = Matrix<T>::random(shape.m, shape.n);
      a.scale(least / 8);
      start.scale(least / 4);
      const Expected<T> expected(a, b, start, alpha, 1);
      ASSERT_NE(expected.chain(0, 0), 0);
      for (const Backend& backend : every_backend()) {
        SCOPED_TRACE(describe(shape) + ", " + tests::text(backend));
        Matrix<T> c = start;
        matmul(a.input(), b.input(), c.view(), {.alpha = alpha, .beta = 1, .backend = backend});
        expect_product(expected, c);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(Matmul, EmptySizes) {
  using T = TypeParam;
  Matrix<T> c(3, 4);
  const Matrix<T> nothing(3, 0);
  const Matrix<T> none(0, 4);
  matmul(nothing.input(), none.input(), c.view());
  for (ptrdiff_t i = 0; i < 3; ++i) {
    for (ptrdiff_t j = 0; j < 4; ++j) ASSERT_EQ(c(i, j), 0);
  }
  const MatrixView<const T> null_a(static_cast<const T*>(nullptr), 3, 0);
  const MatrixView<const T> null_b(static_cast<const T*>(nullptr), 0, 4);
  matmul(null_a, null_b, c.view(), {.beta = 2, .backend = Threads{2}});
  matmul(MatrixView<const T>(), MatrixView<const T>(), MatrixView<T>());
}

TYPED_TEST(Matmul, AsManyThreadsAsAskedTakePart) {
  using T = TypeParam;
  const auto a = Matrix<T>::random(1000, 1000);
  const auto b = Matrix<T>::random(1000, 1000);
  Matrix<T> c(1000, 1000);
  for (const int threads : {1, 2, 3}) {
    for (const Backend backend : {Backend(Threads{threads}), Backend(OpenMp{threads}), Backend(Tbb{threads})}) {
      if (!is_built(backend)) continue;
      SCOPED_TRACE(tests::text(backend));
      LastRun run;
      // A busy machine may keep a thread from a core until the others have done everything; not for ten seconds.
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      do {
        matmul(a.input(), b.input(), c.view(), {.backend = backend});
        run = last_run();
        EXPECT_EQ(run.backend, name(backend));
        EXPECT_LE(run.threads, threads);
      } while (run.threads < threads && std::chrono::steady_clock::now() < deadline);
      EXPECT_EQ(run.threads, threads) << run.reason;
    }
  }
  matmul(a.input(), b.input(), c.view(), {.backend = Sequential{}});
  EXPECT_EQ(last_run().backend, "sequential");
  EXPECT_EQ(last_run().threads, 1);
}

// On one thread.
void expect_last_run(std::string_view backend, std::string_view reason) {
  const LastRun run = last_run();
  EXPECT_EQ(run.backend, backend);
  EXPECT_EQ(run.threads, 1);
  EXPECT_EQ(run.reason, reason);
}

// Products of a few nanoseconds go a shorter way; whoever listens hears of them all the same.
TYPED_TEST(Matmul, SmallProductsAreOnRecord) {
  using T = TypeParam;
  static std::atomic<int> messages;
  for (const auto& [m, n, k] : {std::tuple{4, 4, 4}, {5, 1, 3}, {1, 7, 9}, {1, 1, 3}, {9, 9, 9}, {40, 3, 2}}) {
    const auto a = Matrix<T>::random(m, k);
    const auto b = Matrix<T>::random(k, n);
    Matrix<T> c(m, n);
    for (int call = 0; call < 2; ++call) {
      matmul(a.input(), b.input(), c.view());
      expect_last_run("sequential", "too small to pay for a fork-join");
      matmul(a.input(), b.input(), c.view(), {.backend = Sequential{}});
      expect_last_run("sequential", "as asked");
      matmul(a.input(), b.input(), c.view(), {.backend = Threads{2}});
      expect_last_run("threads", "as many threads as blocks of work");
    }
    messages = 0;
    set_message_handler([](MessageLevel, std::string_view) { ++messages; });
    for (int call = 0; call < 2; ++call) matmul(a.input(), b.input(), c.view());
    set_message_handler(nullptr);
    EXPECT_EQ(messages, 2);
    matmul(a.input(), b.input(), c.view());
    EXPECT_EQ(messages, 2);
  }
}

TYPED_TEST(Matmul, ManyCallersAtOnce) {
  using T = TypeParam;
  const auto a = Matrix<T>::random(150, 130);
  const auto b = Matrix<T>::random(130, 170);
  const Matrix<T> start = Matrix<T>::random(150, 170);
  const Expected<T> expected(a, b, start, 1, 1);
  const std::vector<Backend> backends = every_backend();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (std::size_t i = 0; i < 2 * backends.size(); ++i) {
        Matrix<T> c = start;
        matmul(a.input(), b.input(), c.view(), {.beta = 1, .backend = backends[(caller * 3 + i) % backends.size()]});
        for (ptrdiff_t r = 0; r < c.rows(); ++r) {
          for (ptrdiff_t s = 0; s < c.cols(); ++s) {
            wrong += !same(c(r, s), expected.chain(r, s));
          }
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0) << "seed " << seed();
}

TYPED_TEST(Matmul, EigenMatricesAreViews) {
  using T = TypeParam;
  using ColMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  std::srand(seed());
  const ColMajor a = ColMajor::Random(40, 30);
  const RowMajor b = RowMajor::Random(50, 30);
  ColMajor c = ColMajor::Zero(60, 70);
  // By elements, as Eigen's own blocked product would take longer to compile than all the rest.
  const ColMajor expected = T{2} * a.lazyProduct(b.transpose());
  matmul(a, b.transpose(), c.block(5, 6, 40, 50), {.alpha = 2});
  EXPECT_TRUE(c.block(5, 6, 40, 50).isApprox(expected, 1000 * std::numeric_limits<T>::epsilon()));
  c.block(5, 6, 40, 50).setZero();
  EXPECT_TRUE(c.isZero(0));
  RowMajor d(40, 50);
  matmul(a, transposed(b), d, {.alpha = 2});
  EXPECT_TRUE(d.isApprox(expected, 1000 * std::numeric_limits<T>::epsilon()));
}

TYPED_TEST(Matmul, AWarmSmallCallAllocatesNothing) {
  using T = TypeParam;
  const auto a = Matrix<T>::random(20, 30);
  const auto b = Matrix<T>::random(30, 40);
  Matrix<T> c(20, 40);
  tests::expect_warm_calls_allocate_nothing({Automatic{}, Sequential{}}, [&](const Backend& backend) {
    matmul(a.input(), b.input(), c.view(), {.backend = backend});
  });
}

// Bad input: what was given and what was expected, and C untouched.
class MatmulRejects : public testing::Test {
 protected:
  using Given = MatrixView<const double>;

  template <class Message>
  void rejects(Given a, Given b, MatrixView<double> c, Message message, Backend backend = Automatic{}) {
    const std::vector<double> before = memory;
    try {
      matmul(a, b, c, {.alpha = 2, .beta = 3, .backend = backend});
      ADD_FAILURE() << "no exception";
    } catch (const InvalidArgument& error) {
      EXPECT_THAT(std::string(error.what()), message);
    }
    EXPECT_EQ(memory, before);
  }

  static std::vector<double> random_memory() {
    std::vector<double> values(400);
    std::uniform_real_distribution<double> value(-1, 1);
    for (double& x : values) x = value(generator());
    return values;
  }

  std::vector<double> memory = random_memory();  // a at 0, b at 100, c at 200, each 10 x 10 at most
  double* a = memory.data();
  double* b = a + 100;
  double* c = a + 200;
};

TEST_F(MatmulRejects, ShapesThatDontMatch) {
  rejects({a, 3, 4}, {b, 5, 6}, {c, 3, 6}, AllOf(HasSubstr("matmul"), HasSubstr("3 x 4"), HasSubstr("5 x 6")));
  rejects({a, 3, 4}, {b, 4, 6}, {c, 3, 5}, AllOf(HasSubstr("3 x 5"), HasSubstr("3 x 6")));
  rejects({a, 3, 4}, {b, 4, 6}, {c, 6, 3}, AllOf(HasSubstr("6 x 3"), HasSubstr("3 x 6")));
  rejects({a, 0, 4}, {b, 4, 6}, {c, 3, 6}, HasSubstr("0 x 6"));
}

TEST_F(MatmulRejects, OutputThatOverlaps) {
  rejects({a, 5, 5}, {b, 5, 5}, {a, 5, 5}, AllOf(HasSubstr("c"), HasSubstr("a")));
  rejects({a, 5, 5}, {b, 5, 5}, {b + 24, 5, 5}, AllOf(HasSubstr("c"), HasSubstr("b")));
  rejects({a, 5, 5}, {b, 5, 5}, {c, 5, 5, 0, 1}, HasSubstr("c"));
  rejects({a, 5, 5}, {b, 5, 5}, {c, 5, 5, 2, 1}, HasSubstr("c"));
  // Beside each other in one matrix is fine.
  matmul(Given(a, 5, 5, 15, 1), Given(a + 5, 5, 5, 15, 1), MatrixView<double>(a + 10, 5, 5, 15, 1));
}

TEST_F(MatmulRejects, NullData) {
  rejects({static_cast<const double*>(nullptr), 5, 5}, {b, 5, 5}, {c, 5, 5}, AllOf(HasSubstr("a"), HasSubstr("null")));
  rejects({a, 5, 5}, {static_cast<const double*>(nullptr), 5, 5}, {c, 5, 5}, HasSubstr("null"));
  rejects({a, 5, 5}, {b, 5, 5}, {static_cast<double*>(nullptr), 5, 5}, HasSubstr("null"));
}

TEST_F(MatmulRejects, NegativeAndOverflowingSizes) {
  constexpr ptrdiff_t huge = std::numeric_limits<ptrdiff_t>::max();
  rejects({a, -1, 5}, {b, 5, 5}, {c, -1, 5}, HasSubstr("-1"));
  rejects({a, 5, -2}, {b, -2, 5}, {c, 5, 5}, HasSubstr("-2"));
  rejects({a, huge, 5}, {b, 5, 5}, {c, huge, 5}, HasSubstr(std::to_string(huge)));
  rejects({a, 5, 5, huge / 2, 1}, {b, 5, 5}, {c, 5, 5}, HasSubstr("a"));
  EXPECT_THROW(Given(a, 5, ~std::size_t{0}), InvalidArgument);
}

TEST_F(MatmulRejects, ThreadCounts) {
  for (const int threads : {-1, 1'000'000, 1025}) {
    const auto message = AllOf(HasSubstr(std::to_string(threads)), HasSubstr("1024"));
    rejects({a, 5, 5}, {b, 5, 5}, {c, 5, 5}, message, Threads{threads});
    if (is_built(OpenMp{})) rejects({a, 5, 5}, {b, 5, 5}, {c, 5, 5}, message, OpenMp{threads});
    if (is_built(Tbb{})) rejects({a, 5, 5}, {b, 5, 5}, {c, 5, 5}, message, Tbb{threads});
    rejects({a, 0, 5}, {b, 5, 5}, {c, 0, 5}, message, Threads{threads});
  }
}

TEST_F(MatmulRejects, ModelsThatWereNotBuilt) {
  for (const Backend backend : {Backend(OpenMp{2}), Backend(Tbb{2})}) {
    if (!is_built(backend)) rejects({a, 5, 5}, {b, 5, 5}, {c, 5, 5}, HasSubstr(std::string(name(backend))), backend);
  }
}

}  // namespace
}  // namespace speedwell
