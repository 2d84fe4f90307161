// SPDX-License-Identifier: Apache-2.0
// Verdicts on two runs and on two builds. The journals are made here, so what should be found in them is known.
#include "bench/analysis/compare.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/wait.h>

#include "bench/analysis/analysis.hpp"
#include "bench/analysis/rank_tests.hpp"
#include "bench/journal.hpp"

namespace speedwell::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// The share of all ways to choose the first set from the values that are at least as uneven, by going through them.
double counted_mann_whitney(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> all = a;
  all.insert(all.end(), b.begin(), b.end());
  const auto distance = [&](unsigned chosen) {
    double wins = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = 0; j < all.size(); ++j) {
        if ((chosen >> i & 1) == 1 && (chosen >> j & 1) == 0 && all[i] > all[j]) ++wins;
      }
    }
    return std::abs(wins - static_cast<double>(a.size() * b.size()) / 2);
  };
  const double seen = distance((1u << a.size()) - 1);
  double as_uneven = 0, ways = 0;
  for (unsigned chosen = 0; chosen < 1u << all.size(); ++chosen) {
    if (std::popcount(chosen) != static_cast<int>(a.size())) continue;
    ++ways;
    if (distance(chosen) >= seen) ++as_uneven;
  }
  return as_uneven / ways;
}

double counted_signed_ranks(const std::vector<double>& differences) {
  const auto distance = [&](unsigned positive) {
    double sum = 0, all = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      double rank = 0;
      for (const double other : differences) rank += std::abs(other) <= std::abs(differences[i]) ? 1 : 0;
      all += rank;
      if ((positive >> i & 1) == 1) sum += rank;
    }
    return std::abs(sum - all / 2);
  };
  unsigned given = 0;
  for (std::size_t i = 0; i < differences.size(); ++i) given |= differences[i] > 0 ? 1u << i : 0;
  double as_uneven = 0;
  for (unsigned signs = 0; signs < 1u << differences.size(); ++signs) {
    if (distance(signs) >= distance(given)) ++as_uneven;
  }
  return as_uneven / std::exp2(differences.size());
}

TEST(RankTests, SmallSetsAreCountedExactly) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> value(-1, 2);
  for (const auto& [n, m] : {std::pair(1, 1), {1, 5}, {3, 4}, {6, 6}, {7, 5}}) {
    for (int repeat = 0; repeat < 5; ++repeat) {
      std::vector<double> a, b;
      for (int i = 0; i < n; ++i) a.push_back(value(random));
      for (int i = 0; i < m; ++i) b.push_back(value(random) + 0.7);
      EXPECT_NEAR(mann_whitney_p(a, b), counted_mann_whitney(a, b), 1e-12) << n << " and " << m;
      EXPECT_NEAR(mann_whitney_p(b, a), mann_whitney_p(a, b), 1e-12);
      EXPECT_NEAR(signed_rank_p(a), counted_signed_ranks(a), 1e-12) << n;
    }
  }
  EXPECT_EQ(mann_whitney_p({}, std::vector{1.0}), 1);
  EXPECT_EQ(signed_rank_p(std::vector{0.0, 0.0}), 1);
}

// The expected values are SciPy 1.10's.
TEST(RankTests, TiesAndManyValuesAreApproximated) {
  const std::vector<double> a = {1, 2, 2, 3, 3, 3, 4}, b = {2, 3, 4, 4, 5, 5, 6, 7};
  EXPECT_NEAR(mann_whitney_p(a, b), 0.025279736885893914, 1e-12);
  EXPECT_NEAR(signed_rank_p(std::vector<double>{1, -1, 2, 2, 3, -1, 4, 5, 5, 2}), 0.018363832160643932, 1e-12);
  std::vector<double> x, y;
  for (int i = 0; i < 40; ++i) {
    x.push_back(i + 0.5 * std::sin(i));
    y.push_back(1.1 * i + 3 + 0.5 * std::cos(i));
  }
  EXPECT_NEAR(mann_whitney_p(x, y), 0.08943756542440147, 1e-12);
  EXPECT_EQ(mann_whitney_p(std::vector{2.0, 2.0}, std::vector{2.0}), 1);
}

