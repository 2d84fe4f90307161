// SPDX-License-Identifier: Apache-2.0
#include <speedwell/mandelbrot.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <speedwell/runtime.hpp>

#include "kernels/mandelbrot/mandelbrot_blocks.hpp"
#include "kernels/mandelbrot/mandelbrot_tile.hpp"
#include "tests/allocations.hpp"
#include "tests/every_backend.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;
using testing::AllOf;
using testing::HasSubstr;

constexpr RowDivision both_divisions[] = {RowDivision::dynamic_rows, RowDivision::static_shares};

// What the header says, in its words. Each intermediate is stored, so that no compiler fuses two operations.
template <class T>
std::int32_t expected_count(const PlaneRegion<T>& region, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t i, ptrdiff_t j,
                            int max_iterations) {
  const volatile T dx = (region.x_max - region.x_min) / static_cast<T>(cols);
  const volatile T dy = (region.y_max - region.y_min) / static_cast<T>(rows);
  const volatile T along_x = static_cast<T>(j) * dx;
  const volatile T along_y = static_cast<T>(i) * dy;
  const T cx = region.x_min + along_x;
  const T cy = region.y_min + along_y;
  T x = 0, y = 0;
  int n = 0;
  while (n < max_iterations) {
    const volatile T x_squared = x * x;
    const volatile T y_squared = y * y;
    const T x2 = x_squared, y2 = y_squared;
    if (!(x2 + y2 <= 4)) break;
    const volatile T product = (x + x) * y;
    y = product + cy;
    x = (x2 - y2) + cx;
    ++n;
  }
  return n;
}

template <class T>
std::vector<std::int32_t> expected_counts(const PlaneRegion<T>& region, ptrdiff_t rows, ptrdiff_t cols,
                                          int max_iterations) {
  std::vector<std::int32_t> counts;
  for (ptrdiff_t i = 0; i < rows; ++i) {
    for (ptrdiff_t j = 0; j < cols; ++j) counts.push_back(expected_count(region, rows, cols, i, j, max_iterations));
  }
  return counts;
}

template <class T>
PlaneRegion<T> around(double x, double y, double radius) {
  return {static_cast<T>(x - radius), static_cast<T>(x + radius), static_cast<T>(y - radius),
          static_cast<T>(y + radius)};
}

template <class T>
class Mandelbrot : public testing::Test {
 protected:
  static constexpr PlaneRegion<T> whole = {};
  // Far more than a rounding error apart in double, and some points the same in float.
  static constexpr double deep = 1e-5;

  static std::vector<PlaneRegion<T>> regions() {
    return {
        whole,
        {T(-2), T(0.5), T(0), T(1.25)},        // the upper half
        {T(0.5), T(-2), T(1.1), T(-1.3)},      // mirrored
        around<T>(-0.1, 0.1, 0.05),            // all inside
        around<T>(-1, 0, 1e-3),                // all inside, on a cycle that comes back to zero
        around<T>(0, 0, 1e-30),                // squares that are subnormal in float
        around<T>(2, 2, 0.5),                  // all outside at once
        around<T>(1.5, 1.3, 0.3),              // |c| round 2
        around<T>(-2, 0, 1e-6),                // the tip: orbits that stand on the circle
        around<T>(-0.75, 0.01, 5e-3),          // between the cardioid and the disc: slow escapes
        around<T>(-0.743643, 0.131825, deep),  // deep in the boundary
        around<T>(0, 0, 1e3),                  // orbits that overflow
        around<T>(0, 0, std::numeric_limits<T>::max() / 4),
        {T(0.3), T(0.3), T(0.5), T(0.5)},  // one point
    };
  }

