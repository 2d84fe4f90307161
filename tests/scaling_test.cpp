// SPDX-License-Identifier: Apache-2.0
#include <speedwell/scaling.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <speedwell/backend.hpp>
#include <speedwell/error.hpp>
#include <speedwell/parallel_for.hpp>

#include "tests/simulated_scaling.hpp"

namespace speedwell {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::Ge;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using testing::ThrowsMessage;
using tests::amdahl;
using tests::SimulatedScaling;
using tests::usl;

constexpr double milliseconds = 1e6;

bool encloses(ScalingInterval interval, double value) { return interval.low <= value && value <= interval.high; }

std::vector<int> counts(const Scaling& scaling) {
  std::vector<int> all;
  for (const ScalingPoint& point : scaling.points) all.push_back(point.threads);
  return all;
}

TEST(MeasureScaling, FindsAmdahlsLaw) {
  SimulatedScaling world(amdahl(8 * milliseconds, 0.08));
  const Scaling scaling = world.measure({.name = "solve"});
  EXPECT_THAT(counts(scaling), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 12, 16));
  EXPECT_EQ(scaling.law.name, "amdahl") << scaling.law.reason;
  ASSERT_TRUE(scaling.law.serial_fraction);
  EXPECT_NEAR(*scaling.law.serial_fraction, 0.08, 0.004);
  EXPECT_LT(scaling.law.serial_fraction_ci.low, *scaling.law.serial_fraction);
  EXPECT_GT(scaling.law.serial_fraction_ci.high, *scaling.law.serial_fraction);
  EXPECT_FALSE(scaling.law.sigma || scaling.law.kappa || scaling.law.peak_threads);
  EXPECT_EQ(scaling.best_threads, 16);
  EXPECT_TRUE(scaling.pays);
  EXPECT_EQ(scaling.enough_threads, 16);
  EXPECT_THAT(scaling.verdict, AllOf(StartsWith("solve reaches 7.2"), HasSubstr("sequential on 16 cores"),
                                     HasSubstr("% serial"), HasSubstr("Amdahl's law")));
}

TEST(MeasureScaling, FindsTheUniversalLawAndItsPeak) {
  SimulatedScaling world(usl(8 * milliseconds, 0.05, 0.01));
  const Scaling scaling = world.measure({.name = "solve"});
  EXPECT_EQ(scaling.law.name, "usl") << scaling.law.reason;
  EXPECT_NEAR(scaling.law.sigma.value(), 0.05, 0.01);
  EXPECT_NEAR(scaling.law.kappa.value(), 0.01, 0.002);
  EXPECT_FALSE(scaling.law.serial_fraction);
  ASSERT_TRUE(scaling.law.peak_threads);
  EXPECT_NEAR(*scaling.law.peak_threads, std::sqrt(0.95 / 0.01), 0.5);
  EXPECT_TRUE(encloses(scaling.law.peak_threads_ci, *scaling.law.peak_threads));
  EXPECT_LT(scaling.enough_threads, 16);
  EXPECT_THAT(scaling.verdict,
              AllOf(HasSubstr("paying after"), HasSubstr("coherence"), HasSubstr("falling to"), HasSubstr("USL")));
}

