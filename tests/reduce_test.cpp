// SPDX-License-Identifier: Apache-2.0
#include <speedwell/reduce.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include "tests/allocations.hpp"
#include "tests/every_backend.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;
using testing::AllOf;
using testing::HasSubstr;
using tests::every_backend;
using tests::generator;
using tests::Guarded;
using tests::has_fma;

// The order that the header states, term by term.
template <class T, class AddTerm>
T chunk_in_order(ptrdiff_t begin, ptrdiff_t end, AddTerm add_term) {
  std::vector<T> lanes(512 / sizeof(T));
  for (ptrdiff_t i = begin; i < end; ++i) {
    T& lane = lanes[static_cast<std::size_t>(i - begin) % lanes.size()];
    lane = add_term(lane, i);
  }
  while (lanes.size() > 1) {
    const std::size_t half = lanes.size() / 2;
    for (std::size_t l = 0; l < half; ++l) lanes[l] = lanes[l] + lanes[l + half];
    lanes.resize(half);
  }
  return lanes[0];
}

template <class T, class AddTerm>
T in_order(ptrdiff_t begin, ptrdiff_t end, AddTerm add_term) {
  constexpr ptrdiff_t chunk = 16384 / sizeof(T);
  if (end - begin <= chunk) return chunk_in_order<T>(begin, end, add_term);
  ptrdiff_t chunks = 0;
  for (ptrdiff_t i = begin; i < end; i += chunk) ++chunks;
  const ptrdiff_t middle = begin + chunks / 2 * chunk;
  return in_order<T>(begin, middle, add_term) + in_order<T>(middle, end, add_term);
}

template <class T>
T sum_in_order(std::span<const T> x) {
  return in_order<T>(0, std::ssize(x), [&](T c, ptrdiff_t i) { return c + x[static_cast<std::size_t>(i)]; });
}

template <class T>
T dot_in_order(std::span<const T> x, std::span<const T> y) {
  const bool fused = has_fma();
  return in_order<T>(0, std::ssize(x), [&](T c, ptrdiff_t i) {
    const auto at = static_cast<std::size_t>(i);
    if (fused) return std::fma(x[at], y[at], c);
    const T product = x[at] * y[at];
    return c + product;
  });
}

template <class T>
bool same(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b) || (std::isnan(a) && std::isnan(b));
}

template <class T>
Guarded<T> random_vector(ptrdiff_t count, ptrdiff_t offset = 0, T least = -1, T most = 1) {
  Guarded<T> vector(count, offset);
  std::uniform_real_distribution<T> value(least, most);
  for (T& element : vector.span()) element = value(generator());
  return vector;
}

template <class T>
class Reduce : public testing::Test {
 protected:
  static constexpr ptrdiff_t lanes = 512 / sizeof(T);
  static constexpr ptrdiff_t chunk = 16384 / sizeof(T);

  // Both reductions on every one of `backends`: the bits that the header's order gives.
  static void check(std::span<const T> x, std::span<const T> y, const std::vector<Backend>& backends) {
    const T expected_sum = sum_in_order(x), expected_dot = dot_in_order(x, y);
    for (const Backend& backend : backends) {
      const T got_sum = sum(x, {.backend = backend}), got_dot = dot(x, y, {.backend = backend});
      ASSERT_TRUE(same(got_sum, expected_sum))
          << "sum of " << x.size() << " on " << tests::text(backend) << " is " << got_sum << ", not " << expected_sum;
      ASSERT_TRUE(same(got_dot, expected_dot))
          << "dot of " << x.size() << " on " << tests::text(backend) << " is " << got_dot << ", not " << expected_dot;
    }
  }

  static void check_random(ptrdiff_t count, const std::vector<Backend>& backends, ptrdiff_t x_offset = 0,
                           ptrdiff_t y_offset = 0) {
    const auto x = random_vector<T>(count, x_offset), y = random_vector<T>(count, y_offset);
    check(x.span(), y.span(), backends);
  }
};

using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Reduce, Elements, );