  // One grid on a backend, in memory with guards.
  static void check(const PlaneRegion<T>& region, ptrdiff_t rows, ptrdiff_t cols, int max_iterations,
                    const std::vector<Backend>& backends = {Sequential{}}) {
    const std::vector<std::int32_t> expected = expected_counts(region, rows, cols, max_iterations);
    for (const Backend& backend : backends) {
      for (const RowDivision division : both_divisions) {
        SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(cols) + ", at most " +
                     std::to_string(max_iterations) + ", " + tests::text(backend) + ", x from " +
                     std::to_string(region.x_min) + " to " + std::to_string(region.x_max) + ", y from " +
                     std::to_string(region.y_min) + " to " + std::to_string(region.y_max));
        tests::Guarded<std::int32_t> counts(rows * cols, cols % 16);
        mandelbrot(region, {counts.span().data(), rows, cols},
                   {.max_iterations = max_iterations, .division = division, .backend = backend});
        ASSERT_TRUE(counts.guards_intact());
        for (ptrdiff_t k = 0; k < rows * cols; ++k) {
          ASSERT_EQ(counts[k], expected[static_cast<std::size_t>(k)]) << "at (" << k / cols << ", " << k % cols << ")";
        }
      }
    }
  }
};

using Arithmetic = testing::Types<float, double>;
TYPED_TEST_SUITE(Mandelbrot, Arithmetic, );

