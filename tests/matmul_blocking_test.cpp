// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul/matmul_blocking.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "tests/every_backend.hpp"
#include "tests/fenced_matrix.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;

// The parts cover every index once, in whole units, and differ by one unit at most.
TEST(MatmulCut, PartsCoverEverythingOnce) {
  for (const ptrdiff_t count : {0, 1, 5, 16, 17, 100, 1000, 4099}) {
    for (const ptrdiff_t unit : {1, 6, 16}) {
      for (const ptrdiff_t parts : {1, 2, 3, 7, 40}) {
        const MatmulCut cut{count, unit, parts};
        ptrdiff_t next = 0;
        for (ptrdiff_t i = 0; i < parts; ++i) {
          const MatmulCut::Range part = cut.part(i);
          ASSERT_EQ(part.first, next);
          ASSERT_GE(part.size, 0);
          ASSERT_LE(part.size, cut.largest());
          ASSERT_GT(part.size, cut.largest() - 2 * unit);
          ASSERT_TRUE(part.first % unit == 0 || part.size == 0);
          next += part.size;
        }
        ASSERT_EQ(next, count);
      }
    }
  }
}

// A tile's shape in elements, and their size: of AVX-512, NEON, AVX2, and SSE4.
struct Tile {
  ptrdiff_t rows, cols, element_bytes;
};
constexpr Tile tiles[] = {{12, 32, 4}, {12, 16, 8}, {8, 12, 4}, {8, 6, 8}, {6, 16, 4}, {6, 8, 8}, {6, 8, 4}, {6, 4, 8}};

constexpr ptrdiff_t kib = 1 << 10, mib = 1 << 20;
constexpr MatmulCaches machines[] = {{},                               // nothing known
                                     {32 * kib, 256 * kib, 2 * mib},   // a small desktop of 2015
                                     {48 * kib, 1 * mib, 32 * mib},    // Zen 5
                                     {48 * kib, 2 * mib, 260 * mib},   // a large server
                                     {32 * kib, 512 * kib, 16 * mib},  // Zen 2
                                     {64 * kib, 4 * mib, 8 * mib},     // little behind the second level
                                     {128 * kib, 12 * mib, 8 * mib}};  // Apple's, whose second level is the last one

double flops_of(const MatmulProblem& problem) {
  return 2 * static_cast<double>(problem.m) * static_cast<double>(problem.n) * static_cast<double>(problem.k);
}

void expect_to_cover(const MatmulCut& cut, ptrdiff_t count, ptrdiff_t unit) {
  ASSERT_EQ(cut.count, count);
  ASSERT_EQ(cut.unit % unit, 0);
  ASSERT_GE(cut.parts, 1);
  ptrdiff_t next = 0;
  for (ptrdiff_t i = 0; i < cut.parts; ++i) {
    const MatmulCut::Range part = cut.part(i);
    ASSERT_EQ(part.first, next);
    ASSERT_GE(part.size, 0);
    ASSERT_TRUE(part.first % unit == 0 || part.size == 0);
    next += part.size;
  }
  ASSERT_EQ(next, count);
}