// What each number is, from the raw samples.
TEST(MeasureScaling, NumbersFollowFromTheSamples) {
  SimulatedScaling world(amdahl(8 * milliseconds, 0.1), 0.05);
  const Scaling scaling = world.measure({.threads = {4, 1, 2, 4}, .flops = 2e6, .bytes = 1e6});
  EXPECT_THAT(counts(scaling), ElementsAre(1, 2, 4));
  EXPECT_GE(scaling.rounds, 9);
  ASSERT_THAT(scaling.sequential.samples, SizeIs(scaling.rounds));
  for (const ScalingPoint& point : scaling.points) {
    ASSERT_THAT(point.samples, SizeIs(scaling.rounds));
    std::vector<double> ns, ratios;
    for (std::size_t i = 0; i < point.samples.size(); ++i) {
      EXPECT_EQ(point.samples[i].round, static_cast<int>(i) + 1);
      ns.push_back(point.samples[i].ns);
      ratios.push_back(scaling.sequential.samples[i].ns / point.samples[i].ns);
    }
    EXPECT_EQ(point.median_ns, scaling::median(ns));
    EXPECT_DOUBLE_EQ(point.speedup, scaling::median(ratios));
    EXPECT_TRUE(encloses(point.ci_ns, point.median_ns));
    EXPECT_TRUE(encloses(point.speedup_ci, point.speedup));
    EXPECT_GE(point.confidence, 0.95);
    EXPECT_DOUBLE_EQ(point.efficiency, point.speedup / point.threads);
    EXPECT_DOUBLE_EQ(point.flops_per_s.value(), 2e6 / (point.median_ns * 1e-9));
    EXPECT_DOUBLE_EQ(point.bytes_per_s.value(), 1e6 / (point.median_ns * 1e-9));
    ASSERT_EQ(point.karp_flatt.has_value(), point.threads > 1);
    if (point.karp_flatt) {
      EXPECT_NEAR(*point.karp_flatt, 0.1, 0.02);
    }
  }
  ASSERT_TRUE(scaling.noise_floor);
  EXPECT_GT(*scaling.noise_floor, 0);
  EXPECT_LT(*scaling.noise_floor, 0.05);
}

TEST(MeasureScaling, AgainstBodyItselfWhereThereIsNoSequentialVersion) {
  SimulatedScaling world(amdahl(8 * milliseconds, 0.1));
  const Scaling scaling = world.measure_alone({.threads = {1, 2, 4}});
  EXPECT_NEAR(scaling.points[0].speedup, 1, 0.01);
  EXPECT_NEAR(scaling.points[2].speedup, 1 / (0.1 + 0.9 / 4), 0.05);
  EXPECT_TRUE(scaling.noise_floor);
  // Not measured among the counts, it is the baseline all the same, and has a twin.
  const Scaling without_one = world.measure_alone({.threads = {2, 4}});
  EXPECT_NEAR(without_one.points[0].speedup, 1 / (0.1 + 0.9 / 2), 0.05);
  EXPECT_TRUE(without_one.noise_floor);
}

// One thread of the body may cost more than the sequential version: that is no serial part.
TEST(MeasureScaling, OverheadOnOneThreadIsNotASerialPart) {
  SimulatedScaling world([](int threads) { return 8 * milliseconds * (threads == 0 ? 1 : 1.5 / threads); });
  const Scaling scaling = world.measure({});
  EXPECT_NEAR(scaling.law.one_thread_cost.value(), 1.5, 0.02);
  EXPECT_LT(scaling.law.serial_fraction.value_or(scaling.law.sigma.value_or(1)), 0.01);
  EXPECT_NEAR(scaling.points.back().self_speedup.value(), 16, 0.5);
}

TEST(MeasureScaling, RefusesALawWhereItCarriesNone) {
  SimulatedScaling world(amdahl(8 * milliseconds, 0.1));
  const Scaling two = world.measure({.threads = {1, 2}});
  EXPECT_EQ(two.law.name, "none");
  EXPECT_THAT(two.law.reason, HasSubstr("two thread counts carry no law"));
  EXPECT_TRUE(two.law.predicted.empty());
  EXPECT_FALSE(two.law.one_thread_cost);
  SimulatedScaling jagged([](int threads) { return milliseconds * (threads % 2 == 0 ? 2 : 8); });
  const Scaling refused = jagged.measure({});
  EXPECT_EQ(refused.law.name, "none");
  EXPECT_THAT(refused.law.reason, HasSubstr("describes the curve"));
}

