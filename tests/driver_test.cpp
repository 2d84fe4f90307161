// SPDX-License-Identifier: Apache-2.0
// The journal, and the parts of the sweep that need no process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <system_error>

#include <unistd.h>

#include <speedwell/machine.hpp>

#include "bench/case.hpp"
#include "bench/driver/children.hpp"
#include "bench/driver/cost.hpp"
#include "bench/driver/fingerprint.hpp"
#include "bench/driver/interrupts.hpp"
#include "bench/driver/plan.hpp"
#include "bench/driver/progress.hpp"
#include "bench/driver/rounds.hpp"
#include "bench/driver/sentinel.hpp"
#include "bench/driver/sweep.hpp"
#include "bench/driver/twins.hpp"
#include "bench/files.hpp"
#include "bench/journal.hpp"

namespace speedwell::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;
using testing::HasSubstr;

// A folder that goes away with the test.
class Driver : public testing::Test {
 protected:
  Driver() {
    std::string name = (fs::temp_directory_path() / "speedwell-driver-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~Driver() override { fs::remove_all(folder_); }

  fs::path path(const char* name) const { return folder_ / name; }
  fs::path write(const char* name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

 private:
  fs::path folder_;
};

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

ordered_json header() {
  return {
      {"kind", "header"},
      {"schema", 1},
      {"run", "r"},
      {"started", "2026-01-01T00:00:00Z"},
      {"machine", ordered_json::object()},
      {"build", ordered_json::object()},
      {"config", ordered_json::object()},
      {"cells",
       {{{"cell", "k/v/1/tbb/2"}, {"case", "k/v/1"}, {"backend", "tbb"}, {"threads", 2}, {"flops", 1}, {"bytes", 2}}}}};
}

ordered_json sample(int round) {
  return {{"kind", "sample"}, {"round", round}, {"cell", "k/v/1/tbb/2"}, {"ns", 1.5e6 + round},
          {"calls", 3},       {"cpu_ns", 3e6},  {"threads_used", 2}};
}

ordered_json finished() { return {{"kind", "finished"}, {"at", "2026-01-01T00:00:01Z"}, {"rounds", 3}}; }

template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(InterruptsTest, HoldsSignalsBackAndLetsGo) {
  const auto blocked = [](int signal) {
    sigset_t mask;
    sigprocmask(SIG_BLOCK, nullptr, &mask);
    return sigismember(&mask, signal) == 1;
  };
  ASSERT_FALSE(blocked(SIGINT));
  {
    Interrupts interrupts;
    EXPECT_EQ(interrupts.signal(), 0);
    raise(SIGINT);
    EXPECT_EQ(interrupts.signal(), SIGINT);
    raise(SIGINT);  // ends nothing once it is let go
    EXPECT_EQ(interrupts.signal(), SIGINT);
  }
  EXPECT_FALSE(blocked(SIGINT));
  const auto before = std::signal(SIGHUP, SIG_IGN);
  {
    Interrupts interrupts;
    EXPECT_FALSE(blocked(SIGHUP));
    EXPECT_TRUE(blocked(SIGTERM));
  }
  std::signal(SIGHUP, before);
}

using JournalTest = Driver;

TEST(Crc32, KnownValues) {
  EXPECT_EQ(crc32("123456789"), 0xCBF43926u);
  EXPECT_EQ(crc32(""), 0u);
  EXPECT_EQ(crc32("6789", crc32("12345")), 0xCBF43926u);
}

TEST_F(JournalTest, WhatIsWrittenIsRead) {
  {
    JournalWriter writer = JournalWriter::create(path("j"), header());
    for (int round = 1; round <= 3; ++round) writer.append(sample(round));
    writer.append(finished());
    writer.sync();
  }
  const Journal journal = read_journal(path("j"));
  EXPECT_EQ(journal.header, json(header()));
  ASSERT_EQ(journal.records.size(), 4u);
  EXPECT_EQ(journal.records[1], json(sample(2)));
  EXPECT_TRUE(journal.finished);
  EXPECT_FALSE(journal.torn_tail);
  EXPECT_EQ(journal.complete_bytes, fs::file_size(path("j")));
  EXPECT_THAT(message_of([&] { JournalWriter::create(path("j"), header()); }), HasSubstr("exists already"));
}

TEST_F(JournalTest, HasOneWriterAtATime) {
  const Journal before = [&] {
    const JournalWriter writer = JournalWriter::create(path("j"), header());
    const Journal journal = read_journal(path("j"));
    EXPECT_THAT(message_of([&] { JournalWriter::resume(path("j"), journal); }),
                HasSubstr("another process is writing"));
    return journal;
  }();
  JournalWriter::resume(path("j"), before).append(sample(1));
  EXPECT_THAT(message_of([&] { JournalWriter::resume(path("j"), before); }), HasSubstr("since it was read"));
  EXPECT_EQ(read_journal(path("j")).records.size(), 1u);
}

// Whatever byte a kill or a power failure stops at, each complete line survives and the torn one is dropped and cut
// off.
TEST_F(JournalTest, TornAtEachByteOfItsLastLines) {
  const std::string first = journal_line(header());
  const std::string lines[] = {journal_line(sample(1)), journal_line(sample(2)), journal_line(finished())};
  std::string whole = first;
  for (const std::string& line : lines) whole += line;
  for (std::size_t length = first.size(); length <= whole.size(); ++length) {
    std::size_t complete = first.size();
    std::size_t records = 0;
    for (const std::string& line : lines) {
      if (complete + line.size() > length) break;
      complete += line.size();
      ++records;
    }
    const fs::path file = write("j", whole.substr(0, length));
    const Journal journal = read_journal(file);
    ASSERT_EQ(journal.records.size(), records) << length;
    ASSERT_EQ(journal.torn_tail, length != complete) << length;
    ASSERT_EQ(journal.complete_bytes, complete) << length;
    ASSERT_EQ(journal.finished, records == 3) << length;

    JournalWriter::resume(file, journal).append(sample(9));
    const Journal resumed = read_journal(file);
    ASSERT_FALSE(resumed.torn_tail) << length;
    ASSERT_EQ(resumed.records.size(), records + 1) << length;
    ASSERT_EQ(bytes_of(file), whole.substr(0, complete) + journal_line(sample(9))) << length;
  }
}

// A flipped bit in the last line is a torn tail; before that it is an error that names the line.
TEST_F(JournalTest, DamageIsFound) {
  const std::string whole = journal_line(header()) + journal_line(sample(1)) + journal_line(sample(2));
  const std::size_t second = journal_line(header()).size();
  const std::size_t third = second + journal_line(sample(1)).size();
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    if (whole[i] == '\n') continue;
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    const fs::path file = write("j", damaged);
    if (i >= third) {
      EXPECT_TRUE(read_journal(file).torn_tail) << i;
    } else {
      EXPECT_THAT(message_of([&] { read_journal(file); }), HasSubstr(i < second ? "line 1: " : "line 2: ")) << i;
    }
  }
}

TEST_F(JournalTest, WrongContentIsRefusedByName) {
  const auto with = [&](const ordered_json& record) {
    const fs::path file = write("j", journal_line(header()) + journal_line(record) + journal_line(finished()));
    return message_of([&] { read_journal(file); });
  };
  const auto changed = [](const char* member, const ordered_json& value) {
    ordered_json record = sample(1);
    record[member] = value;
    return record;
  };
  EXPECT_THAT(with(changed("kind", "smple")),
              HasSubstr("line 2: its kind is \"smple\", expected one of ready, sample"));
  EXPECT_THAT(with(changed("ns", "fast")), HasSubstr("'ns' is \"fast\", expected a number above 0"));
  EXPECT_THAT(with(changed("ns", 0)), HasSubstr("'ns' is 0"));
  EXPECT_THAT(with(changed("round", -1)), HasSubstr("'round' is -1"));
  EXPECT_THAT(with(changed("cell", "other")), HasSubstr("\"other\" isn't one of the header's"));
  ordered_json deep = 1;
  for (int i = 0; i < 1000; ++i) deep = ordered_json::array({deep});
  EXPECT_THAT(with(changed("extra", deep)), HasSubstr("nested"));

  ordered_json other = header();
  other["schema"] = 2;
  write("j", journal_line(other));
  EXPECT_THAT(message_of([&] { read_journal(path("j")); }), HasSubstr("its schema is 2, expected 1"));
  other = header();
  other["cells"].push_back(other["cells"][0]);
  write("j", journal_line(other));
  EXPECT_THAT(message_of([&] { read_journal(path("j")); }), HasSubstr("stands twice"));
  write("j", "");
  EXPECT_THAT(message_of([&] { read_journal(path("j")); }), HasSubstr("is empty"));
  EXPECT_THAT(message_of([&] { read_journal(path("none")); }), HasSubstr("No such file"));
  EXPECT_THAT(message_of([&] { read_journal("."); }), HasSubstr("Is a directory"));
}

using FilesTest = Driver;

TEST_F(FilesTest, AreReplacedWhole) {
  const fs::path file = write("f", "before");
  fs::create_symlink(file, path("link"));
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  write_file_atomically(path("link"), "after");
  EXPECT_EQ(bytes_of(file), "after");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_THROW(write_file_atomically(path("f") / "below", "x"), std::system_error);
  EXPECT_THROW(write_file_atomically("/dev/full", "x"), std::system_error);
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
  // Nothing but the file and the link is left.
  EXPECT_EQ(std::distance(fs::directory_iterator(file.parent_path()), fs::directory_iterator()), 2);
}

double relative_half_width(std::vector<double> values) {
  return median_interval(std::move(values)).relative_half_width();
}

TEST(HalfWidth, IsThatOfTheBinomialRanks) {
  EXPECT_TRUE(std::isinf(relative_half_width({1})));
  std::vector<double> values;
  for (int n = 1; n <= 5; ++n) {
    values.push_back(100 + n);
    EXPECT_TRUE(std::isinf(relative_half_width(values))) << n;
  }
  // The median's interval by Hoefler and Belli: ranks 1 and 6 of 6, 2 and 8 of 9, 6 and 15 of 20.
  EXPECT_NEAR(relative_half_width({6, 5, 4, 3, 2, 1}), 2.5 / 3.5, 1e-12);
  EXPECT_NEAR(relative_half_width({9, 8, 7, 6, 5, 4, 3, 2, 1}), 3.0 / 5, 1e-12);
  values.clear();
  for (int i = 20; i >= 1; --i) values.push_back(i);
  EXPECT_NEAR(relative_half_width(values), 4.5 / 10.5, 1e-12);
}

// `ns` in nine rounds, spread by so much to either side.
std::map<int, double> nine(double ns, double spread, int shift = 0) {
  std::map<int, double> samples;
  for (int i = 0; i < 9; ++i) samples[i + 1] = ns * (1 + spread * ((i + shift) % 9 - 4) / 4);
  return samples;
}

TEST(Rounds, AreNeededWhereSamplesAreFewOrIntervalsWide) {
  const auto few = std::map<int, double>{{1, 5.0}}, narrow = nine(100, 0.01), wide = nine(100, 0.08);
  EXPECT_TRUE(std::isinf(need_of({{"", &narrow}, {"", &few}}, 9)));
  EXPECT_LE(need_of({{"", &narrow}}, 9), 1);
  // Ranks 2 and 8 of nine are at three quarters of the spread.
  EXPECT_NEAR(need_of({{"", &narrow}, {"", &wide}}, 9), 0.06 / 0.02, 1e-9);
}

TEST(Rounds, AreNeededWhereTheWinnerIsOpen) {
  // Each is narrow; their ratio isn't, since they don't rise and fall in the same rounds.
  const auto first = nine(100, 0.025), second = nine(100.1, 0.025, 4), far = nine(110, 0.025, 4);
  EXPECT_LE(need_of({{"tbb", &first}}, 9), 1);
  EXPECT_GT(need_of({{"tbb", &first}, {"openmp", &second}}, 9), 1);
  // Not of one model with itself, nor of what takes no part (a peer, a twin).
  EXPECT_LE(need_of({{"tbb", &first}, {"tbb", &second}}, 9), 1);
  EXPECT_LE(need_of({{"tbb", &first}, {"", &second}}, 9), 1);
  EXPECT_LE(need_of({{"tbb", &first}, {"openmp", &far}}, 9), 1);
}

TEST(Rounds, TakeTheNeediestThatFit) {
  const double always = std::numeric_limits<double>::infinity();
  const std::vector<Wish> wishes = {{2, 1}, {0.5, 1}, {8, 4}, {5, 2}, {3, 1}};
  using testing::ElementsAre;
  EXPECT_THAT(taken_into_round(wishes, always), ElementsAre(0, 2, 3, 4));
  EXPECT_THAT(taken_into_round(wishes, 6.5), ElementsAre(2, 3));
  // What doesn't fit makes room for what does.
  EXPECT_THAT(taken_into_round(wishes, 3.5), ElementsAre(3, 4));
  EXPECT_THAT(taken_into_round(wishes, 0.5), ElementsAre());
  EXPECT_THAT(taken_into_round({{always, 5}, {always, 5}, {9, 1}}, 3), ElementsAre(0, 1));
}

// What is disturbed is said of the sample's surroundings, one at a time.
TEST(Sentinel, NoticesEachDisturbance) {
  const Children::Key child = {"threads", 2};
  const Surroundings quiet = {.wall_ns = 20e6, .threads = 2, .spin_ns = 1e5, .spin_after_ns = 1.05e5};
  const auto judge = [&](const Surroundings& around, int cpus = 4, int usable = 4) {
    Sentinel sentinel(cpus, usable);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(sentinel.judge(child, quiet), "");
    return sentinel.judge(child, around);
  };
  EXPECT_EQ(judge(quiet), "");
  Surroundings stolen = quiet;
  stolen.stolen_ns = 10e6;
  EXPECT_THAT(judge(stolen), HasSubstr("another guest of this host took 10 ms"));
  for (double Surroundings::*const spin : {&Surroundings::spin_ns, &Surroundings::spin_after_ns}) {
    Surroundings slow = quiet;
    slow.*spin = 1.2e5;
    EXPECT_THAT(judge(slow), HasSubstr("the calibration spin took 120 us"));
  }
  Surroundings crowded = quiet;
  crowded.others_running = 3;
  EXPECT_THAT(judge(crowded), HasSubstr("3 threads of other processes wanted the 4 CPUs beside its 2"));
  EXPECT_EQ(judge(crowded, 8), "");
  Surroundings switched = quiet;
  switched.involuntary_switches = 8;
  EXPECT_THAT(judge(switched), HasSubstr("lost their CPUs 8 times in 20 ms"));
  switched.involuntary_switches = 3;
  switched.wall_ns = 1e6;
  EXPECT_EQ(judge(switched), "");
  // Eight in a long sample are no rate, and threads without a CPU each take turns by themselves.
  switched.involuntary_switches = 8;
  switched.wall_ns = 1e9;
  EXPECT_EQ(judge(switched), "");
  switched.wall_ns = 20e6;
  EXPECT_EQ(judge(switched, 4, 1), "");
}

// The first spins have nothing to be held against, and each child has its own.
TEST(Sentinel, KnowsAUsualSpinOnlyAfterAWhile) {
  Sentinel sentinel(4, 4);
  const Surroundings fast = {.wall_ns = 20e6, .spin_ns = 1e5, .spin_after_ns = 1e5};
  const Surroundings slow = {.wall_ns = 20e6, .spin_ns = 2e5, .spin_after_ns = 2e5};
  EXPECT_EQ(sentinel.judge({"tbb", 1}, fast), "");
  EXPECT_EQ(sentinel.judge({"tbb", 1}, slow), "");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(sentinel.judge({"tbb", 1}, fast), "");
  EXPECT_EQ(sentinel.judge({"tbb", 2}, slow), "");
  EXPECT_NE(sentinel.judge({"tbb", 1}, slow), "");
}

TEST(Cost, IsWhatIsNeitherKernelNorPlanned) {
  Cost cost;
  cost.add_preparation({{"park_ns", 0.5e9}}, 2.5);
  cost.add_sample({{"warm_ns", 1e9}, {"spin_ns", 0.25e9}, {"spin_after_ns", 0.25e9}, {"check_ns", 0.5e9}}, 15);
  cost.wall_s = 20;
  EXPECT_DOUBLE_EQ(cost.planned_s, 4);
  EXPECT_DOUBLE_EQ(cost.instrument_s(), 1);
  EXPECT_EQ(in_words(cost), "75 % in kernels, 20 % preparing, 5.0 % the instrument's own");
}

std::vector<Cell> cells_of(int cases, const std::vector<std::string>& backends, int threads) {
  std::vector<Cell> cells;
  for (int i = 0; i < cases; ++i) {
    const std::string name = "kernel/f32/" + std::to_string(i);
    for (const std::string& backend : backends) {
      for (int p = 1; p <= (backend == "sequential" ? 1 : threads); ++p) {
        Cell& cell = cells.emplace_back();
        cell.case_name = name;
        cell.backend = backend;
        cell.threads = p;
        cell.name = name + "/" + backend + "/" + std::to_string(p);
        cell.bytes = 1000.0 * (i + 1);
        cell.peer = backend == "eigen";
      }
    }
  }
  return cells;
}

TEST(Twins, AreFewAndOfEveryKind) {
  std::vector<std::string> names;
  const std::vector<std::string> backends = {"sequential", "threads", "openmp", "tbb", "eigen"};
  for (const Cell& twin : twins_of(cells_of(8, backends, 4), 3)) {
    EXPECT_EQ(twin.name, twin.twin_of + "/twin");
    names.push_back(twin.twin_of);
  }
  EXPECT_THAT(names, testing::ElementsAre("kernel/f32/2/sequential/1", "kernel/f32/5/threads/3",
                                          "kernel/f32/2/openmp/3", "kernel/f32/5/sequential/1", "kernel/f32/4/tbb/3"));
  // At most one in ten cells, but one.
  EXPECT_EQ(twins_of(cells_of(2, backends, 4), 4).size(), 3u);
  EXPECT_EQ(twins_of(cells_of(1, {"sequential"}, 1), 4).size(), 1u);
  EXPECT_EQ(twins_of({}, 4).size(), 0u);
}

using OtherBuild = Driver;

TEST_F(OtherBuild, IsFoundByItsProgramOrFolder) {
  fs::create_directories(path("install/bin"));
  fs::create_directories(path("install/libexec/speedwell"));
  write("install/bin/speedwell", "");
  const fs::path installed = fs::canonical(write("install/libexec/speedwell/speedwell_bench", ""));
  EXPECT_EQ(program_of_build(path("install/bin/speedwell")), installed);
  EXPECT_EQ(program_of_build(path("install")), installed);
  fs::create_directories(path("build/bin"));
  write("build/bin/speedwell", "");
  const fs::path built = fs::canonical(write("build/bin/speedwell_bench", ""));
  for (const char* const name : {"build", "build/bin", "build/bin/speedwell", "build/bin/speedwell_bench"}) {
    EXPECT_EQ(program_of_build(path(name)), built) << name;
  }
  for (const char* const name : {".", "nowhere", "build/nothing"}) {
    EXPECT_THAT(message_of([&] { program_of_build(path(name)); }),
                HasSubstr("expected another build's speedwell_bench, its speedwell, or a folder"))
        << name;
  }
}

TEST(Cpus, AreCoresFirstThenTheirSiblings) {
  Machine machine;
  machine.allowed_cpus = {0, 1, 2, 3, 4, 5};
  machine.core_cpus = {0, 2, 4};
  machine.sibling_cpus = {1, 3, 5};
  EXPECT_EQ(cpus_for(machine, 2), (std::vector<int>{0, 2}));
  EXPECT_EQ(cpus_for(machine, 5), (std::vector<int>{0, 2, 4, 1, 3}));
  EXPECT_EQ(cpus_for(machine, 7), machine.allowed_cpus);
  EXPECT_EQ(most_useful_threads(machine), 3);
  EXPECT_EQ(most_useful_threads(machine, true), 6);
  machine.quota_cpus = 4;
  EXPECT_EQ(most_useful_threads(machine, true), 4);
}

TEST(Threads, AreParsed) {
  EXPECT_EQ(parse_threads("2"), std::vector<int>{2});
  EXPECT_EQ(parse_threads("8,1-3,2"), (std::vector<int>{1, 2, 3, 8}));
  EXPECT_EQ(parse_threads("1024"), std::vector<int>{1024});
  for (const char* const bad :
       {"", "0", "-1", "1000000", "1,,2", "3-1", "two", "1-", "2 ", "1.5", "99999999999999999999"}) {
    EXPECT_THROW(parse_threads(bad), UsageError) << bad;
  }
}

// Of a selection without peers, for which no child is started.
std::map<std::string, Cell> planned(const std::vector<std::string>& patterns, const std::vector<int>& threads,
                                    bool full = false) {
  Children children("/nonexistent", 1);
  Progress progress;
  std::map<std::string, Cell> cells;
  for (Cell& cell : plan_cells(
           {.patterns = patterns, .full = full, .backends = {}, .threads = threads, .peers = Selection::Peers::none},
           children, progress)) {
    cells.emplace(cell.name, cell);
  }
  return cells;
}

TEST(Plan, WeakScalingComesWithTheCaseItGrowsFrom) {
  const auto cells = planned({"weak/matmul_f32/512x512x512"}, {1, 2, 3});
  ASSERT_TRUE(cells.contains("matmul/f32/512x512x512/sequential/1"));
  ASSERT_TRUE(cells.contains("matmul/f32/512x512x512/threads/1"));
  EXPECT_FALSE(cells.contains("weak/matmul_f32/512x512x512/threads/1"));
  EXPECT_FALSE(cells.contains("weak/matmul_f32/512x512x512/sequential/1"));
  EXPECT_FALSE(cells.contains("matmul/f64/512x512x512/sequential/1"));
  const Cell& weak = cells.at("weak/matmul_f32/512x512x512/threads/2");
  EXPECT_EQ(weak.weak_of, "matmul/f32/512x512x512");
  EXPECT_EQ(weak.weak_rule, "n = 512 · ∛p");
  EXPECT_EQ(weak.weak_size, "645x645x645");
  EXPECT_EQ(weak.flops, 2.0 * 645 * 645 * 645);
  EXPECT_EQ(cells.at("weak/matmul_f32/512x512x512/threads/3").weak_size, "738x738x738");
  const Cell again = cell_from_json(json(to_json(weak)));
  EXPECT_EQ(again.weak_of, weak.weak_of);
  EXPECT_EQ(again.weak_rule, weak.weak_rule);
  EXPECT_EQ(again.weak_size, weak.weak_size);
  EXPECT_FALSE(to_json(cells.at("matmul/f32/512x512x512/threads/1")).contains("weak_of"));
  // Selecting the strong case alone leaves its weak scaling out.
  EXPECT_FALSE(planned({"^matmul/f32/512"}, {1, 2}).contains("weak/matmul_f32/512x512x512/threads/2"));
}

TEST(Plan, CeilingsAreThoseOfTheSelection) {
  const auto cells = planned({"^dot/f32/(4096|16777216)$", "^matmul/f32/1024x"}, {2}, true);
  std::set<std::string> traffic;
  for (const auto& [name, cell] : cells) {
    if (cell.case_name.starts_with("ceiling/traffic/")) traffic.insert(name);
  }
  EXPECT_EQ(traffic,
            (std::set<std::string>{"ceiling/traffic/134217728+0/sequential/1", "ceiling/traffic/134217728+0/threads/2",
                                   "ceiling/traffic/32768+0/sequential/1", "ceiling/traffic/32768+0/threads/2"}));
  EXPECT_EQ(cells.at("dot/f32/4096/openmp/2").traffic, "ceiling/traffic/32768+0");
  EXPECT_EQ(cell_from_json(json(to_json(cells.at("dot/f32/4096/openmp/2")))).traffic, "ceiling/traffic/32768+0");
  EXPECT_EQ(cells.at("matmul/f32/1024x1024x1024/openmp/2").traffic, "");
  for (const Cache& cache : machine().caches) {
    const std::string level = "ceiling/triad/l" + std::to_string(cache.level);
    ASSERT_TRUE(cells.contains(level + "/threads/2"));
    EXPECT_TRUE(cells.contains(level + "/sequential/1"));
    EXPECT_EQ(cells.at(level + "/threads/2").bytes, find_case(level)->at(2).bytes);
    EXPECT_LT(part_of_sample(cells.at(level + "/threads/2")), part_of_sample(cells.at("dot/f32/4096/openmp/2")));
  }
}

TEST(Threads, AreCappedByTheQuota) {
  Machine machine;
  machine.core_cpus = {0, 1, 2, 3};
  EXPECT_EQ(most_useful_threads(machine), 4);
  machine.quota_cpus = 1.5;
  EXPECT_EQ(most_useful_threads(machine), 2);
  machine.quota_cpus = 16;
  EXPECT_EQ(most_useful_threads(machine), 4);
  machine.quota_cpus = 0.1;
  EXPECT_EQ(most_useful_threads(machine), 1);
}

TEST(Words, AreGuessed) {
  EXPECT_EQ(did_you_mean("bnch", {"machine", "bench"}), ", did you mean 'bench'?");
  EXPECT_EQ(did_you_mean("opnmp", {"tbb", "openmp"}), ", did you mean 'openmp'?");
  EXPECT_EQ(did_you_mean("cuda", {"tbb", "openmp"}), "");
}

TEST(Fingerprints, SayWhereTheyDiffer) {
  const json before = {{"cpu", "A"}, {"caches", {{{"level", 1}}}}};
  EXPECT_EQ(first_difference(before, before, "machine"), "");
  json now = before;
  now["cpu"] = "B";
  EXPECT_EQ(first_difference(before, now, "machine"), "machine.cpu was \"A\", is \"B\"");
  now = before;
  now["more"] = 1;
  EXPECT_THAT(first_difference(before, now, "machine"), HasSubstr("machine.more was missing"));
}

TEST(Environment, NamesFilesWithoutTheirFolders) {
  ASSERT_EQ(setenv("OMP_DRIVER_TEST", "/somebody/home/wisdom.json", 1), 0);
  EXPECT_EQ(measuring_environment().at("OMP_DRIVER_TEST"), "wisdom.json");
  ASSERT_EQ(setenv("OMP_DRIVER_TEST", "/a/b.so:c/d:/e.so", 1), 0);
  EXPECT_EQ(measuring_environment().at("OMP_DRIVER_TEST"), "b.so:c/d:e.so");
  ASSERT_EQ(setenv("OMP_DRIVER_TEST", "2,3", 1), 0);
  EXPECT_EQ(measuring_environment().at("OMP_DRIVER_TEST"), "2,3");
  ASSERT_EQ(unsetenv("OMP_DRIVER_TEST"), 0);
  EXPECT_FALSE(measuring_environment().contains("OMP_DRIVER_TEST"));
}

}  // namespace
}  // namespace speedwell::bench
