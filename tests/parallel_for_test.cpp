// SPDX-License-Identifier: Apache-2.0
#include <speedwell/parallel_for.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <speedwell/error.hpp>
#include <speedwell/mandelbrot.hpp>
#include <speedwell/reduce.hpp>
#include <speedwell/runtime.hpp>

#include "tests/every_backend.hpp"
#include "tests/models_at_work.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr ptrdiff_t grains[] = {0, 1, 3, 64, 1 << 20};

int threads_of(const Backend& backend) {
  return std::visit(
      [](auto model) {
        if constexpr (requires { model.threads; }) return model.threads > 0 ? model.threads : machine().default_threads;
        return 1;
      },
      backend);
}

class Calls {
 public:
  explicit Calls(ptrdiff_t count) : times_(static_cast<std::size_t>(count)) {}
  void note(ptrdiff_t i) { times_[static_cast<std::size_t>(i)].fetch_add(1, std::memory_order_relaxed); }
  std::vector<int> times() const { return {times_.begin(), times_.end()}; }

 private:
  std::vector<std::atomic<int>> times_;
};

TEST(ParallelFor, CallsEveryIndexOnce) {
  for (const Backend& backend : tests::every_backend()) {
    for (const ptrdiff_t grain : grains) {
      for (const ptrdiff_t count : {1, 2, 3, 7, 64, 1000}) {
        SCOPED_TRACE(tests::text(backend) + " grain " + std::to_string(grain) + " count " + std::to_string(count));
        Calls calls(count);
        parallel_for(count, [&](ptrdiff_t i) { calls.note(i); }, {.grain = grain, .backend = backend});
        EXPECT_THAT(calls.times(), Each(1));
      }
    }
  }
}

// The kernel counts threads for a call of its own, in between.
TEST(ParallelFor, CountsEachThreadOnceWhereTheBodyCallsAKernel) {
  const std::vector<float> x(1000, 1);
  for (const Backend& backend : tests::every_backend()) {
    SCOPED_TRACE(tests::text(backend));
    std::atomic<int> wrong = 0;
    parallel_for(64, [&](ptrdiff_t) { wrong += sum(x) == 1000 ? 0 : 1; }, {.grain = 1, .backend = backend});
    EXPECT_EQ(wrong, 0);
    // Under a sanitizer this loop takes long enough for Automatic to share it.
    const bool automatic = std::holds_alternative<Automatic>(backend);
    EXPECT_LE(last_run().threads, automatic ? machine().default_threads : threads_of(backend));
  }
}

TEST(ParallelFor, RangesCoverEveryIndexOnceAndKeepToTheGrain) {
  for (const Backend& backend : tests::every_backend()) {
    for (const ptrdiff_t grain : grains) {
      SCOPED_TRACE(tests::text(backend) + " grain " + std::to_string(grain));
      constexpr ptrdiff_t count = 1000;
      Calls calls(count);
      std::atomic<ptrdiff_t> longest = 0;
      std::atomic<bool> off_grid = false;
      parallel_for(count,
                   [&](ptrdiff_t first, ptrdiff_t last) {
                     for (ptrdiff_t seen = longest;
                          seen < last - first && !longest.compare_exchange_weak(seen, last - first);) {
                     }
                     if (grain > 0 && (first % grain != 0 || (last % grain != 0 && last != count))) off_grid = true;
                     for (ptrdiff_t i = first; i < last; ++i) calls.note(i);
                   },
                   {.grain = grain, .backend = backend});
      EXPECT_THAT(calls.times(), Each(1));
      if (grain > 0) {
        EXPECT_LE(longest, grain);
      }
      EXPECT_FALSE(off_grid);
    }
  }
}

TEST(ParallelFor, SharesAreEven) {
  std::vector<ptrdiff_t> lengths;
  std::mutex lock;
  parallel_for(11,
               [&](ptrdiff_t first, ptrdiff_t last) {
                 const std::scoped_lock held(lock);
                 lengths.push_back(last - first);
               },
               {.backend = Threads{3}});
  EXPECT_THAT(lengths, testing::UnorderedElementsAre(4, 4, 3));
}

