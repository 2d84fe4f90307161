// SPDX-License-Identifier: Apache-2.0
// What becomes of a rung that is wrong, and the verb as its users meet it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/wait.h>

#include "bench/cli/verbs.hpp"
#include "bench/ladder/ladder.hpp"
#include "bench/ladder/results.hpp"
#include "bench/ladder/rungs.hpp"

namespace speedwell::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using ladder::compiled_rung;
using ladder::Ladder;
using ladder::Multiply;
using ladder::Product;
using ladder::Rung;

constexpr const char* started = "2026-03-01T12:34:56Z";

struct Result {
  int status;
  std::string out, err;
};

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class LadderTest : public testing::Test {
 protected:
  LadderTest() {
    std::string name = (fs::temp_directory_path() / "speedwell-ladder-XXXXXX").string();
    base_ = ::mkdtemp(name.data());
    fs::create_directory(cwd());
  }
  ~LadderTest() override { fs::remove_all(base_); }

  fs::path cwd() const { return base_ / "cwd"; }
  fs::path path(const std::string& name) const { return cwd() / name; }

  // `before` is shell text in front of the command.
  Result run(const std::string& options, const std::string& before = "") const {
    const std::string line = "cd '" + cwd().string() + "' && " + before + " '" + SPEEDWELL_COMMAND + "' ladder " +
                             options + " >../out 2>../err </dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), text_of(base_ / "out"),
            text_of(base_ / "err")};
  }

  std::vector<std::string> files(const std::string& folder) const {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(path(folder)))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  // A python3 of our own, alone in a PATH with what its script needs.
  std::string path_with_python(const std::string& script) const {
    fs::create_directories(base_ / "bin");
    std::ofstream(base_ / "bin/python3") << "#!/bin/sh\n" << script;
    fs::permissions(base_ / "bin/python3", fs::perms::owner_all);
    return "PATH='" + (base_ / "bin").string() + "':/usr/bin:/bin";
  }

  fs::path base_;
};

std::vector<std::string> names(const std::vector<ladder::Step>& steps) {
  std::vector<std::string> list;
  for (const ladder::Step& step : steps) list.push_back(step.name);
  return list;
}

// Wrong in one element, not computed at all, and right only when it is looked at for the first time.
TEST_F(LadderTest, AWrongRungIsRefusedAndShownNowhere) {
  constexpr std::ptrdiff_t n = 48;
  const std::shared_ptr<Product> product = make_matmul_f32(n, n, n, 1);
  const auto one_off = [](const float* a, const float* b, float* c, std::ptrdiff_t size) {
    ladder::naive(a, b, c, size);
    c[7 * size + 11] += 0.01f;
  };
  const auto nothing = [](const float*, const float*, float*, std::ptrdiff_t) {};
  const auto lazy = [calls = 0](const float* a, const float* b, float* c, std::ptrdiff_t size) mutable {
    if (++calls < 100) ladder::naive(a, b, c, size);
  };
  for (const Multiply& wrong : {Multiply(one_off), Multiply(nothing), Multiply(lazy)}) {
    Progress progress;
    Interrupts interrupts;
    const Ladder climbed = ladder::climb(
        n, 3,
        {compiled_rung("first", "right", product, ladder::naive), compiled_rung("crooked", "wrong", product, wrong),
         compiled_rung("last", "right", product, ladder::tiled)},
        progress, interrupts);
    ASSERT_EQ(climbed.refused.size(), 1u);
    EXPECT_EQ(climbed.refused[0].name, "crooked");
    EXPECT_NE(climbed.refused[0].reason, "");
    EXPECT_THAT(names(climbed.steps), ElementsAre("first", "last"));
    EXPECT_EQ(climbed.steps[1].over_previous, climbed.steps[1].over_first);
    for (const std::string& text :
         {ladder::table(climbed, false, 120), ladder::to_csv(climbed), ladder::plot_script(climbed, started),
          ladder::to_json(climbed, started)["rungs"].dump()}) {
      EXPECT_THAT(text, HasSubstr("last"));
      EXPECT_THAT(text, Not(HasSubstr("crooked")));
    }
    const fs::path folder = base_ / std::to_string(fs::hash_value(climbed.refused[0].reason));
    testing::internal::CaptureStdout();
    EXPECT_EQ(show_ladder(climbed, started, folder, {}), exit_negative);
    EXPECT_THAT(testing::internal::GetCapturedStdout(), Not(HasSubstr("crooked")));
  }
}

