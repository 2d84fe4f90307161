// SPDX-License-Identifier: Apache-2.0
// What is picked, from made-up costs and wisdom; and wisdom on disk: kept, merged, refused.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include "runtime/built.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/picker/picker.hpp"
#include "runtime/picker/wisdom_file.hpp"
#include "runtime/reasons.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell::runtime {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::ThrowsMessage;

constexpr Setting one = {};
constexpr Setting two = {Setting::threads, 2};
constexpr Setting four = {Setting::threads, 4};
constexpr Setting eight = {Setting::threads, 8};
constexpr Limits eight_threads = {.most_threads = 8, .cache_bytes = 1e6};
constexpr Limits two_threads = {.most_threads = 2};

const Prediction* prediction_for(const std::vector<Prediction>& all, Setting setting) {
  for (const Prediction& each : all) {
    if (each.setting == setting) return &each;
  }
  return nullptr;
}

std::vector<Prediction> predicted(const Wisdom& wisdom, double extent_s, Bound bound = Bound::arithmetic,
                                  Limits limits = eight_threads) {
  std::vector<Prediction> predictions;
  Predictor(wisdom, "test/f32", bound, limits).predict(extent_s, predictions);
  return predictions;
}

Setting at(const std::vector<Step>& steps, double extent_s) {
  for (const Step& step : steps) {
    if (extent_s < step.below_s) return step.setting;
  }
  return {};
}

// Fork-joins that cost 10 us for two threads and 2 us more for each further one; OpenMP's and oneTBB's cost more.
Wisdom with_costs() {
  Wisdom wisdom;
  for (const Setting setting : candidates(8)) {
    if (setting.count == 1) continue;
    const double pool = 6e-6 + 2e-6 * setting.count;
    wisdom.cost.fork_join_s[setting] = setting.kind == Setting::threads ? pool : 3 * pool;
  }
  wisdom.cost.memory_speedup = {{1, 1.0}, {2, 1.8}, {4, 2.5}, {8, 2.4}};
  wisdom.cost.slowness["test/f32"] = 2;
  wisdom.cost.sharing_s["other/f32"] = 1e-5;
  return wisdom;
}

TEST(Extent, IsTheLongerOfArithmeticAndMemory) {
  EXPECT_EQ(extent_of({.flops = 1e11, .bytes = 1e9}).bound, Bound::arithmetic);
  EXPECT_DOUBLE_EQ(extent_of({.flops = 1e11, .bytes = 1e9}).seconds, 1);
  EXPECT_EQ(extent_of({.flops = 1e9, .bytes = 4e10}).bound, Bound::memory);
  EXPECT_DOUBLE_EQ(extent_of({.flops = 1e9, .bytes = 4e10}).seconds, 2);
}

TEST(Settings, AreWordsAndBack) {
  for (const Setting setting : candidates(16)) {
    Setting back = {Setting::tbb, 77};
    EXPECT_TRUE(parse_setting(text(setting), back)) << text(setting);
    EXPECT_EQ(back, setting);
  }
  Setting ignored;
  for (const char* const wrong : {"", "threads", "threads/", "threads/1", "threads/1025", "threads/2x", "sequential/1",
                                  "opencl/2", "threads/-2", "threads/99999999999"}) {
    EXPECT_FALSE(parse_setting(wrong, ignored)) << wrong;
  }
}

TEST(Settings, CandidatesArePowersOfTwoAndTheMost) {
  std::vector<int> counts;
  for (const Setting setting : candidates(12)) {
    if (setting.kind == Setting::threads) counts.push_back(setting.count);
  }
  EXPECT_THAT(counts, testing::ElementsAre(2, 4, 8, 12));
  EXPECT_THAT(candidates(1), testing::ElementsAre(one));
}

TEST(Estimate, FollowsItsFormula) {
  const Wisdom wisdom = with_costs();
  const std::vector<Prediction> predictions = predicted(wisdom, 1e-3);
  EXPECT_DOUBLE_EQ(prediction_for(predictions, one)->seconds, 2e-3);
  EXPECT_DOUBLE_EQ(prediction_for(predictions, two)->seconds, 10e-6 + 1e-3);
  EXPECT_DOUBLE_EQ(prediction_for(predictions, eight)->seconds, 22e-6 + 0.25e-3);
}

