// SPDX-License-Identifier: Apache-2.0
// `speedwell models`: each technique does each nature of work and is verified, overlaps what it should, and bad luck is
// said in words and leaves nothing behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <speedwell/machine.hpp>

#include "bench/models/oracle.hpp"
#include "bench/models/process.hpp"
#include "bench/models/results.hpp"
#include "bench/models/server.hpp"
#include "bench/models/slices.hpp"
#include "bench/models/study.hpp"
#include "bench/report/timelines.hpp"

namespace speedwell::bench::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int tasks = 4, delay_ms = 8;
const char* const all_techniques[] = {
    "sequential", "coroutines", "threads", "global_lock", "processes",
#if SPEEDWELL_HAS_OPENMP
    "openmp",
#endif
#if SPEEDWELL_HAS_TBB
    "tbb",
#endif
};

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Processes that have this word in their command line.
std::vector<int> processes_with(const std::string& word) {
  std::vector<int> found;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::isdigit(static_cast<unsigned char>(name[0])) || std::stoi(name) == ::getpid()) continue;
    std::string line = text_of(entry.path() / "cmdline");
    std::ranges::replace(line, '\0', ' ');
    if (line.find(word) != std::string::npos) found.push_back(std::stoi(name));
  }
  return found;
}

// A process that is killed is gone a moment later.
bool all_gone(const std::string& word) {
  for (int i = 0; i < 500; ++i) {
    if (processes_with(word).empty()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class ModelsTest : public testing::Test {
 protected:
  ModelsTest() {
    std::string name = (fs::temp_directory_path() / "speedwell-models-XXXXXX").string();
    base_ = ::mkdtemp(name.data());
    write_blocks(base_ / "blocks", tasks);
  }
  ~ModelsTest() override { fs::remove_all(base_); }

  Job job(const std::string& technique, Nature nature, int workers) {
    Job job = {.technique = technique, .nature = nature, .tasks = tasks, .workers = workers};
    if (waits(nature)) job.delay_ms = delay_ms;
    if (nature == Nature::files) job.file = (base_ / "blocks").string();
    if (nature == Nature::requests || nature == Nature::mixed) job.port = server_.port();
    if (nature == Nature::matmul) job.size = 70, job.units = 3;
    if (nature == Nature::filter || nature == Nature::mixed) job.size = 128, job.units = 2;
    if (nature == Nature::triad) job.size = 10000, job.units = 3;
    return job;
  }

  Output output(const Job& job) {
    return run_program(SPEEDWELL_MODELS, words_of(job), machine().allowed_cpus, 60, interrupts_);
  }
  Sample sample(const Job& job) { return sample_of(output(job), job, expected_results(job, Work::kernels)); }

  // A program of our own that a shell runs.
  fs::path program(const std::string& name, const std::string& script) const {
    const fs::path path = base_ / name;
    std::ofstream(path) << "#!/bin/sh\n" << script;
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  std::string failure(const std::string& script, double limit_s = 30) {
    try {
      run_program(program("child", script), {}, machine().allowed_cpus, limit_s, interrupts_);
    } catch (const ProcessError& error) {
      return error.what();
    }
    return "no failure";
  }

  struct Result {
    int status;
    std::string out, err;
  };
  // `before` is shell text in front of the command.
  Result run(const std::string& options, const std::string& before = "") const {
    const std::string line = "cd '" + base_.string() + "' && " + before + " '" + SPEEDWELL_COMMAND + "' " + options +
                             " >out 2>err </dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), text_of(base_ / "out"),
            text_of(base_ / "err")};
  }

  fs::path base_;
  Server server_{0};
  Interrupts interrupts_;
};

TEST_F(ModelsTest, EachTechniqueDoesEachNature) {
  for (const char* const technique : all_techniques) {
    for (const Nature nature : all_natures) {
      SCOPED_TRACE(std::string(technique) + " " + std::string(name(nature)));
      const bool alone = technique == std::string("sequential") || technique == std::string("coroutines");
      const Sample one = sample(job(technique, nature, alone ? 1 : 3));
      EXPECT_GE(one.in_flight, 1);
      EXPECT_GT(one.wall_ns, 0);
      EXPECT_GT(one.peak_rss_bytes, 1 << 20);
      std::set<int> seen;
      for (const Bar& bar : one.bars) seen.insert(bar.task);
      EXPECT_EQ(seen.size(), static_cast<std::size_t>(tasks));
    }
  }
}

TEST_F(ModelsTest, WaitsOverlapAsTheTechniqueSays) {
  Job alone = job("sequential", Nature::timers, 1);
  const Sample sequential = sample(alone);
  EXPECT_EQ(sequential.in_flight, 1);
  EXPECT_GE(sequential.wall_ns, tasks * delay_ms * 1e6);
  for (const Nature nature : {Nature::timers, Nature::requests}) {
    Job many = job("coroutines", nature, 1);
    many.tasks = 200;
    many.delay_ms = 300;
    const Sample coroutines = sample(many);
    EXPECT_EQ(coroutines.in_flight, 200);
    std::set<int> lanes;
    for (const Bar& bar : coroutines.bars) lanes.insert(bar.lane);
    EXPECT_EQ(lanes.size(), 1u);
  }
  for (const char* const technique : {"threads", "global_lock", "processes"}) {
    Job each = job(technique, Nature::timers, tasks);
    each.delay_ms = 300;
    EXPECT_EQ(sample(each).in_flight, tasks) << technique;
  }
}

// The bars of two lanes at the same time, in nanoseconds.
double both_compute(const std::vector<Bar>& bars) {
  double sum = 0;
  for (const Bar& a : bars) {
    for (const Bar& b : bars) {
      if (a.cpu && b.cpu && a.lane < b.lane)
        sum += std::max(0.0, std::min(a.end_ns, b.end_ns) - std::max(a.begin_ns, b.begin_ns));
    }
  }
  return sum;
}

TEST_F(ModelsTest, UnderOneLockThreadsTakeTurns) {
  Job locked = job("global_lock", Nature::matmul, 2);
  locked.tasks = 2;
  locked.size = 1400;  // several times the lock's interval
  locked.units = 100;
  const Sample turns = sample(locked);
  EXPECT_EQ(turns.in_flight, 2);
  EXPECT_EQ(both_compute(turns.bars), 0);
  EXPECT_GT(turns.bars.size(), 2u);
}

TEST_F(ModelsTest, AWrongResultIsSeen) {
  for (const Nature nature : all_natures) {
    const Job good = job("sequential", nature, 1);
    const std::vector<Expected> expected = expected_results(good, Work::kernels);
    const Output right = output(good);
    ASSERT_NO_THROW(sample_of(right, good, expected)) << name(nature);
    for (int task = 0; task < tasks; ++task) {
      json answer = json::parse(right.text);
      const std::uint64_t value = std::stoull(answer["results"][task].get<std::string>());
      answer["results"][task] = std::to_string(nature == Nature::timers ? delay_ms - 1 : value + 1);
      EXPECT_THROW(sample_of({answer.dump(), 0}, good, expected), WrongResult) << name(nature);
    }
    json fewer = json::parse(right.text);
    fewer["results"].erase(fewer["results"].begin());
    EXPECT_THROW(sample_of({fewer.dump(), 0}, good, expected), WrongResult);
  }
}

TEST_F(ModelsTest, WhatIsNoAnswerIsRefused) {
  const Job good = job("sequential", Nature::timers, 1);
  const std::vector<Expected> expected = expected_results(good, Work::kernels);
  const json right = json::parse(output(good).text);
  const auto refusal = [&](const std::string& text) -> std::string {
    try {
      sample_of({text, 0}, good, expected);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "not refused";
  };
  const auto with = [&](const char* field, const json& value) {
    json changed = right;
    changed[field] = value;
    return changed.dump();
  };
  EXPECT_EQ(refusal("a line before\n" + right.dump() + "\n\n"), "not refused");
  EXPECT_THAT(refusal(""), HasSubstr("expected one JSON object"));
  EXPECT_THAT(refusal("hello"), HasSubstr("it said 'hello'"));
  EXPECT_THAT(refusal(with("schema", 2)), HasSubstr("another question"));
  EXPECT_THAT(refusal(with("technique", "threads")), HasSubstr("another question"));
  EXPECT_THAT(refusal(with("tasks", 3)), HasSubstr("another question"));
  EXPECT_THAT(refusal(with("wall_ns", nullptr)), HasSubstr("no number 'wall_ns'"));
  EXPECT_THAT(refusal(with("cpu_ns", -1)), HasSubstr("cpu_ns = -1"));
  EXPECT_THAT(refusal(with("in_flight", tasks + 1)), HasSubstr("in flight"));
  EXPECT_THAT(refusal(with("slices", {{0, 0, 5, 4, "cpu"}})), HasSubstr("slice"));
  EXPECT_THAT(refusal(with("slices", {{99, 0, 0, 1, "cpu"}})), HasSubstr("slice"));
  EXPECT_THAT(refusal(with("slices", {{0, 0, 1}})), HasSubstr("slice"));
}

TEST(Spans, MostAtOnce) {
  EXPECT_EQ(most_at_once({}), 0);
  EXPECT_EQ(most_at_once({{0, 5}, {5, 9}, {9, 12}}), 1);
  EXPECT_EQ(most_at_once({{0, 10}, {1, 3}, {2, 4}, {3, 5}}), 3);
}

TEST_F(ModelsTest, AProgramThatDiesOrHangsIsSaidInWords) {
  EXPECT_EQ(failure("kill -9 $$\n"), "child was ended by signal 9 (Killed)");
  EXPECT_EQ(failure("echo first >&2; echo it is too late >&2; exit 3\n"), "child exited with status 3: it is too late");
  EXPECT_THAT(failure("exec sleep 1000.125\n", 0.2), HasSubstr("was not done within 0.2 s, and was ended"));
  EXPECT_TRUE(all_gone("sleep 1000.125"));
  EXPECT_THAT(failure("exec head -c 20000000 /dev/zero\n"), HasSubstr("more than 16 MiB"));
  EXPECT_THAT(failure("sleep 1000.25 >/dev/null 2>&1 & exit 1\n"), HasSubstr("status 1"));
  EXPECT_TRUE(all_gone("sleep 1000.25")) << "what it left behind must end with it";
  EXPECT_THROW(run_program(base_ / "none", {}, machine().allowed_cpus, 1, interrupts_), ProcessError);
}

TEST_F(ModelsTest, AWorkerThatDiesEndsTheOthers) {
  Job long_one = job("processes", Nature::timers, 3);
  long_one.delay_ms = 50000;
  std::string why;
  std::thread killer([] {
    for (int i = 0; i < 1000; ++i) {
      const std::vector<int> workers = processes_with("--worker 1 ");
      if (!workers.empty()) {
        ::kill(workers.front(), SIGKILL);
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  try {
    output(long_one);
  } catch (const ProcessError& error) {
    why = error.what();
  }
  killer.join();
  EXPECT_THAT(why, HasSubstr("exited with status 3"));
  EXPECT_THAT(why, HasSubstr("was ended by signal 9 (Killed)"));
  EXPECT_TRUE(all_gone("--worker "));
}

// A memory that is full is tried as a limit on the length of files.
TEST_F(ModelsTest, SharedMemoryThatIsFullIsAnError) {
  Job large = job("processes", Nature::triad, 2);
  large.size = 1 << 20;
  std::string line = "trap '' XFSZ; ulimit -f 1; exec '" + std::string(SPEEDWELL_MODELS) + "'";
  for (const std::string& word : words_of(large)) line += " " + word;
  EXPECT_THAT(failure(line + "\n"),
              HasSubstr("exited with status 3: speedwell_models: cannot get 8 MiB of shared memory"));
}

TEST_F(ModelsTest, ABusyPortIsSaid) {
  EXPECT_THROW(Server(server_.port()), std::system_error);
  const Result busy = run("models --nature requests --technique coroutines --no-python --port " +
                          std::to_string(server_.port()) + " --output r");
  EXPECT_EQ(busy.status, 3);
  EXPECT_THAT(busy.err, HasSubstr("cannot serve requests at 127.0.0.1:" + std::to_string(server_.port())));
  EXPECT_THAT(busy.err, HasSubstr("Address already in use"));
  EXPECT_FALSE(fs::exists(base_ / "r"));
}

constexpr const char* small = "models --tasks 4 --delay 5 --nature timers,matmul ";

TEST_F(ModelsTest, TheVerb) {
  const Result result = run(std::string(small) + "--technique coroutines,threads --budget 2 --no-python --output r");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("timers (I/O-bound)"));
  EXPECT_THAT(result.out, HasSubstr("Waiting (timers): coroutines on one thread had 4 of 4 tasks in flight"));
  EXPECT_THAT(result.out, Not(HasSubstr("Python")));
  EXPECT_THAT(result.err, Not(HasSubstr("\x1b")));
  const json models = json::parse(text_of(base_ / "r/models.json"));
  EXPECT_EQ(models["schema"], 1);
  EXPECT_EQ(models["interrupted"], false);
  EXPECT_EQ(models["refused"], json::array());
  EXPECT_EQ(models["failed"], json::array());
  std::set<std::string> techniques;
  for (const json& one : models["measurements"]) {
    techniques.insert(one["technique"]);
    EXPECT_EQ(one["verified"], true);
    EXPECT_GE(one["samples_ns"].size(), 1u);
    EXPECT_GT(one["slices"].size(), 0u);
  }
  // What they are held against is measured too.
  EXPECT_THAT(techniques, ElementsAre("coroutines", "sequential", "threads"));
  EXPECT_THAT(text_of(base_ / "r/report.html"), HasSubstr("Concurrency and parallelism"));
  EXPECT_THAT(text_of(base_ / "r/models.csv"), HasSubstr("coroutines,timers,false,1,"));
  if (std::system("gnuplot -V >/dev/null 2>&1") == 0) {
    EXPECT_THAT(result.err, Not(HasSubstr("gnuplot")));
    EXPECT_THAT(text_of(base_ / "r/plots/models-timers.svg"), HasSubstr("coroutines"));
    EXPECT_THAT(text_of(base_ / "r/plots/models-matmul.png"), HasSubstr("PNG"));
  }
  fs::remove(base_ / "r/report.html");
  const Result again = run("report r");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_TRUE(fs::exists(base_ / "r/report.html"));
  EXPECT_EQ(run(std::string(small) + "--output r").status, 3) << "a folder that isn't empty and no run's";
}

TEST_F(ModelsTest, WithoutPythonAndGnuplotTheRestIsThere) {
  const Result result =
      run(std::string(small) + "--technique coroutines --budget 1 --output r --json", "PATH=/nowhere");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("there is no python3 in PATH"));
  EXPECT_THAT(result.err, HasSubstr("sudo apt-get install gnuplot-nox"));
  const json shown = json::parse(result.out);
  EXPECT_EQ(shown, json::parse(text_of(base_ / "r/models.json")));
  EXPECT_EQ(shown["left_out"].size(), 1u);
}

TEST_F(ModelsTest, APythonThatFailsFailsAlone) {
  const fs::path bin = base_ / "bin";
  fs::create_directory(bin);
  std::ofstream(bin / "python3")
      << "#!/bin/sh\n"
      << "case $3 in -c) echo \"{\\\"path\\\": \\\"$0\\\", \\\"runtime\\\": \\\"Snake 1\\\"}\";;\n"
      << "*) echo hiss >&2; exit 7;; esac\n";
  fs::permissions(bin / "python3", fs::perms::owner_all);
  const Result result =
      run("models --tasks 2 --delay 2 --nature timers --technique coroutines,python_asyncio --budget 2 "
          "--output r",
          "PATH='" + bin.string() + "':/usr/bin:/bin");
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("timers by python_asyncio failed: python3 exited with status 7: hiss"));
  EXPECT_THAT(result.out, HasSubstr("coroutines"));
  EXPECT_GE(json::parse(text_of(base_ / "r/models.json"))["failed"].size(), 2u);
}

TEST_F(ModelsTest, InterruptedItShowsWhatItHas) {
  const Result result = run("models --tasks 4 --delay 100 --nature timers --no-python --output r --json",
                            "timeout --preserve-status -s INT 2");
  EXPECT_EQ(result.status, 130) << result.err;
  EXPECT_THAT(result.err, HasSubstr("interrupted after "));
  const json shown = json::parse(result.out);
  EXPECT_EQ(shown["interrupted"], true);
  EXPECT_EQ(shown["measurements"][0]["technique"], "sequential");
  EXPECT_TRUE(all_gone(std::string(SPEEDWELL_MODELS) + " "));
  // Nothing but the results.
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(base_)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  EXPECT_THAT(names, ElementsAre("blocks", "err", "out", "r"));
}

TEST_F(ModelsTest, AKilledCommandLeavesNoProcess) {
  const Result result =
      run("models --tasks 4 --delay 9000 --timeout 60 --nature timers --technique processes --no-python "
          "--output r",
          "timeout -s KILL 1");
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_TRUE(all_gone(std::string(SPEEDWELL_MODELS) + " "));
}

TEST_F(ModelsTest, WrongUseSaysWhatWasGivenAndExpected) {
  struct Wrong {
    const char* options;
    int status;
    const char* says;
  };
  const Wrong wrong[] = {
      {"--tasks 1", 2, "--tasks 1, expected a number from 2 to 256"},
      {"--tasks 1000000", 2, "--tasks 1000000, expected"},
      {"--delay 0", 2, "--delay 0, expected milliseconds from 1 to 10000"},
      {"--budget 0", 2, "--budget 0, expected seconds from 1 to 3600"},
      {"--timeout -1", 2, "--timeout -1, expected seconds"},
      {"--port 70000", 2, "--port 70000, expected a number from 0 to 65535"},
      {"--nature matmull", 2, "did you mean 'matmul'?"},
      {"--nature sleep", 2, "--nature sleep, expected some of requests, timers, files, matmul"},
      {"--technique thread", 2, "did you mean 'threads'?"},
      {"--technique fork", 2, "--technique fork, expected some of sequential, coroutines"},
      {"more", 2, "unknown argument 'more'"},
      {"--output /proc/nowhere/r", 3, "/proc/nowhere"},
  };
  for (const Wrong& one : wrong) {
    const Result result = run(std::string("models ") + one.options);
    EXPECT_EQ(result.status, one.status) << one.options << result.err;
    EXPECT_THAT(result.err, HasSubstr(one.says)) << one.options;
    EXPECT_EQ(result.out, "");
  }
}

// A study as it would be measured, made by hand.
Cell cell(const std::string& technique, Nature nature, bool pinned, double wall_ns, int in_flight) {
  Cell cell = {.technique = technique, .nature = nature, .pinned = pinned, .baseline = "sequential", .job = {}};
  cell.job = {.technique = technique, .nature = nature, .tasks = 16, .workers = 1};
  cell.samples.push_back({.wall_ns = wall_ns, .cpu_ns = wall_ns, .in_flight = in_flight});
  return cell;
}

TEST(Reading, SaysWhatTheNumbersSay) {
  Study study;
  study.tasks = 16;
  study.cores = 2;
  study.rounds = 3;
  study.cells = {cell("sequential", Nature::matmul, false, 100e6, 1),
                 cell("coroutines", Nature::matmul, false, 101e6, 16),
                 cell("global_lock", Nature::matmul, false, 102e6, 2), cell("threads", Nature::matmul, false, 51e6, 2)};
  const std::string usual = reading(study);
  EXPECT_THAT(usual, HasSubstr("gain nothing"));
  EXPECT_THAT(usual, HasSubstr("threads 1.96×"));
  EXPECT_THAT(usual, Not(HasSubstr("Python")));
  EXPECT_THAT(usual, Not(HasSubstr("nan")));
  study.cells[1].samples[0].wall_ns = 60e6;
  EXPECT_THAT(reading(study), HasSubstr("seem to gain, which they can't"));
  study.cells[3].failed = "it died";
  EXPECT_THAT(reading(study), HasSubstr("1 measurement failed and is in no figure"));
}

TEST(Timelines, WaitsThatOverlapOnALaneLieBelowEachOther) {
  report::Timeline one_lane = {.technique = "coroutines", .title = "coroutines"};
  for (int task = 0; task < 8; ++task) one_lane.bars.push_back({task, 0, task * 1e3, 1e6 + task, false});
  one_lane.bars.push_back({0, 0, 2e6, 3e6, true});
  const report::LaneLayout layout = report::lay_out(one_lane);
  ASSERT_EQ(layout.lanes.size(), 1u);
  for (std::size_t i = 1; i < 8; ++i) EXPECT_GE(layout.bars[i].top, layout.bars[i - 1].bottom);
  // What computes fills the lane.
  EXPECT_EQ(layout.bars[8].top, layout.lanes[0].top);
  EXPECT_EQ(layout.bars[8].bottom, layout.lanes[0].bottom);
  report::Timeline threads = {.technique = "threads", .title = "threads"};
  for (int task = 0; task < 8; ++task) threads.bars.push_back({task, task, 0, 1e6, false});
  EXPECT_EQ(report::lay_out(threads).lanes.size(), 8u);
}

TEST(Timelines, ThePageTrustsNoName) {
  const json models = {{"schema", 1},
                       {"tasks", 1},
                       {"reading", "</script><b>"},
                       {"measurements",
                        {{{"technique", "x"},
                          {"title", "<img>"},
                          {"nature", "y"},
                          {"wall_ns", 5.0},
                          {"slices", {{0, 0, 0, 5, "cpu"}}}}}}};
  const std::string page = report::make_models_page(report::parse_models(models));
  EXPECT_THAT(page, Not(HasSubstr("<img>")));
  EXPECT_THAT(page, Not(HasSubstr("</script><b>")));
  EXPECT_THROW(report::parse_models({{"schema", 2}}), std::invalid_argument);
}

}  // namespace
}  // namespace speedwell::bench::models