TYPED_TEST(Reduce, EverySmallSize) {
  for (ptrdiff_t count = 0; count <= 5 * this->lanes + 3; ++count) {
    this->check_random(count, {Sequential{}, Automatic{}});
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(Reduce, EveryAlignment) {
  const ptrdiff_t line = 64 / sizeof(TypeParam);
  for (ptrdiff_t offset = 0; offset < line; ++offset) {
    for (const ptrdiff_t count : {line - 1, line + 1, this->lanes - 1, this->lanes + line / 2 + 1, this->chunk - 1,
                                  2 * this->chunk + this->lanes + 3}) {
      this->check_random(count, {Sequential{}}, offset, 0);
      this->check_random(count, {Sequential{}}, 1, offset);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(Reduce, EveryEdgeOfChunksOnEveryBackend) {
  std::vector<ptrdiff_t> counts = {this->chunk - this->lanes, 9973, 100'003};
  for (const ptrdiff_t chunks : {1, 2, 3, 4, 5, 7, 8, 11, 32, 33, 45}) {
    for (const ptrdiff_t by : {-1, 0, 1}) counts.push_back(chunks * this->chunk + by);
  }
  for (const ptrdiff_t count : counts) {
    this->check_random(count, every_backend(), count % 3);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(Reduce, AnyNumberOfThreadsOnAnyNumberOfChunks) {
  const auto x = random_vector<TypeParam>(67 * this->chunk), y = random_vector<TypeParam>(67 * this->chunk);
  for (const std::size_t chunks : {3, 6, 13, 31, 64, 67}) {
    const std::size_t count = chunks * static_cast<std::size_t>(this->chunk) - 5;
    for (const int threads : {1, 2, 3, 4, 5, 7, 13}) {
      std::vector<Backend> backends;
      for (const Backend& backend : {Backend(Threads{threads}), Backend(OpenMp{threads}), Backend(Tbb{threads})}) {
        if (is_built(backend)) backends.push_back(backend);
      }
      this->check(x.input().first(count), y.input().first(count), backends);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(Reduce, ALongOneOnEveryBackend) { this->check_random(3'000'017, every_backend()); }

// Within the bound that the header states, which a single chain of a million positive numbers is well beyond.
TYPED_TEST(Reduce, IsNearTheExactValue) {
  using T = TypeParam;
  for (const ptrdiff_t count : {1, 2, 100, 1009, 40'009, 1'000'003}) {
    for (const T least : {T{-1}, T{0}}) {
      const auto x = random_vector<T>(count, 0, least), y = random_vector<T>(count, 0, least);
      long double exact_sum = 0, exact_dot = 0, sum_size = 0, dot_size = 0;
      for (ptrdiff_t i = 0; i < count; ++i) {
        const long double term = x[i], product = term * y[i];
        exact_sum += term;
        exact_dot += product;
        sum_size += std::abs(term);
        dot_size += std::abs(product);
      }
      // Without fused multiply-add there is one rounding more. The long doubles' own error is the last term.
      const long double roundings = 28 + std::log2(static_cast<long double>(count)) + (has_fma() ? 0 : 1);
      const long double relative = roundings * std::numeric_limits<T>::epsilon() / 2 +
                                   static_cast<long double>(count) * std::numeric_limits<long double>::epsilon();
      EXPECT_LE(std::abs(sum(x.input(), {}) - exact_sum), relative * sum_size) << count;
      EXPECT_LE(std::abs(dot(x.input(), y.input(), {}) - exact_dot), relative * dot_size) << count;
    }
  }
}

TYPED_TEST(Reduce, InfinitiesAndNansSpread) {
  using T = TypeParam;
  constexpr T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const ptrdiff_t count = 9 * this->chunk + this->lanes + 3;
  auto x = random_vector<T>(count), y = random_vector<T>(count);
  const ptrdiff_t last = count - 1;
  for (const ptrdiff_t at : {ptrdiff_t{0}, this->lanes - 1, 4 * this->chunk + 7, last}) {
    const T before = x[at];
    for (const Backend& backend : every_backend()) {
      SCOPED_TRACE(tests::text(backend) + " at " + std::to_string(at));
      x[at] = nan;
      EXPECT_TRUE(std::isnan(sum(x.input(), {.backend = backend})));
      EXPECT_TRUE(std::isnan(dot(x.input(), y.input(), {.backend = backend})));
      EXPECT_TRUE(std::isnan(dot(y.input(), x.input(), {.backend = backend})));
      x[at] = -infinity;
      EXPECT_EQ(sum(x.input(), {.backend = backend}), -infinity);
      EXPECT_EQ(dot(x.input(), y.input(), {.backend = backend}), y[at] > 0 ? -infinity : infinity);
      const T factor = y[at];
      y[at] = 0;
      EXPECT_TRUE(std::isnan(dot(x.input(), y.input(), {.backend = backend})));
      y[at] = factor;
      x[(at + count / 2) % count] += infinity;
      EXPECT_TRUE(std::isnan(sum(x.input(), {.backend = backend})));
      x[(at + count / 2) % count] = T{0.5};
    }
    x[at] = before;
  }
  // Sums beyond the largest number: an infinity from some on, and of both signs a NaN, where the order says so.
  const auto huge = random_vector<T>(count, 0, -std::numeric_limits<T>::max() / 8, std::numeric_limits<T>::max() / 4);
  this->check(huge.span(), y.span(), every_backend());
}

TYPED_TEST(Reduce, ZerosKeepTheirSignsAndDenormalsTheirBits) {
  using T = TypeParam;
  constexpr T tiny = std::numeric_limits<T>::denorm_min();
  for (const ptrdiff_t count : {ptrdiff_t{1}, ptrdiff_t{5}, this->lanes - 3, this->lanes + 1, 2 * this->chunk + 1}) {
    Guarded<T> x(count), y(count);
    // Products that round to a zero of either sign, so that lanes end as one; and sums of the smallest numbers.
    for (const T sign : {T{1}, T{-1}}) {
      for (ptrdiff_t i = 0; i < count; ++i) {
        x[i] = sign * tiny * static_cast<T>(1 + i % 3);
        y[i] = tiny;
      }
      this->check(x.span(), y.span(), every_backend());
      for (T& element : y.span()) element = 1;
      this->check(x.span(), y.span(), every_backend());
    }
    for (T& element : x.span()) element = T{-0.0};
    this->check(x.span(), y.span(), every_backend());
    EXPECT_FALSE(std::signbit(sum(x.input(), {})));
  }
}

TYPED_TEST(Reduce, NothingIsZero) {
  using T = TypeParam;
  const std::span<const T> null;
  const std::vector<T> none;
  for (const Backend& backend : every_backend()) {
    EXPECT_TRUE(same(sum(null, {.backend = backend}), T{0}));
    EXPECT_TRUE(same(dot(null, null, {.backend = backend}), T{0}));
    EXPECT_TRUE(same(sum(std::span<const T>(none), {.backend = backend}), T{0}));
  }
}

TYPED_TEST(Reduce, AsManyThreadsAsAskedTakePart) {
  using T = TypeParam;
  const auto x = random_vector<T>(512 * this->chunk);
  for (const int threads : {1, 2, 3}) {
    for (const Backend& backend : {Backend(Threads{threads}), Backend(OpenMp{threads}), Backend(Tbb{threads})}) {
      if (!is_built(backend)) continue;
      SCOPED_TRACE(tests::text(backend));
      LastRun run;
      // A busy machine may keep a thread from a core until the others have done everything; not for ten seconds.
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      do {
        dot(x.input(), x.input(), {.backend = backend});
        run = last_run();
        EXPECT_EQ(run.backend, name(backend));
        EXPECT_LE(run.threads, threads);
      } while (run.threads < threads && std::chrono::steady_clock::now() < deadline);
      EXPECT_EQ(run.threads, threads) << run.reason;
    }
  }
  sum(x.input(), {.backend = Sequential{}});
  EXPECT_EQ(last_run().backend, "sequential");
  EXPECT_EQ(last_run().threads, 1);
  // No more than subtrees: three chunks are cut in two.
  sum(x.input().first(static_cast<std::size_t>(3 * this->chunk)), {.backend = Threads{3}});
  EXPECT_LE(last_run().threads, 2);
  sum(x.input().first(static_cast<std::size_t>(this->chunk)), {.backend = Threads{3}});
  EXPECT_EQ(last_run().threads, 1);
}

TYPED_TEST(Reduce, ManyCallersAtOnce) {
  using T = TypeParam;
  const auto x = random_vector<T>(20 * this->chunk + 1), y = random_vector<T>(20 * this->chunk + 1);
  const T expected = dot_in_order(x.span(), y.span());
  const std::vector<Backend> backends = every_backend();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (std::size_t i = 0; i < 4 * backends.size(); ++i) {
        const Backend& backend = backends[(caller * 3 + i) % backends.size()];
        wrong += !same(dot(x.input(), y.input(), {.backend = backend}), expected);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TYPED_TEST(Reduce, AWarmCallAllocatesNothing) {
  using T = TypeParam;
  const auto x = random_vector<T>(20 * this->chunk);
  // Not oneTBB with more threads than cores: that is a limit raised for the call, by oneTBB's own object.
  const std::vector<Backend> backends = {Automatic{}, Sequential{}, Threads{2}, OpenMp{2}, Tbb{}};
  for (const std::size_t count : {std::size_t{100}, x.input().size()}) {
    SCOPED_TRACE(count);
    const auto part = x.input().first(count);
    tests::expect_warm_calls_allocate_nothing(backends, [&](const Backend& backend) {
      sum(part, {.backend = backend});
      dot(part, part, {.backend = backend});
    });
  }
}

template <class Call, class Message>
void expect_rejected(Call call, Message message) {
  try {
    call();
    ADD_FAILURE() << "no exception";
  } catch (const InvalidArgument& error) {
    EXPECT_THAT(std::string(error.what()), message);
  }
}

TYPED_TEST(Reduce, Rejects) {
  using T = TypeParam;
  using Input = std::span<const T>;
  const auto vector = random_vector<T>(100);
  const Input x = vector.span();
  expect_rejected([&] { dot(x, x.first(99)); }, AllOf(HasSubstr("dot"), HasSubstr("100"), HasSubstr("99")));
  expect_rejected([&] { dot(x, Input()); }, AllOf(HasSubstr("100"), HasSubstr("0")));
  const Input null(static_cast<const T*>(nullptr), 100);
  expect_rejected([&] { sum(null); }, AllOf(HasSubstr("sum"), HasSubstr("x"), HasSubstr("null")));
  expect_rejected([&] { dot(null, x); }, AllOf(HasSubstr("dot"), HasSubstr("x"), HasSubstr("null")));
  expect_rejected([&] { dot(x, null); }, AllOf(HasSubstr("dot"), HasSubstr("y"), HasSubstr("null")));
  const Input endless(x.data(), std::numeric_limits<std::size_t>::max() / 2);
  expect_rejected([&] { sum(endless); }, HasSubstr("x"));
  expect_rejected([&] { dot(x, endless); }, HasSubstr("y"));
  for (const int threads : {-1, 1025}) {
    const auto message = AllOf(HasSubstr(std::to_string(threads)), HasSubstr("1024"));
    for (const Backend& backend : {Backend(Threads{threads}), Backend(OpenMp{threads}), Backend(Tbb{threads})}) {
      if (!is_built(backend)) continue;
      expect_rejected([&] { sum(x, {.backend = backend}); }, message);
      expect_rejected([&] { dot(x, x, {.backend = backend}); }, message);
      expect_rejected([&] { sum(Input(), {.backend = backend}); }, message);
    }
  }
  for (const Backend& backend : {Backend(OpenMp{2}), Backend(Tbb{2})}) {
    if (!is_built(backend)) {
      expect_rejected([&] { sum(x, {.backend = backend}); }, HasSubstr(std::string(name(backend))));
    }
  }
}

}  // namespace
}  // namespace speedwell
