// SPDX-License-Identifier: Apache-2.0
// tune, plan and regret as the command has them, with the real children.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <speedwell/machine.hpp>

#include "bench/driver/tuner.hpp"
#include "runtime/picker/wisdom_file.hpp"

namespace speedwell::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using runtime::Setting;
using testing::HasSubstr;
using testing::Not;

constexpr Setting one = {};
constexpr Setting two = {Setting::threads, 2};
constexpr Setting tbb = {Setting::tbb, 2};

TEST(Regret, IsThePicksTimeOverTheBest) {
  const std::vector<RacedSetting> raced = {{one, {4, 4, 4, 4}}, {two, {2, 2, 2, 2}}};
  const Regret right = regret_of("case", "kernel", two, raced);
  EXPECT_EQ(right.best, two);
  EXPECT_NEAR(right.regret, 0, 1e-12);
  EXPECT_NEAR(right.over_sequential, -0.5, 1e-12);
  const Regret wrong = regret_of("case", "kernel", one, raced);
  EXPECT_NEAR(wrong.regret, 1, 1e-12);
  EXPECT_NEAR(wrong.noise, 0, 1e-12);
}

// The best of the even rounds is another than that of the odd ones.
TEST(Regret, ChoosesOnOneHalfAndScoresOnTheOther) {
  const std::vector<RacedSetting> raced = {{one, {1, 4, 1, 4}}, {two, {2, 2, 2, 2}}};
  const Regret of_two = regret_of("case", "kernel", two, raced);
  // Even rounds choose `one`, which takes 4 in the odd ones; odd rounds choose `two`, which takes 2 in the even ones.
  EXPECT_NEAR(of_two.regret, std::sqrt(2.0 / 4 * 2.0 / 2) - 1, 1e-12);
  EXPECT_NEAR(of_two.noise, std::sqrt(4.0 / 2 * 2.0 / 1) - 1, 1e-12);
}

TEST(Regret, ASettingThatCantRunIsTheOneThatRunsInstead) {
  const std::vector<RacedSetting> raced = {{one, {4, 4, 4, 4}}, {two, {2, 2, 2, 2}}};
  EXPECT_EQ(regret_of("case", "kernel", {Setting::threads, 8}, raced).pick, two);
  EXPECT_EQ(regret_of("case", "kernel", tbb, raced).pick, one);
}

TEST(Regret, IsAveragedAsAGeometricMean) {
  std::vector<Regret> all;
  for (int i = 0; i < 100; ++i) {
    const double time = i < 90 ? 2 : 8;
    all.push_back(regret_of("case", "kernel", two, {{one, {4, 4, 4, 4}}, {two, {time, time, time, time}}}));
  }
  const RegretSummary summary = summary_of(all);
  EXPECT_NEAR(summary.mean, std::pow(2.0, 0.1) - 1, 1e-12);
  EXPECT_NEAR(summary.percentile_95, 1, 1e-12);
  EXPECT_NEAR(summary.worst_over_sequential, 1, 1e-12);
  EXPECT_EQ(summary.picked_best, 90);
}

TEST(ForkJoinState, IsAnotherBeyondTwiceWhatWasSeen) {
  runtime::CostModel cost;
  ForkJoinState state = fork_join_state(cost);
  state.now_s = {1};
  EXPECT_FALSE(state.is_another()) << "nothing was calibrated";
  for (const double seconds : {1e-6, 2e-6}) cost.see_fork_joins({{state.setting, seconds}});
  for (const auto& [now, another] : {std::pair(0.6e-6, false), {3.9e-6, false}, {0.4e-6, true}, {4.1e-6, true}}) {
    state = fork_join_state(cost);
    state.now_s = {1.5e-6, now};
    EXPECT_EQ(state.is_another(), another) << now;
  }
}