// What the comments at the cuts promise.
void check_model(const MatmulProblem& problem, const MatmulCaches& caches, int threads, const MatmulCuts& cuts) {
  const ptrdiff_t element = problem.element_bytes, line = 64 / element;

  // Every element of every row, column and k once, in whole tiles and, where C's columns are split, cache lines.
  ASSERT_NO_FATAL_FAILURE(expect_to_cover(cuts.block_rows, problem.m, problem.tile_rows));
  ASSERT_NO_FATAL_FAILURE(expect_to_cover(cuts.cols, problem.n, cuts.col_unit));
  ASSERT_NO_FATAL_FAILURE(expect_to_cover(cuts.depth, problem.k, line));
  ASSERT_EQ(cuts.col_unit % problem.tile_cols, 0);
  ASSERT_EQ(cuts.col_unit % line, 0);
  for (const ptrdiff_t panel : {ptrdiff_t{0}, cuts.cols.parts - 1}) {
    const ptrdiff_t cols = cuts.cols.part(panel).size;
    ASSERT_NO_FATAL_FAILURE(expect_to_cover({cols, cuts.col_unit, cuts.block_cols}, cols, cuts.col_unit));
    ASSERT_NO_FATAL_FAILURE(expect_to_cover({cols, cuts.col_unit, cuts.b_slices}, cols, cuts.col_unit));
    const ptrdiff_t depth = cuts.depth.part(0).size;
    const MatmulCut steps = {depth, line, cuts.steps};
    ASSERT_NO_FATAL_FAILURE(expect_to_cover(steps, depth, line));
    ASSERT_GE(cuts.step_depth, steps.part(0).size);
  }

  // Panels where B is packed, steps where it isn't.
  ASSERT_TRUE(problem.a_in_place || cuts.pack_a);
  ASSERT_TRUE(problem.b_in_place || cuts.pack_b);
  if (cuts.pack_b) {
    ASSERT_EQ(cuts.steps, 1);
  } else {
    ASSERT_EQ(cuts.depth.parts, 1);
    ASSERT_EQ(cuts.cols.parts, 1);
  }
  if (cuts.near) {
    ASSERT_FALSE(cuts.pack_a || cuts.pack_b);
  }

  // A's block, packed: half of the second level. B's panel: a quarter of the last one.
  const ptrdiff_t a_block = cuts.step_depth * cuts.block_rows.largest() * element;
  if (cuts.pack_a) {
    ASSERT_LE(a_block, caches.second / 2);
  }
  if (cuts.pack_b) {
    ASSERT_LE(cuts.step_depth * cuts.cols.largest() * element, caches.last / 4);
  }

  // A sliver of B: half of the first level, unless the tile is tall; 64 to 512 deep.
  if (cuts.pack_b || problem.m > problem.tile_rows) {
    ASSERT_LE(cuts.step_depth, 512);
    if (problem.tile_rows < 12 && cuts.step_depth > 64) {
      ASSERT_LE(cuts.step_depth * problem.tile_cols * element, caches.first / 2);
    }
    if (problem.k >= 4096) {
      ASSERT_GE(cuts.step_depth, 64);
    }
    if (problem.k >= 4096 && problem.tile_rows >= 12) {
      ASSERT_GE(cuts.step_depth, 448);
    }
  } else if (!cuts.pack_a) {
    // C stays in the registers for all of k.
    ASSERT_EQ(cuts.steps, 1);
  }

  const MatmulCuts alone = matmul_cuts(problem, caches, 1);
  ASSERT_EQ(alone.block_cols, 1);
  ASSERT_EQ(alone.b_slices, 1);
  const ptrdiff_t blocks = cuts.block_rows.parts * cuts.block_cols;
  const ptrdiff_t tiles = cuts.block_rows.units() * ((cuts.cols.largest() + cuts.col_unit - 1) / cuts.col_unit);
  const double panels = static_cast<double>(cuts.depth.parts * cuts.cols.parts);
  const double flops = flops_of(problem) / panels;
  // Where there is enough work and there are enough tiles, each thread has a block.
  if (flops >= 4e6 * threads && tiles >= 2 * threads) {
    ASSERT_GE(blocks, threads) << tiles << " tiles";
  }
  // Threads don't make blocks of less than the least work, or of half of it for the sake of a multiple of the threads.
  // What the caches cut comes on top.
  const ptrdiff_t for_caches = alone.block_rows.parts;
  if (blocks > (for_caches + threads - 1) / threads * threads) {
    // Of the first panel, as the last may be smaller
    MatmulProblem panel = problem;
    panel.n = cuts.cols.part(0).size;
    panel.k = cuts.depth.part(0).size;
    ASSERT_GE(flops_of(panel) / static_cast<double>(blocks) * static_cast<double>(for_caches), 0.5e6);
  }
}

void check_model(const MatmulProblem& problem, const MatmulCaches& caches, int threads) {
  const MatmulCuts cuts = matmul_cuts(problem, caches, threads);
  check_model(problem, caches, threads, cuts);
  ASSERT_FALSE(testing::Test::HasFatalFailure())
      << problem.m << " x " << problem.n << " x " << problem.k << ", tile " << problem.tile_rows << " x "
      << problem.tile_cols << " of " << problem.element_bytes << " bytes, strides " << problem.a_row_stride << " "
      << problem.a_col_stride << " " << problem.b_row_stride << ", in place " << problem.a_in_place << " "
      << problem.b_in_place << ", packed " << cuts.pack_a << " " << cuts.pack_b << ", caches " << caches.first << " "
      << caches.second << " " << caches.last << ", threads " << threads << ", seed " << tests::seed();
}

