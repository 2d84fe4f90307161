// SPDX-License-Identifier: Apache-2.0
// matmul_batch against the chain that the header states, and against matmul, bit for bit.
#include <speedwell/matmul.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <Eigen/Core>
#include <speedwell/parallel_for.hpp>
#include <speedwell/runtime.hpp>

#include "kernels/matmul/matmul_tile.hpp"
#include "tests/allocations.hpp"
#include "tests/every_backend.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;
using testing::AllOf;
using testing::HasSubstr;
using tests::every_backend;
using tests::generator;
using tests::has_fma;
using tests::seed;

// How the matrices of a batch lie.
enum class Layout { contiguous, columns, padded, backwards, interleaved, interleaved_rows, side_by_side, same };
constexpr Layout output_layouts[] = {Layout::contiguous,  Layout::columns,     Layout::padded,
                                     Layout::backwards,   Layout::interleaved, Layout::interleaved_rows,
                                     Layout::side_by_side};
constexpr Layout input_layouts[] = {Layout::contiguous,   Layout::columns,     Layout::padded,
                                    Layout::backwards,    Layout::interleaved, Layout::interleaved_rows,
                                    Layout::side_by_side, Layout::same};

// A batch in memory of its own, with NaN before, behind and between its elements.
template <class T>
class Batch {
 public:
  Batch(ptrdiff_t count, ptrdiff_t rows, ptrdiff_t cols, Layout layout = Layout::contiguous)
      : count_(count), rows_(rows), cols_(cols), row_stride_(cols), step_(rows * cols) {
    switch (layout) {
      case Layout::contiguous:
        break;
      case Layout::columns:
        row_stride_ = 1;
        col_stride_ = rows;
        break;
      case Layout::padded:
        row_stride_ = cols + 3;
        step_ = rows * row_stride_ + 5;
        break;
      case Layout::backwards:
        step_ = -step_;
        break;
      case Layout::interleaved:
        step_ = 1;
        col_stride_ = count;
        row_stride_ = cols * count;
        break;
      case Layout::interleaved_rows:
        step_ = cols;
        row_stride_ = cols * count;
        break;
      case Layout::side_by_side:  // with a gap, in one wide matrix
        step_ = cols + 2;
        row_stride_ = step_ * count + 1;
        break;
      case Layout::same:
        step_ = 0;
        break;
    }
    ptrdiff_t reach = 0;
    for (const auto& [number, stride] : {std::pair(rows, row_stride_), {cols, col_stride_}, {count, step_}}) {
      if (number == 0) continue;
      reach += (number - 1) * std::abs(stride);
      if (stride < 0) first_ -= (number - 1) * stride;
    }
    memory_.assign(static_cast<std::size_t>(reach + 1 + 2 * margin), std::numeric_limits<T>::quiet_NaN());
  }

  static Batch random(ptrdiff_t count, ptrdiff_t rows, ptrdiff_t cols, Layout layout = Layout::contiguous) {
    Batch batch(count, rows, cols, layout);
    std::uniform_real_distribution<T> value(-1, 1);
    batch.each([&](T& element) { element = value(generator()); });
    return batch;
  }

  T& operator()(ptrdiff_t p, ptrdiff_t i, ptrdiff_t j) { return memory_[index(p, i, j)]; }
  T operator()(ptrdiff_t p, ptrdiff_t i, ptrdiff_t j) const { return memory_[index(p, i, j)]; }
  MatrixBatchView<T> view() {
    return {{memory_.data() + first_, rows_, cols_, row_stride_, col_stride_}, count_, step_};
  }
  MatrixBatchView<const T> input() const {
    return {{memory_.data() + first_, rows_, cols_, row_stride_, col_stride_}, count_, step_};
  }
  ptrdiff_t count() const { return count_; }
  ptrdiff_t rows() const { return rows_; }
  ptrdiff_t cols() const { return cols_; }