TEST(RankTests, ManyPValuesAreAdjusted) {
  EXPECT_THAT(
      false_discovery_adjusted(std::vector{0.01, 0.04, 0.03, 0.005}),
      ElementsAre(DoubleNear(0.02, 1e-12), DoubleNear(0.04, 1e-12), DoubleNear(0.04, 1e-12), DoubleNear(0.02, 1e-12)));
  EXPECT_THAT(false_discovery_adjusted({}), ElementsAre());
}

// A run whose samples are what a function of the round says.
class Simulated {
 public:
  explicit Simulated(unsigned seed) : random_(seed) {
    journal_.header = {{"kind", "header"},
                       {"schema", 1},
                       {"run", "simulated"},
                       {"started", "2026-03-01T12:00:00Z"},
                       {"label", ""},
                       {"machine",
                        {{"cpu", "A CPU"},
                         {"isa", "avx2"},
                         {"physical_cores", 2},
                         {"core_cpus", {0, 1}},
                         {"default_threads", 2},
                         {"caches", {{{"level", 3}, {"bytes", 1 << 20}, {"sharing_cores", 2}}}}}},
                       {"build", {{"version", "1.0"}, {"commit", "0123456789abcdef"}, {"flags", "-O3"}}},
                       {"config", {{"pinned", true}, {"environment", json::object()}}},
                       {"cells", json::array()}};
  }

  // The time of one call in each of so many rounds, with a standard deviation of `noise`.
  Simulated& cell(const std::string& case_name, const std::string& backend, int threads, double ns, json more = {},
                  double noise = 0.005, int rounds = 12) {
    json entry = {{"cell", case_name + "/" + backend + "/" + std::to_string(threads)},
                  {"case", case_name},
                  {"backend", backend},
                  {"threads", threads},
                  {"flops", 1e6},
                  {"bytes", 1e5}};
    if (!more.is_null()) entry.update(more);
    journal_.header["cells"].push_back(entry);
    std::normal_distribution<double> normal(1, noise);
    for (int round = 1; round <= rounds; ++round) {
      const double drift = drift_ ? drift_(round) : 1;
      journal_.records.push_back({{"kind", "sample"},
                                  {"round", round},
                                  {"cell", entry["cell"]},
                                  {"ns", ns * normal(random_) * drift},
                                  {"calls", 100},
                                  {"cpu_ns", ns},
                                  {"threads_used", threads},
                                  {"spin_ns", spin_ns_ * normal(random_)}});
    }
    return *this;
  }

  Simulated& end(const char* kind, const std::string& cell, const std::string& reason) {
    journal_.records.push_back({{"kind", kind}, {"cell", cell}, {"reason", reason}});
    return *this;
  }

  Simulated& drift(std::function<double(int)> drift) {
    drift_ = std::move(drift);
    return *this;
  }
  Simulated& spin(double ns) {
    spin_ns_ = ns;
    return *this;
  }

  Journal& journal() { return journal_; }
  const Journal& journal() const { return journal_; }

 private:
  Journal journal_{};
  std::mt19937 random_;
  std::function<double(int)> drift_{};
  double spin_ns_ = 1e5;
};

json compared(const Simulated& older, const Simulated& newer, const CompareRules& rules = {}) {
  const json before = analyse(older.journal());
  const json after = analyse(newer.journal());
  return compare_runs({older.journal(), before}, {newer.journal(), after}, rules);
}

json builds_compared(const Simulated& run, const CompareRules& rules = {}) {
  const json analysis = analyse(run.journal());
  return compare_builds({run.journal(), analysis}, rules);
}

json cell_in(const json& comparison, const std::string& name) {
  for (const json& cell : comparison.at("cells")) {
    if (cell.at("cell") == name) return cell;
  }
  ADD_FAILURE() << "no cell " << name;
  return {{"verdict", ""}, {"limit", 0}};
}

std::string verdict_in(const json& comparison, const std::string& name) {
  return cell_in(comparison, name).at("verdict").get<std::string>();
}

const std::string blur = "blur/u8/64x64";

