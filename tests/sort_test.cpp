// SPDX-License-Identifier: Apache-2.0
#include <speedwell/sort.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include "kernels/sort/pivot_places.hpp"
#include "kernels/sort/quicksort_tile.hpp"
#include "kernels/sort/sample_sort.hpp"
#include "runtime/picker/picker.hpp"
#include "runtime/workspace.hpp"
#include "tests/allocations.hpp"
#include "tests/every_backend.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;
using testing::AllOf;
using testing::HasSubstr;
using tests::Guarded;

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

// The order that the header documents, said another way than the kernel does.
template <class T>
bool before(T a, T b) {
  if constexpr (std::integral<T>) {
    return a < b;
  } else {
    const bool a_nan = std::isnan(a), b_nan = std::isnan(b);
    if (!a_nan && !b_nan) return a < b || (a == b && std::signbit(a) && !std::signbit(b));
    if (a_nan != b_nan) return b_nan;
    if (std::signbit(a) != std::signbit(b)) return std::signbit(b);
    const auto a_bits = std::bit_cast<BitsOf<T>>(a), b_bits = std::bit_cast<BitsOf<T>>(b);
    return std::signbit(a) ? a_bits > b_bits : a_bits < b_bits;
  }
}

template <class T>
T random_bits() {
  return std::bit_cast<T>(static_cast<BitsOf<T>>(tests::generator()()));
}

// Keys of every kind: all bit patterns, of which few are NaN, and now and then one of the extremes.
template <class T>
T any_key() {
  using Limits = std::numeric_limits<T>;
  const auto dice = tests::generator()() % 64;
  if (dice == 0) return Limits::max();
  if (dice == 1) return Limits::lowest();
  if constexpr (std::floating_point<T>) {
    // A random bit, or a NaN or infinity with any payload and sign.
    if (dice == 2) return T{0};
    if (dice == 3) return -T{0};
    if (dice == 4) return Limits::infinity();
    if (dice == 5) return -Limits::infinity();
    if (dice < 12) {
      const auto exponent = std::bit_cast<BitsOf<T>>(Limits::infinity());
      return std::bit_cast<T>(static_cast<BitsOf<T>>(std::bit_cast<BitsOf<T>>(random_bits<T>()) | exponent));
    }
    if (dice == 12) return std::bit_cast<T>(~BitsOf<T>{0});
  }
  return random_bits<T>();
}

// A key for each number, rising with it.
template <class T>
T nth(ptrdiff_t i) {
  if constexpr (std::unsigned_integral<T>) return static_cast<T>(i) + (T{1} << (8 * sizeof(T) - 1)) - 1000;
  return static_cast<T>(i - 1000);
}

template <class T>
struct Pattern {
  const char* name;
  std::function<T(ptrdiff_t i, ptrdiff_t n)> key;
};

