// SPDX-License-Identifier: Apache-2.0
// measure_scaling() says what the analysis makes of a journal of the same samples.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "bench/analysis/analysis.hpp"
#include "bench/journal.hpp"
#include "tests/simulated_scaling.hpp"

namespace speedwell {
namespace {

using nlohmann::json;
using testing::SizeIs;

constexpr int cores = 16;

class JournalOf {
 public:
  explicit JournalOf(const ScalingOptions& options, const Scaling& scaling) : options_(options) {
    journal_.header = {{"run", "equal"}, {"machine", {{"physical_cores", cores}, {"default_threads", cores}}}};
    add("sequential", scaling.sequential);
    for (const ScalingPoint& point : scaling.points) add(scaling.name, point);
  }

  // The twin's samples aren't part of the result; two rounds of an exactly known ratio give the same noise floor.
  void add_twin(double noise) {
    declare("sequential", 1, "/twin")["twin_of"] = options_.name + "/sequential/1";
    for (const json& record : json(journal_.records)) {
      if (record["cell"] != options_.name + "/sequential/1") continue;
      add_sample(options_.name + "/sequential/1/twin", record["round"], record["ns"].get<double>() * (1 + noise));
    }
  }

  json analysis() const { return bench::analyse(journal_).at("cases").at(0); }
  double noise_floor() const { return bench::analyse(journal_).at("noise_floor"); }

 private:
  json& declare(const std::string& backend, int threads, const std::string& suffix = "") {
    json& cells = journal_.header["cells"];
    cells.push_back({{"cell", options_.name + "/" + backend + "/" + std::to_string(threads) + suffix},
                     {"case", options_.name},
                     {"backend", backend},
                     {"threads", threads},
                     {"flops", options_.flops},
                     {"bytes", options_.bytes}});
    return cells.back();
  }

  void add(const std::string& backend, const ScalingPoint& point) {
    const json cell = declare(backend, point.threads)["cell"];
    for (const ScalingSample& sample : point.samples) add_sample(cell, sample.round, sample.ns);
  }

  void add_sample(const std::string& cell, int round, double ns) {
    journal_.records.push_back({{"kind", "sample"}, {"cell", cell}, {"round", round}, {"ns", ns}, {"calls", 1000000}});
  }

  ScalingOptions options_;
  bench::Journal journal_;
};

void expect_same(ScalingInterval ours, const json& theirs) { EXPECT_EQ(json({ours.low, ours.high}), theirs); }

void expect_same(const std::optional<double>& ours, const json& theirs) {
  EXPECT_EQ(ours ? json(*ours) : json(nullptr), theirs);
}

void expect_same(const Scaling& ours, const json& theirs) {
  const json& curve = theirs.at("curves").at(0);
  ASSERT_THAT(curve.at("points"), SizeIs(ours.points.size()));
  for (std::size_t i = 0; i < ours.points.size(); ++i) {
    const ScalingPoint& point = ours.points[i];
    const json& other = curve["points"][i];
    EXPECT_EQ(point.threads, other.at("threads"));
    EXPECT_EQ(point.median_ns, other.at("median_ns"));
    expect_same(point.ci_ns, {other.at("ci_low_ns"), other.at("ci_high_ns")});
    EXPECT_EQ(point.confidence, other.at("confidence"));
    EXPECT_EQ(point.speedup, other.at("speedup"));
    expect_same(point.speedup_ci, other.at("speedup_ci"));
    expect_same(point.self_speedup, other.at("self_speedup"));
    EXPECT_EQ(point.efficiency, other.at("efficiency"));
    expect_same(point.karp_flatt, other.at("karp_flatt"));
    expect_same(point.flops_per_s, other.at("flops_per_s"));
    expect_same(point.bytes_per_s, other.at("bytes_per_s"));
    EXPECT_EQ(point.deviation, other.at("deviation"));
    EXPECT_EQ(json({{"mild", point.mild_outliers}, {"severe", point.severe_outliers}}), other.at("outliers"));
    EXPECT_EQ(json(point.warnings), other.at("warnings"));
  }
  const ScalingLaw& law = ours.law;
  const json& other = curve.at("model");
  EXPECT_EQ(law.name, other.at("law"));
  EXPECT_EQ(law.reason, other.at("reason"));
  expect_same(law.one_thread_cost, other.at("one_thread_cost"));
  expect_same(law.serial_fraction, other.at("serial_fraction"));
  if (law.serial_fraction) expect_same(law.serial_fraction_ci, other.at("serial_fraction_ci"));
  expect_same(law.sigma, other.at("sigma"));
  if (law.sigma) expect_same(law.sigma_ci, other.at("sigma_ci"));
  expect_same(law.kappa, other.at("kappa"));
  if (law.kappa) expect_same(law.kappa_ci, other.at("kappa_ci"));
  expect_same(law.peak_threads, other.at("peak_threads"));
  if (law.peak_threads) expect_same(law.peak_threads_ci, other.at("peak_threads_ci"));
  ASSERT_THAT(other.at("predicted"), SizeIs(law.predicted.size()));
  for (std::size_t i = 0; i < law.predicted.size(); ++i) {
    const ScalingPrediction& each = law.predicted[i];
    EXPECT_EQ(json({{"threads", each.threads},
                    {"speedup", each.speedup},
                    {"low", each.band.low},
                    {"high", each.band.high},
                    {"extrapolated", each.extrapolated}}),
              other["predicted"][i]);
  }
  EXPECT_EQ(ours.pays, theirs.at("best").at("backend") != "sequential");
  EXPECT_EQ(ours.best_threads, theirs["best"].at("threads"));
  EXPECT_EQ(ours.enough_threads, theirs.at("enough_threads"));
  EXPECT_EQ(ours.verdict, theirs.at("verdict"));
}

class EqualJournal : public testing::TestWithParam<std::function<double(int)>> {};

TEST_P(EqualJournal, TheSameNumbersLawAndSentence) {
  tests::SimulatedScaling world(GetParam(), 0.02, cores);
  ScalingOptions options = {.name = "solve", .flops = 3e6, .bytes = 4e6};
  const Scaling scaling = world.measure(options);
  JournalOf journal(options, scaling);
  journal.add_twin(scaling.noise_floor.value());
  EXPECT_NEAR(journal.noise_floor(), *scaling.noise_floor, 1e-9);
  expect_same(scaling, journal.analysis());
}

INSTANTIATE_TEST_SUITE_P(Curves, EqualJournal,
                         testing::Values(tests::amdahl(8e6, 0.08), tests::usl(8e6, 0.05, 0.01),
                                         tests::usl(20e3, 0.3, 0.2),
                                         [](int threads) { return 1e6 * (threads == 0 ? 1 : 1.2 + 0.1 * threads); }));

}  // namespace
}  // namespace speedwell