TEST(Compare, SaysWhatIsSureAndWhatIsNot) {
  const auto run = [](unsigned seed, double slower, double noise) {
    return Simulated(seed).cell(blur, "sequential", 1, 1e6).cell(blur, "tbb", 2, slower * 5e5, {}, noise);
  };
  const std::string cell = blur + "/tbb/2";
  EXPECT_EQ(verdict_in(compared(run(1, 1, 0.005), run(2, 1.12, 0.005)), cell), "regressed");
  EXPECT_EQ(verdict_in(compared(run(1, 1, 0.005), run(2, 0.88, 0.005)), cell), "improved");
  EXPECT_EQ(verdict_in(compared(run(1, 1, 0.005), run(2, 1.02, 0.005)), cell), "within noise");
  EXPECT_EQ(verdict_in(compared(run(1, 1, 0.2), run(2, 1.02, 0.2)), cell), "inconclusive");
  // The same change is a change or none by what the user calls one.
  const CompareRules strict{.threshold = 0.01};
  EXPECT_EQ(verdict_in(compared(run(1, 1, 0.005), run(2, 1.03, 0.005), strict), cell), "regressed");
  EXPECT_EQ(verdict_in(compared(run(1, 1, 0.005), run(2, 1.03, 0.005)), cell), "within noise");

  const json comparison = compared(run(1, 1, 0.005), run(2, 1.12, 0.005));
  const json found = cell_in(comparison, cell);
  EXPECT_NEAR(found.at("ratio").get<double>(), 1.12, 0.01);
  EXPECT_LT(found.at("ratio_ci").at(0).get<double>(), found.at("ratio").get<double>());
  EXPECT_GT(found.at("ratio_ci").at(1).get<double>(), found.at("ratio").get<double>());
  EXPECT_LT(found.at("p").get<double>(), 1e-4);
  EXPECT_GT(found.at("adjusted_p").get<double>(), found.at("p").get<double>());
  EXPECT_EQ(comparison.at("counts").at("regressed"), 1);
  EXPECT_EQ(comparison.at("counts").at("within noise"), 1);
  EXPECT_TRUE(has_regression(comparison));
  EXPECT_THAT(comparison.at("sentence").get<std::string>(),
              AllOf(HasSubstr("1 of 2 cells regressed"), HasSubstr(cell)));
  EXPECT_FALSE(has_regression(compared(run(1, 1, 0.005), run(2, 0.88, 0.005))));
}

TEST(Compare, FewSamplesCarryNoVerdict) {
  const auto run = [](unsigned seed, double ns) { return Simulated(seed).cell(blur, "tbb", 2, ns, {}, 0.001, 5); };
  const json comparison = compared(run(1, 1e6), run(2, 2e6));
  EXPECT_EQ(verdict_in(comparison, blur + "/tbb/2"), "inconclusive");
}

// Where nothing changed, hardly anything may be flagged, whatever the number of cells, though here any change counts.
TEST(Compare, EqualRunsAreNotFlagged) {
  int flagged = 0, cells = 0;
  for (unsigned pair = 0; pair < 20; ++pair) {
    const auto run = [&](unsigned seed) {
      Simulated run(seed);
      for (int i = 0; i < 40; ++i) run.cell("kernel/f32/" + std::to_string(i), "tbb", 2, 1e6, {}, 0.03, 9);
      return run;
    };
    // Spins so steady that they raise no limit.
    const json comparison = compared(run(2 * pair + 1).spin(0), run(2 * pair + 2).spin(0), {.threshold = 0});
    cells += 40;
    flagged += comparison.at("counts").at("regressed").get<int>() + comparison.at("counts").at("improved").get<int>();
  }
  EXPECT_LE(flagged, cells / 100);
}

TEST(Compare, AChangeMustExceedWhatTwinsDifferBy) {
  const auto run = [](unsigned seed, double slower) {
    return Simulated(seed)
        .cell(blur, "sequential", 1, slower * 1e6)
        .cell(blur, "sequential", 1, 1.15 * slower * 1e6,
              {{"cell", blur + "/sequential/1/twin"}, {"twin_of", blur + "/sequential/1"}});
  };
  const json comparison = compared(run(1, 1), run(2, 1.12));
  ASSERT_EQ(comparison.at("cells").size(), 1u);
  EXPECT_EQ(cell_in(comparison, blur + "/sequential/1").at("limit_from"), "noise floor");
  EXPECT_GT(comparison.at("noise_floor").get<double>(), 0.14);
  EXPECT_EQ(verdict_in(comparison, blur + "/sequential/1"), "within noise");
  EXPECT_EQ(verdict_in(compared(run(1, 1), run(2, 1.3)), blur + "/sequential/1"), "regressed");
}