TEST(Estimate, KnowsThatMemoryIsShared) {
  const Wisdom wisdom = with_costs();
  // 1e-3 s at 2e10 bytes a second is 20 MB, beyond the cache of one.
  EXPECT_DOUBLE_EQ(prediction_for(predicted(wisdom, 1e-3, Bound::memory), eight)->seconds, 22e-6 + 2e-3 / 2.4);
  // 0.4 MB is within it, and each core has a cache of its own.
  EXPECT_DOUBLE_EQ(prediction_for(predicted(wisdom, 2e-5, Bound::memory), eight)->seconds, 22e-6 + 4e-5 / 8);
}

// As a sort by several threads first deals the keys out.
TEST(Estimate, KnowsWhatSharingCostsBesideAForkJoin) {
  Wisdom wisdom = with_costs();
  wisdom.cost.sharing_s["test/f32"] = 70e-6;
  EXPECT_EQ(prediction_for(predicted(wisdom, 1e-3), one)->seconds, 2e-3);
  EXPECT_NEAR(prediction_for(predicted(wisdom, 1e-3), four)->seconds, 14e-6 + 70e-6 + 2e-3 / 4, 1e-12);
  EXPECT_NEAR(prediction_for(predicted(wisdom, 1e-3, Bound::memory), four)->seconds, 84e-6 + 2e-3 / 2.5, 1e-12);
  // 100 us on one thread, and on two 80 us more than half of it: alone. Three times that: shared.
  const std::vector<Step> found = steps(Predictor(wisdom, "test/f32", Bound::arithmetic, two_threads));
  EXPECT_EQ(at(found, 50e-6), one);
  EXPECT_EQ(at(found, 150e-6), two);
}

TEST(Estimate, GoesFromOneThreadToMoreAsCallsGrow) {
  const Wisdom wisdom = with_costs();
  const std::vector<Step> found = steps(Predictor(wisdom, "test/f32", Bound::arithmetic, eight_threads));
  EXPECT_EQ(at(found, 1e-7), one);
  EXPECT_EQ(at(found, 1), eight);
  EXPECT_TRUE(std::isinf(found.back().below_s));
  int count = 0;
  for (const Step& step : found) {
    EXPECT_GT(step.setting.count, count) << "at " << step.below_s;
    EXPECT_NE(step.setting.kind, Setting::openmp) << "costs more";
    count = step.setting.count;
  }
  // Two threads gain more than a tenth from where 2 x / 2 + 10 us < 2 x / 1.1 on.
  const double crossover = 10e-6 / (2 / 1.1 - 1);
  EXPECT_EQ(at(found, crossover * 0.8), one);
  EXPECT_NE(at(found, crossover * 1.25), one);
}

TEST(Estimate, TakesFewerThreadsWhereMoreDontHelp) {
  const std::vector<Step> found = steps(Predictor(with_costs(), "test/f32", Bound::memory, eight_threads));
  EXPECT_EQ(at(found, 1), four);
}

TEST(Estimate, IsCautiousWhereNothingWasMeasured) {
  const std::vector<Step> found = steps(Predictor(Wisdom(), "unknown/f64", Bound::arithmetic, eight_threads));
  EXPECT_EQ(at(found, 50e-6), one);
  EXPECT_EQ(at(found, 1), eight);
}

TEST(Estimate, TakesATypeThatWasntMeasuredForTheFastestOfTheOthers) {
  CostModel cost;
  cost.slowness = {{"blur/f32", 3}, {"blur/u8", 2}, {"blur_wide/u8", 1.5}, {"b/u8", 0.5}};
  EXPECT_EQ(cost.slowness_of("blur/u16"), 2);
  EXPECT_EQ(cost.slowness_of("blur/f32"), 3);
  EXPECT_EQ(cost.slowness_of("blu/u16"), assumed_slowness);
  EXPECT_EQ(cost.slowness_of("blur"), assumed_slowness);
  cost.sharing_s = {{"blur/f32", 1.5}, {"blur/u8", 2}, {"blur_wide/u8", 3}};
  EXPECT_EQ(cost.sharing_of("blur/u16"), 2);
  EXPECT_EQ(cost.sharing_of("blur/f32"), 1.5);
  EXPECT_EQ(cost.sharing_of("blu/u16"), 0);
}