  // Whether everything outside the matrices is as it was made.
  bool surroundings_intact() const {
    std::vector<bool> inside(memory_.size());
    for (ptrdiff_t p = 0; p < count_; ++p) {
      for (ptrdiff_t i = 0; i < rows_; ++i) {
        for (ptrdiff_t j = 0; j < cols_; ++j) inside[index(p, i, j)] = true;
      }
    }
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      if (!inside[i] && !std::isnan(memory_[i])) return false;
    }
    return true;
  }

 private:
  static constexpr ptrdiff_t margin = 70;

  template <class Function>
  void each(const Function& function) {
    for (ptrdiff_t p = 0; p < count_; ++p) {
      for (ptrdiff_t i = 0; i < rows_; ++i) {
        for (ptrdiff_t j = 0; j < cols_; ++j) function((*this)(p, i, j));
      }
    }
  }
  std::size_t index(ptrdiff_t p, ptrdiff_t i, ptrdiff_t j) const {
    return static_cast<std::size_t>(first_ + p * step_ + i * row_stride_ + j * col_stride_);
  }

  ptrdiff_t count_, rows_, cols_;
  ptrdiff_t row_stride_, col_stride_ = 1, step_;
  ptrdiff_t first_ = margin;
  std::vector<T> memory_;
};

template <class T>
bool same(T x, T y) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(x) == std::bit_cast<Bits>(y) || (std::isnan(x) && std::isnan(y));
}