TEST(TunedKernels, EveryKernelHasSizesInOrder) {
  const std::vector<TunedKernel> kernels = tuned_kernels({});
  EXPECT_GT(kernels.size(), 30U);
  for (const TunedKernel& kernel : kernels) {
    double before = 0;
    for (const double part : {0.2, 0.4, 0.6}) {
      const auto of = case_at(*kernel.cases.front(), part);
      ASSERT_TRUE(of) << kernel.name;
      EXPECT_EQ(make_case(of->name())->name(), of->name());
      const auto call = note_call(*of);
      ASSERT_TRUE(call) << of->name();
      EXPECT_EQ(call->kernel, kernel.name);
      if (call->shareable()) {
        EXPECT_GT(call->extent().seconds, before) << of->name();
      }
      before = call->extent().seconds;
    }
  }
}

class Command : public testing::Test {
 protected:
  Command() {
    std::string name = (fs::temp_directory_path() / "speedwell-tune-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~Command() override { fs::remove_all(folder_); }

  struct Result {
    int status;
    std::string out;  // and what went to stderr
  };
  Result run(const std::string& words, const std::string& environment = "") const {
    const std::string line =
        "SPEEDWELL_WISDOM=" + wisdom() + " " + environment + " " + SPEEDWELL_COMMAND + " " + words + " 2>&1";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(line.c_str(), "r"), [](FILE*) { return 0; });
    Result result;
    std::array<char, 4096> part;
    for (std::size_t got; (got = std::fread(part.data(), 1, part.size(), pipe.get())) > 0;) {
      result.out.append(part.data(), got);
    }
    const int status = ::pclose(pipe.get());
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
    return result;
  }
  std::string wisdom() const { return (folder_ / "wisdom.json").string(); }
  json read_wisdom() const { return json::parse(std::ifstream(wisdom())); }

  fs::path folder_;
};

TEST_F(Command, TuneFillsTheFileThatPlanGoesBy) {
  if (machine().default_threads == 1) GTEST_SKIP() << "one core allowed";
  EXPECT_THAT(run("plan copy/f32 100000").out, HasSubstr("isn't tuned"));
  const Result tuned = run("tune copy/f32 --budget 30");
  EXPECT_EQ(tuned.status, 0) << tuned.out;
  EXPECT_THAT(tuned.out, HasSubstr("calibrated"));
  const json file = read_wisdom();
  EXPECT_GE(file["kernels"]["copy/f32"]["memory"].size(), 4U);
  EXPECT_GT(file["slowness"]["copy/f32"].get<double>(), 0);
  EXPECT_GT(file["fork_join_s"]["threads/2"].get<double>(), 0);

  const Result plan = run("plan copy/f32 100000 --explain");
  EXPECT_EQ(plan.status, 0);
  EXPECT_THAT(plan.out, HasSubstr("tuned on this machine"));
  EXPECT_THAT(plan.out, HasSubstr("<- picked"));
  EXPECT_THAT(plan.out, HasSubstr(wisdom()));
  EXPECT_EQ(json::parse(run("plan copy/f32 100000 --json").out)["source"], "wisdom");

  // What is known isn't measured again, unless it depends on the machine's state, and nothing is lost.
  EXPECT_EQ(run("tune copy/f32 --budget 30").status, 0);
  const json again = read_wisdom();
  EXPECT_GT(again["fork_join_times"], file["fork_join_times"]);
  for (const json& before : file["kernels"]["copy/f32"]["memory"]) {
    const json points = again["kernels"]["copy/f32"]["memory"];
    const auto kept = std::find_if(points.begin(), points.end(), [&](const json& each) {
      return each["extent_s"] == before["extent_s"] && each["races"] >= before["races"];
    });
    ASSERT_NE(kept, points.end()) << before;
    if ((*kept)["races"] == 1) {
      EXPECT_EQ(*kept, before);
    }
  }

  const Result regret = run("regret copy/f32 --sizes 2 --rounds 4 --seed 3 --json 2>/dev/null");
  EXPECT_EQ(regret.status, 0) << regret.out;
  const json judged = json::parse(regret.out.substr(regret.out.find('{')));
  EXPECT_EQ(judged["cases"].size(), 2U);
  EXPECT_EQ(judged["cases"][0]["seconds"]["sequential"].size(), 4U);
  const json& state = judged["fork_join"];
  EXPECT_EQ(state["now_s"].size(), 2U);
  EXPECT_LE(state["tuned_least_s"], state["tuned_s"]);
  EXPECT_LE(state["tuned_s"], state["tuned_most_s"]);
  EXPECT_TRUE(state["another_state"].is_boolean());
}

TEST_F(Command, RegretTellsOfAnotherState) {
  if (machine().default_threads == 1) GTEST_SKIP() << "one core allowed";
  // No machine has fork-joins of a second.
  runtime::Wisdom slow;
  slow.cost.see_fork_joins({{{Setting::threads, machine().default_threads}, 1}});
  ASSERT_EQ(runtime::save_wisdom(wisdom(), runtime::machine_fingerprint(), slow), "");
  const std::string out = run("regret copy/f32 --sizes 1 --rounds 4 --seed 3").out;
  EXPECT_THAT(out, HasSubstr("us when tuned: the machine is in another state"));
  EXPECT_THAT(out, HasSubstr("speedwell tune"));
}

// Within the caches there is nothing to share, and nothing to tune.
TEST_F(Command, KeysInOrderStayOnOneThread) {
  const json plan = json::parse(run("plan sort/f32_sorted 1000 --json").out);
  EXPECT_EQ(plan["pick"], "sequential");
  EXPECT_THAT(plan["reason"], HasSubstr("caches"));
}

TEST_F(Command, CalibratingIsDoneOnce) {
  if (machine().default_threads == 1) GTEST_SKIP() << "one core allowed";
  EXPECT_THAT(run("tune copy/f32 --calibrate").out, HasSubstr("calibrated"));
  EXPECT_TRUE(read_wisdom()["kernels"].empty());
  EXPECT_EQ(run("tune copy/f32 --calibrate").out, "");
}

TEST_F(Command, PlanObeysTheEnvironment) {
  const Result plan = run("plan matmul 64x64x64 --json", "SPEEDWELL_BACKEND=threads SPEEDWELL_THREADS=3");
  EXPECT_EQ(json::parse(plan.out)["pick"], "threads/3") << plan.out;
  EXPECT_EQ(json::parse(plan.out)["source"], "environment");
}

TEST_F(Command, WrongUseSaysWhatWasExpected) {
  const struct {
    const char* words;
    const char* expected;
  } wrong[] = {
      {"plan", "KERNEL"},
      {"plan matmull 64x64x64", "did you mean 'matmul'"},
      {"plan matmul 64", "expected one such as"},
      {"plan matmul 0x1x1", "expected numbers from 1"},
      {"tune nothing", "no kernel begins with 'nothing'"},
      {"tune --budget 0", "expected seconds"},
      {"regret --sizes 0", "expected a number from 1"},
      {"regret --rounds 3", "expected a number from 4"},
      {"regret --seed -1", "expected a number from 0"},
  };
  for (const auto& [words, expected] : wrong) {
    const Result result = run(words);
    EXPECT_EQ(result.status, 2) << words << ": " << result.out;
    EXPECT_THAT(result.out, HasSubstr(expected)) << words;
  }
  EXPECT_THAT(run("plan matmul 8x8x8", "SPEEDWELL_WISDOM=here.json").out, HasSubstr("expected an absolute path"));
}

TEST_F(Command, ABrokenFileIsToldOfOnce) {
  std::ofstream(wisdom()) << "{";
  EXPECT_THAT(run("plan sort 1000000", "SPEEDWELL_VERBOSE=1").out, HasSubstr("can't be used as wisdom"));
  EXPECT_TRUE(fs::exists(wisdom() + ".bad"));
  EXPECT_THAT(run("plan sort 1000000", "SPEEDWELL_VERBOSE=1").out, Not(HasSubstr("can't be used")));
}

}  // namespace
}  // namespace speedwell::bench