TEST(Compare, TheMachinesOwnShiftRaisesTheLimitOfWhatItConcerns) {
  const std::string large = "copy/f64/1000000";
  const std::string mul = "matmul/f32/64x64x64";
  const auto run = [&](unsigned seed, double slower, const std::string& slow_ceiling, int slow_threads = 2,
                       double ceiling_flops = 1e6) {
    Simulated run(seed);
    for (const int threads : {1, 2}) {
      const std::string backend = threads == 1 ? "sequential" : "threads";
      run.cell(large, backend, threads, slower * 1e6, {{"bytes", 1e7}, {"flops", 0}, {"written_bytes", 5e6}});
      run.cell(mul, backend, threads, slower * 1e6, {{"precision", "f32"}});
      for (const char* const name : {"ceiling/fma_f32/registers", "ceiling/copy/memory"}) {
        const bool slow = slow_ceiling == name && threads == slow_threads;
        run.cell(name, backend, threads, slow ? 1.2e6 : 1e6, {{"flops", ceiling_flops}, {"bytes", 1e7}});
      }
    }
    return run;
  };
  const Simulated before = run(1, 1, "");
  const auto verdicts = [&](const json& comparison) {
    return std::array{verdict_in(comparison, large + "/sequential/1"), verdict_in(comparison, large + "/threads/2"),
                      verdict_in(comparison, mul + "/sequential/1"), verdict_in(comparison, mul + "/threads/2")};
  };
  EXPECT_THAT(verdicts(compared(before, run(2, 1.12, ""))),
              ElementsAre("regressed", "regressed", "regressed", "regressed"));
  // Arithmetic is slower on two threads: everything there is in doubt.
  const json compute = compared(before, run(3, 1.12, "ceiling/fma_f32/registers"));
  EXPECT_THAT(verdicts(compute), ElementsAre("regressed", "inconclusive", "regressed", "inconclusive"));
  EXPECT_EQ(cell_in(compute, mul + "/threads/2").at("limit_from"), "ceiling/fma_f32/registers");
  EXPECT_GT(cell_in(compute, mul + "/threads/2").at("limit").get<double>(), 0.19);
  EXPECT_THAT(compute.at("notes").dump(), AllOf(HasSubstr("at 2 threads"), HasSubstr("ceiling/fma_f32/registers")));
  // Memory is on one thread: only what it holds is in doubt. On two it tells how the cores lie, which is for all.
  EXPECT_THAT(verdicts(compared(before, run(4, 1.12, "ceiling/copy/memory", 1))),
              ElementsAre("inconclusive", "regressed", "regressed", "regressed"));
  EXPECT_THAT(verdicts(compared(before, run(4, 1.12, "ceiling/copy/memory"))),
              ElementsAre("regressed", "inconclusive", "regressed", "inconclusive"));
  // More than the machine explains is a regression still.
  EXPECT_EQ(verdict_in(compared(before, run(5, 1.4, "ceiling/copy/memory")), large + "/threads/2"), "regressed");
  // A ceiling of other work tells nothing.
  EXPECT_EQ(verdict_in(compared(before, run(6, 1.12, "ceiling/copy/memory", 2, 2e6)), large + "/threads/2"),
            "regressed");
  // The calibration spin is in every sample.
  const json spun = compared(before, run(7, 1.12, "").spin(1e5));
  EXPECT_EQ(verdict_in(spun, mul + "/threads/2"), "regressed");
  const auto slow_spin = [&] {
    Simulated run(8);
    run.spin(1.2e5).cell(mul, "threads", 2, 1.12e6, {{"precision", "f32"}});
    return run;
  };
  const json slow = compared(before, slow_spin());
  EXPECT_EQ(verdict_in(slow, mul + "/threads/2"), "inconclusive");
  EXPECT_EQ(cell_in(slow, mul + "/threads/2").at("limit_from"), "calibration spin");
}

