// SPDX-License-Identifier: Apache-2.0
#include <speedwell/inclusive_scan.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include "kernels/inclusive_scan/inclusive_scan_blocks.hpp"
#include "runtime/built.hpp"
#include "runtime/caches.hpp"
#include "tests/allocations.hpp"
#include "tests/every_backend.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;
using testing::AllOf;
using testing::HasSubstr;
using tests::Guarded;

template <class T>
using Arithmetic =
    typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;

constexpr ptrdiff_t row = 16;
template <class T>
constexpr ptrdiff_t chunk = 16384 / sizeof(T);
template <class T>
constexpr ptrdiff_t columns = 256 / sizeof(T);
// What is streamed begins at a multiple of so many elements.
template <class T>
constexpr ptrdiff_t aligned = 16 / sizeof(T);

template <class T>
void fill(std::span<T> values) {
  if constexpr (std::is_integral_v<T>) {
    for (T& value : values) value = static_cast<T>(tests::generator()());
  } else {
    // Magnitudes that differ much, so that another order gives other bits.
    std::uniform_real_distribution<T> mantissa(-1, 1);
    std::uniform_int_distribution<int> exponent(-10, 10);
    for (T& value : values) value = std::ldexp(mantissa(tests::generator()), exponent(tests::generator()));
  }
}