TEST(MatmulCuts, KeepWhatTheModelPromises) {
  for (const MatmulCaches& caches : machines) {
    for (const Tile& tile : tiles) {
      const auto check = [&](ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, int threads, bool a_in_place, bool b_in_place,
                             ptrdiff_t a_row_stride, ptrdiff_t a_col_stride, ptrdiff_t b_row_stride) {
        if (testing::Test::HasFatalFailure()) return;
        check_model({.m = m,
                     .n = n,
                     .k = k,
                     .tile_rows = tile.rows,
                     .tile_cols = tile.cols,
                     .element_bytes = tile.element_bytes,
                     .a_row_stride = a_row_stride,
                     .a_col_stride = a_col_stride,
                     .b_row_stride = b_row_stride,
                     .a_in_place = a_in_place,
                     .b_in_place = b_in_place},
                    caches, threads);
      };
      for (const int threads : {1, 2, 3, 8, 64}) {
        const auto check_sizes = [&](ptrdiff_t m, ptrdiff_t n, ptrdiff_t k) {
          for (const bool a_in_place : {true, false}) {
            for (const bool b_in_place : {true, false}) {
              check(m, n, k, threads, a_in_place, b_in_place, k, 1, n);
              check(m, n, k, threads, a_in_place, b_in_place, 1, m, n);
              check(m, n, k, threads, a_in_place, b_in_place, 1 << 14, 1, 1 << 14);
            }
          }
        };
        for (const ptrdiff_t m : {ptrdiff_t{2}, tile.rows, tile.rows + 1, 2 * tile.rows + 1, ptrdiff_t{1000}}) {
          for (const ptrdiff_t n : {ptrdiff_t{2}, tile.cols + 1, ptrdiff_t{1000}}) {
            for (const ptrdiff_t k : {0, 1, 100, 513, 20'003}) ASSERT_NO_FATAL_FAILURE(check_sizes(m, n, k));
          }
        }
        for (const ptrdiff_t size : {16, 64, 128, 200, 2048}) {
          ASSERT_NO_FATAL_FAILURE(check_sizes(size, size, size));
        }
        ASSERT_NO_FATAL_FAILURE(check_sizes(1 << 15, 64, 64));
        ASSERT_NO_FATAL_FAILURE(check_sizes(64, 1 << 15, 64));
        ASSERT_NO_FATAL_FAILURE(check_sizes(64, 64, 1 << 12));
        std::uniform_real_distribution<double> exponent(1, 14);
        const auto size = [&] { return static_cast<ptrdiff_t>(std::exp2(exponent(tests::generator()))); };
        for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(check_sizes(size(), size(), size()));
      }
    }
  }
}

// Each side of each threshold at which a factor is packed.

constexpr MatmulCaches zen = {48 * kib, 1 * mib, 32 * mib};

// 100 x 64 x 100 floats with tiles of 12 x 32: nothing is packed.
MatmulProblem plain() {
  return {.m = 100,
          .n = 64,
          .k = 100,
          .tile_rows = 12,
          .tile_cols = 32,
          .element_bytes = 4,
          .a_row_stride = 100,
          .b_row_stride = 64};
}

TEST(MatmulCuts, PackAWhereItsLinesAreReadOften) {
  const auto packs = [](ptrdiff_t slivers, ptrdiff_t row_stride, ptrdiff_t col_stride, bool one_more = false,
                        ptrdiff_t m = 20, const MatmulCaches& caches = zen) {
    MatmulProblem problem = plain();
    problem.m = m;
    problem.n = slivers * problem.tile_cols + one_more;
    problem.a_row_stride = row_stride;
    problem.a_col_stride = col_stride;
    return matmul_cuts(problem, caches, 1).pack_a;
  };
  // Along k: more than 64 slivers.
  EXPECT_FALSE(packs(64, 100, 1));
  EXPECT_TRUE(packs(64, 100, 1, true));
  EXPECT_FALSE(packs(64, -100, 1));
  // Of more than 8 rows of the tile's 12.
  EXPECT_FALSE(packs(64, 100, 1, true, 8));
  EXPECT_TRUE(packs(64, 100, 1, true, 9));
  // Or more than one, where a tile's 12 rows share too few sets of the first level: 4 KiB apart in 32 KiB, not in 48.
  const MatmulCaches small = {32 * kib, 1 * mib, 32 * mib};
  EXPECT_FALSE(packs(1, 1024, 1, false, 20, small));
  EXPECT_TRUE(packs(1, 1024, 1, true, 20, small));
  EXPECT_TRUE(packs(2, -3 * 1024, 1, false, 20, small));
  EXPECT_FALSE(packs(2, 512, 1, false, 20, small));
  EXPECT_FALSE(packs(2, 1023, 1, false, 20, small));
  EXPECT_FALSE(packs(2, 1024, 1));
  // Or all rows share too few of the second: 64 of them, 16 KiB apart, in 1 MiB.
  EXPECT_FALSE(packs(2, 4096, 1, false, 64));
  EXPECT_TRUE(packs(2, 4096, 1, false, 65));
  EXPECT_FALSE(packs(1, 4096, 1, false, 65));
  EXPECT_FALSE(packs(2, 4095, 1, false, 65));
  // Along m: more than 8. Neither: more than one.
  EXPECT_FALSE(packs(8, 1, 100));
  EXPECT_TRUE(packs(8, 1, 100, true));
  EXPECT_FALSE(packs(8, 1, 4096));
  EXPECT_FALSE(packs(1, -1, 100));
  EXPECT_TRUE(packs(1, -1, 100, true));
  EXPECT_FALSE(packs(1, 2, 300));
  EXPECT_TRUE(packs(1, 2, 300, true));
  MatmulProblem scaled = plain();
  EXPECT_FALSE(matmul_cuts(scaled, zen, 1).pack_a);
  scaled.a_in_place = false;
  EXPECT_TRUE(matmul_cuts(scaled, zen, 1).pack_a);
}

TEST(MatmulCuts, PackBWhereItIsReadOften) {
  const auto packs = [](ptrdiff_t m, ptrdiff_t k, ptrdiff_t row_stride) {
    MatmulProblem problem = plain();
    problem.m = m;
    problem.k = k;
    problem.a_row_stride = k;
    problem.b_row_stride = row_stride;
    return matmul_cuts(problem, zen, 1).pack_b;
  };
  EXPECT_FALSE(packs(64 * 12, 100, 64));
  EXPECT_TRUE(packs(64 * 12 + 1, 100, 64));
  // Rows 64 KiB apart: 16 of them fill the second level.
  constexpr ptrdiff_t apart = 64 * kib / 4;
  EXPECT_FALSE(packs(25, 16, apart));
  EXPECT_TRUE(packs(25, 17, apart));
  EXPECT_TRUE(packs(25, 17, -3 * apart));
  EXPECT_FALSE(packs(24, 17, apart));
  EXPECT_FALSE(packs(25, 32, apart / 2));
  EXPECT_TRUE(packs(25, 33, apart / 2));
  EXPECT_FALSE(packs(25, 1000, apart + 64));
  // Of a longer k, a panel's depth counts.
  EXPECT_FALSE(packs(25, 5000, 512));
  EXPECT_TRUE(packs(25, 5000, 1024));
  MatmulProblem apart_columns = plain();
  apart_columns.m = 2;
  EXPECT_FALSE(matmul_cuts(apart_columns, zen, 1).pack_b);
  apart_columns.b_in_place = false;
  EXPECT_TRUE(matmul_cuts(apart_columns, zen, 1).pack_b);
}

TEST(MatmulCuts, NearIsHalfOfTheSecondLevel) {
  MatmulProblem problem = plain();
  problem.m = problem.n = 64;
  problem.k = (512 * kib / 4 - 64 * 64) / 128;
  EXPECT_TRUE(matmul_cuts(problem, zen, 1).near);
  ++problem.k;
  EXPECT_FALSE(matmul_cuts(problem, zen, 1).near);
  --problem.k;
  problem.a_in_place = false;
  EXPECT_FALSE(matmul_cuts(problem, zen, 1).near);
}

TEST(MatmulCuts, NearIsAllOfTheSecondLevelForOneTileOfRows) {
  MatmulProblem problem = plain();
  problem.m = problem.tile_rows;
  problem.k = 200;
  problem.n = (mib / 4 - problem.m * problem.k) / (problem.k + problem.m);
  EXPECT_TRUE(matmul_cuts(problem, zen, 1).near);
  ++problem.n;
  EXPECT_FALSE(matmul_cuts(problem, zen, 1).near);
  problem.n = problem.n * 3 / 4;
  EXPECT_TRUE(matmul_cuts(problem, zen, 1).near);
  ++problem.m;
  EXPECT_FALSE(matmul_cuts(problem, zen, 1).near);
}

// ---- Whole products, in the instruction set in use.

template <class T>
struct Matrix {
  Matrix(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t row_stride, ptrdiff_t col_stride)
      : memory(static_cast<std::size_t>(1 + (rows - 1) * std::abs(row_stride) + (cols - 1) * std::abs(col_stride)),
               std::numeric_limits<T>::quiet_NaN()),
        view(memory.data() - std::min<ptrdiff_t>((rows - 1) * row_stride, 0) -
                 std::min<ptrdiff_t>((cols - 1) * col_stride, 0),
             rows, cols, row_stride, col_stride) {}
  Matrix& randomize() {
    std::uniform_real_distribution<T> value(-1, 1);
    for (ptrdiff_t i = 0; i < view.rows; ++i) {
      for (ptrdiff_t j = 0; j < view.cols; ++j) view(i, j) = value(tests::generator());
    }
    return *this;
  }
  MatrixView<const T> input() const { return view; }

  std::vector<T> memory;
  MatrixView<T> view;
};

// What matmul's header states for beta = 0: a chain begun from 0, or, where C is a row or a column, 16 lanes of them.
template <class T>
T chain(const MatrixView<const T>& a, const MatrixView<const T>& b, T alpha, ptrdiff_t i, ptrdiff_t j) {
  const auto add = [](T x, T y, T sum) {
    const T product = x * y;
    return tests::has_fma() ? std::fma(x, y, sum) : sum + product;
  };
  if (a.rows == 1 || b.cols == 1) {
    std::array<T, 16> lanes = {};
    for (ptrdiff_t k = 0; k < a.cols; ++k) {
      T& lane = lanes[static_cast<std::size_t>(k % 16)];
      lane = add(a(i, k), b(k, j), lane);
    }
    for (std::size_t half = 8; half > 0; half /= 2) {
      for (std::size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    }
    return alpha * lanes[0];
  }
  T sum = 0;
  for (ptrdiff_t k = 0; k < a.cols; ++k) {
    sum = add(alpha * a(i, k), b(k, j), sum);
  }
  return sum;
}

template <class T>
void expect_product(const MatrixView<const T>& a, const MatrixView<const T>& b, T alpha, const MatrixView<T>& c) {
  for (ptrdiff_t i = 0; i < c.rows; ++i) {
    for (ptrdiff_t j = 0; j < c.cols; ++j) ASSERT_EQ(c(i, j), chain(a, b, alpha, i, j)) << i << ", " << j;
  }
}

template <class T>
class MatmulBlockingOf : public testing::Test {
 protected:
  static constexpr ptrdiff_t element = sizeof(T);

  // So many of 8 threads a product of contiguous rows is given.
  static int threads(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, bool exact) {
    Matrix<T> a(m, k, k, 1), b(k, n, n, 1), c(m, n, n, 1);
    runtime::Choice choice = {.model = Threads{8}, .threads = 8, .reason = {}, .exact = exact};
    const MatmulBlocking<T> blocking(a.input(), b.input(), c.view, 1, 0, choice);
    return choice.threads;
  }

  struct Strides {
    ptrdiff_t row, col = 1;
  };
  // Whether a product is multiplied directly: right, or C untouched.
  static bool direct(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, Strides a_strides, Strides b_strides, Strides c_strides,
                     T alpha = 1) {
    Matrix<T> a(m, k, a_strides.row, a_strides.col), b(k, n, b_strides.row, b_strides.col);
    Matrix<T> c(m, n, c_strides.row, c_strides.col);
    a.randomize();
    b.randomize();
    const bool done = multiply_directly<T>(a.input(), b.input(), c.view, alpha, 0);
    if (done) {
      expect_product(a.input(), b.input(), alpha, c.view);
    } else {
      EXPECT_TRUE(std::all_of(c.memory.begin(), c.memory.end(), [](T x) { return std::isnan(x); }));
    }
    return done;
  }
};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(MatmulBlockingOf, Elements, );

// 2.5 MFLOP a thread where the number is ours to choose, 1 MFLOP where the caller chose; a sixteenth where C is a row
// or a column, which runs at the memory's speed.
TYPED_TEST(MatmulBlockingOf, NoMoreThreadsThanTheWorkAllows) {
  for (const int threads : {1, 2, 3}) {
    SCOPED_TRACE(threads);
    EXPECT_EQ(this->threads(100, 100, 125 * threads, false), threads);
    EXPECT_EQ(this->threads(100, 100, 125 * threads + 124, false), threads);
    EXPECT_EQ(this->threads(125 * threads, 1, 625, false), threads);
    EXPECT_EQ(this->threads(125 * threads + 124, 1, 625, false), threads);
    EXPECT_EQ(this->threads(1, 125 * threads, 625, false), threads);
    EXPECT_EQ(this->threads(1, 125 * threads + 124, 625, false), threads);
    EXPECT_EQ(this->threads(100, 100, 50 * threads, true), threads);
    EXPECT_EQ(this->threads(100, 100, 50 * threads + 49, true), threads);
    EXPECT_EQ(this->threads(50 * threads, 1, 625, true), threads);
    EXPECT_EQ(this->threads(50 * threads + 49, 1, 625, true), threads);
  }
  EXPECT_EQ(this->threads(100, 100, 1, false), 1);
  EXPECT_EQ(this->threads(100, 100, 1, true), 1);
  EXPECT_EQ(this->threads(100, 100, 400, true), 8);
}

TYPED_TEST(MatmulBlockingOf, DirectlyWhereNothingNeedsPacking) {
  const MatmulTile<TypeParam>& tile = matmul_tile<TypeParam>();
  const ptrdiff_t element = this->element, unit = tile.in_place_cols, n = std::max<ptrdiff_t>(2, unit);
  EXPECT_TRUE(this->direct(5, n, 7, {7}, {n}, {n}));
  EXPECT_TRUE(this->direct(5, n, 7, {-9}, {-n - 3}, {-n - 1}));
  EXPECT_TRUE(this->direct(2, n, 0, {1}, {n}, {n}));
  // A row or a column of C, where the vector is contiguous.
  EXPECT_TRUE(this->direct(1, n, 7, {7}, {n}, {n}));
  EXPECT_TRUE(this->direct(5, 1, 7, {7}, {1}, {1}));
  EXPECT_TRUE(this->direct(5, 1, 7, {7}, {1}, {3}, 2));
  EXPECT_TRUE(this->direct(5, 1, 1, {1}, {9}, {1}));
  EXPECT_FALSE(this->direct(5, 1, 7, {7}, {2}, {1}));
  EXPECT_FALSE(this->direct(1, n, 7, {14, 2}, {n}, {n}));
  EXPECT_FALSE(this->direct(5, 1, 7, {7}, {1}, {1}, 0));
  EXPECT_FALSE(this->direct(5, n, 7, {7}, {n}, {n}, 2));
  EXPECT_FALSE(this->direct(5, n, 7, {7}, {n + 1, -1}, {n}));
  EXPECT_FALSE(this->direct(5, n, 7, {7}, {1, 7}, {n}));
  EXPECT_FALSE(this->direct(5, n, 7, {7}, {n}, {2 * n, 2}));
  EXPECT_FALSE(this->direct(5, n, 7, {7}, {n}, {1, 5}));
  EXPECT_EQ(this->direct(5, 2 * n + 1, 7, {7}, {2 * n + 1}, {2 * n + 1}), unit == 1);
  // All of it in half of the second level.
  const ptrdiff_t fits = (matmul_caches().second / 2 / element - 32 * 32) / 64;
  EXPECT_TRUE(this->direct(32, 32, fits, {fits | 1}, {32}, {32}));
  EXPECT_FALSE(this->direct(32, 32, fits + 1, {fits | 1}, {32}, {32}));
  // Rows of A a multiple of 2048 bytes apart: one sliver of B.
  const ptrdiff_t crowding = 2048 / element;
  EXPECT_TRUE(this->direct(5, tile.cols, 7, {crowding}, {tile.cols}, {tile.cols}));
  EXPECT_FALSE(this->direct(5, tile.cols + unit, 7, {crowding}, {tile.cols + unit}, {tile.cols + unit}));
  EXPECT_TRUE(this->direct(5, tile.cols + unit, 7, {crowding + 1}, {tile.cols + unit}, {tile.cols + unit}));
  // Columns of A contiguous: four slivers.
  const ptrdiff_t four = 4 * tile.cols;
  EXPECT_TRUE(this->direct(5, four, 7, {1, 5}, {four}, {four}));
  EXPECT_FALSE(this->direct(5, four + unit, 7, {1, 5}, {four + unit}, {four + unit}));
  EXPECT_FALSE(this->direct(5, four, 7, {-1, 5}, {four}, {four}));
  EXPECT_FALSE(this->direct(5, four, 7, {2, 10}, {four}, {four}));
  // Rows of B a multiple of 8192 bytes apart: two tiles of rows.
  const ptrdiff_t apart = 8192 / element;
  EXPECT_TRUE(this->direct(2 * tile.rows, n, 7, {7}, {apart}, {n}));
  EXPECT_FALSE(this->direct(2 * tile.rows + 1, n, 7, {7}, {apart}, {n}));
  EXPECT_TRUE(this->direct(2 * tile.rows + 1, n, 7, {7}, {apart / 2}, {n}));
}

// Sizes whose products overflow: nothing of them is touched.
TYPED_TEST(MatmulBlockingOf, NotDirectlyWhereSizesOverflow) {
  constexpr ptrdiff_t huge = ptrdiff_t{1} << 33;
  Matrix<TypeParam> none(1, 1, 1, 1);
  for (const auto& [m, n, k] :
       {std::tuple(huge, huge, huge), std::tuple(ptrdiff_t{1} << 62, ptrdiff_t{4}, ptrdiff_t{0})}) {
    MatrixView<const TypeParam> a = none.input(), b = none.input();
    MatrixView<TypeParam> out = none.view;
    out.rows = a.rows = m;
    out.cols = b.cols = n;
    a.cols = b.rows = k;
    EXPECT_FALSE(multiply_directly<TypeParam>(a, b, out, 1, 0));
  }
}

// Packing in memory of exactly the size that is asked for: all of it, and not a byte more.
TYPED_TEST(MatmulBlockingOf, WorkspaceIsLargeEnough) {
  using T = TypeParam;
  struct Product {
    ptrdiff_t m, n, k;
    bool a_along_k, b_along_n, c_along_n;
    T alpha;
    bool packs;
  };
  const ptrdiff_t many = 64 * matmul_tile<T>().rows + 1;
  for (const Product& of : {Product{13, 32, 70, true, true, true, 1, false},
                            {13, 32, 70, true, true, true, 2, true},
                            {13, 33, 70, true, false, true, 1, true},
                            {13, 33, 70, false, false, true, 2, true},
                            {13, 33, 70, false, false, false, 2, true},
                            {many, 33, 9, true, true, true, 1, true},
                            {29, 300, 1100, false, true, true, 1, true},
                            {300, 7, 1100, true, true, true, 3, true},
                            {300, 70, 600, false, false, true, 3, true},
                            {2, 7, 20'000, true, true, true, 3, true}}) {
    SCOPED_TRACE(testing::Message() << of.m << " x " << of.n << " x " << of.k << ", alpha " << of.alpha);
    const auto matrix = [](ptrdiff_t rows, ptrdiff_t cols, bool along) {
      return Matrix<T>(rows, cols, along ? cols : 1, along ? 1 : rows);
    };
    Matrix<T> a = matrix(of.m, of.k, of.a_along_k), b = matrix(of.k, of.n, of.b_along_n);
    Matrix<T> c = matrix(of.m, of.n, of.c_along_n);
    a.randomize();
    b.randomize();
    const std::size_t bytes = MatmulBlocking<T>::workspace_bytes(a.input(), b.input(), c.view, of.alpha);
    EXPECT_EQ(bytes > 0, of.packs);
    const tests::FencedPages pages(static_cast<ptrdiff_t>(bytes));
    std::byte* const workspace = pages.end() - (bytes + 63) / 64 * 64;
    std::fill(workspace, pages.end(), std::byte{0xFF});
    const MatmulBlocking<T> blocking(a.input(), b.input(), c.view, of.alpha, 0, workspace);
    matmul_on(Sequential{}, blocking);
    EXPECT_TRUE(std::all_of(workspace + bytes, pages.end(), [](std::byte x) { return x == std::byte{0xFF}; }));
    expect_product(a.input(), b.input(), of.alpha, c.view);
    if (this->HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace speedwell