template <class T>
std::vector<Pattern<T>> patterns() {
  using Limits = std::numeric_limits<T>;
  const auto random = [](ptrdiff_t below) {
    return static_cast<ptrdiff_t>(tests::generator()() % static_cast<std::uint64_t>(below));
  };
  const T outlier = any_key<T>(), one = any_key<T>(), two = any_key<T>();
  std::array<T, 16> few;
  for (T& key : few) key = any_key<T>();
  return {
      {"random", [](ptrdiff_t, ptrdiff_t) { return any_key<T>(); }},
      {"sorted", [](ptrdiff_t i, ptrdiff_t) { return nth<T>(i / 3); }},
      {"reversed", [](ptrdiff_t i, ptrdiff_t n) { return nth<T>((n - i) / 2); }},
      {"organ pipe", [](ptrdiff_t i, ptrdiff_t n) { return nth<T>(std::min(i, n - i)); }},
      {"sawtooth", [](ptrdiff_t i, ptrdiff_t) { return nth<T>(i % 37); }},
      {"long sawtooth", [](ptrdiff_t i, ptrdiff_t) { return nth<T>(i % 4096); }},
      {"few unique", [few](ptrdiff_t i, ptrdiff_t) { return few[static_cast<std::size_t>(i * i % 31 % 16)]; }},
      {"all equal", [one](ptrdiff_t, ptrdiff_t) { return one; }},
      {"all lowest", [](ptrdiff_t, ptrdiff_t) { return Limits::lowest(); }},
      {"all highest", [](ptrdiff_t, ptrdiff_t) { return Limits::max(); }},
      {"extremes", [random](ptrdiff_t, ptrdiff_t) { return random(2) != 0 ? Limits::lowest() : Limits::max(); }},
      {"two heavy", [=](ptrdiff_t, ptrdiff_t) { return random(20) == 0  ? any_key<T>()
                                                       : random(3) == 0 ? one
                                                                        : two; }},
      {"neighbours", [random](ptrdiff_t, ptrdiff_t) { return nth<T>(500 + random(3)); }},
      {"sorted, one outlier", [=](ptrdiff_t i, ptrdiff_t n) { return i == n * 2 / 3 ? outlier : nth<T>(i); }},
      {"equal, one outlier", [=](ptrdiff_t i, ptrdiff_t n) { return i == n * 2 / 3 ? outlier : nth<T>(7); }},
      {"sorted, last first", [](ptrdiff_t i, ptrdiff_t n) { return nth<T>(i == n - 1 ? 0 : i + 1); }},
      {"bits", [random](ptrdiff_t, ptrdiff_t) { return nth<T>(ptrdiff_t{1} << random(30)); }},
  };
}

template <class T>
class Sort : public testing::Test {
 protected:
  static std::vector<T> make(const Pattern<T>& pattern, ptrdiff_t n) {
    std::vector<T> keys(static_cast<std::size_t>(n));
    for (ptrdiff_t i = 0; i < n; ++i) keys[static_cast<std::size_t>(i)] = pattern.key(i, n);
    return keys;
  }

  // In place and from one array to another.
  static void check(const std::vector<T>& keys, const std::vector<Backend>& backends, ptrdiff_t offset = 0) {
    std::vector<T> expected = keys;
    std::sort(expected.begin(), expected.end(), before<T>);
    const auto n = std::ssize(keys);
    for (const Backend& backend : backends) {
      SCOPED_TRACE(tests::text(backend) + ", " + std::to_string(n) + " keys");
      Guarded<T> in_place(n, offset), in(n, offset + 1), out(n, offset + 3);
      std::copy(keys.begin(), keys.end(), in_place.span().begin());
      std::copy(keys.begin(), keys.end(), in.span().begin());
      sort(in_place.span(), {.backend = backend});
      ASSERT_TRUE(tests::same_bits<T>(in_place.input(), expected)) << first_difference(in_place, expected);
      sort(in.input(), out.span(), {.backend = backend});
      ASSERT_TRUE(tests::same_bits<T>(out.input(), expected)) << first_difference(out, expected);
      ASSERT_TRUE(tests::same_bits<T>(in.input(), keys)) << "the input changed";
      ASSERT_TRUE(in_place.guards_intact() && in.guards_intact() && out.guards_intact());
    }
  }