TYPED_TEST(Mandelbrot, EveryRegionOnEveryBackend) {
  for (const auto& region : this->regions()) {
    this->check(region, 29, 37, 300, tests::every_backend());
    this->check(region, 16, 101, 1000);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(Mandelbrot, EveryWidthUpToSeveralGroups) {
  const ptrdiff_t group = mandelbrot_tile<TypeParam>().group;
  for (ptrdiff_t cols = 0; cols <= 3 * group + 1; ++cols) {
    this->check(this->whole, 5, cols, 50);
    this->check(this->regions()[1], 3, cols, 50, {Threads{2}});
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(Mandelbrot, EveryHeightAndALongSide) {
  for (const ptrdiff_t rows : {0, 1, 2, 3, 4, 7, 127}) {
    this->check(this->whole, rows, 19, 100, tests::every_backend());
    if (this->HasFatalFailure()) return;
  }
  this->check(this->whole, 1, 50021, 20, tests::every_backend());
  this->check(this->whole, 50021, 1, 20, tests::every_backend());
}

TYPED_TEST(Mandelbrot, EveryLimit) {
  for (const int max_iterations : {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1000, 2500}) {
    this->check(this->whole, 23, 31, max_iterations);
    if (this->HasFatalFailure()) return;
  }
  this->check(this->regions()[6], 3, 70, std::numeric_limits<int>::max());  // all outside: the limit is never met
}

// A coordinate that is computed some other way (by adding up, or with a fused multiplication) differs somewhere here.
TYPED_TEST(Mandelbrot, RandomRegionsAndSizes) {
  std::uniform_real_distribution<double> centre(-1.5, 0.7), exponent(-6, 0.3);
  std::uniform_int_distribution<ptrdiff_t> side(1, 90);
  auto& random = tests::generator();
  for (int i = 0; i < 150; ++i) {
    const auto region = around<TypeParam>(centre(random), centre(random), std::pow(10, exponent(random)));
    this->check(region, side(random), side(random), 200);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(Mandelbrot, EveryLayout) {
  constexpr ptrdiff_t rows = 11, cols = 83;
  const auto expected = expected_counts(this->whole, rows, cols, 60);
  struct Strides {
    ptrdiff_t row, col;
  };
  for (const Strides strides : {Strides{cols, 1},
                                {cols + 3, 1},
                                {2 * cols + 1, 2},
                                {1, rows},
                                {2, 2 * rows + 3},
                                {-cols, 1},
                                {cols, -1},
                                {-1, -rows},
                                {3, -100}}) {
    SCOPED_TRACE(std::to_string(strides.row) + ", " + std::to_string(strides.col));
    const auto span = [](ptrdiff_t stride, ptrdiff_t count) { return stride * (count - 1); };
    const ptrdiff_t row_span = span(strides.row, rows), col_span = span(strides.col, cols);
    const ptrdiff_t first = std::max<ptrdiff_t>(-row_span, 0) + std::max<ptrdiff_t>(-col_span, 0);
    tests::Guarded<std::int32_t> memory(std::abs(row_span) + std::abs(col_span) + 1);
    const MatrixView<std::int32_t> counts(memory.span().data() + first, rows, cols, strides.row, strides.col);
    mandelbrot(this->whole, counts, {.max_iterations = 60, .backend = Threads{2}});
    ASSERT_TRUE(memory.guards_intact());
    for (ptrdiff_t i = 0; i < rows; ++i) {
      for (ptrdiff_t j = 0; j < cols; ++j) {
        ASSERT_EQ(counts(i, j), expected[static_cast<std::size_t>(i * cols + j)]) << i << ", " << j;
        counts(i, j) = -1;
      }
    }
    // Nothing between the elements either.
    const auto bytes = memory.span();
    ASSERT_EQ(std::count(bytes.begin(), bytes.end(), -1), memory.size());
  }
}

// Facts that need no oracle.
TYPED_TEST(Mandelbrot, KnownPoints) {
  using T = TypeParam;
  const auto count = [](double x, double y, int max_iterations = 1000) {
    std::int32_t value = -1;
    const auto region = around<T>(x, y, 0);
    mandelbrot(region, {&value, 1, 1}, {.max_iterations = max_iterations});
    return value;
  };
  EXPECT_EQ(count(0, 0), 1000);     // stays
  EXPECT_EQ(count(-1, 0), 1000);    // 0, -1, 0, -1
  EXPECT_EQ(count(0, 1), 1000);     // i, -1 + i, -i, -1 + i
  EXPECT_EQ(count(-2, 0), 1000);    // 2, 2, 2: on the circle, which belongs to it
  EXPECT_EQ(count(0.25, 0), 1000);  // creeps up to 1/2
  EXPECT_EQ(count(1, 0), 3);        // 1, 2, 5
  EXPECT_EQ(count(2, 0), 2);        // 2, 6
  EXPECT_EQ(count(0.5, 0), 5);      // 0.5, 0.75, 1.0625, 1.63, 3.15
  EXPECT_EQ(count(2, 2), 1);
  EXPECT_EQ(count(2, 2, 0), 0);
}

TYPED_TEST(Mandelbrot, ConjugatesAreMirrored) {
  constexpr ptrdiff_t rows = 40, cols = 70;
  std::vector<std::int32_t> above(rows * cols), below(rows * cols);
  PlaneRegion<TypeParam> region = this->regions()[1];
  mandelbrot(region, {above.data(), rows, cols});
  region.y_max = -region.y_max;
  mandelbrot(region, {below.data(), rows, cols});
  EXPECT_EQ(above, below);
}

// Row by row: while one thread is held up in a row, the others do all that is left.
TEST(MandelbrotRows, DynamicRowsGoToWhoeverIsFree) {
  constexpr ptrdiff_t rows = 60;
  struct Held {
    std::atomic<ptrdiff_t> done = 0;
    std::atomic<bool> began = false;
    bool all_done_meanwhile = false;
  };
  for (const Backend& backend : tests::every_backend()) {
    std::visit(
        [&](auto model) {
          if constexpr (requires { model.threads; }) {
            if (!is_built(backend) || model.threads < 2) return;
            SCOPED_TRACE(tests::text(backend));
            Held held;
            const auto do_row = [](const void* call, ptrdiff_t) noexcept {
              Held& state = *static_cast<Held*>(const_cast<void*>(call));
              if (!state.began.exchange(true)) {
                const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
                while (state.done < rows - 1 && std::chrono::steady_clock::now() < deadline) {
                  std::this_thread::yield();
                }
                state.all_done_meanwhile = state.done == rows - 1;
              }
              ++state.done;
            };
            mandelbrot_on(model, {rows, RowDivision::dynamic_rows, &held, do_row});
            EXPECT_EQ(held.done, rows);
            EXPECT_TRUE(held.all_done_meanwhile);
          }
        },
        backend);
  }
}

// Equal shares, each thread's rows one after the other: whatever the rows cost.
TEST(MandelbrotRows, StaticSharesAreEqualAndContiguous) {
  constexpr ptrdiff_t rows = 61;
  using Owners = std::vector<std::thread::id>;
  for (const Backend& backend : tests::every_backend()) {
    std::visit(
        [&](auto model) {
          if constexpr (requires { model.threads; }) {
            if (!is_built(backend) || model.threads < 2) return;
            SCOPED_TRACE(tests::text(backend));
            Owners owners(rows);
            const auto do_row = [](const void* call, ptrdiff_t row) noexcept {
              // The first rows cost most.
              if (row < 5) std::this_thread::sleep_for(std::chrono::milliseconds(2));
              (*static_cast<Owners*>(const_cast<void*>(call)))[static_cast<std::size_t>(row)] =
                  std::this_thread::get_id();
            };
            mandelbrot_on(model, {rows, RowDivision::static_shares, &owners, do_row});
            std::vector<ptrdiff_t> runs = {1};
            for (std::size_t i = 1; i < owners.size(); ++i) {
              if (owners[i] == owners[i - 1]) {
                ++runs.back();
              } else {
                runs.push_back(1);
              }
            }
            EXPECT_EQ(owners[0] == std::thread::id(), false);
            EXPECT_LE(runs.size(), static_cast<std::size_t>(model.threads));
            // A share that its thread is late for may be done by another, with oneTBB.
            if (std::string(name(backend)) != Tbb::name) {
              EXPECT_EQ(runs.size(), static_cast<std::size_t>(model.threads));
              EXPECT_LE(*std::max_element(runs.begin(), runs.end()), rows / model.threads + 1);
            }
          }
        },
        backend);
  }
}

TEST(MandelbrotRows, SharesCoverAllRowsOnce) {
  for (const ptrdiff_t rows : {0, 1, 2, 7, 100, 512}) {
    for (const ptrdiff_t shares : {1, 2, 3, 7, 64}) {
      const MandelbrotBlocks blocks = {rows, RowDivision::static_shares, nullptr, nullptr};
      EXPECT_EQ(blocks.share_begin(0, shares), 0);
      EXPECT_EQ(blocks.share_begin(shares, shares), rows);
      for (ptrdiff_t share = 0; share < shares; ++share) {
        const ptrdiff_t size = blocks.share_begin(share + 1, shares) - blocks.share_begin(share, shares);
        EXPECT_GE(size, rows / shares);
        EXPECT_LE(size, (rows + shares - 1) / shares);
      }
    }
  }
}

TYPED_TEST(Mandelbrot, AsManyThreadsAsAskedTakePart) {
  constexpr ptrdiff_t rows = 200, cols = 200;
  std::vector<std::int32_t> counts(rows * cols);
  const MatrixView<std::int32_t> view(counts.data(), rows, cols);
  for (const Backend& backend : tests::every_backend()) {
    std::visit(
        [&](auto model) {
          if constexpr (requires { model.threads; }) {
            if (model.threads == 0) return;
            for (const RowDivision division : both_divisions) {
              SCOPED_TRACE(tests::text(backend));
              LastRun run;
              // A busy machine may keep a thread from a core until the others have done everything; not for ten
              // seconds.
              const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
              do {
                mandelbrot(this->whole, view, {.max_iterations = 500, .division = division, .backend = backend});
                run = last_run();
                EXPECT_EQ(run.backend, name(backend));
                EXPECT_LE(run.threads, model.threads);
              } while (run.threads < model.threads && std::chrono::steady_clock::now() < deadline);
              EXPECT_EQ(run.threads, model.threads) << run.reason;
            }
          }
        },
        backend);
  }
  mandelbrot(this->whole, view, {.backend = Sequential{}});
  EXPECT_EQ(last_run().backend, "sequential");
  EXPECT_EQ(last_run().threads, 1);
  // Never more threads than rows.
  mandelbrot(this->whole, {counts.data(), 2, cols}, {.backend = Threads{3}});
  EXPECT_LE(last_run().threads, 2);
}

TYPED_TEST(Mandelbrot, EmptyGrids) {
  mandelbrot(this->whole, MatrixView<std::int32_t>());
  EXPECT_EQ(last_run().threads, 0);
  std::int32_t* const none = nullptr;
  mandelbrot(this->whole, {none, 0, 5}, {.backend = Threads{2}});
  mandelbrot(this->whole, {none, 5, 0}, {.division = RowDivision::static_shares, .backend = Threads{2}});
}

TYPED_TEST(Mandelbrot, AWarmCallAllocatesNothing) {
  std::vector<std::int32_t> counts(30 * 500);
  tests::expect_warm_calls_allocate_nothing({Automatic{}, Sequential{}, Threads{2}}, [&](const Backend& backend) {
    mandelbrot(this->whole, {counts.data(), 30, 500}, {.max_iterations = 20, .backend = backend});
  });
}

// Bad input: what was given and what was expected, and counts untouched.
template <class T, class Message>
void rejects(const PlaneRegion<T>& region, MatrixView<std::int32_t> counts, const std::vector<std::int32_t>& memory,
             Message message, const MandelbrotOptions& options = {}) {
  const std::vector<std::int32_t> before = memory;
  try {
    mandelbrot(region, counts, options);
    ADD_FAILURE() << "no exception";
  } catch (const InvalidArgument& error) {
    EXPECT_THAT(std::string(error.what()), AllOf(HasSubstr("mandelbrot"), message));
  }
  EXPECT_EQ(memory, before);
}

TYPED_TEST(Mandelbrot, Rejects) {
  using T = TypeParam;
  const PlaneRegion<T> whole = this->whole;
  std::vector<std::int32_t> memory(100);
  std::iota(memory.begin(), memory.end(), 0);
  std::int32_t* const data = memory.data();
  const MatrixView<std::int32_t> counts(data, 10, 10);

  const T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for (const T bad : {infinity, -infinity, nan}) {
    const auto with = [&](T PlaneRegion<T>::*side) {
      PlaneRegion<T> region = whole;
      region.*side = bad;
      return region;
    };
    const auto text = std::to_string(bad);
    rejects(with(&PlaneRegion<T>::x_min), counts, memory, AllOf(HasSubstr("x_min is " + text), HasSubstr("finite")));
    rejects(with(&PlaneRegion<T>::x_max), counts, memory, HasSubstr("x_max is " + text));
    rejects(with(&PlaneRegion<T>::y_min), counts, memory, HasSubstr("y_min is " + text));
    rejects(with(&PlaneRegion<T>::y_max), counts, memory, HasSubstr("y_max is " + text));
  }
  const T most = std::numeric_limits<T>::max();
  rejects(PlaneRegion<T>{-most, most, 0, 1}, counts, memory, HasSubstr("finite difference"));
  rejects(PlaneRegion<T>{0, 1, most, -most}, counts, memory, HasSubstr("finite difference"));

  rejects(whole, counts, memory, AllOf(HasSubstr("max_iterations"), HasSubstr("-1")), {.max_iterations = -1});
  rejects(whole, counts, memory, AllOf(HasSubstr("division"), HasSubstr("7")),
          {.division = static_cast<RowDivision>(7)});
  rejects(whole, {static_cast<std::int32_t*>(nullptr), 3, 3}, memory, HasSubstr("null"));
  rejects(whole, {data, 5, 5, 0, 1}, memory, HasSubstr("counts"));
  rejects(whole, {data, 5, 5, 4, 1}, memory, HasSubstr("counts"));
  rejects(whole, {data, -1, 5}, memory, HasSubstr("-1"));
  rejects(whole, {data, std::numeric_limits<ptrdiff_t>::max(), 5}, memory, HasSubstr("counts"));
  for (const int threads : {-1, 1025}) {
    const auto message = AllOf(HasSubstr(std::to_string(threads)), HasSubstr("1024"));
    try {
      mandelbrot(whole, counts, {.backend = Threads{threads}});
      ADD_FAILURE() << "no exception";
    } catch (const InvalidArgument& error) {
      EXPECT_THAT(std::string(error.what()), message);
    }
  }
  for (const Backend& backend : {Backend(OpenMp{2}), Backend(Tbb{2})}) {
    if (is_built(backend)) continue;
    EXPECT_THROW(mandelbrot(whole, counts, {.backend = backend}), InvalidArgument);
  }
}

}  // namespace
}  // namespace speedwell
