// SPDX-License-Identifier: Apache-2.0
#include <speedwell/stream.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <speedwell/error.hpp>
#include <speedwell/runtime.hpp>

#include "kernels/stream/stream_tile.hpp"
#include "runtime/caches.hpp"
#include "tests/allocations.hpp"
#include "tests/every_backend.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;
using stream::Store;
using testing::HasSubstr;
using tests::Guarded;
using tests::has_fma;

template <class T>
Guarded<T> random_values(ptrdiff_t count, ptrdiff_t offset = 0) {
  Guarded<T> values(count, offset);
  std::uniform_real_distribution<T> value(-1, 1);
  for (T& each : values.span()) each = value(tests::generator());
  return values;
}

// What the header says: with a fused multiply-add where the instruction set has one.
template <class T>
T triad_of(T b, T c, T scale) {
  const volatile T product = scale * c;  // volatile: the compiler must not fuse what this rounds
  return has_fma() ? std::fma(scale, c, b) : b + product;
}

template <class T>
class Stream : public testing::Test {
 protected:
  static void expect_copy(const Guarded<T>& in, const Guarded<T>& out) {
    EXPECT_TRUE(out.guards_intact());
    EXPECT_TRUE(tests::same_bits(in.input(), out.input()));
  }

  static void expect_triad(const Guarded<T>& b, const Guarded<T>& c, const Guarded<T>& a, T scale) {
    EXPECT_TRUE(a.guards_intact());
    for (ptrdiff_t i = 0; i < a.size(); ++i) {
      const T expected = triad_of(b[i], c[i], scale);
      ASSERT_TRUE(tests::same_bits<T>({&a[i], 1}, {&expected, 1})) << i << ": " << a[i] << ", expected " << expected;
    }
  }
};

using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Stream, Elements, );

// Sizes round a vector, a cache line and four of them, at every place in a cache line, written either way.
TYPED_TEST(Stream, TileOnEveryEdgeAndAlignment) {
  using T = TypeParam;
  const auto& tile = stream::stream_tile<T>();
  constexpr ptrdiff_t line = 64 / sizeof(T);
  const T scale = static_cast<T>(-1.7);
  for (const Store store : {Store::cached, Store::streaming}) {
    for (ptrdiff_t offset = 0; offset < line; ++offset) {
      for (ptrdiff_t count = 0; count <= 9 * line + 1; ++count) {
        const auto b = random_values<T>(count, 3), c = random_values<T>(count, line - 1 - offset);
        Guarded<T> a(count, offset), copied(count, offset);
        tile.triad(b.span().data(), c.span().data(), a.span().data(), count, scale, store);
        tile.copy(b.span().data(), copied.span().data(), count, store);
        this->expect_triad(b, c, a, scale);
        this->expect_copy(b, copied);
        ASSERT_FALSE(this->HasFailure()) << count << " elements at " << offset;
      }
    }
  }
}

TYPED_TEST(Stream, SameBitsOnEveryBackend) {
  using T = TypeParam;
  const auto beyond = static_cast<ptrdiff_t>(runtime::cache_bytes(3) / sizeof(T) / 2 + 1013);
  for (const ptrdiff_t count : {ptrdiff_t{0}, ptrdiff_t{1}, ptrdiff_t{15}, ptrdiff_t{16}, ptrdiff_t{17}, ptrdiff_t{127},
                                ptrdiff_t{1009}, ptrdiff_t{4096}, ptrdiff_t{65537}, beyond}) {
    const auto b = random_values<T>(count, 1), c = random_values<T>(count, 2);
    for (const Backend& backend : tests::every_backend()) {
      SCOPED_TRACE(std::to_string(count) + " on " + tests::text(backend));
      Guarded<T> a(count, 5), copied(count, 6);
      triad(b.input(), c.input(), a.span(), {.scale = 2.3, .backend = backend});
      copy(b.input(), copied.span(), {.backend = backend});
      this->expect_triad(b, c, a, static_cast<T>(2.3));
      this->expect_copy(b, copied);
      ASSERT_FALSE(this->HasFailure());
    }
  }
}