TEST(Estimate, StaysOnOneCoreWhereThereIsOne) {
  const std::vector<Step> found = steps(Predictor(with_costs(), "test/f32", Bound::arithmetic, {.most_threads = 1}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.front().setting, one);
}

TunedPoint point(double extent_s, double sequential_s, double threads_s, double openmp_s) {
  TunedPoint made = {extent_s, {{one, sequential_s}, {two, threads_s}}};
  if (built<OpenMp>) made.times_s.emplace_back(Setting{Setting::openmp, 2}, openmp_s);
  return made;
}

TEST(Tuned, InterpolatesOnLogarithmicScales) {
  Wisdom wisdom = with_costs();
  wisdom.add("test/f32", Bound::arithmetic, point(1e-4, 1e-4, 9e-5, 7e-5));
  wisdom.add("test/f32", Bound::arithmetic, point(1e-6, 1e-6, 1e-5, 1e-5));
  const std::vector<Prediction> middle = predicted(wisdom, 1e-5, Bound::arithmetic, two_threads);
  EXPECT_NEAR(prediction_for(middle, one)->seconds, 1e-5, 1e-9);
  // Of 10 us the half may be the fork-join, of 90 us all 10 us; the rests are 5 and 80 us.
  EXPECT_NEAR(prediction_for(middle, two)->seconds, 7.5e-6 + 2e-5, 1e-9);
  // Beyond the ends: in proportion, but for the fork-join of 10 us.
  EXPECT_NEAR(prediction_for(predicted(wisdom, 1e-3, Bound::arithmetic, two_threads), one)->seconds, 1e-3, 1e-9);
  EXPECT_NEAR(prediction_for(predicted(wisdom, 1e-3, Bound::arithmetic, two_threads), two)->seconds, 1e-5 + 8e-4, 1e-9);
  // The other bound has no points: an estimate.
  EXPECT_FALSE(Predictor(wisdom, "test/f32", Bound::memory, two_threads).tuned());
}

TEST(Tuned, PicksTheFastest) {
  Wisdom wisdom;
  wisdom.add("test/f32", Bound::arithmetic, point(1e-6, 1e-6, 1e-5, 2e-5));
  wisdom.add("test/f32", Bound::arithmetic, point(1e-3, 1e-3, 6e-4, 5e-4));
  const std::vector<Step> found = steps(Predictor(wisdom, "test/f32", Bound::arithmetic, two_threads));
  EXPECT_EQ(at(found, 1e-7), one);
  EXPECT_EQ(at(found, 1e-6), one);
  EXPECT_EQ(at(found, 1), (built<OpenMp> ? Setting{Setting::openmp, 2} : two));
}

TEST(Tuned, TakesTheFirstOfEquals) {
  const Setting openmp = {Setting::openmp, 2};
  EXPECT_EQ(best_of({{one, 1.02}, {two, 1}}, true), one);
  EXPECT_EQ(best_of({{one, 1.05}, {two, 1}}, true), two);
  EXPECT_EQ(best_of({{one, 1.05}, {two, 1}}, false), one);
  EXPECT_EQ(best_of({{one, 2}, {two, 1.07}, {openmp, 1}}, true), two);
  EXPECT_EQ(best_of({{one, 2}, {two, 1.1}, {openmp, 1}}, true), openmp);
}

// Two threads gain half in one state of the machine, and lose a fifth in the other.
TEST(Tuned, GoesByTheGeometricMeanOfAllStates) {
  const TunedPoint fast = point(1e-6, 3e-6, 2e-6, 9e-6), slow = point(1e-6, 3e-6, 3.6e-6, 9e-6);
  const TunedPoint both = fast.with(slow);
  EXPECT_EQ(both.races, 2);
  EXPECT_NEAR(*both.time_of(one), 3e-6, 1e-12);
  EXPECT_NEAR(*both.time_of(two), std::sqrt(2.0 * 3.6) * 1e-6, 1e-12);
  EXPECT_NEAR(*both.with(slow).time_of(two), std::cbrt(2.0 * 3.6 * 3.6) * 1e-6, 1e-12);
  Wisdom wisdom;
  const auto picked = [&](const TunedPoint& of) {
    wisdom.add("test/f32", Bound::arithmetic, of);
    return at(steps(Predictor(wisdom, "test/f32", Bound::arithmetic, two_threads)), 1e-6);
  };
  EXPECT_EQ(picked(both), two);
  EXPECT_EQ(picked(both.with(slow).with(slow).with(slow).with(slow)), one);
}

TEST(Tuned, OldRacesCountLessAndLess) {
  TunedPoint times = point(1e-6, 1e-6, 1e-3, 1e-3);
  for (int i = 0; i < 1000; ++i) times = times.with(point(1e-6, 1e-6, 1e-3, 1e-3));
  for (int i = 0; i < 40; ++i) times = times.with(point(1e-6, 1e-6, 1e-6, 1e-3));
  EXPECT_LT(*times.time_of(two), 2e-6);
}

TEST(Tuned, ASettingThatOneRaceLackedHasTheTimeOfTheOther) {
  const TunedPoint alone = {1e-6, {{one, 1e-6}}};
  EXPECT_EQ(*alone.with(point(1e-6, 1e-6, 5e-6, 5e-6)).time_of(two), 5e-6);
  EXPECT_EQ(*point(1e-6, 1e-6, 5e-6, 5e-6).with(alone).time_of(two), 5e-6);
}

TEST(Tuned, KnowsBetweenWhatForkJoinsWere) {
  CostModel cost;
  for (const double seconds : {4e-7, 25e-7}) cost.see_fork_joins({{two, seconds}});
  EXPECT_NEAR(cost.fork_join(two), 1e-6, 1e-9);
  EXPECT_EQ(cost.fork_join_least_s.at(two), 4e-7);
  EXPECT_EQ(cost.fork_join_most_s.at(two), 25e-7);
  EXPECT_EQ(cost.fork_join_times, 2);
}

// What gains a little in one state of the machine may lose a lot in another.
TEST(Tuned, ShortCallsMustGainMoreThanLongOnes) {
  for (const auto& [seconds, gain, expected] :
       {std::tuple(20e-6, 1.06, one), {20e-6, 1.2, two}, {200e-6, 1.06, two}, {200e-6, 1.02, one}}) {
    Wisdom wisdom;
    wisdom.add("test/f32", Bound::arithmetic, {seconds, {{one, seconds}, {two, seconds / gain}}});
    EXPECT_EQ(best_of(predicted(wisdom, seconds, Bound::arithmetic, two_threads), true), expected)
        << seconds << " " << gain;
  }
}

// A machine whose two cores have one's bandwidth at one time and twice as much at another: for what goes through to the
// memory two threads then gain more at times than they lose at others.
TEST(Tuned, MemoryIsWhatItWasOnAverage) {
  Wisdom wisdom = with_costs();
  wisdom.cost.memory_speedup.clear();
  const double extent_s = 1;
  const auto pick = [&] { return at(steps(Predictor(wisdom, "test/f32", Bound::memory, two_threads)), extent_s); };
  wisdom.cost.see_memory({{1, 1}, {2, 1.02}});
  EXPECT_EQ(pick(), one);
  wisdom.cost.see_memory({{1, 1}, {2, 2}});
  EXPECT_NEAR(wisdom.cost.speedup_of_memory(2), std::sqrt(1.02 * 2), 1e-9);
  EXPECT_EQ(wisdom.cost.memory_times, 2);
  EXPECT_EQ(pick(), two);
}

TEST(Tuned, WhatMemoryWasLongAgoIsForgotten) {
  CostModel cost;
  cost.see_memory({{2, 1}});
  for (int i = 0; i < 40; ++i) cost.see_memory({{2, 2}});
  EXPECT_NEAR(cost.speedup_of_memory(2), 2, 0.05);
}

TEST(Tuned, SettingsThatWereNeverRacedAreNotPicked) {
  Wisdom wisdom;
  wisdom.add("test/f32", Bound::arithmetic, {1e-3, {{one, 1e-3}}});
  EXPECT_EQ(predicted(wisdom, 1e-3).size(), 1U);
  EXPECT_EQ(at(steps(Predictor(wisdom, "test/f32", Bound::arithmetic, two_threads)), 1), one);
}

// As a product with too few blocks for two threads, beside a larger one with enough.
TEST(Tuned, SettingsMissingAtAPointDoAsAtTheNextLargerOne) {
  Wisdom wisdom;
  wisdom.cost.fork_join_s = {{two, 2e-6}};
  wisdom.add("test/f32", Bound::arithmetic, {1e-5, {{one, 1e-5}}});
  wisdom.add("test/f32", Bound::arithmetic, {8e-5, {{one, 9e-5}, {two, 47e-6}}});
  // Beside the fork-join half of one thread's time, at the small point and between the two.
  EXPECT_NEAR(prediction_for(predicted(wisdom, 1e-5), two)->seconds, 2e-6 + 0.5e-5, 1e-12);
  const double between_s = std::sqrt(1e-5 * 8e-5);
  EXPECT_NEAR(prediction_for(predicted(wisdom, between_s), two)->seconds, 2e-6 + std::sqrt(1e-5 * 9e-5) / 2, 1e-12);
  EXPECT_EQ(at(steps(Predictor(wisdom, "test/f32", Bound::arithmetic, two_threads)), between_s), two);
  // Downwards only: what a larger call does nobody knows.
  wisdom.add("test/f32", Bound::arithmetic, {1e-3, {{one, 1e-3}}});
  EXPECT_EQ(predicted(wisdom, 1e-3).size(), 1U);
}

TEST(Tuned, ReplacesAPointOfTheSameExtent) {
  Wisdom wisdom;
  wisdom.add("test/f32", Bound::arithmetic, point(1e-3, 1, 2, 3));
  wisdom.add("test/f32", Bound::arithmetic, point(1.001e-3, 4, 5, 6));
  wisdom.add("test/f32", Bound::arithmetic, point(2e-3, 7, 8, 9));
  const TunedCurve& curve = *wisdom.curve("test/f32", Bound::arithmetic);
  ASSERT_EQ(curve.size(), 2U);
  EXPECT_EQ(*curve.front().time_of(one), 4);
}

// A folder that goes with it, and the wisdom file in it.
class WisdomFile : public testing::Test {
 protected:
  WisdomFile() {
    std::string name = fs::temp_directory_path() / "picker_test.XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ / "wisdom.json";
  }
  ~WisdomFile() override {
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(folder_);
  }

  std::string path() const { return path_.string(); }
  void write(const std::string& text) const { std::ofstream(path_) << text; }
  std::string content() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

  Wisdom some(const std::string& kernel = "test/f32") const {
    Wisdom wisdom = with_costs();
    wisdom.add(kernel, Bound::memory, point(1e-3, 1e-3, 6e-4, 5e-4));
    return wisdom;
  }

  // It is complained of, moved aside, and there is nothing to complain of any more.
  void expect_set_aside(const std::string& why) const {
    const ReadWisdom read = read_wisdom(path(), here_);
    EXPECT_THAT(read.complaint, HasSubstr(why));
    EXPECT_THAT(read.complaint, HasSubstr(path() + ".bad"));
    EXPECT_TRUE(read.wisdom.empty());
    EXPECT_FALSE(fs::exists(path_));
    EXPECT_TRUE(fs::exists(path() + ".bad"));
    EXPECT_THAT(read_wisdom(path(), here_).complaint, IsEmpty());
    fs::remove_all(path() + ".bad");
  }

  fs::path folder_, path_;
  const std::string here_ = "this machine";
};

TEST_F(WisdomFile, ComesBackAsItWas) {
  EXPECT_THAT(save_wisdom(path(), here_, some()), IsEmpty());
  const ReadWisdom read = read_wisdom(path(), here_);
  EXPECT_THAT(read.complaint, IsEmpty());
  EXPECT_EQ(read.wisdom.cost.fork_join_s, some().cost.fork_join_s);
  EXPECT_EQ(read.wisdom.cost.memory_speedup, some().cost.memory_speedup);
  EXPECT_EQ(read.wisdom.cost.slowness, some().cost.slowness);
  EXPECT_EQ(read.wisdom.cost.sharing_s, some().cost.sharing_s);
  const TunedCurve* const curve = read.wisdom.curve("test/f32", Bound::memory);
  ASSERT_NE(curve, nullptr);
  EXPECT_EQ(curve->front().times_s.size(), some().curve("test/f32", Bound::memory)->front().times_s.size());
  EXPECT_EQ(*curve->front().time_of(two), 6e-4);
}

TEST_F(WisdomFile, KeepsHowOftenThingsWereMeasured) {
  Wisdom wisdom;
  wisdom.cost.see_fork_joins({{two, 4e-7}});
  wisdom.cost.see_fork_joins({{two, 25e-7}});
  for (int i = 0; i < 3; ++i) wisdom.cost.see_memory({{2, 1.5}});
  wisdom.add("test/f32", Bound::memory, point(1e-3, 1, 2, 3).with(point(1e-3, 1, 2, 3)));
  EXPECT_THAT(save_wisdom(path(), here_, wisdom), IsEmpty());
  const Wisdom read = read_wisdom(path(), here_).wisdom;
  EXPECT_EQ(read.cost.fork_join_least_s, wisdom.cost.fork_join_least_s);
  EXPECT_EQ(read.cost.fork_join_most_s, wisdom.cost.fork_join_most_s);
  EXPECT_EQ(read.cost.fork_join_times, 2);
  EXPECT_EQ(read.cost.memory_times, 3);
  EXPECT_EQ(read.curve("test/f32", Bound::memory)->front().races, 2);
}

TEST_F(WisdomFile, OfBeforeRacesWereCountedIsReadAsOneRaceEach) {
  write(R"({"schema": 1, "machine": "this machine", "fork_join_s": {"threads/2": 1e-6},
            "memory_speedup": {"2": 1.0}, "kernels":
            {"test/f32": {"memory": [{"extent_s": 1e-3, "times_s": {"sequential": 1e-3}}]}}})");
  const ReadWisdom read = read_wisdom(path(), here_);
  EXPECT_THAT(read.complaint, IsEmpty());
  EXPECT_EQ(read.wisdom.curve("test/f32", Bound::memory)->front().races, 1);
  Wisdom wisdom = read.wisdom;
  wisdom.cost.see_fork_joins({{two, 4e-6}});
  EXPECT_EQ(wisdom.cost.fork_join(two), 4e-6);
  wisdom.cost.see_memory({{2, 1.9}});
  EXPECT_EQ(wisdom.cost.speedup_of_memory(2), 1.9);
}