TEST(MeasureScaling, WhatIsPredictedBeyondTheMeasuredSaysSo) {
  SimulatedScaling world(amdahl(8 * milliseconds, 0.1));
  const Scaling scaling = world.measure({.threads = {1, 2, 3, 4, 5, 6}});
  ASSERT_EQ(scaling.law.predicted.size(), 12u);
  for (const ScalingPrediction& each : scaling.law.predicted) {
    EXPECT_EQ(each.extrapolated, each.threads > 6);
    EXPECT_TRUE(encloses(each.band, each.speedup));
  }
  EXPECT_NEAR(scaling.law.predicted.back().speedup, 1 / (0.1 + 0.9 / 12), 0.2);
  EXPECT_THAT(to_text(scaling), HasSubstr("extrapolated, not measured: "));
}

TEST(MeasureScaling, SaysThatNothingPays) {
  SimulatedScaling world([](int threads) { return milliseconds * (threads == 0 ? 1 : 1.2 + 0.1 * threads); });
  const Scaling scaling = world.measure({.threads = {1, 2, 4}});
  EXPECT_FALSE(scaling.pays);
  EXPECT_EQ(scaling.best_threads, 1);
  EXPECT_THAT(scaling.verdict, StartsWith("stays on one core"));
}

TEST(MeasureScaling, MoreRoundsWhereIntervalsAreWide) {
  SimulatedScaling steady(amdahl(8 * milliseconds, 0.1), 0.001);
  EXPECT_EQ(steady.measure({.threads = {1, 2}}).rounds, 9);
  SimulatedScaling noisy(amdahl(80 * milliseconds, 0.1), 0.5);
  EXPECT_EQ(noisy.measure({.threads = {1, 2}, .most_rounds = 20}).rounds, 20);
}

TEST(MeasureScaling, KeepsToItsBudget) {
  SimulatedScaling world(amdahl(100 * milliseconds, 0.1), 0.5);
  const double before = world.now_s();
  const Scaling scaling = world.measure({.threads = {1, 2}, .budget_s = 3});
  EXPECT_LE(world.now_s() - before, 3);
  EXPECT_GE(scaling.rounds, 1);
  EXPECT_LT(scaling.rounds, 9);
  if (scaling.rounds < 6) {
    EXPECT_THAT(scaling.verdict, StartsWith("too early to tell"));
  }
  // One round, however long it takes.
  EXPECT_EQ(world.measure({.threads = {1, 2}, .budget_s = 0.01}).rounds, 1);
}