// The order that the header states, by plain loops.
template <class T>
std::vector<T> in_order(std::span<const T> values) {
  using A = Arithmetic<T>;
  const auto n = static_cast<ptrdiff_t>(values.size());
  const auto at = [&](ptrdiff_t i) { return i < n ? static_cast<A>(values[static_cast<std::size_t>(i)]) : A{0}; };
  std::vector<T> out(values.size());
  A offset = 0;
  for (ptrdiff_t first = 0; first < n; first += chunk<T>) {
    A carry = offset;
    for (ptrdiff_t r = first; r < std::min(first + chunk<T>, n); r += row) {
      A prefix[row];
      for (ptrdiff_t i = 0; i < row; ++i) prefix[i] = at(r + i);
      for (ptrdiff_t half = 1; half < row; half *= 2) {
        for (ptrdiff_t i = 0; i < row; ++i) {
          if ((i & half) != 0) prefix[i] += prefix[(i & ~(2 * half - 1)) + half - 1];
        }
      }
      for (ptrdiff_t i = 0; i < row && r + i < n; ++i) {
        out[static_cast<std::size_t>(r + i)] = static_cast<T>(carry + prefix[i]);
      }
      carry += prefix[row - 1];
    }
    A sums[columns<T>] = {};
    for (ptrdiff_t i = 0; i < chunk<T>; ++i) {
      if (i < columns<T>) {
        sums[i] = at(first + i);
      } else {
        sums[i % columns<T>] += at(first + i);
      }
    }
    for (ptrdiff_t half = columns<T> / 2; half > 0; half /= 2) {
      for (ptrdiff_t i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    offset += sums[0];
  }
  return out;
}

// Index of the first element that differs, in bits unless both are NaN; -1 if there is none.
template <class T>
ptrdiff_t first_difference(std::span<const T> a, std::span<const T> b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool both_nan = a[i] != a[i] && b[i] != b[i];
    if (!both_nan && !tests::same_bits(a.subspan(i, 1), b.subspan(i, 1))) return static_cast<ptrdiff_t>(i);
  }
  return -1;
}

template <class T>
class InclusiveScan : public testing::Test {
 protected:
  static constexpr ptrdiff_t chunk = speedwell::chunk<T>;

  void SetUp() override { tests::seed(); }

  static Guarded<T> random(ptrdiff_t count, ptrdiff_t offset = 0) {
    Guarded<T> values(count, offset);
    fill(values.span());
    return values;
  }

  static void expect_scan(const Guarded<T>& in, std::span<const T> expected, const Backend& backend,
                          ptrdiff_t out_offset = 0) {
    Guarded<T> out(in.size(), out_offset);
    inclusive_scan(in.span(), out.span(), {.backend = backend});
    const std::span<const T> got = out.input();
    ASSERT_EQ(first_difference(got, expected), -1) << in.size() << " elements, " << tests::text(backend);
    ASSERT_TRUE(out.guards_intact()) << in.size() << " elements, " << tests::text(backend);
  }

  // With the parts and the way to memory chosen here, whatever the caches would suggest.
  template <class Model>
  static void expect_blocks(Model model, const Guarded<T>& in, std::span<const T> expected, ptrdiff_t width,
                            bool streamed, ptrdiff_t out_offset = 0) {
    using A = Arithmetic<T>;
    Guarded<T> out(in.size(), out_offset);
    std::vector<A> sums(static_cast<std::size_t>(width));
    InclusiveScanBlocks<A> blocks({reinterpret_cast<const A*>(in.span().data()),
                                   reinterpret_cast<A*>(out.span().data()), in.size(), width, streamed, sums.data()});
    inclusive_scan_on(model, blocks);
    const std::span<const T> got = out.input();
    ASSERT_EQ(first_difference(got, expected), -1)
        << in.size() << " elements, " << Model::name << ", parts of " << width << ", streamed " << streamed;
    ASSERT_TRUE(out.guards_intact()) << in.size() << " elements, " << Model::name << ", streamed " << streamed;
  }
};

using Elements = testing::Types<float, double, std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(InclusiveScan, Elements, );

TYPED_TEST(InclusiveScan, EverySmallSize) {
  for (ptrdiff_t count = 0; count <= 10 * row; ++count) {
    const auto in = this->random(count);
    const auto expected = in_order(in.span());
    this->expect_scan(in, expected, Automatic{});
    if (count > 0) this->expect_blocks(Sequential{}, in, expected, 1, true);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(InclusiveScan, EveryEdge) {
  using T = TypeParam;
  std::vector<ptrdiff_t> edges;
  for (const ptrdiff_t chunks : {0, 1, 2, 5}) {
    for (const ptrdiff_t more : {ptrdiff_t{0}, row, 2 * row, 4 * row, columns<T>, 12 * row}) {
      edges.push_back(chunks * this->chunk + more);
    }
  }
  for (const ptrdiff_t edge : edges) {
    for (ptrdiff_t count = edge - 1; count <= edge + 1; ++count) {
      if (count <= 0) continue;
      const auto in = this->random(count);
      const auto expected = in_order(in.span());
      this->expect_scan(in, expected, Sequential{});
      for (const ptrdiff_t width : {1, 2, 3, 8}) {
        for (const bool streamed : {false, true}) this->expect_blocks(Sequential{}, in, expected, width, streamed, 4);
      }
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(InclusiveScan, EveryAlignment) {
  using T = TypeParam;
  constexpr ptrdiff_t line = 64 / sizeof(T);
  for (ptrdiff_t in_offset = 0; in_offset < line; ++in_offset) {
    const auto in = this->random(this->chunk + 9 * row + 5, in_offset);
    const auto expected = in_order(in.span());
    for (ptrdiff_t out_offset = 0; out_offset < line; ++out_offset) {
      this->expect_scan(in, expected, Sequential{}, out_offset);
      if (out_offset % aligned<T> == 0) this->expect_blocks(Sequential{}, in, expected, 1, true, out_offset);
      if (this->HasFatalFailure()) return;
    }
  }
}

// Fewer elements than the rest of a cache line, or than are needed to reach one.
TYPED_TEST(InclusiveScan, FewElementsStreamedAtEveryAlignment) {
  constexpr ptrdiff_t line = 64 / sizeof(TypeParam);
  for (ptrdiff_t count = 1; count <= 3 * line; ++count) {
    const auto in = this->random(count);
    const auto expected = in_order(in.span());
    for (ptrdiff_t out_offset = 0; out_offset < line; out_offset += aligned<TypeParam>) {
      this->expect_blocks(Sequential{}, in, expected, 1, true, out_offset);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(InclusiveScan, TheSameBitsOnEveryBackend) {
  for (const ptrdiff_t count :
       {ptrdiff_t{1}, 2 * this->chunk, 3 * this->chunk + 7, ptrdiff_t{100'003}, ptrdiff_t{1'000'003}}) {
    const auto in = this->random(count, 3);
    const auto expected = in_order(in.span());
    for (const Backend& backend : tests::every_backend()) {
      this->expect_scan(in, expected, backend, 5);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(InclusiveScan, TheSameBitsWhateverTheParts) {
  const auto in = this->random(23 * this->chunk + 1234, 1);
  const auto expected = in_order(in.span());
  const auto check = [&](auto model) {
    for (const ptrdiff_t width : {1, 2, 3, 5, 8, 12, 23, 24, 100}) {
      for (const bool streamed : {false, true}) {
        this->expect_blocks(model, in, expected, width, streamed, 4);
        if (this->HasFatalFailure()) return;
      }
    }
  };
  check(Sequential{});
  for (const int threads : {1, 2, 3}) {
    check(Threads{threads});
    if constexpr (runtime::built<OpenMp>) check(OpenMp{threads});
    if constexpr (runtime::built<Tbb>) check(Tbb{threads});
  }
}

// Large enough to be streamed by itself, if `out` is aligned for it.
TYPED_TEST(InclusiveScan, BeyondTheCaches) {
  if (machine().caches.empty()) GTEST_SKIP() << "this machine doesn't tell its caches";
  using T = TypeParam;
  const auto last = static_cast<ptrdiff_t>(std::max(runtime::cache_bytes(2), runtime::cache_bytes(3)));
  if (last > (ptrdiff_t{64} << 20)) GTEST_SKIP() << "it would take " << 3 * last << " bytes";
  const auto in = this->random(last / ptrdiff_t{2 * sizeof(T)} + 1234, 1);
  ASSERT_TRUE(runtime::beyond_caches(2.0 * static_cast<double>(in.span().size_bytes())));
  const auto expected = in_order(in.span());
  for (const Backend& backend : {Backend(Automatic{}), Backend(Sequential{}), Backend(Threads{2})}) {
    for (const ptrdiff_t out_offset : {1, 4}) this->expect_scan(in, expected, backend, out_offset);
  }
}

TYPED_TEST(InclusiveScan, InPlace) {
  for (const ptrdiff_t count : {ptrdiff_t{1}, ptrdiff_t{17}, this->chunk + 1, ptrdiff_t{200'003}}) {
    const auto in = this->random(count, 3);
    const auto expected = in_order(in.span());
    for (const Backend& backend : tests::every_backend()) {
      auto values = in;
      inclusive_scan(values.span(), values.span(), {.backend = backend});
      const std::span<const TypeParam> got = values.input();
      ASSERT_EQ(first_difference<TypeParam>(got, expected), -1) << count << " elements, " << tests::text(backend);
      ASSERT_TRUE(values.guards_intact());
    }
  }
}

// Integers exactly, modulo 2^32 or 2^64; floats within what the header says.
TYPED_TEST(InclusiveScan, IsTheSum) {
  using T = TypeParam;
  const auto in = this->random(300'007);
  Guarded<T> out(in.size());
  inclusive_scan(in.span(), out.span(), {.backend = Threads{2}});
  if constexpr (std::is_integral_v<T>) {
    Arithmetic<T> sum = 0;
    for (ptrdiff_t i = 0; i < in.size(); ++i) {
      sum += static_cast<Arithmetic<T>>(in[i]);
      ASSERT_EQ(out[i], static_cast<T>(sum)) << i;
    }
  } else {
    long double sum = 0, magnitude = 0;
    for (ptrdiff_t i = 0; i < in.size(); ++i) {
      sum += in[i];
      magnitude += std::abs(in[i]);
      const auto additions = static_cast<long double>(i / this->chunk) + (sizeof(T) == 4 ? 336 : 200);
      const long double e = additions * std::numeric_limits<T>::epsilon() / 2;
      ASSERT_LE(std::abs(out[i] - sum), e * magnitude) << i;
    }
  }
}

TYPED_TEST(InclusiveScan, AsManyThreadsAsAreAskedFor) {
  const auto in = this->random(40 * this->chunk);
  Guarded<TypeParam> out(in.size());
  for (const int threads : {2, 3}) {
    for (const Backend& backend : {Backend(Threads{threads}), Backend(OpenMp{threads}), Backend(Tbb{threads})}) {
      if (!is_built(backend)) continue;
      // On a busy machine a thread may come when the work is done; the pool's and OpenMP's always get some.
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      LastRun run;
      do {
        inclusive_scan(in.span(), out.span(), {.backend = backend});
        run = last_run();
        EXPECT_EQ(run.backend, name(backend));
      } while (run.threads < threads && std::chrono::steady_clock::now() < deadline);
      EXPECT_EQ(run.threads, threads) << tests::text(backend) << ": " << run.reason;
    }
  }
  inclusive_scan(in.span(), out.span(), {.backend = Sequential{}});
  EXPECT_EQ(last_run().backend, "sequential");
  EXPECT_EQ(last_run().threads, 1);
}

TYPED_TEST(InclusiveScan, NoMoreThreadsThanChunks) {
  const auto in = this->random(2 * this->chunk);
  Guarded<TypeParam> out(in.size());
  inclusive_scan(in.span(), out.span(), {.backend = Threads{5}});
  EXPECT_EQ(last_run().threads, 2);
  EXPECT_EQ(last_run().reason, "as many threads as blocks of work");
  inclusive_scan(in.input().first(1), out.span().first(1), {.backend = Threads{5}});
  EXPECT_EQ(last_run().threads, 1);
}

TYPED_TEST(InclusiveScan, ManyCallersAtOnce) {
  const auto in = this->random(10 * this->chunk + 77);
  const auto expected = in_order(in.span());
  const std::vector<Backend> backends = tests::every_backend();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      Guarded<TypeParam> out(in.size());
      for (std::size_t i = 0; i < backends.size(); ++i) {
        inclusive_scan(in.span(), out.span(), {.backend = backends[(caller * 3 + i) % backends.size()]});
        const std::span<const TypeParam> got = out.input();
        wrong += first_difference<TypeParam>(got, expected) != -1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TYPED_TEST(InclusiveScan, AWarmCallAllocatesNothing) {
  using T = TypeParam;
  const auto in = this->random(20 * this->chunk);
  Guarded<T> out(in.size());
  for (const std::size_t count : {std::size_t{1000}, in.span().size()}) {
    SCOPED_TRACE(count);
    tests::expect_warm_calls_allocate_nothing({Automatic{}, Sequential{}, Threads{2}}, [&](const Backend& backend) {
      inclusive_scan(in.span().first(count), out.span().first(count), {.backend = backend});
    });
  }
}

template <class T>
class InclusiveScanOfFloats : public InclusiveScan<T> {
 protected:
  // On every path: sequential or parallel, through the caches or past them.
  static void expect_everywhere(const Guarded<T>& in) {
    const auto expected = in_order(in.span());
    for (const Backend& backend : tests::every_backend()) InclusiveScan<T>::expect_scan(in, expected, backend);
    InclusiveScan<T>::expect_blocks(Sequential{}, in, expected, 1, true);
  }
};

using Floats = testing::Types<float, double>;
TYPED_TEST_SUITE(InclusiveScanOfFloats, Floats, );

TYPED_TEST(InclusiveScanOfFloats, NanAndInfinityHoldFromWhereTheyAre) {
  using T = TypeParam;
  const T infinity = std::numeric_limits<T>::infinity();
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const ptrdiff_t count = 3 * this->chunk + 5;
  for (const ptrdiff_t where : {ptrdiff_t{0}, ptrdiff_t{1}, ptrdiff_t{7}, ptrdiff_t{15}, ptrdiff_t{16}, ptrdiff_t{100},
                                this->chunk - 1, this->chunk, 2 * this->chunk + 33, count - 1}) {
    for (const T special : {nan, infinity, -infinity}) {
      auto in = this->random(count);
      in[where] = special;
      this->expect_everywhere(in);
      Guarded<T> out(count);
      inclusive_scan(in.span(), out.span(), {.backend = Threads{2}});
      for (ptrdiff_t i = 0; i < count; ++i) {
        const bool right = i < where            ? std::isfinite(out[i])
                           : special != special ? std::isnan(out[i])
                                                : out[i] == special;
        ASSERT_TRUE(right) << "element " << i << " is " << out[i] << " with " << special << " at " << where;
      }
      if (this->HasFatalFailure()) return;
    }
  }
  auto in = this->random(count);
  in[20] = infinity;
  in[this->chunk + 3] = -infinity;
  this->expect_everywhere(in);
  Guarded<T> out(count);
  inclusive_scan(in.span(), out.span());
  EXPECT_EQ(out[this->chunk + 2], infinity);
  EXPECT_TRUE(std::isnan(out[this->chunk + 3]));
}

TYPED_TEST(InclusiveScanOfFloats, NegativeZerosAndDenormals) {
  using T = TypeParam;
  Guarded<T> zeros(2 * this->chunk + 3);
  for (T& value : zeros.span()) value = -T{0};
  this->expect_everywhere(zeros);
  Guarded<T> out(zeros.size());
  inclusive_scan(zeros.span(), out.span());
  for (const T value : out.span()) ASSERT_FALSE(std::signbit(value));

  Guarded<T> tiny(2 * this->chunk + 3);
  for (T& value : tiny.span()) value = std::numeric_limits<T>::denorm_min();
  inclusive_scan(tiny.span(), out.span(), {.backend = Threads{2}});
  for (ptrdiff_t i = 0; i < tiny.size(); ++i) {
    ASSERT_EQ(out[i], static_cast<T>(i + 1) * std::numeric_limits<T>::denorm_min());
  }
}

TYPED_TEST(InclusiveScanOfFloats, NeverDecreasesWithinAChunk) {
  using T = TypeParam;
  auto in = this->random(4 * this->chunk);
  for (T& value : in.span()) value = std::abs(value);
  Guarded<T> out(in.size());
  inclusive_scan(in.span(), out.span());
  for (ptrdiff_t i = 1; i < in.size(); ++i) {
    ASSERT_TRUE(i % this->chunk == 0 || out[i] >= out[i - 1]) << i;
  }
}

// Bad input: what was given and what was expected, and `out` untouched.
template <class Message>
void expect_rejected(std::span<const float> in, std::span<float> out, const std::vector<float>& memory, Message message,
                     const Backend& backend = Automatic{}) {
  const std::vector<float> before = memory;
  try {
    inclusive_scan(in, out, {.backend = backend});
    ADD_FAILURE() << "no exception";
  } catch (const InvalidArgument& error) {
    EXPECT_THAT(std::string(error.what()), AllOf(HasSubstr("inclusive_scan"), message));
  }
  EXPECT_EQ(memory, before);
}

TEST(InclusiveScanRejects, SizesThatDiffer) {
  std::vector<float> memory(100, 3);
  const std::span<float> all(memory);
  expect_rejected(all.first(40), all.subspan(50, 41), memory, AllOf(HasSubstr("40"), HasSubstr("41")));
  expect_rejected(all.first(40), all.subspan(50, 0), memory, AllOf(HasSubstr("out has 0"), HasSubstr("40")));
}

TEST(InclusiveScanRejects, PartialOverlap) {
  std::vector<float> memory(100, 3);
  const std::span<float> all(memory);
  expect_rejected(all.first(40), all.subspan(1, 40), memory, AllOf(HasSubstr("out"), HasSubstr("in")));
  expect_rejected(all.subspan(1, 40), all.first(40), memory, AllOf(HasSubstr("out"), HasSubstr("in")));
  expect_rejected(all.first(40), all.subspan(39, 40), memory, AllOf(HasSubstr("out"), HasSubstr("in")));
  inclusive_scan(all.first(40), all.subspan(40, 40));
}

TEST(InclusiveScanRejects, NullDataAndThreadCounts) {
  std::vector<float> memory(100, 3);
  const std::span<float> all(memory);
  expect_rejected({static_cast<const float*>(nullptr), 10}, all.first(10), memory, HasSubstr("null"));
  expect_rejected(all.first(10), {static_cast<float*>(nullptr), 10}, memory, HasSubstr("null"));
  for (const int threads : {-1, 1025}) {
    for (const Backend& backend : {Backend(Threads{threads}), Backend(OpenMp{threads}), Backend(Tbb{threads})}) {
      if (!is_built(backend)) continue;
      EXPECT_THROW(inclusive_scan(all.first(40), all.subspan(50, 40), {.backend = backend}), InvalidArgument);
      EXPECT_THROW(inclusive_scan(all.first(0), all.first(0), {.backend = backend}), InvalidArgument);
    }
  }
  for (const Backend& backend : {Backend(OpenMp{2}), Backend(Tbb{2})}) {
    if (is_built(backend)) continue;
    EXPECT_THROW(inclusive_scan(all.first(40), all.subspan(50, 40), {.backend = backend}), InvalidArgument);
  }
  EXPECT_THAT(memory, testing::Each(3.0F));
}

TEST(InclusiveScanRejects, NothingThatIsEmpty) {
  inclusive_scan(std::span<const double>(), std::span<double>(), {.backend = Threads{2}});
  EXPECT_EQ(last_run().threads, 0);
}

}  // namespace
}  // namespace speedwell