TEST_F(WisdomFile, SavesIntoFoldersThatAreNotThereYet) {
  const std::string deep = (folder_ / "a" / "b" / "wisdom.json").string();
  EXPECT_THAT(save_wisdom(deep, here_, some()), IsEmpty());
  EXPECT_FALSE(read_wisdom(deep, here_).wisdom.empty());
}

TEST_F(WisdomFile, NoFileIsNoComplaint) {
  EXPECT_THAT(read_wisdom(path(), here_).complaint, IsEmpty());
  EXPECT_TRUE(read_wisdom(path(), here_).wisdom.empty());
}

TEST_F(WisdomFile, AddsToWhatIsThere) {
  EXPECT_THAT(save_wisdom(path(), here_, some("one/f32")), IsEmpty());
  EXPECT_THAT(save_wisdom(path(), here_, some("two/f32")), IsEmpty());
  const Wisdom both = read_wisdom(path(), here_).wisdom;
  EXPECT_NE(both.curve("one/f32", Bound::memory), nullptr);
  EXPECT_NE(both.curve("two/f32", Bound::memory), nullptr);
}

TEST_F(WisdomFile, ManyProcessesLoseNothing) {
  constexpr int processes = 8, entries = 12;
  std::vector<pid_t> children;
  for (int child = 0; child < processes; ++child) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      bool good = true;
      for (int entry = 0; entry < entries; ++entry) {
        good = save_wisdom(path(), here_, some("k" + std::to_string(child * entries + entry))).empty() && good;
      }
      _exit(good ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = -1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(read_wisdom(path(), here_).wisdom.kernels.size(), static_cast<std::size_t>(processes * entries));
  // Nothing is left lying about but the file and its lock.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 2);
}

TEST_F(WisdomFile, BrokenOnesAreSetAside) {
  const struct {
    const char* text;
    const char* why;
  } broken[] = {
      {"", "isn't a JSON object"},
      {"not JSON", "isn't a JSON object"},
      {"[]", "isn't a JSON object"},
      {"{}", "no \"schema\""},
      {R"({"schema": "1"})", "no \"schema\""},
      {R"({"schema": 1})", "no \"machine\""},
      {R"({"schema": 1, "machine": 7})", "no \"machine\""},
      {R"({"schema": 1, "machine": "this machine", "kernels": []})", "no object"},
      {R"({"schema": 1, "machine": "this machine", "kernels": {"a": 1}})", "no object"},
      {R"({"schema": 1, "machine": "this machine", "kernels": {"a": {"memory": {}}}})", "no short list"},
      {R"({"schema": 1, "machine": "this machine", "kernels": {"a": {"memory": [1]}}})", "without extent"},
      {R"({"schema": 1, "machine": "this machine", "kernels": {"a": {"memory": [{"extent_s": -1}]}}})", "extent is -1"},
      {R"({"schema": 1, "machine": "this machine", "kernels": {"a": {"memory": [{"extent_s": 1}]}}})", "sequential"},
      {R"({"schema": 1, "machine": "this machine", "fork_join_s": {"threads/2": 1e99}})", "fork-join is"},
      {R"({"schema": 1, "machine": "this machine", "fork_join_s": {"threads/2": null}})", "fork-join is null"},
      {R"({"schema": 1, "machine": "this machine", "fork_join_most_s": {"threads/2": 0}})", "fork-join is"},
      {R"({"schema": 1, "machine": "this machine", "fork_join_times": -1})", "number of measurements is -1"},
      {R"({"schema": 1, "machine": "this machine", "memory_times": 1e9})", "number of measurements is"},
      {R"({"schema": 1, "machine": "this machine", "kernels": {"a": {"memory": [{"races": 1e9}]}}})",
       "measurements is"},
      {R"({"schema": 1, "machine": "this machine", "slowness": {"a": "fast"}})", "slowness is"},
      {R"({"schema": 1, "machine": "this machine", "sharing_s": {"a": -1}})", "sharing is"},
      {R"({"schema": 1, "machine": "this machine", "memory_speedup": {"many": 2}})", "many"},
  };
  for (const auto& [text, why] : broken) {
    SCOPED_TRACE(text);
    write(text);
    expect_set_aside(why);
  }
}

TEST_F(WisdomFile, CutOffAnywhereItIsSetAside) {
  ASSERT_THAT(save_wisdom(path(), here_, some()), IsEmpty());
  const std::string whole = content();
  for (std::size_t length = 0; length + 2 < whole.size(); length += 7) {
    write(whole.substr(0, length));
    expect_set_aside("isn't a JSON object");
  }
}

TEST_F(WisdomFile, HostileOnesAreSetAsideAtOnce) {
  const auto began = std::chrono::steady_clock::now();
  write(std::string(1'000'000, '['));
  expect_set_aside("isn't a JSON object");
  // It claims to be huge, and has no blocks.
  write("");
  fs::resize_file(path_, std::uintmax_t{1} << 40);
  expect_set_aside("expected at most");
  // Nobody writes to it.
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  expect_set_aside("no regular file");
  fs::create_directory(path_);
  expect_set_aside("no regular file");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

TEST_F(WisdomFile, AnotherMachinesIsLeftAloneButNotUsed) {
  ASSERT_THAT(save_wisdom(path(), "another machine", some()), IsEmpty());
  const std::string before = content();
  const ReadWisdom read = read_wisdom(path(), here_);
  EXPECT_TRUE(read.wisdom.empty());
  EXPECT_THAT(read.complaint, HasSubstr("another machine"));
  EXPECT_EQ(content(), before);
  // Who tunes needs the place: it is kept beside.
  EXPECT_THAT(save_wisdom(path(), here_, some()), IsEmpty());
  EXPECT_THAT(read_wisdom(path(), here_).complaint, IsEmpty());
  EXPECT_TRUE(fs::exists(path() + ".bad"));
}

TEST_F(WisdomFile, ALaterVersionsIsLeftAloneButNotUsed) {
  write(R"({"schema": 2, "machine": "this machine"})");
  EXPECT_THAT(read_wisdom(path(), here_).complaint, HasSubstr("schema 2, expected 1"));
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(WisdomFile, SaysWhyItCantBeSaved) {
  fs::create_directory(folder_ / "blocked");
  std::ofstream(folder_ / "file") << "x";
  EXPECT_THAT(save_wisdom((folder_ / "file" / "wisdom.json").string(), here_, some()), Not(IsEmpty()));
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  fs::permissions(folder_ / "blocked", fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_THAT(save_wisdom((folder_ / "blocked" / "wisdom.json").string(), here_, some()), HasSubstr("denied"));
}

TEST(WisdomPath, IsNeverRelative) {
  ASSERT_EQ(setenv("SPEEDWELL_WISDOM", "wisdom.json", 1), 0);
  EXPECT_THAT([] { wisdom_path(); }, ThrowsMessage<InvalidArgument>(HasSubstr("expected an absolute path")));
  ASSERT_EQ(setenv("SPEEDWELL_WISDOM", "/a/file", 1), 0);
  EXPECT_EQ(wisdom_path(), "/a/file");
  ASSERT_EQ(unsetenv("SPEEDWELL_WISDOM"), 0);
  ASSERT_EQ(setenv("XDG_CACHE_HOME", "relative", 1), 0);
  ASSERT_EQ(setenv("HOME", "/somewhere", 1), 0);
  EXPECT_THAT(wisdom_path(), testing::StartsWith("/somewhere/.cache/speedwell/wisdom-"));
  ASSERT_EQ(setenv("XDG_CACHE_HOME", "/cache", 1), 0);
  EXPECT_THAT(wisdom_path(), testing::StartsWith("/cache/speedwell/wisdom-"));
  ASSERT_EQ(unsetenv("XDG_CACHE_HOME"), 0);
  ASSERT_EQ(setenv("HOME", "here", 1), 0);
  EXPECT_EQ(wisdom_path(), "");
}

constinit Kernel own_kernel("picker_test", "f32");

// Restores what the process had.
class Picked : public testing::Test {
 protected:
  ~Picked() override { forget_plans(); }

  // As one of many calls in a row, so that it doesn't matter whether the pool's threads sleep.
  static Choice choose_in_a_row(Work work) {
    Choice choice;
    for (int call = 0; call < 1000; ++call) {
      choice = choose(own_kernel, Automatic{}, work);
      if (choice.reason != too_short_to_wake) break;
    }
    return choice;
  }
};

TEST_F(Picked, NewWisdomChangesTheChoice) {
  if (machine().default_threads == 1) GTEST_SKIP() << "one core allowed";
  const Work work = {.flops = 1e6};  // 10 us
  set_wisdom({});
  EXPECT_EQ(choose(own_kernel, Automatic{}, work).threads, 1);
  Wisdom tuned;
  tuned.add(own_kernel.name(), Bound::arithmetic, {1e-5, {{one, 1e-5}, {two, 6e-6}}});
  set_wisdom(tuned);
  const Choice choice = choose_in_a_row(work);
  EXPECT_EQ(choice.threads, 2);
  EXPECT_THAT(std::string(choice.reason), HasSubstr("tuned"));
  EXPECT_FALSE(choice.exact);
  set_wisdom({});
  EXPECT_EQ(choose(own_kernel, Automatic{}, work).threads, 1);
}

TEST_F(Picked, SleepingThreadsArentWokenForAShortCall) {
  if (machine().default_threads == 1) GTEST_SKIP() << "one core allowed";
  Wisdom tuned;
  tuned.add(own_kernel.name(), Bound::arithmetic, {1e-6, {{one, 1e-6}, {two, 5e-7}}});
  set_wisdom(tuned);
  thread_pool().shutdown();  // these must even be made
  const Choice alone = choose(own_kernel, Automatic{}, {.flops = 1e5});
  EXPECT_EQ(alone.threads, 1);
  EXPECT_EQ(alone.reason, too_short_to_wake);
  EXPECT_EQ(choose_in_a_row({.flops = 1e5}).threads, 2);
  EXPECT_EQ(choose(own_kernel, Automatic{}, {.flops = 1e9}).threads, 2);
  // Nobody asks the pool what others' threads do.
  EXPECT_EQ(choose(own_kernel, Threads{2}, {.flops = 1e5}).threads, 2);
  EXPECT_EQ(choose(own_kernel, Threads{}, {.flops = 1e5}).threads, machine().default_threads);
}

TEST_F(Picked, ManyThreadsMayAskWhileWisdomChanges) {
  std::atomic<bool> over = false;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      while (!over) EXPECT_GE(choose(own_kernel, Automatic{}, {.flops = 1e7}).threads, 1);
    });
  }
  for (int i = 0; i < 50; ++i) set_wisdom(i % 2 == 0 ? with_costs() : Wisdom());
  over = true;
  for (std::thread& caller : callers) caller.join();
}

TEST_F(Picked, AProbeNotesInsteadOfChoosing) {
  CallProbe probe;
  EXPECT_THROW(choose(own_kernel, Threads{2}, {.flops = 5, .bytes = 7}), CallNoted);
  EXPECT_EQ(probe.kernel, &own_kernel);
  EXPECT_EQ(probe.work.bytes, 7);
}

}  // namespace
}  // namespace speedwell::runtime