// A machine that goes to half its speed in the middle of a run may do so between two.
TEST(Compare, WhatMovesWithinARunMayMoveBetweenRuns) {
  const auto run = [](unsigned seed, int slow_from) {
    Simulated run(seed);
    run.drift([=](int round) { return round < slow_from ? 1.0 : 2.0; }).cell(blur, "tbb", 2, 1e6, {}, 0.005, 21);
    return run.drift([](int) { return 1.0; })
        .cell("sort/f32/9", "tbb", 2, slow_from < 99 ? 1e6 : 1.12e6, {}, 0.005, 21);
  };
  const json comparison = compared(run(1, 9), run(2, 99));
  EXPECT_EQ(cell_in(comparison, blur + "/tbb/2").at("limit_from"), "drift within a run");
  EXPECT_EQ(verdict_in(comparison, blur + "/tbb/2"), "inconclusive");
  EXPECT_EQ(verdict_in(comparison, "sort/f32/9/tbb/2"), "regressed");
}

TEST(Compare, APeerOfTheSameVersionIsAControlOfItsCase) {
  const auto run = [](unsigned seed, double slower, double peer_slower, const char* version) {
    Simulated run(seed);
    run.cell(blur, "tbb", 2, slower * 1e6);
    run.cell(blur, "opencv", 2, peer_slower * 1e6, {{"peer", true}, {"version", version}});
    return run.cell("blur/u8/32x32", "tbb", 2, slower * 1e6);
  };
  const Simulated before = run(1, 1, 1, "4.6");
  const json shifted = compared(before, run(2, 1.12, 1.12, "4.6"));
  EXPECT_EQ(verdict_in(shifted, blur + "/tbb/2"), "inconclusive");
  EXPECT_EQ(verdict_in(shifted, "blur/u8/32x32/tbb/2"), "regressed");
  EXPECT_EQ(shifted.at("cells").size(), 2u) << "a peer is no cell of ours";
  EXPECT_EQ(verdict_in(compared(before, run(3, 1.12, 1.12, "4.7")), blur + "/tbb/2"), "regressed");
  EXPECT_EQ(verdict_in(compared(before, run(4, 1.12, 1, "4.6")), blur + "/tbb/2"), "regressed");
}

TEST(Compare, FailedAndMissingCellsAreSaid) {
  Simulated before(1), after(2);
  for (const char* const backend : {"tbb", "openmp", "threads"}) before.cell(blur, backend, 2, 1e6);
  after.cell(blur, "tbb", 2, 1e6).end("failed", blur + "/tbb/2", "wrong result");
  after.cell(blur, "openmp", 2, 1e6).end("skipped", blur + "/openmp/2", "too short");
  after.cell("sort/f32/9", "tbb", 2, 1e6);
  const json comparison = compared(before, after);
  EXPECT_EQ(comparison.at("failed").at(0).at("cell"), blur + "/tbb/2");
  EXPECT_TRUE(has_regression(comparison));
  EXPECT_THAT(comparison.at("sentence").get<std::string>(), HasSubstr("1 cell failed that ran before"));
  EXPECT_EQ(comparison.at("only_in_old").size(), 2u);
  EXPECT_THAT(comparison.at("only_in_old").dump(), AllOf(HasSubstr("too short"), HasSubstr("threads/2")));
  EXPECT_THAT(comparison.at("only_in_new").dump(), HasSubstr("sort/f32/9/tbb/2"));
  for (const std::string& text : {render_comparison(comparison, false, 120, false), comparison_markdown(comparison)}) {
    EXPECT_THAT(text, AllOf(HasSubstr("wrong result"), HasSubstr("too short"), HasSubstr("sort/f32/9")));
  }
  // The other way round it is no regression: it failed before, too.
  EXPECT_FALSE(has_regression(compared(after, before)));
}

TEST(Compare, CasesAreChosen) {
  const auto run = [](unsigned seed, double ns) {
    return Simulated(seed).cell(blur, "tbb", 2, ns).cell("sort/f32/9", "tbb", 2, ns);
  };
  const json comparison = compared(run(1, 1e6), run(2, 2e6), {.cases = {std::regex("^sort"), std::regex("nothing")}});
  ASSERT_EQ(comparison.at("cells").size(), 1u);
  EXPECT_EQ(comparison.at("cells").at(0).at("case"), "sort/f32/9");
}