// One element in the order that matmul's header states.
template <class T>
T expected_element(const Batch<T>& a, const Batch<T>& b, const Batch<T>& c, ptrdiff_t p, ptrdiff_t i, ptrdiff_t j,
                   double alpha, double beta) {
  const T scale = static_cast<T>(alpha), keep = static_cast<T>(beta);
  const T start = keep == 0 ? T{0} : keep * c(p, i, j);
  const ptrdiff_t depth = scale == 0 ? 0 : a.cols();
  if (c.rows() == 1 || c.cols() == 1) {
    std::array<T, 16> lanes = {};
    for (ptrdiff_t k = 0; k < depth; ++k) {
      T& lane = lanes[static_cast<std::size_t>(k % 16)];
      lane = std::fma(a(p, i, k), b(p, k, j), lane);
    }
    for (std::size_t half = 8; half > 0; half /= 2) {
      for (std::size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    }
    return keep == 0 ? scale * lanes[0] : std::fma(scale, lanes[0], start);
  }
  T sum = start;
  for (ptrdiff_t k = 0; k < depth; ++k) sum = std::fma(scale * a(p, i, k), b(p, k, j), sum);
  return sum;
}

struct Shape {
  ptrdiff_t m, n, k;
};

template <class T>
class MatmulBatch : public testing::Test {
 protected:
  // On every backend given: right, as matmul's, and nothing else written.
  static void check(ptrdiff_t count, Shape shape, const std::vector<Backend>& backends, double alpha = 1,
                    double beta = 0, Layout a_layout = Layout::contiguous, Layout b_layout = Layout::contiguous,
                    Layout c_layout = Layout::contiguous) {
    const auto [m, n, k] = shape;
    SCOPED_TRACE(std::to_string(count) + " of " + std::to_string(m) + " x " + std::to_string(n) + " x " +
                 std::to_string(k) + ", alpha " + std::to_string(alpha) + ", beta " + std::to_string(beta) +
                 ", layouts " + std::to_string(static_cast<int>(a_layout)) + " " +
                 std::to_string(static_cast<int>(b_layout)) + " " + std::to_string(static_cast<int>(c_layout)) +
                 ", seed " + std::to_string(seed()));
    const auto a = Batch<T>::random(count, m, k, a_layout);
    const auto b = Batch<T>::random(count, k, n, b_layout);
    const auto start = beta == 0 ? Batch<T>(count, m, n, c_layout) : Batch<T>::random(count, m, n, c_layout);
    Batch<T> single = start;
    for (ptrdiff_t p = 0; p < count; ++p) {
      matmul(a.input()[p], b.input()[p], single.view()[p], {.alpha = alpha, .beta = beta, .backend = Sequential{}});
    }
    for (const Backend& backend : backends) {
      SCOPED_TRACE(tests::text(backend));
      Batch<T> c = start;
      matmul_batch(a.input(), b.input(), c.view(), {.alpha = alpha, .beta = beta, .backend = backend});
      ASSERT_TRUE(c.surroundings_intact());
      for (ptrdiff_t p = 0; p < count; ++p) {
        for (ptrdiff_t i = 0; i < m; ++i) {
          for (ptrdiff_t j = 0; j < n; ++j) {
            const T expected = expected_element(a, b, start, p, i, j, alpha, beta);
            ASSERT_TRUE(same(c(p, i, j), single(p, i, j))) << "at " << p << ", " << i << ", " << j;
            if (has_fma()) {
              ASSERT_TRUE(same(c(p, i, j), expected)) << "at " << p << ", " << i << ", " << j;
            } else {
              const T bound = static_cast<T>(4 * k + 8) * std::numeric_limits<T>::epsilon() * 4;
              ASSERT_NEAR(c(p, i, j), expected, bound) << "at " << p << ", " << i << ", " << j;
            }
          }
        }
      }
    }
  }

  static const MatmulTile<T>& tile() { return matmul_tile<T>(); }
};

using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(MatmulBatch, Elements, );

TYPED_TEST(MatmulBatch, EveryTileEdge) {
  const ptrdiff_t rows = this->tile().rows;
  const ptrdiff_t cols = this->tile().cols;
  for (const ptrdiff_t m : {ptrdiff_t{0}, ptrdiff_t{1}, ptrdiff_t{2}, rows - 1, rows, rows + 1, 2 * rows + 3}) {
    for (const ptrdiff_t n : {ptrdiff_t{0}, ptrdiff_t{1}, ptrdiff_t{2}, cols - 1, cols, cols + 1, 2 * cols + 3}) {
      for (const ptrdiff_t k : {0, 1, 4, 17}) {
        this->check(5, {m, n, k}, {Sequential{}, Threads{2}});
        this->check(3, {m, n, k}, {Sequential{}}, -0.75, 1.5);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(MatmulBatch, EveryLayout) {
  for (const Layout a : input_layouts) {
    for (const Layout b : input_layouts) {
      for (const Layout c : output_layouts) {
        this->check(7, {6, 9, 5}, {Sequential{}}, 1, 1, a, b, c);
        this->check(3, {17, 40, 13}, {Sequential{}}, 1, 0, a, b, c);
        this->check(4, {1, 9, 21}, {Sequential{}}, 0.5, 1, a, b, c);
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(MatmulBatch, EveryBackend) {
  for (const Layout layout : {Layout::contiguous, Layout::interleaved, Layout::padded}) {
    // Enough work for chunks for every thread: direct products, packed ones, and with a vector.
    this->check(600, {16, 16, 24}, every_backend(), 1, 0, layout, layout, layout);
    this->check(600, {16, 16, 24}, every_backend(), 1.25, 0.5, layout, Layout::columns, layout);
    this->check(4000, {1, 24, 31}, every_backend(), 1, 1, layout, layout, layout);
    if (this->HasFatalFailure()) return;
  }
}

// More than the second-level cache holds, so that the next products are fetched ahead.
TYPED_TEST(MatmulBatch, BatchesBeyondTheCache) {
  for (const Shape shape : {Shape{4, 4, 4}, {8, 8, 8}, {32, 32, 32}, {13, 70, 5}}) {
    const ptrdiff_t bytes = (shape.m * shape.k + shape.k * shape.n + shape.m * shape.n) * ptrdiff_t{sizeof(TypeParam)};
    for (const ptrdiff_t extra : {0, 1, 7}) this->check((3 << 20) / bytes + extra, shape, {Sequential{}, Threads{3}});
    this->check((3 << 20) / bytes, shape, {Sequential{}}, 1, 0, Layout::same, Layout::columns, Layout::backwards);
    if (this->HasFatalFailure()) return;
  }
}

// Fewer than the threads, or not as many for each: all threads compute the last ones together.
TYPED_TEST(MatmulBatch, LargeProducts) {
  for (const ptrdiff_t count : {1, 2, 5}) {
    this->check(count, {150, 190, 180}, {Sequential{}, Automatic{}, Threads{2}, OpenMp{3}, Tbb{2}}, 1, 1);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(MatmulBatch, RandomShapesAndLayouts) {
  std::uniform_int_distribution<ptrdiff_t> side(1, 40), count(1, 20);
  std::uniform_int_distribution<std::size_t> input(0, std::size(input_layouts) - 1);
  std::uniform_int_distribution<std::size_t> output(0, std::size(output_layouts) - 1);
  std::uniform_int_distribution<int> factor(-1, 2);
  auto& random = generator();
  for (int i = 0; i < 200; ++i) {
    this->check(count(random), {side(random), side(random), side(random)}, {Sequential{}, Threads{2}}, factor(random),
                factor(random), input_layouts[input(random)], input_layouts[input(random)],
                output_layouts[output(random)]);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(MatmulBatch, NanSpreadsWithinItsProductOnly) {
  using T = TypeParam;
  auto a = Batch<T>::random(9, 6, 8);
  const auto b = Batch<T>::random(9, 8, 10);
  a(4, 2, 3) = std::numeric_limits<T>::quiet_NaN();
  Batch<T> c(9, 6, 10);  // all NaN, which beta = 0 must not read
  matmul_batch(a.input(), b.input(), c.view());
  for (ptrdiff_t p = 0; p < 9; ++p) {
    for (ptrdiff_t i = 0; i < 6; ++i) {
      for (ptrdiff_t j = 0; j < 10; ++j) ASSERT_EQ(std::isnan(c(p, i, j)), p == 4 && i == 2);
    }
  }
  const Batch<T> poisoned(9, 6, 8);
  const Batch<T> before = Batch<T>::random(9, 6, 10);
  c = before;
  matmul_batch(poisoned.input(), b.input(), c.view(), {.alpha = 0, .beta = 2});
  for (ptrdiff_t p = 0; p < 9; ++p) ASSERT_EQ(c(p, 5, 9), 2 * before(p, 5, 9));
}

TYPED_TEST(MatmulBatch, EmptyBatchesAndSizes) {
  using T = TypeParam;
  T* const null = nullptr;
  matmul_batch(MatrixBatchView<const T>(), MatrixBatchView<const T>(), MatrixBatchView<T>());
  matmul_batch(MatrixBatchView<const T>({null, 3, 4}, 0), {{null, 4, 5}, 0}, {{null, 3, 5}, 0});
  matmul_batch(MatrixBatchView<const T>({null, 0, 4}, 8), {{null, 4, 0}, 8}, {{null, 0, 0}, 8});
  auto c = Batch<T>::random(3, 4, 5);
  for (const Backend& backend : every_backend()) {
    matmul_batch(MatrixBatchView<const T>({null, 4, 0}, 3, 7), {{null, 0, 5}, 3, 9}, c.view(), {.backend = backend});
    for (ptrdiff_t p = 0; p < 3; ++p) ASSERT_EQ(c(p, 3, 4), 0);
  }
}

TYPED_TEST(MatmulBatch, FollowingMatricesByDefault) {
  using T = TypeParam;
  T* const data = nullptr;
  EXPECT_EQ(MatrixBatchView<T>({data, 3, 4}, 2).step, 12);
  EXPECT_EQ(MatrixBatchView<T>(transposed(MatrixView<T>(data, 3, 4)), 2).step, 12);
  EXPECT_EQ(MatrixBatchView<T>({data, 3, 4, 10, 1}, 2).step, 30);
  EXPECT_EQ(MatrixBatchView<T>({data, 3, 4, -10, 1}, 2).step, 30);
  EXPECT_EQ(MatrixBatchView<T>({data, 0, 4}, 2).step, 4);
  Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> columns(5, 3 * 4);  // four matrices of 5 x 3 side by side
  const MatrixBatchView<T> batch(columns.leftCols(3), 4);
  EXPECT_EQ(batch.step, 15);
  EXPECT_EQ(&batch[2](1, 1), &columns(1, 7));
}

TYPED_TEST(MatmulBatch, AsManyThreadsAsAskedTakePart) {
  using T = TypeParam;
  struct Problem {
    ptrdiff_t count;
    Shape shape;
    double alpha;
  };
  for (const Problem& problem : {Problem{1000, {32, 32, 32}, 1}, {1000, {32, 32, 32}, 2}, {1, {1000, 1000, 1000}, 1}}) {
    const auto [m, n, k] = problem.shape;
    // One pair of matrices for the whole batch, so that a batch may grow.
    const auto a = Batch<T>::random(1, m, k);
    const auto b = Batch<T>::random(1, k, n);
    std::vector<T> c(static_cast<std::size_t>(problem.count * m * n));
    const auto multiply = [&](ptrdiff_t count, const Backend& backend) {
      c.resize(std::max(c.size(), static_cast<std::size_t>(count * m * n)));
      matmul_batch(MatrixBatchView<const T>(a.input()[0], count, 0), MatrixBatchView<const T>(b.input()[0], count, 0),
                   MatrixBatchView<T>({c.data(), m, n}, count), {.alpha = problem.alpha, .backend = backend});
      return last_run();
    };
    for (const int threads : {1, 2, 3}) {
      for (const Backend backend : {Backend(Threads{threads}), Backend(OpenMp{threads}), Backend(Tbb{threads})}) {
        if (!is_built(backend)) continue;
        SCOPED_TRACE(tests::text(backend));
        // Where every core is busy, the caller may have done everything before another thread gets one: half a
        // millisecond of work is less than a scheduler's slice, every time. So a batch grows, to several slices.
        LastRun run;
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        int attempt = 0;
        do {
          run = multiply(problem.count > 1 ? problem.count << std::min(attempt++ / 4, 5) : 1, backend);
          EXPECT_EQ(run.backend, name(backend));
          EXPECT_LE(run.threads, threads);
        } while (run.threads < threads && std::chrono::steady_clock::now() < deadline);
        EXPECT_EQ(run.threads, threads) << run.reason;
      }
    }
    multiply(problem.count, Sequential{});
    EXPECT_EQ(last_run().backend, "sequential");
    EXPECT_EQ(last_run().threads, 1);
  }
}

TYPED_TEST(MatmulBatch, TooLittleWorkStaysOnOneThread) {
  using T = TypeParam;
  const auto a = Batch<T>::random(20, 4, 4);
  const auto b = Batch<T>::random(20, 4, 4);
  Batch<T> c(20, 4, 4);
  for (const Backend& backend : every_backend()) {
    matmul_batch(a.input(), b.input(), c.view(), {.backend = backend});
    EXPECT_EQ(last_run().threads, 1) << tests::text(backend);
  }
}

TYPED_TEST(MatmulBatch, StaysOnItsThreadInsideAParallelLoop) {
  using T = TypeParam;
  const auto a = Batch<T>::random(2000, 16, 16);
  const auto b = Batch<T>::random(2000, 16, 16);
  for (const Backend& outer : every_backend()) {
    if (name(outer) == "sequential" || name(outer) == "automatic") continue;
    SCOPED_TRACE(tests::text(outer));
    std::array<Batch<T>, 4> c = {Batch<T>(2000, 16, 16), Batch<T>(2000, 16, 16), Batch<T>(2000, 16, 16),
                                 Batch<T>(2000, 16, 16)};
    std::array<int, 4> threads = {};
    parallel_for(4,
                 [&](ptrdiff_t i) {
                   const auto turn = static_cast<std::size_t>(i);
                   matmul_batch(a.input(), b.input(), c[turn].view(),
                                {.alpha = turn % 2 == 0 ? 1.0 : 2.0, .backend = Threads{2}});
                   threads[turn] = last_run().threads;
                 },
                 {.backend = outer});
    for (std::size_t i = 0; i < 4; ++i) {
      ASSERT_TRUE(same(c[i](1999, 15, 15), expected_element(a, b, c[i], 1999, 15, 15, i % 2 == 0 ? 1 : 2, 0)) ||
                  !has_fma());
    }
    // A loop that ran on one thread isn't parallel
    if (last_run().threads > 1) {
      EXPECT_THAT(threads, testing::Each(1));
    }
  }
}

TYPED_TEST(MatmulBatch, AWarmCallAllocatesNothing) {
  using T = TypeParam;
  const auto a = Batch<T>::random(500, 20, 30);
  const auto b = Batch<T>::random(500, 30, 40);
  Batch<T> c(500, 20, 40);
  for (const double alpha : {1.0, 2.0}) {  // direct, and packed
    SCOPED_TRACE(alpha);
    tests::expect_warm_calls_allocate_nothing({Automatic{}, Sequential{}, Threads{2}}, [&](const Backend& backend) {
      matmul_batch(a.input(), b.input(), c.view(), {.alpha = alpha, .backend = backend});
    });
  }
}

// Bad input: what was given and what was expected, and nothing written.
class MatmulBatchRejects : public testing::Test {
 protected:
  using In = MatrixBatchView<const double>;
  using Out = MatrixBatchView<double>;

  template <class Message>
  void rejects(In a, In b, Out c, Message message, Backend backend = Automatic{}) {
    const std::vector<double> before = memory;
    try {
      matmul_batch(a, b, c, {.alpha = 2, .beta = 3, .backend = backend});
      ADD_FAILURE() << "no exception";
    } catch (const InvalidArgument& error) {
      EXPECT_THAT(std::string(error.what()), AllOf(HasSubstr("matmul_batch: "), message));
    }
    EXPECT_EQ(memory, before);
  }

  static std::vector<double> random_memory() {
    std::vector<double> values(3000);
    std::uniform_real_distribution<double> value(-1, 1);
    for (double& x : values) x = value(generator());
    return values;
  }

  std::vector<double> memory = random_memory();
  double* a = memory.data();
  double* b = a + 1000;
  double* c = a + 2000;
  double* null = nullptr;
};

TEST_F(MatmulBatchRejects, ShapesAndCountsThatDontMatch) {
  rejects({{a, 3, 4}, 2}, {{b, 5, 6}, 2}, {{c, 3, 6}, 2}, AllOf(HasSubstr("3 x 4"), HasSubstr("5 x 6")));
  rejects({{a, 3, 4}, 2}, {{b, 4, 6}, 2}, {{c, 6, 3}, 2}, AllOf(HasSubstr("6 x 3"), HasSubstr("3 x 6")));
  const auto counts = HasSubstr("a has 3 matrices, b has 4 and c has 5, expected as many in each");
  rejects({{a, 3, 4}, 3}, {{b, 4, 6}, 4}, {{c, 3, 6}, 5}, counts);
  rejects({{a, 3, 4}, 2}, {{b, 4, 6}, 1}, {{c, 3, 6}, 2}, HasSubstr("b has 1 and c has 2"));
  rejects({{a, 3, 4}, 0}, {{b, 5, 6}, 0}, {{c, 3, 6}, 0}, HasSubstr("5 x 6"));
}

TEST_F(MatmulBatchRejects, OutputsThatOverlapEachOther) {
  const auto twice = HasSubstr("c is written to and has the same element twice");
  rejects({{a, 5, 5}, 4}, {{b, 5, 5}, 4}, {{c, 5, 5}, 4, 0}, twice);
  rejects({{a, 5, 5}, 4}, {{b, 5, 5}, 4}, {{c, 5, 5}, 4, 24}, twice);
  rejects({{a, 5, 5}, 4}, {{b, 5, 5}, 4}, {{c + 100, 5, 5}, 4, -24}, twice);
  rejects({{a, 5, 5}, 4}, {{b, 5, 5}, 4}, {{c, 5, 5, 2, 1}, 4, 100}, twice);
  rejects({{a, 5, 5}, 4}, {{b, 5, 5}, 4}, {{c, 5, 5, 20, 4}, 5 - 1, 2}, twice);
  rejects({{a, 5, 5}, 9}, {{b, 5, 5}, 9}, {{c, 5, 5, 40, 8}, 9, 1}, twice);  // eight fit in
}

TEST_F(MatmulBatchRejects, OutputsThatOverlapInputs) {
  rejects({{a, 5, 5}, 4}, {{b, 5, 5}, 4}, {{a + 75, 5, 5}, 4}, HasSubstr("c is written to and shares elements with a"));
  rejects({{a, 5, 5}, 4}, {{b, 5, 5}, 4}, {{b + 99, 5, 5}, 4}, HasSubstr("shares elements with b"));
  rejects({{a, 5, 5}, 4}, {{b, 5, 5}, 4, 0}, {{b + 24, 5, 5}, 4}, HasSubstr("shares elements with b"));
  // Interleaved with an input, and hitting it in one element only.
  rejects({{a, 4, 4, 80, 20}, 10, 1}, {{b, 4, 4}, 10}, {{a + 9, 4, 4, 80, 20}, 10, 1}, HasSubstr("with a"));
}

TEST_F(MatmulBatchRejects, NothingThatIsApart) {
  const auto works = [](In a, In b, Out c) { EXPECT_NO_THROW(matmul_batch(a, b, c)); };
  works({{a, 5, 5}, 4}, {{b, 5, 5}, 4}, {{a + 100, 5, 5}, 4});
  works({{a, 5, 5}, 4}, {{b, 5, 5}, 4}, {{b - 100, 5, 5}, 4});
  works({{a, 5, 5}, 8}, {{b, 5, 5}, 8}, {{c, 5, 5, 40, 8}, 8, 1});
  // All three interleaved, element by element, and matrix by matrix.
  works({{a, 4, 4, 120, 30}, 10, 1}, {{a + 10, 4, 4, 120, 30}, 10, 1}, {{a + 20, 4, 4, 120, 30}, 10, 1});
  works({{a, 4, 4}, 10, 48}, {{a + 16, 4, 4}, 10, 48}, {{a + 32, 4, 4}, 10, 48});
  // Columns of blocks in one matrix of 30 columns; rows of different length in between.
  works({{a, 5, 5, 30, 1}, 3, 150}, {{a + 5, 5, 5, 30, 1}, 3, 150}, {{a + 10, 5, 5, 30, 1}, 3, 150});
  works({{a, 2, 3, 30, 1}, 5, 6}, {{b, 3, 2}, 5}, {{a + 3, 2, 2, 30, 1}, 5, 6});
}

TEST_F(MatmulBatchRejects, NullData) {
  rejects({{null, 5, 5}, 2}, {{b, 5, 5}, 2}, {{c, 5, 5}, 2}, AllOf(HasSubstr("a is 5 x 5"), HasSubstr("null")));
  rejects({{a, 5, 5}, 2}, {{null, 5, 5}, 2}, {{c, 5, 5}, 2}, AllOf(HasSubstr("b"), HasSubstr("null")));
  rejects({{a, 5, 5}, 2}, {{b, 5, 5}, 2}, {{null, 5, 5}, 2}, AllOf(HasSubstr("c"), HasSubstr("null")));
}

TEST_F(MatmulBatchRejects, NegativeAndOverflowingSizes) {
  constexpr ptrdiff_t huge = std::numeric_limits<ptrdiff_t>::max();
  rejects({{a, 5, 5}, -1}, {{b, 5, 5}, -1}, {{c, 5, 5}, -1}, HasSubstr("a has -1 matrices, expected at least 0"));
  rejects({{a, -5, 5}, 0}, {{b, 5, 5}, 0}, {{c, -5, 5}, 0}, HasSubstr("-5 x 5"));
  rejects(
      {{a, 5, 5}, 3}, {{b, 5, 5}, 3, huge}, {{c, 5, 5}, 3},
      AllOf(HasSubstr("b has 3 matrices of 5 x 5 at a step of " + std::to_string(huge)), HasSubstr("fits in memory")));
  rejects({{a, 5, 5}, huge}, {{b, 5, 5}, huge}, {{c, 5, 5}, huge}, HasSubstr(std::to_string(huge)));
  rejects({{a, 5, 5}, huge / 8}, {{b, 5, 5}, huge / 8}, {{c, 5, 5}, huge / 8}, HasSubstr("fits in memory"));
  rejects({{a, 5, 5, huge, 1}, 3}, {{b, 5, 5}, 3}, {{c, 5, 5}, 3}, HasSubstr("fits in memory"));
  EXPECT_THROW(In({a, 5, 5}, ~std::size_t{0}), InvalidArgument);
}

TEST_F(MatmulBatchRejects, ThreadCountsAndModels) {
  for (const int threads : {-1, 1025}) {
    try {
      matmul_batch(In({a, 5, 5}, 2), {{b, 5, 5}, 2}, {{c, 5, 5}, 2}, {.backend = Threads{threads}});
      ADD_FAILURE() << "no exception";
    } catch (const InvalidArgument& error) {
      EXPECT_THAT(std::string(error.what()), AllOf(HasSubstr(std::to_string(threads)), HasSubstr("1024")));
    }
  }
}

}  // namespace
}  // namespace speedwell