  static std::string first_difference(const Guarded<T>& got, const std::vector<T>& expected) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const T key = got[static_cast<ptrdiff_t>(i)];
      if (std::memcmp(&key, &expected[i], sizeof(T)) == 0) continue;
      return "key " + std::to_string(i) + " is " + std::to_string(key) + ", expected " + std::to_string(expected[i]);
    }
    return {};
  }

  static void check_patterns(ptrdiff_t n, const std::vector<Backend>& backends) {
    for (const Pattern<T>& pattern : patterns<T>()) {
      SCOPED_TRACE(pattern.name);
      check(make(pattern, n), backends, n);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
};

using Keys = testing::Types<float, double, std::int32_t, std::uint32_t, std::int64_t, std::uint64_t>;
TYPED_TEST_SUITE(Sort, Keys, );

TYPED_TEST(Sort, EverySmallSize) {
  for (ptrdiff_t n = 0; n <= 300; ++n) {
    this->check(this->make(patterns<TypeParam>()[0], n), {Sequential{}}, n);
    if (n % 16 < 2) this->check_patterns(n, {Sequential{}});
    if (this->HasFatalFailure()) return;
  }
}

// What the network takes, where pivots come from a larger sample, from where there is work for 1, 2 and 3 threads.
TYPED_TEST(Sort, EveryThreshold) {
  const std::vector<Backend> backends = {Sequential{}, Threads{2}, Threads{3}};
  for (const ptrdiff_t size : {1024, 2048, 3072, 4096}) {
    for (const ptrdiff_t n : {size - 1, size, size + 1}) {
      this->check_patterns(n, backends);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(Sort, EveryPatternOnEveryBackend) { this->check_patterns(10'007, tests::every_backend()); }

// 16 buckets, or 256 where there are more than 4 threads and 2^14 keys; blocks of 2^16 keys.
TYPED_TEST(Sort, LargeSizes) {
  const std::vector<Backend> backends = {Sequential{}, OpenMp{2}, Tbb{3}, Threads{5}};
  std::vector<Backend> built;
  std::copy_if(backends.begin(), backends.end(), std::back_inserter(built), is_built);
  const auto all = patterns<TypeParam>();
  for (const ptrdiff_t n : {16'383, 16'384, 16'385, 140'003}) {
    for (const std::size_t pattern : {0, 1, 2, 6, 11}) {
      SCOPED_TRACE(all[pattern].name);
      this->check(this->make(all[pattern], n), built);
      if (this->HasFatalFailure()) return;
    }
  }
}

// What one thread does with keys that are too many for a test, and calls that other calls leave one thread.
TYPED_TEST(Sort, OneThreadSortsByBucketsToo) {
  using T = TypeParam;
  constexpr ptrdiff_t n = 20'011;
  for (const ptrdiff_t bytes_a_bucket : {1 << 10, 1 << 20}) {
    const SampleSortShape shape(n, sizeof(T), bytes_a_bucket, 1);
    EXPECT_EQ(shape.buckets(), bytes_a_bucket == 1 << 10 ? 256 : 16);
    const runtime::LeasedBuffer memory(shape.bytes());
    for (const Pattern<T>& pattern : patterns<T>()) {
      SCOPED_TRACE(pattern.name);
      const std::vector<T> keys = this->make(pattern, n);
      std::vector<T> expected = keys, in_place = keys, out(keys.size());
      std::sort(expected.begin(), expected.end(), before<T>);
      runtime::Participants participants;
      SampleSort<T> into(keys.data(), out.data(), shape, memory.data(), participants);
      sort_on(Sequential{}, into);
      ASSERT_TRUE(tests::same_bits<T>(out, expected));
      SampleSort<T> itself(in_place.data(), in_place.data(), shape, memory.data(), participants);
      sort_on(Sequential{}, itself);
      ASSERT_TRUE(tests::same_bits<T>(in_place, expected));
      EXPECT_EQ(participants.count(), 1);
    }
  }
}

TYPED_TEST(Sort, EveryAlignment) {
  for (ptrdiff_t offset = 0; offset < 16; ++offset) {
    for (const ptrdiff_t n : {5, 100, 1000, 5000}) {
      this->check(this->make(patterns<TypeParam>()[0], n), {Sequential{}, Threads{2}}, offset);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(Sort, RandomSizesAndPatterns) {
  const auto all = patterns<TypeParam>();
  const auto backends = tests::every_backend();
  for (int i = 0; i < 300; ++i) {
    auto& random = tests::generator();
    const auto n = static_cast<ptrdiff_t>(std::exp2(static_cast<double>(random() % 1400) / 100));
    const Pattern<TypeParam>& pattern = all[random() % all.size()];
    SCOPED_TRACE(pattern.name);
    this->check(this->make(pattern, n), {backends[random() % backends.size()]}, i);
    if (this->HasFatalFailure()) return;
  }
}

// All keys that a float can be close to the places where its bits change sign or meaning.
TYPED_TEST(Sort, TheOrderIsTheOneDocumented) {
  using T = TypeParam;
  if constexpr (std::floating_point<T>) {
    using Bits = BitsOf<T>;
    using Limits = std::numeric_limits<T>;
    const auto nan = [](Bits payload, bool negative) {
      const Bits sign = negative ? Bits{1} << (8 * sizeof(T) - 1) : 0;
      return std::bit_cast<T>(static_cast<Bits>(std::bit_cast<Bits>(Limits::infinity()) + payload + sign));
    };
    const Bits most = (std::bit_cast<Bits>(Limits::infinity()) << 1 >> 1 ^ (~Bits{0} >> 1));
    const std::vector<T> expected = {-Limits::infinity(),
                                     Limits::lowest(),
                                     T{-1},
                                     -Limits::min(),
                                     -Limits::denorm_min(),
                                     -T{0},
                                     T{0},
                                     Limits::denorm_min(),
                                     Limits::min(),
                                     T{1},
                                     Limits::max(),
                                     Limits::infinity(),
                                     nan(1, false),
                                     nan(2, false),
                                     nan(most, false),
                                     nan(most, true),
                                     nan(2, true),
                                     nan(1, true)};
    std::vector<T> keys = expected;
    for (int i = 0; i < 100; ++i) {
      std::shuffle(keys.begin(), keys.end(), tests::generator());
      sort(std::span<T>(keys));
      ASSERT_TRUE(tests::same_bits<T>(keys, expected));
    }
  } else {
    using Limits = std::numeric_limits<T>;
    std::vector<T> keys = {T{3}, Limits::max(), T(-1), Limits::min(), T{0}, T{1}};
    sort(std::span<T>(keys));
    EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
    EXPECT_EQ(keys.front(), Limits::min());
    EXPECT_EQ(keys.back(), Limits::max());
  }
}

TYPED_TEST(Sort, TheSameArrayAsInputAndOutputIsInPlace) {
  using T = TypeParam;
  for (const ptrdiff_t n : {100, 10'000}) {
    std::vector<T> keys = this->make(patterns<T>()[0], n);
    std::vector<T> expected = keys;
    std::sort(expected.begin(), expected.end(), before<T>);
    sort(std::span<const T>(keys), std::span<T>(keys), {.backend = Threads{2}});
    EXPECT_TRUE(tests::same_bits<T>(keys, expected));
  }
}

// McIlroy's adversary ("A Killer Adversary for Quicksort", 1999), which may know where pivots are looked for: the keys
// there are the lowest that are left, so that each level takes a few keys off.
std::vector<ptrdiff_t> ranks_with_bad_pivots(ptrdiff_t n) {
  std::vector<ptrdiff_t> rank(static_cast<std::size_t>(n), -1);
  std::vector<std::size_t> left(rank.size());
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
  ptrdiff_t next_rank = 0;
  PivotPlaces places;
  while (std::ssize(left) >= PivotPlaces::large) {
    std::vector<ptrdiff_t> sample;
    for (ptrdiff_t k = 0; k < PivotPlaces::samples; ++k) {
      ptrdiff_t& here = rank[left[static_cast<std::size_t>(places.next(std::ssize(left)))]];
      if (here < 0) here = next_rank++;
      sample.push_back(here);
    }
    std::sort(sample.begin(), sample.end());
    const ptrdiff_t pivot = sample[sample.size() / 2];
    std::erase_if(left, [&](std::size_t i) { return rank[i] >= 0 && rank[i] <= pivot; });
  }
  for (ptrdiff_t& each : rank) {
    if (each < 0) each = next_rank++;
  }
  return rank;
}

TYPED_TEST(Sort, BadPivotsAreGivenUp) {
  using T = TypeParam;
  constexpr ptrdiff_t n = 20'000;
  std::vector<T> keys;
  for (const ptrdiff_t rank : ranks_with_bad_pivots(n)) keys.push_back(nth<T>(rank));
  this->check(keys, {Sequential{}, Automatic{}});
  // From scratch memory, as the buckets of a sample sort are.
  using Key = OrderedKeyOf<T>;
  std::vector<Key> scratch(n), home(n);
  for (std::size_t i = 0; i < keys.size(); ++i) scratch[i].value = KeyOrder<T>::key(keys[i]);
  quicksort_tile<OrderedInt<T>>()(home.data(), scratch.data(), n, true);
  for (ptrdiff_t i = 0; i < n; ++i) ASSERT_EQ(KeyOrder<T>::value(home[static_cast<std::size_t>(i)].value), nth<T>(i));
}

TYPED_TEST(Sort, AsManyThreadsAsAskedTakePart) {
  using T = TypeParam;
  for (const std::size_t pattern : {0, 1, 2}) {
    for (const int threads : {1, 2, 3}) {
      for (const Backend backend : {Backend(Threads{threads}), Backend(OpenMp{threads}), Backend(Tbb{threads})}) {
        if (!is_built(backend)) continue;
        SCOPED_TRACE(tests::text(backend));
        // A busy machine may keep a thread from a core until the others have done everything, time after time, if that
        // takes less than a scheduler's slice. So there are more and more keys.
        LastRun run;
        ptrdiff_t n = 100'000;
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        do {
          const std::vector<T> keys = this->make(patterns<T>()[pattern], n);
          std::vector<T> out(keys.size());
          for (int attempt = 0; attempt < 4 && run.threads < threads; ++attempt) {
            sort(std::span<const T>(keys), std::span<T>(out), {.backend = backend});
            run = last_run();
            ASSERT_EQ(run.backend, name(backend));
            ASSERT_LE(run.threads, threads);
          }
          n = std::min<ptrdiff_t>(2 * n, 4'000'000);
        } while (run.threads < threads && std::chrono::steady_clock::now() < deadline);
        ASSERT_EQ(run.threads, threads) << run.reason;
      }
    }
  }
  std::vector<T> few(4096);
  sort(std::span<T>(few), {.backend = Sequential{}});
  EXPECT_EQ(last_run().backend, "sequential");
  EXPECT_EQ(last_run().threads, 1);
  sort(std::span<T>(few).first(2047), {.backend = Threads{2}});
  EXPECT_EQ(last_run().threads, 1);
}

TYPED_TEST(Sort, ManyCallersAtOnce) {
  using T = TypeParam;
  const std::vector<T> keys = this->make(patterns<T>()[0], 30'000);
  std::vector<T> expected = keys;
  std::sort(expected.begin(), expected.end(), before<T>);
  const std::vector<Backend> backends = tests::every_backend();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (std::size_t i = 0; i < backends.size(); ++i) {
        std::vector<T> mine = keys;
        sort(std::span<T>(mine), {.backend = backends[(caller * 3 + i) % backends.size()]});
        wrong += !tests::same_bits<T>(mine, expected);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TYPED_TEST(Sort, AWarmCallAllocatesNothing) {
  using T = TypeParam;
  for (const Pattern<T>& pattern : patterns<T>()) {
    if (pattern.name != std::string("random") && pattern.name != std::string("few unique")) continue;
    for (const ptrdiff_t n : {100, 10'000, 300'000}) {
      const std::vector<T> keys = this->make(pattern, n);
      std::vector<T> out(keys.size());
      SCOPED_TRACE(pattern.name);
      SCOPED_TRACE(n);
      tests::expect_warm_calls_allocate_nothing({Automatic{}, Sequential{}, Threads{2}}, [&](const Backend& backend) {
        sort(std::span<const T>(keys), std::span<T>(out), {.backend = backend});
      });
    }
  }
}

// As what kind of work the keys are shown to the picker.
struct Shown {
  std::string kernel;
  runtime::Work work;
};
Shown shown(std::vector<float> keys) {
  runtime::CallProbe probe;
  EXPECT_THROW(sort(std::span(keys)), runtime::CallNoted);
  return {probe.kernel == nullptr ? "" : probe.kernel->name(), probe.work};
}
std::string picked_as(const std::vector<float>& keys) { return shown(keys).kernel; }

TEST(SortPicks, ForKeysThatAreARunAsForAPassOverThem) {
  std::vector<float> keys(10'000);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = static_cast<float>(i);
  EXPECT_EQ(picked_as(keys), "sort_run/f32");
  std::reverse(keys.begin(), keys.end());
  EXPECT_EQ(picked_as(keys), "sort_run/f32");
  keys.assign(keys.size(), 7.F);
  EXPECT_EQ(picked_as(keys), "sort_run/f32");
}

TEST(SortPicks, ForOthersAsForSorting) {
  std::vector<float> keys(10'000);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = static_cast<float>(i * 7919 % keys.size());
  EXPECT_EQ(picked_as(keys), "sort/f32");
  std::sort(keys.begin(), keys.end());
  keys.resize(2047);
  EXPECT_EQ(picked_as(keys), "sort/f32") << "too few to share whatever they are";
}

template <class T>
Shown shown_values(std::size_t n, std::uint64_t values) {
  std::vector<T> keys(n);
  std::uint64_t state = 1;
  for (T& key : keys) {
    state = state * 6364136223846793005 + 1442695040888963407;
    key = static_cast<T>((state >> 33) % values);
  }
  runtime::CallProbe probe;
  EXPECT_THROW(sort(std::span(keys)), runtime::CallNoted);
  return {probe.kernel == nullptr ? "" : probe.kernel->name(), probe.work};
}

TEST(SortPicks, ForFewValuesAsForThose) {
  for (const std::uint64_t values : {2, 3, 7, 16}) {
    for (const std::size_t n : {4096, 10'000, 1'000'000}) {
      EXPECT_EQ(shown_values<float>(n, values).kernel, "sort_few/i32") << values << " " << n;
      EXPECT_EQ(shown_values<std::uint32_t>(n, values).kernel, "sort_few/i32") << values << " " << n;
      EXPECT_EQ(shown_values<double>(n, values).kernel, "sort_few/i64") << values << " " << n;
      EXPECT_EQ(shown_values<std::uint64_t>(n, values).kernel, "sort_few/i64") << values << " " << n;
    }
  }
  for (const std::size_t n : {4096, 10'000, 1'000'000}) {
    EXPECT_EQ(shown_values<float>(n, 200).kernel, "sort/f32") << n;
    EXPECT_EQ(shown_values<std::int64_t>(n, 200).kernel, "sort/i64") << n;
  }
  EXPECT_EQ(shown_values<float>(4095, 2).kernel, "sort/f32") << "too few to gain whatever they are";
}

TEST(SortPicks, FewValuesCountForFewerLevels) {
  const double two = shown_values<float>(100'000, 2).work.flops;
  const double sixteen = shown_values<float>(100'000, 16).work.flops;
  EXPECT_GT(sixteen, 1.5 * two);
  EXPECT_LT(sixteen, shown_values<float>(100'000, 1'000'000).work.flops / 2);
}

// One core has them, and gives them away no faster than it looks at them itself.
TEST(SortPicks, ARunWithinTheCachesHasNothingToShare) {
  std::vector<float> keys(10'000, 7.F);
  EXPECT_EQ(runtime::extent_of(shown(keys).work).seconds, 0);
  keys.front() = 8;
  keys.back() = 6;
  EXPECT_EQ(runtime::extent_of(shown(keys).work).seconds, 0);
  sort(std::span(keys));
  EXPECT_EQ(last_run().threads, 1);
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
}

// What looks like a run between the keys that are looked at.
TEST(SortPicks, AreRightAboutKeysThatAreNearlyARun) {
  for (const std::size_t n : {100, 10'000, 1'000'000}) {
    std::vector<float> keys(n);
    for (std::size_t i = 0; i < n; ++i) keys[i] = static_cast<float>(i);
    std::swap(keys[n / 2 + 1], keys[n / 2 + 2]);
    std::vector<float> expected = keys;
    std::sort(expected.begin(), expected.end());
    sort(std::span(keys));
    EXPECT_EQ(keys, expected) << n;
  }
}

// The ranges cover everything once, and the shapes keep what their comments say.
TEST(SampleSortShape, FitsTheKeys) {
  for (const ptrdiff_t n : {1024, 2048, 5000, 100'000, 10'000'000}) {
    for (const int threads : {1, 2, 3, 64, 1024}) {
      if (n / SampleSortShape::least_keys < threads) continue;
      const SampleSortShape shape(n, 8, 1 << 18, threads);
      EXPECT_GE(shape.blocks, threads);
      EXPECT_GE(n / shape.buckets(), 64);
      EXPECT_LE(2 * shape.samples(), n);
      EXPECT_EQ(shape.buckets(), n >= 16'384 && (threads > 4 || n * 8 > 16 << 18) ? 256 : 16);
      ptrdiff_t next = 0;
      for (ptrdiff_t i = 0; i < shape.blocks; ++i) {
        const SortRange range = part_of(n, shape.blocks, i);
        ASSERT_EQ(range.first, next);
        next += range.size;
      }
      EXPECT_EQ(next, n);
    }
  }
}

// Bad input: what was given and what was expected, and everything untouched.
class SortRejects : public testing::Test {
 protected:
  template <class Message>
  void rejects(std::span<const double> in, std::span<double> out, Message message, Backend backend = Automatic{}) {
    const std::vector<double> unchanged = memory;
    try {
      sort(in, out, {.backend = backend});
      ADD_FAILURE() << "no exception";
    } catch (const InvalidArgument& error) {
      EXPECT_THAT(std::string(error.what()), message);
    }
    EXPECT_EQ(memory, unchanged);
  }

  static std::vector<double> descending() {
    std::vector<double> keys(10'000);
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = -static_cast<double>(i);
    return keys;
  }

  std::vector<double> memory = descending();
  std::span<double> all = memory;
};

TEST_F(SortRejects, SizesThatDiffer) {
  rejects(all.first(100), all.last(99), AllOf(HasSubstr("sort"), HasSubstr("out"), HasSubstr("100"), HasSubstr("99")));
  rejects(all.first(0), all.last(1), AllOf(HasSubstr("0"), HasSubstr("1")));
}

TEST_F(SortRejects, PartialOverlap) {
  rejects(all.first(100), all.subspan(99, 100), AllOf(HasSubstr("out"), HasSubstr("in")));
  rejects(all.subspan(99, 100), all.first(100), AllOf(HasSubstr("out"), HasSubstr("in")));
  rejects(all.first(5000), all.subspan(1, 5000), HasSubstr("out"), Threads{2});
  sort(std::span<const double>(all.first(100)), all.subspan(100, 100));
}

TEST_F(SortRejects, NullData) {
  const std::span<double> null(static_cast<double*>(nullptr), 5);
  rejects(null, all.first(5), AllOf(HasSubstr("in"), HasSubstr("null")));
  rejects(all.first(5), null, AllOf(HasSubstr("out"), HasSubstr("null")));
  EXPECT_THROW(sort(null), InvalidArgument);
  sort(std::span<double>());
  sort(std::span<const double>(), std::span<double>(), {.backend = Threads{2}});
  EXPECT_EQ(last_run().threads, 0);
}

TEST_F(SortRejects, ThreadCounts) {
  for (const int threads : {-1, 1025, 1'000'000}) {
    const auto message = AllOf(HasSubstr(std::to_string(threads)), HasSubstr("1024"));
    for (const Backend backend : {Backend(Threads{threads}), Backend(OpenMp{threads}), Backend(Tbb{threads})}) {
      if (!is_built(backend)) continue;
      rejects(all.first(5000), all.last(5000), message, backend);
      rejects(all.first(0), all.first(0), message, backend);
    }
  }
}

TEST_F(SortRejects, ModelsThatWereNotBuilt) {
  for (const Backend backend : {Backend(OpenMp{2}), Backend(Tbb{2})}) {
    if (!is_built(backend)) rejects(all.first(9), all.last(9), HasSubstr(std::string(name(backend))), backend);
  }
}

}  // namespace
}  // namespace speedwell
