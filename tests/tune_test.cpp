// SPDX-License-Identifier: Apache-2.0
// tune, plan and regret as the command has them, with children that make up their times, and once with the real ones.
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

TEST(TunedKernels, AreFoundByBeginningsOfNamesOfCasesAndOfKernels) {
  const auto names = [](const std::vector<std::string>& words) {
    std::vector<std::string> names;
    for (const TunedKernel& kernel : tuned_kernels(words)) names.push_back(kernel.name);
    return names;
  };
  EXPECT_THAT(names({"sum", "dot/f32"}), testing::UnorderedElementsAre("sum/f32", "sum/f64", "dot/f32"));
  EXPECT_THAT(names({"sum/f32", "sort_run"}), testing::UnorderedElementsAre("sum/f32", "sort_run/f32"));
}

TEST(TunedKernels, EveryKernelHasSizesInOrder) {
  const std::vector<TunedKernel> kernels = tuned_kernels({});
  EXPECT_GT(kernels.size(), 30U);
  for (const TunedKernel& kernel : kernels) {
    double before = 0;
    for (const double part : {0.2, 0.3, 0.4}) {
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

const std::string real_command = SPEEDWELL_COMMAND;
const std::string fake_command = std::string(SPEEDWELL_FAKE_FOLDER) + "/speedwell";

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
  Result run(const std::string& words, const std::string& environment = "",
             const std::string& command = real_command) const {
    const std::string line =
        "SPEEDWELL_WISDOM=" + wisdom() + " " + environment + " '" + command + "' " + words + " 2>&1";
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
  // On a machine where a call takes a nanosecond an element, and with several threads its share of that and a
  // fork-join.
  Result run_with_fork_joins_of(const std::string& us, const std::string& words) const {
    return run(words, "FAKE_SPREAD=0 FAKE_FORK_JOIN_US=" + us, fake_command);
  }
  std::string wisdom() const { return (folder_ / "wisdom.json").string(); }
  runtime::Wisdom read_wisdom() const { return runtime::read_wisdom(wisdom(), runtime::machine_fingerprint()).wisdom; }

  static const runtime::TunedCurve& curve_of_sum(const runtime::Wisdom& of) {
    static const runtime::TunedCurve none;
    const runtime::TunedCurve* const curve = of.curve("sum/f32", runtime::Bound::memory);
    return curve != nullptr ? *curve : none;
  }

  fs::path folder_;
};

// A first calibration, a tune, and another when the machine's fork-joins take sixteen times as long.
TEST_F(Command, TuneFillsTheFileThatPlanGoesBy) {
  if (machine().default_threads == 1) GTEST_SKIP() << "one core allowed";
  const Setting all = {Setting::threads, machine().default_threads};
  const Result calibrated = run_with_fork_joins_of("10", "tune sum/f32 --calibrate");
  EXPECT_EQ(calibrated.status, 0);
  EXPECT_THAT(calibrated.out, HasSubstr("calibrated"));
  const runtime::Wisdom zeroth = read_wisdom();
  EXPECT_TRUE(zeroth.kernels.empty());
  EXPECT_NEAR(zeroth.cost.slowness.at("sum/f32"), 1e-9 / (sizeof(float) / runtime::reference_bytes), 1e-3);
  EXPECT_NEAR(zeroth.cost.fork_join_s.at(all), 1e-5, 1e-8);
  EXPECT_NEAR(zeroth.cost.speedup_of_memory(all.count), all.count, 0.05 * all.count);
  EXPECT_THAT(run("plan sum/f32 100000").out, HasSubstr("isn't tuned"));

  const Result tuned = run_with_fork_joins_of("10", "tune sum/f32");
  EXPECT_EQ(tuned.status, 0) << tuned.out;
  EXPECT_THAT(tuned.out, HasSubstr("fork-joins and memory measured once more"));
  EXPECT_THAT(tuned.out, Not(HasSubstr("calibrated")));
  const runtime::Wisdom first = read_wisdom();
  EXPECT_EQ(first.cost.slowness, zeroth.cost.slowness);
  EXPECT_EQ(first.cost.memory_times, 2);
  EXPECT_EQ(first.cost.fork_join_times, 4) << "now also first of all, and before each repetition";
  EXPECT_GE(curve_of_sum(first).size(), 5U);
  // From 2 * 10 us on, less where more threads than two are faster still.
  EXPECT_EQ(json::parse(run("plan sum/f32 10000 --json").out)["pick"], "sequential");
  const json above = json::parse(run("plan sum/f32 24000 --json").out);
  EXPECT_THAT(std::string(above["pick"]), testing::StartsWith("threads/"));
  EXPECT_EQ(above["source"], "wisdom");
  const Result plan = run("plan sum/f32 100000 --explain");
  EXPECT_EQ(plan.status, 0);
  EXPECT_THAT(plan.out, HasSubstr("tuned on this machine"));
  EXPECT_THAT(plan.out, HasSubstr("<- picked"));
  EXPECT_THAT(plan.out, HasSubstr(wisdom()));

  const Result regret = run_with_fork_joins_of("10", "regret sum/f32 --sizes 5 --rounds 4 --seed 3 --json 2>/dev/null");
  EXPECT_EQ(regret.status, 0) << regret.out;
  const json judged = json::parse(regret.out.substr(regret.out.find('{')));
  EXPECT_EQ(judged["cases"].size(), 5U);
  EXPECT_EQ(judged["cases"][0]["seconds"]["sequential"].size(), 4U);
  EXPECT_LT(judged["summary"]["regret_mean"], 0.03);
  EXPECT_GT(judged["summary"]["best_fixed_mean"], 0.05) << "no single setting does as well";
  const json& state = judged["fork_join"];
  EXPECT_EQ(state["now_s"].size(), 2U);
  EXPECT_LE(state["tuned_least_s"], state["tuned_s"]);
  EXPECT_LE(state["tuned_s"], state["tuned_most_s"]);
  EXPECT_FALSE(state["another_state"]);

  // Nothing is lost, and what is known isn't measured again unless it depends on the machine's state.
  EXPECT_EQ(run_with_fork_joins_of("160", "tune sum/f32").status, 0);
  const runtime::Wisdom second = read_wisdom();
  EXPECT_EQ(second.cost.slowness, first.cost.slowness);
  EXPECT_EQ(second.cost.memory_times, 3);
  EXPECT_GT(second.cost.fork_join_s.at(all), 1.1e-5);
  EXPECT_LT(second.cost.fork_join_s.at(all), 1.5e-4);
  EXPECT_NEAR(second.cost.fork_join_least_s.at(all), 1e-5, 1e-8);
  EXPECT_NEAR(second.cost.fork_join_most_s.at(all), 1.6e-4, 1e-8);
  int raced_again = 0;
  for (const runtime::TunedPoint& before : curve_of_sum(first)) {
    const auto* const after = second.point("sum/f32", runtime::Bound::memory, before.extent_s);
    ASSERT_NE(after, nullptr) << before.extent_s;
    if (*before.time_of(one) > 5e-5) {
      EXPECT_EQ(after->races, 1);
      EXPECT_THAT(after->times_s, testing::UnorderedElementsAreArray(before.times_s));
    } else if (after->races > before.races) {
      ++raced_again;
      EXPECT_GT(*after->time_of(all), *before.time_of(all));
    }
  }
  EXPECT_GE(raced_again, 2);
}

// With the real children.
TEST_F(Command, RegretTellsOfAnotherState) {
  if (machine().default_threads == 1) GTEST_SKIP() << "one core allowed";
  // No machine has fork-joins of a second.
  runtime::Wisdom slow;
  slow.cost.see_fork_joins({{{Setting::threads, machine().default_threads}, 1}});
  ASSERT_EQ(runtime::save_wisdom(wisdom(), runtime::machine_fingerprint(), slow), "");
  const std::string out = run("regret sum/f32 --sizes 1 --rounds 4 --seed 3").out;
  EXPECT_THAT(out, HasSubstr("us when tuned: the machine is in another state"));
  EXPECT_THAT(out, HasSubstr("speedwell tune"));
}

// Within the caches there is nothing to share, and nothing to tune.
TEST_F(Command, KeysInOrderStayOnOneThread) {
  const json plan = json::parse(run("plan sort/f32_sorted 10000 --json").out);
  EXPECT_EQ(plan["pick"], "sequential");
  EXPECT_THAT(plan["reason"], HasSubstr("caches"));
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
