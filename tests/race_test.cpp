// SPDX-License-Identifier: Apache-2.0
// Our models against the peers of a run, on journals whose times are made up.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "bench/analysis/analysis.hpp"
#include "bench/analysis/race.hpp"
#include "bench/journal.hpp"

namespace speedwell::bench {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Nine rounds of each cell, the times of a round longer or shorter together.
struct Maker {
  Journal journal = {.header = {{"cells", json::array()},
                                {"machine", {{"cpu", "Simulated"}, {"physical_cores", 2}}},
                                {"build", {{"compiler", "GNU"}, {"commit", "0123456789abcdef"}}}},
                     .records = {}};

  void cell(const std::string& of, const std::string& backend, int threads, double ns, bool peer = false,
            double spread = 0.01) {
    const std::string name = of + "/" + backend + "/" + std::to_string(threads);
    json cell = {{"cell", name}, {"case", of},         {"backend", backend}, {"threads", threads},
                 {"peer", peer}, {"precision", "f32"}, {"flops", 2e6},       {"bytes", 1e4}};
    if (peer) cell["version"] = "1.2";
    journal.header["cells"].push_back(cell);
    for (int round = 1; round <= 9; ++round) {
      const double drift = 1 + 0.2 * (round % 3);
      // Not the same in each cell, so that an interval has a width.
      const double own = 1 + spread * ((round * 7 + static_cast<int>(name.size())) % 5 - 2);
      journal.records.push_back(
          {{"kind", "sample"}, {"round", round}, {"cell", name}, {"ns", ns * drift * own}, {"calls", 10}});
    }
  }

  std::vector<json> analyses() const { return {analyse(journal)}; }
};

constexpr const char* large = "matmul/f32/100x100x100";
constexpr const char* small = "matmul/f32/8x8x8";

Maker two_cases() {
  Maker maker;
  maker.cell(large, "sequential", 1, 1000);
  maker.cell(large, "threads", 1, 1100);
  maker.cell(large, "threads", 2, 600);
  maker.cell(large, "openmp", 1, 1050);
  maker.cell(large, "openmp", 2, 500);
  maker.cell(large, "blis", 1, 1200, true);
  maker.cell(large, "blis", 2, 610, true);
  maker.cell(large, "eigen", 1, 1500, true);
  maker.cell(large, "eigen", 2, 800, true);
  maker.cell(large, "automatic", 1, 1000, true);
  maker.cell(large, "automatic", 2, 550, true);
  // Two threads are no gain to anybody here, and the peer is faster.
  maker.cell(small, "sequential", 1, 100);
  maker.cell(small, "threads", 2, 900);
  maker.cell(small, "blis", 1, 80, true);
  maker.cell(small, "blis", 2, 400, true);
  return maker;
}

TEST(Race, TakesTheBestOfEachUpToSoManyCores) {
  const std::vector<RacedCase> cases = race_of(two_cases().analyses());
  ASSERT_EQ(cases.size(), 4u);
  const RacedCase& one = cases[0];
  EXPECT_EQ(one.name, large);
  EXPECT_EQ(one.threads, 1);
  EXPECT_EQ(one.ours()->name, "sequential");
  EXPECT_EQ(one.peer()->name, "blis");
  EXPECT_EQ(one.peer()->version, "1.2");
  EXPECT_NEAR(one.ratio.value, 1.2, 0.03);
  EXPECT_NEAR(one.automatic_ratio->value, 1.2, 0.03);
  const RacedCase& two = cases[1];
  EXPECT_EQ(two.threads, 2);
  EXPECT_EQ(two.ours()->name, "openmp");
  EXPECT_EQ(two.ours()->threads, 2);
  EXPECT_EQ(two.models.size(), 3u);
  EXPECT_EQ(two.peers.size(), 2u);
  EXPECT_NEAR(two.ratio.value, 1.22, 0.03);
  EXPECT_NEAR(two.automatic_to_ours->value, 1.1, 0.03);
  // One thread is what is best on two cores, on both sides.
  const RacedCase& tiny = cases[3];
  EXPECT_EQ(tiny.name, small);
  EXPECT_EQ(tiny.threads, 2);
  EXPECT_EQ(tiny.ours()->name, "sequential");
  EXPECT_EQ(tiny.peer()->threads, 1);
  EXPECT_NEAR(tiny.ratio.value, 0.8, 0.03);
  EXPECT_FALSE(tiny.automatic);
}

TEST(Race, IsLostOnlyWhereTheWholeIntervalIsBelow) {
  const std::vector<RacedCase> cases = race_of(two_cases().analyses());
  std::vector<bool> lost;
  for (const RacedCase& each : cases) lost.push_back(is_lost(each.ratio));
  EXPECT_THAT(lost, ElementsAre(false, false, true, true));
  EXPECT_NEAR(geometric_mean(cases), std::pow(1.2 * 1.22 * 0.8 * 0.8, 0.25), 0.02);

  Maker noisy;
  noisy.cell(small, "sequential", 1, 100, false, 0.1);
  noisy.cell(small, "blis", 1, 95, true, 0.1);
  const std::vector<RacedCase> unsure = race_of(noisy.analyses());
  ASSERT_EQ(unsure.size(), 1u);
  EXPECT_LT(unsure[0].ratio.ci.low, lost_below);
  EXPECT_GT(unsure[0].ratio.ci.high, lost_below);
  EXPECT_FALSE(is_lost(unsure[0].ratio));
}

TEST(Race, CasesWithoutAPeerOrAModelAreNone) {
  Maker maker;
  maker.cell(large, "sequential", 1, 1000);
  maker.cell(large, "automatic", 1, 1000, true);
  maker.cell(small, "blis", 1, 80, true);
  EXPECT_THAT(race_of(maker.analyses()), IsEmpty());
}

TEST(Race, TablesSayItAll) {
  const std::vector<json> analyses = two_cases().analyses();
  const std::vector<RacedCase> cases = race_of(analyses);
  const std::string markdown = race_markdown(cases, analyses);
  for (const char* const part :
       {"Simulated", "from 0123456789ab", "Peers: blis 1.2 and eigen 1.2.", "| matmul/f32, 1 core | 2 |",
        "| **all** | 4 | 0.9", "| matmul/f32/8x8x8 | 2 | **0.", "| blis @1 |", "| sequential @1 |",
        "in 2 cases: surely below 0.97 of the best peer in 0, surely slower than our best model by more than 3 % in "
        "1"}) {
    EXPECT_THAT(markdown, HasSubstr(part));
  }
  EXPECT_THAT(markdown, Not(HasSubstr("nan")));

  const std::string csv = race_csv(cases);
  std::vector<std::size_t> commas;
  for (std::size_t begin = 0; begin < csv.size();) {
    const std::size_t end = csv.find('\n', begin);
    commas.push_back(static_cast<std::size_t>(std::count(csv.begin() + static_cast<std::ptrdiff_t>(begin),
                                                         csv.begin() + static_cast<std::ptrdiff_t>(end), ',')));
    begin = end + 1;
  }
  EXPECT_EQ(commas, std::vector<std::size_t>(5, commas[0]));
  EXPECT_THAT(csv, HasSubstr("sequential_ns,threads_ns,openmp_ns,blis_ns,eigen_ns\n"));
  EXPECT_THAT(csv, HasSubstr("\nmatmul/f32/8x8x8,matmul,f32,8x8x8,1,0."));
  EXPECT_THAT(csv, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace speedwell::bench