TEST(MeasureScaling, ShortCallsAreRepeated) {
  SimulatedScaling world(amdahl(1000, 0.1));
  const Scaling scaling = world.measure({.threads = {1, 2}});
  EXPECT_GT(world.calls(), 9 * 4 * 20'000);
  EXPECT_THAT(scaling.points[0].warnings, Each(Not(HasSubstr("short"))));
}

TEST(MeasureScaling, TheOrderDependsOnTheSeedAlone) {
  const auto order = [](std::uint64_t seed) {
    SimulatedScaling world(amdahl(60 * milliseconds, 0.1));
    std::vector<int> called;
    const auto body = [&](int threads) {
      called.push_back(threads);
      world.call(threads);
    };
    scaling::measure(body, {.threads = {1, 2, 3, 4}, .seed = seed}, world.surroundings());
    return called;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
}

TEST(MeasureScaling, WarnsOfThreadsThatNeverStop) {
  SimulatedScaling world(amdahl(8 * milliseconds, 0.1));
  world.never_settle();
  const Scaling scaling = world.measure({.threads = {1, 2}});
  EXPECT_THAT(scaling.points[1].warnings, Contains(StartsWith("busy:")));
  EXPECT_THAT(to_text(scaling), HasSubstr("warning: body on 2: busy"));
}

TEST(MeasureScaling, WhatABodyThrowsReachesTheCaller) {
  SimulatedScaling world(amdahl(8 * milliseconds, 0.1));
  const auto body = [&](int threads) {
    if (threads == 2) throw std::domain_error("two");
    world.call(threads);
  };
  EXPECT_THAT(
      [&] {
        scaling::measure(body, {.threads = {1, 2}}, world.surroundings());
      },
      ThrowsMessage<std::domain_error>("two"));
}

TEST(MeasureScaling, RejectsWhatCannotBe) {
  bool called = false;
  const auto body = [&](int) { called = true; };
  const auto rejected = [&](const ScalingOptions& options, const std::string& message) {
    EXPECT_THAT([&] { measure_scaling(body, options); },
                ThrowsMessage<InvalidArgument>(StartsWith("measure_scaling: " + message)));
  };
  rejected({.threads = {1, 0}}, "threads holds 0, expected numbers from 1 to 1024");
  rejected({.threads = {1025}}, "threads holds 1025, expected");
  rejected({.name = ""}, "name is '', expected a word");
  rejected({.name = "sequential"}, "name is 'sequential', expected a word other than");
  rejected({.rounds = 8}, "rounds is 8, expected 9 to 1000");
  rejected({.rounds = 20, .most_rounds = 19}, "most_rounds is 19, expected rounds to 1000");
  rejected({.budget_s = 0}, "budget_s is 0, expected more than 0");
  rejected({.budget_s = std::numeric_limits<double>::quiet_NaN()}, "budget_s is nan");
  rejected({.warm_up_s = -1}, "warm_up_s is -1, expected 0 to 60");
  rejected({.flops = -1}, "flops is -1, expected a finite number");
  rejected({.bytes = std::numeric_limits<double>::infinity()}, "bytes is inf");
  EXPECT_FALSE(called);
  EXPECT_THAT([] { measure_scaling({}); },
              ThrowsMessage<InvalidArgument>("measure_scaling: body is empty, expected a function of a thread count"));
}

TEST(MeasureScaling, TextHoldsWhatWasFound) {
  SimulatedScaling world(amdahl(8 * milliseconds, 0.1));
  const Scaling scaling = world.measure({.name = "solve", .threads = {1, 2, 4, 8}, .flops = 1e6});
  const std::string text = to_text(scaling);
  EXPECT_THAT(text,
              AllOf(StartsWith("solve: "), HasSubstr("noise floor"), HasSubstr("sequential"), HasSubstr("GFLOP/s"),
                    Not(HasSubstr("GB/s")), HasSubstr("law: "), HasSubstr(scaling.verdict + "\n")));
  // A bar a count, the longest for the largest.
  std::vector<std::size_t> bars;
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    std::size_t blocks = 0;
    for (std::size_t at = 0; (at = line.find("█", at)) != std::string::npos; ++at) ++blocks;
    if (blocks > 0) bars.push_back(blocks);
  }
  ASSERT_THAT(bars, SizeIs(4));
  EXPECT_TRUE(std::is_sorted(bars.begin(), bars.end()));
}

// On the real clock, with threads of its own: only that all of it fits together.
TEST(MeasureScaling, MeasuresARealBody) {
  std::vector<double> values(1 << 12, 1.0);
  std::set<int> asked;
  std::atomic<double> sink = 0;
  const auto body = [&](int threads) {
    asked.insert(threads);
    parallel_for(static_cast<std::ptrdiff_t>(values.size()),
                 [&](std::ptrdiff_t first, std::ptrdiff_t last) {
                   sink = std::accumulate(values.begin() + first, values.begin() + last, 0.0);
                 },
                 {.backend = Threads{threads}});
  };
  const Scaling scaling = measure_scaling(body, {.name = "sum", .threads = {1, 2}, .budget_s = 0.5, .bytes = 32768});
  EXPECT_THAT(asked, ElementsAre(1, 2));
  EXPECT_GE(scaling.rounds, 1);
  EXPECT_THAT(scaling.points, Each(Field(&ScalingPoint::median_ns, testing::Gt(0))));
  EXPECT_THAT(scaling.verdict, testing::EndsWith("."));
}

}  // namespace
}  // namespace speedwell