TEST(Compare, WhatCanNotBeCompared) {
  const Simulated before(1);
  EXPECT_EQ(why_not_comparable(before.journal(), before.journal()), "");
  const auto why = [&](const char* section, const char* member, const json& value) {
    Simulated after(2);
    after.journal().header[section][member] = value;
    return why_not_comparable(before.journal(), after.journal());
  };
  EXPECT_THAT(why("machine", "cpu", "Another"), HasSubstr("machine.cpu is \"A CPU\" in the old run, \"Another\""));
  EXPECT_THAT(why("machine", "isa", "avx512"), HasSubstr("machine.isa"));
  EXPECT_THAT(why("machine", "core_cpus", {0, 2}), HasSubstr("machine.core_cpus"));
  EXPECT_THAT(why("build", "flags", "-O0"), HasSubstr("build.flags"));
  EXPECT_THAT(why("config", "pinned", false), HasSubstr("config.pinned"));
  EXPECT_EQ(why("build", "commit", "another"), "");
  EXPECT_EQ(why("machine", "kernel_release", "another"), "");
  Simulated simulated(2);
  simulated.journal().header["label"] = "simulated";
  EXPECT_THAT(why_not_comparable(before.journal(), simulated.journal()), HasSubstr("label"));
}

TEST(Compare, NotesTellWhatMayExplainAChange) {
  Simulated before(1), after(2);
  for (Simulated* run : {&before, &after}) run->cell(blur, "tbb", 2, 1e6);
  before.journal().header["build"]["libraries"] = {{"oneTBB", "2021.8"}, {"old", "1"}};
  after.journal().header["build"]["libraries"] = {{"oneTBB", "2021.9"}, {"new", "1"}};
  after.journal().header["config"]["environment"] = {{"OMP_PROC_BIND", "true"}};
  const std::string notes = compared(before, after, {.despite = "machine.cpu differs"}).at("notes").dump();
  EXPECT_THAT(notes, AllOf(HasSubstr("machine.cpu differs"), HasSubstr("no twin"), HasSubstr("libraries.oneTBB"),
                           HasSubstr("OMP_PROC_BIND"), Not(HasSubstr("libraries.old"))));
}

// Both builds share what happens to the machine in a round: up to a factor of two here, in which a tenth would drown.
TEST(CompareBuilds, RoundsArePaired) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> factor(1, 2);
  std::vector<double> moods;
  for (int i = 0; i < 20; ++i) moods.push_back(factor(random));
  const auto mood = [&](int round) { return moods[static_cast<std::size_t>(round)]; };
  const auto against = [](const std::string& cell) { return json{{"cell", cell + "/against"}, {"against", true}}; };
  Simulated run(4);
  run.drift(mood);
  const std::string slow = blur + "/tbb/2", same = blur + "/openmp/2", fast = blur + "/threads/2";
  run.cell(blur, "tbb", 2, 1.1e6).cell(blur, "tbb", 2, 1e6, against(slow));
  run.cell(blur, "openmp", 2, 1e6).cell(blur, "openmp", 2, 1e6, against(same));
  run.cell(blur, "threads", 2, 0.8e6).cell(blur, "threads", 2, 1e6, against(fast));
  run.cell("sort/f32/9", "tbb", 2, 1e6);  // the other build doesn't have it
  run.journal().header["config"]["against"] = {{"path", "/old/build"}, {"version", "0.9"}};
  ASSERT_TRUE(has_second_build(run.journal()));
  EXPECT_FALSE(has_second_build(Simulated(1).cell(blur, "tbb", 2, 1e6).journal()));

  const json comparison = builds_compared(run);
  EXPECT_EQ(verdict_in(comparison, slow), "regressed");
  EXPECT_EQ(verdict_in(comparison, same), "within noise");
  EXPECT_EQ(verdict_in(comparison, fast), "improved");
  EXPECT_EQ(comparison.at("cells").size(), 3u);
  EXPECT_TRUE(comparison.at("only_in_new").empty());
  EXPECT_THAT(render_comparison(comparison, false, 120, false),
              AllOf(HasSubstr("/old/build (0.9)"), HasSubstr("paired")));

  // A second build's cells are none of the run's own.
  const json itself = compared(run, run);
  EXPECT_EQ(itself.at("cells").size(), 4u);
}