// As many threads as were asked for do some of the work, each seen by the body itself.
TEST(ParallelFor, EveryThreadTakesPart) {
  for (const Backend& backend : tests::every_backend()) {
    if (std::holds_alternative<Automatic>(backend)) continue;
    for (const ptrdiff_t grain : {0, 1}) {
      SCOPED_TRACE(tests::text(backend) + " grain " + std::to_string(grain));
      const int threads = threads_of(backend);
      std::mutex lock;
      std::set<std::thread::id> seen;
      // A share or block lasts until every thread has one, at most a second: workers need time to wake up.
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
      parallel_for(threads,
                   [&](ptrdiff_t) {
                     for (bool all = false; !all && std::chrono::steady_clock::now() < deadline;
                          std::this_thread::yield()) {
                       const std::scoped_lock held(lock);
                       seen.insert(std::this_thread::get_id());
                       all = seen.size() == static_cast<std::size_t>(threads);
                     }
                   },
                   {.grain = grain, .backend = backend});
      EXPECT_EQ(seen.size(), static_cast<std::size_t>(threads));
      EXPECT_EQ(last_run().threads, threads);
      EXPECT_EQ(last_run().backend, name(backend));
    }
  }
}

TEST(ParallelFor, NeverMoreThreadsThanIndicesOrBlocks) {
  parallel_for(2, [](ptrdiff_t) {}, {.backend = Threads{8}});
  EXPECT_LE(last_run().threads, 2);
  EXPECT_EQ(last_run().reason, "as many threads as blocks of work");
  parallel_for(100, [](ptrdiff_t) {}, {.grain = 100, .backend = Threads{8}});
  EXPECT_EQ(last_run().threads, 1);
}

TEST(ParallelFor, AnEmptyLoopCallsNothing) {
  for (const Backend& backend : tests::every_backend()) {
    parallel_for(0, [](ptrdiff_t) { FAIL() << "called"; }, {.backend = backend});
    EXPECT_EQ(last_run().threads, 0);
  }
}

TEST(ParallelFor, AnExceptionReachesTheCaller) {
  for (const Backend& backend : tests::every_backend()) {
    for (const ptrdiff_t grain : {0, 1}) {
      SCOPED_TRACE(tests::text(backend) + " grain " + std::to_string(grain));
      const auto throwing = [&] {
        parallel_for(100,
                     [](ptrdiff_t i) {
                       if (i == 70) throw std::domain_error("seventy");
                     },
                     {.grain = grain, .backend = backend});
      };
      EXPECT_THAT(throwing, ThrowsMessage<std::domain_error>("seventy"));
      // And leaves the model as it was.
      Calls calls(100);
      parallel_for(100, [&](ptrdiff_t i) { calls.note(i); }, {.grain = grain, .backend = backend});
      EXPECT_THAT(calls.times(), Each(1));
    }
  }
}

TEST(ParallelFor, WhatHadNotBegunIsLeftOut) {
  for (const Backend& backend : tests::every_backend()) {
    SCOPED_TRACE(tests::text(backend));
    std::atomic<int> calls = 0;
    EXPECT_THROW(parallel_for(10'000,
                              [&](ptrdiff_t) {
                                ++calls;
                                throw std::domain_error("at once");
                              },
                              {.grain = 1, .backend = backend}),
                 std::domain_error);
    EXPECT_LT(calls, 1000);
  }
}