TEST_F(LadderTest, OfAlternativesTheFastestStands) {
  constexpr std::ptrdiff_t n = 64;
  const std::shared_ptr<Product> product = make_matmul_f32(n, n, n, 1);
  std::vector<Rung> rungs = {compiled_rung("first", "", product, ladder::naive),
                             compiled_rung("last", "slow", product, ladder::naive),
                             compiled_rung("last", "fast", product, ladder::tiled)};
  rungs[1].time = [time = rungs[1].time](int calls) { return 1e9 + time(calls); };
  Progress progress;
  Interrupts interrupts;
  const Ladder climbed = ladder::climb(n, 1, rungs, progress, interrupts);
  EXPECT_THAT(climbed.refused, IsEmpty());
  ASSERT_THAT(names(climbed.steps), ElementsAre("first", "last"));
  EXPECT_EQ(climbed.steps[1].change, "fast");
  ASSERT_EQ(climbed.slower.size(), 1u);
  EXPECT_EQ(climbed.slower[0].change, "slow");
}

TEST_F(LadderTest, TheWholeLadderAsJson) {
  const Result result = run("--size 96 --rounds 1 --json --output r");
  ASSERT_EQ(result.status, 0) << result.err;
  const json shown = json::parse(result.out);
  EXPECT_EQ(shown, json::parse(text_of(path("r/ladder.json"))));
  EXPECT_EQ(shown["schema"], 1);
  EXPECT_EQ(shown["size"], 96);
  EXPECT_EQ(shown["flops"], 2.0 * 96 * 96 * 96);
  EXPECT_EQ(shown["rounds"], 1);
  EXPECT_EQ(shown["interrupted"], false);
  EXPECT_EQ(shown["refused"], json::array());
  EXPECT_GT(shown["peaks"][0]["flops_per_s"], 0);
  std::vector<std::string> order = {"Python", "naive", "reordered", "vectorised", "tiled", "packed", "all cores"};
  if (std::system("python3 -c '' >/dev/null 2>&1") != 0) order.erase(order.begin());
  std::size_t at = 0;
  double first = 0, previous = 0;
  for (const json& rung : shown["rungs"]) {
    ASSERT_LT(at, order.size());
    EXPECT_EQ(rung["name"], order[at]);
    EXPECT_EQ(rung["verified"], true);
    EXPECT_GE(rung["rows"], 1);
    EXPECT_EQ(rung["rows"] == 96, rung["name"] != "Python" || rung["rows"] == 96);
    EXPECT_EQ(rung["samples_ns"].size(), 1u);
    const double ns = rung["median_ns"];
    EXPECT_NEAR(rung["flops_per_s"].get<double>(), shown["flops"].get<double>() / ns * 1e9,
                1e-6 * rung["flops_per_s"].get<double>());
    if (at == 0) {
      first = ns;
      EXPECT_TRUE(rung["over_previous"].is_null());
    } else {
      EXPECT_NEAR(rung["over_previous"].get<double>(), previous / ns, 1e-9 * previous / ns);
    }
    EXPECT_NEAR(rung["over_first"].get<double>(), first / ns, 1e-9 * first / ns);
    previous = ns;
    ++at;
  }
  // On one core, and where threads had no share of so small a product, it ends a rung earlier.
  EXPECT_GE(at + 1, order.size());
  EXPECT_THAT(result.err, Not(HasSubstr("\x1b")));
  if (std::system("gnuplot -V >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no gnuplot";
  EXPECT_THAT(result.err, Not(HasSubstr("gnuplot")));
  const std::string svg = text_of(path("r/ladder.svg"));
  EXPECT_THAT(svg, HasSubstr("packed"));
  EXPECT_THAT(svg, HasSubstr("font-family=\"sans-serif\""));
  EXPECT_THAT(svg, Not(HasSubstr(":Bold")));
  EXPECT_THAT(text_of(path("r/ladder.png")), HasSubstr("PNG"));
}

TEST_F(LadderTest, WithoutPythonAndGnuplotTheRestIsThere) {
  const Result result = run("--size 64 --rounds 1 --output r", "PATH=/nowhere");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("without Python's rung: python3: No such file or directory"));
  EXPECT_THAT(result.err, HasSubstr("sudo apt-get install gnuplot-nox"));
  EXPECT_THAT(result.out, HasSubstr("1 naive"));
  EXPECT_THAT(result.out, Not(HasSubstr("Python")));
  EXPECT_THAT(files("r"), ElementsAre("ladder.csv", "ladder.gp", "ladder.json"));
  const Result unasked = run("--size 64 --rounds 1 --no-python --output s", "PATH=/nowhere");
  EXPECT_EQ(unasked.status, 0);
  EXPECT_THAT(unasked.err, Not(HasSubstr("Python")));
}

TEST_F(LadderTest, APythonThatFailsOrIsWrong) {
  const Result fails = run("--size 64 --rounds 1 --output r", path_with_python("exit 7\n"));
  EXPECT_EQ(fails.status, 0) << fails.err;
  EXPECT_THAT(fails.err, HasSubstr("without Python's rung: python3 ended with status 7"));
  const Result talks = run("--size 64 --rounds 1 --output s", path_with_python("echo hello\n"));
  EXPECT_THAT(talks.err, HasSubstr("without Python's rung: python3 said 'hello"));
  // One row of zeros.
  const Result wrong = run("--size 64 --rounds 1 --output t",
                           path_with_python("echo 'Snake 1.0, 1, 0.5'; head -c $((4 * $5)) /dev/zero\n"));
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, HasSubstr("Python is refused, wrong result: "));
  EXPECT_THAT(wrong.out, HasSubstr("1 naive"));
  EXPECT_EQ(json::parse(text_of(path("t/ladder.json")))["refused"][0]["name"], "Python");
}