// Seven rounds that are all slower come about once in 32 cells by chance.
TEST(CompareBuilds, WhatIsEvidenceForOneCellIsNoneAmongMany) {
  const auto run = [](int others) {
    Simulated run(5);
    run.drift([](int round) { return round % 2 == 0 ? 1.0 : 2.0; });
    for (int i = 0; i <= others; ++i) {
      const std::string name = "kernel/f32/" + std::to_string(i);
      run.cell(name, "tbb", 2, i == 0 ? 1.1e6 : 1e6, {}, 0.001, 7);
      run.cell(name, "tbb", 2, 1e6, {{"cell", name + "/tbb/2/against"}, {"against", true}}, 0.001, 7);
    }
    return run;
  };
  EXPECT_EQ(verdict_in(builds_compared(run(0)), "kernel/f32/0/tbb/2"), "regressed");
  EXPECT_EQ(verdict_in(builds_compared(run(40)), "kernel/f32/0/tbb/2"), "inconclusive");
}

TEST(CompareBuilds, ACellThatFailsOnlyInTheNewBuildIsARegression) {
  Simulated run(1);
  run.cell(blur, "tbb", 2, 1e6).end("failed", blur + "/tbb/2", "crash");
  run.cell(blur, "tbb", 2, 1e6, {{"cell", blur + "/tbb/2/against"}, {"against", true}});
  EXPECT_TRUE(has_regression(builds_compared(run)));
}