TYPED_TEST(Stream, AsManyThreadsAsAsked) {
  using T = TypeParam;
  const auto b = random_values<T>(1'000'000);
  Guarded<T> a(1'000'000);
  for (const int threads : {1, 2, 3, 7}) {
    for (const Backend& backend : {Backend(Threads{threads}), Backend(OpenMp{threads})}) {
      if (!is_built(backend)) continue;
      copy(b.input(), a.span(), {.backend = backend});
      EXPECT_EQ(last_run().threads, threads) << tests::text(backend);
      EXPECT_EQ(last_run().backend, name(backend));
    }
  }
  if (is_built(Tbb{})) {
    // oneTBB may leave a thread out of a short call, but not of all.
    int most = 0;
    for (int call = 0; call < 1000 && most < 2; ++call) {
      triad(b.input(), b.input(), a.span(), {.backend = Tbb{2}});
      most = std::max(most, last_run().threads);
    }
    EXPECT_EQ(most, 2);
  }
  // A cache line each at least.
  copy(b.input().first(1), a.span().first(1), {.backend = Threads{2}});
  EXPECT_EQ(last_run().threads, 1);
  EXPECT_EQ(last_run().reason, "as many threads as blocks of work");
}

TYPED_TEST(Stream, TriadInPlace) {
  using T = TypeParam;
  for (const Backend& backend : {Backend(Sequential{}), Backend(Threads{3})}) {
    const auto b = random_values<T>(5003, 1), c = random_values<T>(5003, 2);
    Guarded<T> into_b = b, into_c = c;
    triad(into_b.input(), c.input(), into_b.span(), {.scale = 0.5, .backend = backend});
    triad(b.input(), into_c.input(), into_c.span(), {.scale = 0.5, .backend = backend});
    this->expect_triad(b, c, into_b, T(0.5));
    this->expect_triad(b, c, into_c, T(0.5));
  }
}

TYPED_TEST(Stream, SpecialValues) {
  using T = TypeParam;
  constexpr T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const T tiny = std::numeric_limits<T>::denorm_min();
  const std::vector<T> b = {infinity, 1, nan, 1, -T{0}, tiny, 1}, c = {-infinity, infinity, 1, nan, T{0}, tiny, 0};
  std::vector<T> a(b.size(), 7), copied(b.size(), 7);
  triad(std::span<const T>(b), std::span<const T>(c), std::span<T>(a), {.scale = 1});
  EXPECT_TRUE(std::isnan(a[0]));
  EXPECT_EQ(a[1], infinity);
  EXPECT_TRUE(std::isnan(a[2]));
  EXPECT_TRUE(std::isnan(a[3]));
  EXPECT_EQ(a[4], T{0});
  EXPECT_EQ(a[5], 2 * tiny);
  EXPECT_EQ(a[6], 1);
  copy(std::span<const T>(b), std::span<T>(copied));
  EXPECT_TRUE(tests::same_bits<T>(b, copied));
}

TYPED_TEST(Stream, RejectsWithTheOutputUntouched) {
  using T = TypeParam;
  std::vector<T> memory(100, 7), other(100, 1);
  const std::span<T> a(memory), b(other);
  const auto message = [&](auto call) -> std::string {
    try {
      call();
    } catch (const InvalidArgument& error) {
      EXPECT_EQ(memory, std::vector<T>(100, 7));
      return error.what();
    }
    return "no exception";
  };
  EXPECT_THAT(message([&] { copy(b.first(99), a); }), HasSubstr("copy: in has 99 elements, expected 100"));
  EXPECT_THAT(message([&] { copy(a.first(50), a.last(50).first(50)); }), "no exception");
  EXPECT_THAT(message([&] { copy(a.first(51), a.last(51)); }), HasSubstr("out is written to and shares elements"));
  EXPECT_THAT(message([&] { copy(a, a); }), HasSubstr("shares elements with in"));
  EXPECT_THAT(message([&] { triad(b, b.first(99), a); }), HasSubstr("triad: c has 99 elements, expected 100"));
  EXPECT_THAT(message([&] { triad(a.first(99), b.first(99), a.last(99)); }), HasSubstr("shares elements with b"));
  EXPECT_THAT(message([&] { triad(b.first(99), a.first(99), a.last(99)); }), HasSubstr("shares elements with c"));
  EXPECT_THAT(message([&] { copy(std::span<const T>(static_cast<T*>(nullptr), 100), a); }), HasSubstr("null data"));
  EXPECT_THAT(message([&] { copy(b, a, {.backend = Threads{-1}}); }), HasSubstr("threads is -1"));
  EXPECT_THAT(message([&] { triad(b, b, a, {.backend = OpenMp{1025}}); }), HasSubstr("1025"));
}

TYPED_TEST(Stream, AllocatesNothingOnceWarm) {
  using T = TypeParam;
  const auto b = random_values<T>(100'000);
  Guarded<T> a(100'000);
  tests::expect_warm_calls_allocate_nothing({Automatic{}, Sequential{}, Threads{2}}, [&](const Backend& backend) {
    copy(b.input(), a.span(), {.backend = backend});
    triad(b.input(), b.input(), a.span(), {.backend = backend});
  });
}

}  // namespace
}  // namespace speedwell
