// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <speedwell/advice.hpp>
#include <speedwell/backend.hpp>
#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>

#include "tests/known_tasks.hpp"

namespace {

using speedwell::Advice;
using speedwell::advise;
using speedwell::CopiesAtOnce;
using speedwell::Nature;
using speedwell::WorkKind;
using testing::HasSubstr;

// Natures by hand: what is advised where this machine can't show it.

CopiesAtOnce copies(int count, double gain, double cores_busy = -1) {
  return {.copies = count,
          .calls_per_s = 1000 * gain,
          .gain = gain,
          .gain_range = {gain - 0.1, gain + 0.1},
          .cores_busy = cores_busy < 0 ? count : cores_busy};
}

Nature computing_on_16(std::vector<double> gains) {
  Nature nature{.name = "it", .cores = 16, .rounds = 9, .calls = 1000, .call_ns = 1e6, .cpu_share = 1};
  int count = 1;
  for (const double gain : gains) {
    nature.at_once.push_back(copies(count, gain));
    count *= 2;
  }
  nature.tried_beside_itself = true;
  return nature;
}

TEST(Advise, TakesAllCoresWhereTheyGain) {
  const Advice advice = advise(computing_on_16({1, 2, 3.9, 7.7, 15}));
  EXPECT_EQ(advice.kind, WorkKind::computing);
  EXPECT_EQ(advice.technique, "threads");
  EXPECT_EQ(advice.cores, 16);
  EXPECT_THAT(advice.reason, HasSubstr("15.0 times as much on 16 cores (14.9 to 15.1)"));
  EXPECT_THAT(advice.reason, HasSubstr("it is CPU-bound: a call takes 1.00 ms, of which it computes 100 %."));
}

TEST(Advise, TakesNoMoreThanGain) {
  const Advice advice = advise(computing_on_16({1, 2, 3.9, 7.7, 7.9}));
  EXPECT_EQ(advice.kind, WorkKind::computing);
  EXPECT_EQ(advice.cores, 8);
  EXPECT_EQ(advice.at_once, 8);
}

TEST(Advise, CapsWhatTheMemoryBounds) {
  Nature nature = computing_on_16({1, 1.9, 2.7, 2.75, 2.6});
  nature.bandwidth_share = 0.9;
  nature.evidence = speedwell::BandwidthEvidence::neighbours;
  nature.evidence_text = "beside triads it loses 60 %";
  nature.doubts = {"The moon was full."};
  const Advice advice = advise(nature);
  EXPECT_EQ(advice.kind, WorkKind::memory_bound);
  EXPECT_EQ(advice.technique, "threads");
  EXPECT_EQ(advice.cores, 4);
  EXPECT_THAT(advice.reason, HasSubstr("Beside triads it loses 60 %, so what they share is the memory's bandwidth."));
  EXPECT_THAT(advice.reason, testing::EndsWith("The moon was full."));
}

TEST(Advise, FindsALockByIdleCores) {
  Nature nature = computing_on_16({1, 1, 1, 1, 1});
  for (CopiesAtOnce& each : nature.at_once) each.cores_busy = 1.1;
  nature.at_once.back().voluntary_switches = 0.9;
  nature.bandwidth_share = 0.1;
  const Advice advice = advise(nature);
  EXPECT_EQ(advice.kind, WorkKind::lock_bound);
  EXPECT_EQ(advice.technique, "processes");
  EXPECT_EQ(advice.cores, 16);
  EXPECT_THAT(advice.reason, HasSubstr("Only 1.10 cores' worth of time was used"));
}

TEST(Advise, ASpinLockKeepsCoresBusy) {
  const Advice advice = advise(computing_on_16({1, 0.9, 0.8, 0.8, 0.7}));
  EXPECT_EQ(advice.kind, WorkKind::lock_bound);
  EXPECT_THAT(advice.reason, HasSubstr("they spin on it; or they write to the same cache lines"));
}

TEST(Advise, OneThreadServesWhatWaits) {
  Nature nature = computing_on_16({1, 2, 4, 8, 16});
  nature.cpu_share = 0.02;
  nature.at_once.push_back(copies(32, 31.5, 0.6));
  const Advice advice = advise(nature);
  EXPECT_EQ(advice.kind, WorkKind::waiting);
  EXPECT_EQ(advice.technique, "coroutines");
  EXPECT_EQ(advice.cores, 1);
  EXPECT_EQ(advice.at_once, 50);
  EXPECT_THAT(advice.reason, HasSubstr("32 at once did 31.5 times as much as one, so the waits overlap."));
}

TEST(Advise, WaitsThatDoNotOverlapAreALock) {
  Nature nature = computing_on_16({1, 1, 1, 1, 1});
  nature.cpu_share = 0.02;
  nature.at_once.push_back(copies(32, 1.1, 0.02));
  nature.voluntary_switches = 1;
  nature.at_once.back().voluntary_switches = 1.9;
  EXPECT_EQ(advise(nature).kind, WorkKind::lock_bound);
  // Without more switches than one alone has, what they wait for is to blame.
  nature.at_once.back().voluntary_switches = 1;
  const Advice advice = advise(nature);
  EXPECT_EQ(advice.kind, WorkKind::waiting);
  EXPECT_EQ(advice.technique, "sequential");
  EXPECT_THAT(advice.reason, HasSubstr("does one thing at a time"));
}

TEST(Advise, StaysOnOneCoreWhereNothingIsGainedAndNoReasonIsSeen) {
  Nature nature = computing_on_16({1, 1, 0.9, 0.9, 0.8});
  for (CopiesAtOnce& each : nature.at_once) each.cores_busy = 1.1;
  const Advice advice = advise(nature);
  EXPECT_EQ(advice.kind, WorkKind::computing);
  EXPECT_EQ(advice.technique, "sequential");
  EXPECT_EQ(advice.cores, 1);
}

TEST(Advise, LoadIsNotALock) {
  Nature nature = computing_on_16({1, 1, 1.1, 1.2, 1.3});
  for (CopiesAtOnce& each : nature.at_once) each.cores_busy = 1.1;
  EXPECT_EQ(advise(nature).kind, WorkKind::computing);
}

TEST(Advise, MixedWorkHasMoreThreadsThanCores) {
  Nature nature = computing_on_16({1, 2, 4, 8, 16});
  nature.cpu_share = 0.5;
  nature.at_once.push_back(copies(32, 30, 15));
  const Advice advice = advise(nature);
  EXPECT_EQ(advice.kind, WorkKind::mixed);
  EXPECT_EQ(advice.technique, "threads");
  EXPECT_EQ(advice.cores, 16);
  EXPECT_EQ(advice.at_once, 32);
}

TEST(Advise, WhatFailsBesideItselfIsIsolated) {
  Nature nature = computing_on_16({1});
  nature.failed_beside_itself = "a singleton is in use";
  const Advice advice = advise(nature);
  EXPECT_EQ(advice.technique, "processes");
  EXPECT_EQ(advice.cores, 16);
  EXPECT_THAT(advice.reason, HasSubstr("'a singleton is in use'"));
}

TEST(Advise, WhatWasNotTriedIsSaid) {
  Nature nature = computing_on_16({1});
  nature.tried_beside_itself = false;
  EXPECT_EQ(advise(nature).technique, "processes");
  EXPECT_THAT(advise(nature).reason, HasSubstr("It wasn't to be run beside itself"));
  nature.cpu_share = 0.1;
  EXPECT_EQ(advise(nature).technique, "coroutines");
  EXPECT_THAT(advise(nature).reason, HasSubstr("Whether the waits overlap wasn't tried"));
}

TEST(Advise, ShortCallsGoInRanges) {
  Nature nature = computing_on_16({1, 2, 4, 8, 16});
  nature.call_ns = 100;
  const Advice advice = advise(nature);
  EXPECT_EQ(advice.technique, speedwell::is_built(speedwell::OpenMp{}) ? "openmp"
                              : speedwell::is_built(speedwell::Tbb{})  ? "tbb"
                                                                       : "threads");
  EXPECT_THAT(advice.reason, HasSubstr("ranges of 500 calls or more"));
}

TEST(Advise, ParallelWorkIsCalledOneAfterTheOther) {
  Nature nature = computing_on_16({1, 1, 1, 1, 1});
  nature.cpu_share = 14;
  EXPECT_EQ(advise(nature).kind, WorkKind::parallel);
  EXPECT_EQ(advise(nature).technique, "sequential");
}

TEST(Advise, OneCoreHasNothingToGainFromComputing) {
  Nature nature = computing_on_16({1});
  nature.cores = 1;
  nature.tried_beside_itself = false;
  const Advice advice = advise(nature);
  EXPECT_EQ(advice.technique, "sequential");
  EXPECT_EQ(advice.cores, 1);
}

// profile() and real tasks.

TEST(Profile, RefusesBeforeTheFirstCall) {
  int calls = 0;
  const std::function<void()> task = [&] { ++calls; };
  EXPECT_THROW(speedwell::profile({}), speedwell::InvalidArgument);
  EXPECT_THROW(speedwell::profile(task, {.name = ""}), speedwell::InvalidArgument);
  EXPECT_THROW(speedwell::profile(task, {.budget_s = 0.01}), speedwell::InvalidArgument);
  EXPECT_THROW(speedwell::profile(task, {.budget_s = std::nan("")}), speedwell::InvalidArgument);
  EXPECT_THROW(speedwell::profile(task, {.most_threads = -1}), speedwell::InvalidArgument);
  EXPECT_THROW(speedwell::profile(task, {.most_threads = 1025}), speedwell::InvalidArgument);
  EXPECT_EQ(calls, 0);
}

TEST(Profile, WhatTheTaskThrowsAloneReachesTheCaller) {
  int calls = 0;
  const std::function<void()> task = [&] {
    if (++calls > 20) throw std::out_of_range("the 21st");
  };
  EXPECT_THROW(speedwell::profile(task, {.budget_s = 0.05, .most_threads = 1}), std::out_of_range);
}

TEST(Profile, WithOneThreadItNeverRunsBesideItself) {
  std::atomic<int> inside = 0;
  std::atomic<bool> twice = false;
  const Nature nature = speedwell::profile(
      [&] {
        if (inside.fetch_add(1) > 0) twice = true;
        inside.fetch_sub(1);
      },
      {.budget_s = 0.05, .most_threads = 1});
  EXPECT_FALSE(twice);
  EXPECT_FALSE(nature.tried_beside_itself);
  ASSERT_EQ(nature.at_once.size(), 1U);
  EXPECT_EQ(nature.at_once.front().gain, 1);
}

TEST(Profile, CountsCallsAndSaysWhenThereWasNoTimeForRounds) {
  std::atomic<long long> calls = 0;
  const Nature nature = speedwell::profile(
      [&] {
        ++calls;
        std::this_thread::sleep_for(std::chrono::milliseconds(60));
      },
      {.budget_s = 0.05});
  EXPECT_EQ(nature.calls, calls);
  EXPECT_EQ(nature.rounds, 1);
  EXPECT_GE(nature.call_ns, 40e6);  // less what it stood in the queue
  EXPECT_THAT(advise(nature).reason, HasSubstr("There was time for one round only"));
}

// At most one may be wrong, and each has a second try with more time. What other programs leave too little of the
// machine for can't be told, here or by anyone.
TEST(Profile, KnownTasks) {
  const std::vector<speedwell::test::KnownTask> tasks = speedwell::test::known_tasks();
  ASSERT_GE(tasks.size(), 12U);
  constexpr double too_much_load = 0.25;
  std::size_t right = 0, undecided = 0;
  for (const speedwell::test::KnownTask& known : tasks) {
    bool is_right = false, is_loaded = false;
    for (const double budget_s : {0.3, 0.8}) {
      const std::function<void()> task = known.make();
      const Nature nature = speedwell::profile(task, {.name = known.name, .budget_s = budget_s});
      const Advice advice = advise(nature);
      is_right = known.is_right(nature, advice);
      is_loaded = nature.other_load > too_much_load;
      std::cout << (is_right ? "right: " : "WRONG: ") << advice.technique << " on " << advice.cores << ", "
                << advice.at_once << " at once. " << advice.reason << '\n';
      if (is_right) break;
    }
    right += is_right;
    undecided += !is_right && is_loaded;
  }
  std::cout << right << " of " << tasks.size() << " right, " << undecided << " undecided\n";
  EXPECT_GE(right + undecided + 1, tasks.size());
  if (right + 1 < tasks.size()) GTEST_SKIP() << "other programs had the machine";
}

}  // namespace