int columns_of(const std::string& line) {
  return static_cast<int>(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

json many_cells() {
  const auto run = [](unsigned seed, double slower) {
    Simulated run(seed);
    for (int i = 0; i < 30; ++i) {
      const double change = i == 7 ? slower : i == 8 ? slower * slower : i == 9 ? 1 / slower : 1;
      run.cell("kernel/f32/" + std::to_string(i), "tbb", 2, change * 1e6, {}, i < 15 ? 0.003 : 0.3);
    }
    return run;
  };
  return compared(run(1, 1), run(2, 1.2));
}

TEST(ComparisonText, WorstFirstAndFitsTheTerminal) {
  const json comparison = many_cells();
  EXPECT_EQ(comparison.at("cells").at(0).at("case"), "kernel/f32/8");
  EXPECT_EQ(comparison.at("cells").at(1).at("case"), "kernel/f32/7");
  EXPECT_EQ(comparison.at("cells").at(2).at("case"), "kernel/f32/9");
  for (const int width : {50, 80, 120, 160}) {
    for (const bool all : {false, true}) {
      std::istringstream lines(render_comparison(comparison, false, width, all));
      std::string line;
      while (std::getline(lines, line)) {
        EXPECT_LE(columns_of(line), width) << line;
        EXPECT_EQ(line.find('\x1b'), std::string::npos);
        EXPECT_TRUE(line.empty() || line.back() != ' ') << line;
      }
    }
  }
  EXPECT_THAT(render_comparison(comparison, true, 120, false), HasSubstr("\x1b[1;31mregressed"));
  const std::string shorter = render_comparison(comparison, false, 120, false);
  EXPECT_THAT(shorter, AllOf(HasSubstr("within noise: 12 more"), HasSubstr("inconclusive: 5 more")));
  EXPECT_THAT(render_comparison(comparison, false, 120, true),
              AllOf(HasSubstr("kernel/f32/1/"), Not(HasSubstr("more,"))));
}

TEST(ComparisonText, MarkdownHasASentenceChangesAndAllElseFolded) {
  json comparison = many_cells();
  comparison["failed"].push_back({{"cell", "a/b/c/tbb/2"}, {"reason", "got | 3\n<script>"}});
  const std::string text = comparison_markdown(comparison);
  const std::size_t folded = text.find("<details>");
  ASSERT_NE(folded, std::string::npos);
  const std::string seen = text.substr(0, folded);
  EXPECT_THAT(seen, AllOf(HasSubstr("2 of 30 cells regressed"), HasSubstr("kernel/f32/8/tbb/2"),
                          Not(HasSubstr("kernel/f32/1/tbb/2"))));
  EXPECT_THAT(seen, HasSubstr("got \\| 3 \\<script\\>"));
  EXPECT_THAT(text.substr(folded), AllOf(HasSubstr("kernel/f32/1/tbb/2"), HasSubstr("A CPU"), HasSubstr("0123456789ab"),
                                         HasSubstr("</details>")));
}

// The verb, as its users meet it.
class CompareVerb : public testing::Test {
 protected:
  CompareVerb() {
    std::string name = (fs::temp_directory_path() / "speedwell-compare-XXXXXX").string();
    base_ = ::mkdtemp(name.data());
  }
  ~CompareVerb() override { fs::remove_all(base_); }

  std::string save(const std::string& run, const Simulated& simulated) {
    fs::create_directories(base_ / run);
    std::ofstream file(base_ / run / "journal.jsonl", std::ios::binary);
    file << journal_line(nlohmann::ordered_json(simulated.journal().header));
    for (const json& record : simulated.journal().records) file << journal_line(nlohmann::ordered_json(record));
    return run;
  }

  struct Result {
    int status;
    std::string out;
  };
  Result run(const std::string& words) const {
    const std::string command = "cd '" + base_.string() + "' && " SPEEDWELL_COMMAND " compare " + words + " 2>&1";
    FILE* const pipe = ::popen(command.c_str(), "r");
    Result result{-1, {}};
    std::array<char, 4096> part;
    while (const std::size_t got = std::fread(part.data(), 1, part.size(), pipe)) result.out.append(part.data(), got);
    result.status = WEXITSTATUS(::pclose(pipe));
    return result;
  }

  fs::path base_;
};

TEST_F(CompareVerb, StatusAndOutputs) {
  const auto with = [](unsigned seed, double ns) { return Simulated(seed).cell(blur, "tbb", 2, ns); };
  save("old", with(1, 1e6));
  save("same", with(2, 1e6));
  save("slow", with(3, 1.3e6));
  EXPECT_EQ(run("old same").status, 0);
  EXPECT_EQ(run("old slow").status, 1);
  EXPECT_EQ(run("old/journal.jsonl slow '^blur'").status, 1);
  EXPECT_EQ(run("old slow --threshold 40").status, 0);
  fs::create_directory(base_ / "results");
  fs::create_directory_symlink("../slow", base_ / "results/latest");
  EXPECT_EQ(run("old latest").status, 1);
  const Result as_json = run("old slow --json");
  EXPECT_EQ(json::parse(as_json.out).at("cells").at(0).at("verdict"), "regressed");
  EXPECT_THAT(run("old slow --markdown").out, HasSubstr("**regressed**"));
  EXPECT_THAT(run("old slow").out, Not(HasSubstr("\x1b")));

  EXPECT_EQ(run("").status, 2);
  EXPECT_THAT(run("old").out, HasSubstr("expected a second run"));
  EXPECT_EQ(run("old").status, 2);
  EXPECT_EQ(run("old same --threshold -3").status, 2);
  EXPECT_EQ(run("old same '('").status, 2);
  EXPECT_EQ(run("old same --json --markdown").status, 2);
  EXPECT_EQ(run("old missing").status, 3);
  EXPECT_THAT(run("old missing").out, HasSubstr("no run in 'missing'"));
  EXPECT_EQ(run("old same sort").status, 3);
  EXPECT_THAT(run("old same sort").out, HasSubstr("nothing to compare: no cell that matches sort"));
}

TEST_F(CompareVerb, AnotherMachineNeedsForce) {
  save("old", Simulated(1).cell(blur, "tbb", 2, 1e6));
  Simulated other(2);
  other.cell(blur, "tbb", 2, 1.3e6).journal().header["machine"]["cpu"] = "Another";
  save("other", other);
  const Result refused = run("old other");
  EXPECT_EQ(refused.status, 3);
  EXPECT_THAT(refused.out, AllOf(HasSubstr("machine.cpu"), HasSubstr("--force")));
  const Result forced = run("old other --force");
  EXPECT_EQ(forced.status, 1);
  EXPECT_THAT(forced.out, HasSubstr("machine.cpu"));
}

TEST_F(CompareVerb, OneRunWithTwoBuilds) {
  Simulated two(1);
  two.cell(blur, "tbb", 2, 1.3e6).cell(blur, "tbb", 2, 1e6, {{"cell", blur + "/tbb/2/against"}, {"against", true}});
  two.cell("sort/f32/9", "tbb", 2, 1e6)
      .cell("sort/f32/9", "tbb", 2, 1e6, {{"cell", "sort/f32/9/tbb/2/against"}, {"against", true}});
  save("two", two);
  EXPECT_EQ(run("two").status, 1);
  EXPECT_EQ(run("two sort").status, 0);
  EXPECT_EQ(json::parse(run("two --json").out).at("cells").size(), 2u);
}

}  // namespace
}  // namespace speedwell::bench