TEST_F(LadderTest, WrongUseSaysWhatWasGivenAndExpected) {
  std::ofstream(path("file")) << "text\n";
  struct Wrong {
    const char* options;
    int status;
    const char* says;
  };
  const Wrong wrong[] = {
      {"--size 0", 2, "--size 0, expected a number from 16 to 4096"},
      {"--size -3", 2, "--size -3, expected a number from 16 to 4096"},
      {"--size 1000000", 2, "--size 1000000, expected"},
      {"--size big", 2, "big"},
      {"--rounds 0", 2, "--rounds 0, expected a number from 1 to 1000"},
      {"--round 3", 2, "'--round', did you mean '--rounds'?"},
      {"more", 2, "unknown argument 'more'"},
      {"--output file", 3, "expected an empty folder or a name that is free"},
      {"--output file/r", 3, "Not a directory [file]"},
      {"--output /proc/nowhere/r", 3, "/proc/nowhere"},
  };
  for (const Wrong& one : wrong) {
    const Result result = run(one.options);
    EXPECT_EQ(result.status, one.status) << one.options << result.err;
    EXPECT_THAT(result.err, HasSubstr(one.says)) << one.options;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(files("."), ElementsAre("file"));
  }
}

// A full disk is tried as a limit on the length of files.
TEST_F(LadderTest, TheFolderIsWholeOrNotThere) {
  const Result full = run("--size 64 --rounds 1 --no-python --output r", "trap '' XFSZ; ulimit -f 1;");
  EXPECT_EQ(full.status, 3);
  EXPECT_THAT(full.err, HasSubstr("cannot write "));
  EXPECT_THAT(files("."), IsEmpty());
  fs::create_directory(path("empty"));
  EXPECT_EQ(run("--size 64 --rounds 1 --no-python --output empty/").status, 0);
  EXPECT_TRUE(fs::exists(path("empty/ladder.json")));
  EXPECT_THAT(files("."), ElementsAre("empty"));
}

TEST_F(LadderTest, InterruptShowsTheCompleteRounds) {
  const Result result =
      run("--size 64 --rounds 1000 --no-python --json --output r", "timeout --preserve-status -s INT 4");
  EXPECT_EQ(result.status, 130) << result.err;
  EXPECT_THAT(result.err, HasSubstr(" of 1000 rounds"));
  const json shown = json::parse(result.out);
  EXPECT_EQ(shown["interrupted"], true);
  EXPECT_GE(shown["rungs"][0]["samples_ns"].size(), shown["rounds"].get<std::size_t>());
  EXPECT_EQ(json::parse(text_of(path("r/ladder.json"))), shown);
}

TEST_F(LadderTest, OneCoreEndsAtOneCore) {
  cpu_set_t allowed, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  int first = 0;
  while (!CPU_ISSET(first, &allowed)) ++first;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  const Result result = run("--size 64 --rounds 1 --no-python --output r");
  ::sched_setaffinity(0, sizeof allowed, &allowed);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("one core only: the ladder ends there"));
  EXPECT_THAT(result.out, HasSubstr("packed"));
  EXPECT_THAT(result.out, Not(HasSubstr("all cores")));
}

}  // namespace
}  // namespace speedwell::bench