TEST(ParallelFor, InsideAnotherItIsSequential) {
  for (const Backend& outer : tests::every_backend()) {
    if (threads_of(outer) < 2) continue;
    for (const Backend& inner : tests::every_backend()) {
      SCOPED_TRACE(tests::text(inner) + " in " + tests::text(outer));
      Calls calls(20);
      std::atomic<int> most = 0;
      parallel_for(4,
                   [&](ptrdiff_t i) {
                     parallel_for(5, [&](ptrdiff_t j) { calls.note(i * 5 + j); }, {.backend = inner});
                     if (last_run().threads > 1) most = last_run().threads;
                   },
                   {.backend = outer});
      EXPECT_THAT(calls.times(), Each(1));
      EXPECT_EQ(most, 0);
    }
  }
}

TEST(ParallelFor, AKernelInsideIsSequential) {
  std::vector<std::int32_t> counts(4 * 16);
  std::atomic<int> most = 0;
  parallel_for(4,
               [&](ptrdiff_t i) {
                 mandelbrot(PlaneRegion<float>{}, {counts.data() + 16 * i, 4, 4}, {.backend = Threads{2}});
                 if (last_run().threads > 1) most = last_run().threads;
               },
               {.backend = Threads{2}});
  EXPECT_EQ(most, 0);
}

TEST(ParallelFor, InsideAProgramsOwnRegionItIsSequential) {
  if (!is_built(OpenMp{})) GTEST_SKIP() << "no OpenMP in this build";
  std::atomic<int> most = 0;
  tests::in_openmp_region(2, [&] {
    parallel_for(8, [](ptrdiff_t) {}, {.backend = Threads{2}});
    if (last_run().threads > 1) most = last_run().threads;
  });
  EXPECT_EQ(most, 0);
}

TEST(ParallelFor, AutomaticKeepsAShortLoopToItself) {
  // A thread that is put aside amid a short loop takes it for a long one: not ten times in a row.
  for (int attempt = 1; attempt == 1 || (attempt <= 10 && last_run().backend != "sequential"); ++attempt) {
    parallel_for(16, [](ptrdiff_t) {});
  }
  EXPECT_EQ(last_run().backend, "sequential");
  EXPECT_EQ(last_run().threads, 1);
  if (machine().default_threads > 1) {
    EXPECT_EQ(last_run().reason, "too small to pay for a fork-join");
  }
}

TEST(ParallelFor, AutomaticSharesALongOne) {
  if (machine().default_threads == 1) GTEST_SKIP() << "one core allowed";
  for (const ptrdiff_t grain : {0, 4}) {
    Calls calls(400);
    parallel_for(400,
                 [&](ptrdiff_t i) {
                   tests::busy_for(50);
                   calls.note(i);
                 },
                 {.grain = grain});
    EXPECT_THAT(calls.times(), Each(1));
    EXPECT_EQ(last_run().backend, "threads");
    EXPECT_GT(last_run().threads, 1);
  }
}

TEST(ParallelFor, TakesAnyCallable) {
  struct Counter {
    std::atomic<int> calls = 0;
    void operator()(ptrdiff_t) { ++calls; }
  };
  Counter counter;
  parallel_for(10, counter, {.backend = Threads{2}});
  EXPECT_EQ(counter.calls, 10);
  const auto constant = [&](ptrdiff_t first, ptrdiff_t last) { counter.calls += static_cast<int>(last - first); };
  parallel_for(10, constant);
  EXPECT_EQ(counter.calls, 20);
}

TEST(ParallelFor, RejectsWhatCannotBe) {
  const auto never = [](ptrdiff_t) { FAIL() << "called"; };
  EXPECT_THAT([&] { parallel_for(-1, never); },
              ThrowsMessage<InvalidArgument>("parallel_for: count is -1, expected 0 or more"));
  EXPECT_THAT([&] { parallel_for(1, never, {.grain = -2}); },
              ThrowsMessage<InvalidArgument>("parallel_for: grain is -2, expected 0 or more"));
  EXPECT_THAT([&] { parallel_for(1, never, {.backend = Threads{-1}}); },
              ThrowsMessage<InvalidArgument>(AllOf(HasSubstr("threads is -1"), HasSubstr("1024"))));
}

}  // namespace
}  // namespace speedwell
