// SPDX-License-Identifier: Apache-2.0
#include "bench/report/plots.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "bench/files.hpp"
#include "bench/report/gnuplot.hpp"

namespace speedwell::bench::report {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

// A point with an interval of 1 % to either side; the sequential version takes 8 ms.
json point(int threads, double speedup, int rounds) {
  const double ns = 8e6 / speedup;
  json p = {{"threads", threads},
            {"samples", rounds},
            {"median_ns", ns},
            {"ci_low_ns", 0.99 * ns},
            {"ci_high_ns", 1.01 * ns},
            {"speedup", speedup},
            {"speedup_ci", {0.99 * speedup, 1.01 * speedup}},
            {"percent_of_roof", 80},
            {"bound", "compute"},
            {"round_ns", json::array()}};
  // The first round a tenth slower, the second a tenth faster.
  for (int round = 1; round <= rounds; ++round)
    p["round_ns"].push_back({round, round == 1 ? 1.1 * ns : round == 2 ? 0.9 * ns : ns});
  return p;
}

json curve(const std::string& backend, const std::vector<std::pair<int, double>>& speedups, int rounds) {
  json out = {{"backend", backend}, {"points", json::array()}};
  for (const auto& [threads, speedup] : speedups) out["points"].push_back(point(threads, speedup, rounds));
  return out;
}

json case_of(const std::string& name, const std::string& precision, double flops, double bytes, json curves,
             int rounds = 9) {
  return {{"case", name},
          {"kernel", name.substr(0, name.find('/'))},
          {"size", "64"},
          {"precision", precision},
          {"flops", flops},
          {"bytes", bytes},
          {"intensity", flops / bytes},
          {"sequential", point(1, 1, rounds)},
          {"curves", std::move(curves)},
          {"best", {{"backend", "tbb"}, {"threads", 2}, {"speedup", 1.9}, {"median_ns", 8e6 / 1.9}}}};
}

json run_of(json cases) {
  return {{"schema", 1},
          {"run", "20250601T120000Z"},
          {"started", "2025-06-01T12:00:00Z"},
          {"noise_floor", 0.015},
          {"machine", {{"cpu", "Some processor"}, {"physical_cores", 8}, {"quota_cpus", 6.5}}},
          {"cases", std::move(cases)}};
}

// matmul as eight cores give it, with all that an analysis can hold; sobel, bound by bytes, on two threads; and a sort
// that no model makes faster.
json full_run() {
  json matmul = case_of("matmul/f32/64", "f32", 16e6, 1e6,
                        {curve("threads", {{1, 0.97}, {2, 1.5}, {4, 2}, {8, 2.5}}, 9),
                         curve("openmp", {{1, 0.98}, {2, 1.895}, {4, 3.5}, {8, 5}}, 9),
                         curve("tbb", {{1, 0.99}, {2, 1.9}, {4, 3}, {8, 4}}, 9)});
  matmul["peers"] = {{{"name", "openblas"}, {"threads", 1}, {"median_ns", 4e6}},
                     {{"name", "openblas"}, {"threads", 8}, {"median_ns", 1e6}}};
  json weak = {{"backend", "openmp"}, {"rule", "n = 64 · ∛p"}, {"points", json::array()}};
  for (const auto& [threads, scaled] : {std::pair(1, 0.98), std::pair(2, 1.8), std::pair(8, 6.0)})
    weak["points"].push_back({{"threads", threads},
                              {"size", threads == 8 ? "128" : "80"},
                              {"samples", 9},
                              {"median_ns", 8e6},
                              {"scaled_speedup", scaled},
                              {"scaled_speedup_ci", {0.9 * scaled, 1.1 * scaled}}});
  matmul["weak_scaling"] = {weak};
  json run = run_of({matmul,
                     case_of("sobel/f32/64", "f32", 1e6, 16e6,
                             {curve("openmp", {{1, 1}, {2, 1.9}}, 9), curve("tbb", {{1, 1}, {2, 1.2}}, 9)}),
                     case_of("sort/i32/64", "i32", 0, 16e6, {curve("openmp", {{1, 0.5}, {2, 0.7}}, 9)})});
  for (const int threads : {1, 8}) {
    run["ceilings"].push_back({{"threads", threads},
                               {"fma_f32_flops_per_s", 1e11 * threads},
                               {"triad_bytes_per_s", 1e10 * threads},
                               {"caches",
                                {{{"level", 1}, {"triad_bytes_per_s", 2e11 * threads}},
                                 {{"level", 2}, {"triad_bytes_per_s", 5e10 * threads}}}}});
  }
  const auto sized = [](const std::string& size, double ns, double speedup, json pays) -> json {
    return {{"case", "matmul/f32/" + size}, {"size", size},
            {"sequential_ns", ns},          {"best_speedup", speedup},
            {"pays", std::move(pays)},      {"best_speedup_ci", {0.9 * speedup, 1.1 * speedup}}};
  };
  run["crossovers"] = {
      {{"kernel", "matmul"},
       {"variant", "f32"},
       {"cases", {sized("16", 2e3, 0.2, false), sized("32", 3e4, 1, nullptr), sized("64", 8e6, 5, true)}},
       {"smallest_paying", "matmul/f32/64"},
       {"largest_not_paying", "matmul/f32/16"}},
      {{"kernel", "sort"}, {"variant", "i32"}, {"cases", {sized("64", 8e6, 0.7, false)}}}};
  return run;
}

std::set<std::string> names_of(const std::vector<Plot>& plots) {
  std::set<std::string> names;
  for (const Plot& plot : plots) EXPECT_TRUE(names.insert(plot.name).second) << plot.name << " twice";
  return names;
}

Plot plot_of(const json& analysis, const std::string& name) {
  for (const Plot& plot : make_plots(parse(analysis)))
    if (plot.name == name) return plot;
  ADD_FAILURE() << "no plot " << name;
  return {};
}

std::string csv_of(const json& analysis, const std::string& name) { return plot_of(analysis, name).csv; }

TEST(Plots, ThereIsOneOfEachKindWhereTheDataCarryIt) {
  const std::vector<Plot> plots = make_plots(parse(full_run()));
  const std::set<std::string> names = names_of(plots);
  for (const char* name :
       {"overview", "winners", "crossover", "drift", "intervals", "roofline_f32", "matmul_f32_64_speedup",
        "matmul_f32_64_efficiency", "matmul_f32_64_time", "matmul_f32_64_throughput", "matmul_f32_64_karp_flatt",
        "matmul_f32_64_weak_scaling", "matmul_f32_64_rounds", "sobel_f32_64_throughput", "sobel_f32_64_rounds"})
    EXPECT_THAT(names, Contains(name));
  for (const Plot& plot : plots) EXPECT_TRUE(plot.name.ends_with(plot.what) || plot.what == "roofline") << plot.name;
}

TEST(Plots, ThereIsNoneWhereTheDataDoNotCarryIt) {
  json run = full_run();
  // One thread count above one carries no curve; nor do two.
  const auto points = [&](std::size_t curve) -> json& { return run["cases"][0]["curves"][curve]["points"]; };
  for (const std::size_t i : {0u, 1u, 2u}) points(i).erase(3);
  run["cases"][0]["weak_scaling"][0]["points"] = json::array({run["cases"][0]["weak_scaling"][0]["points"][0]});
  run["crossovers"][0]["cases"].erase(1);
  run["crossovers"][0]["cases"].erase(1);
  run["cases"][2]["bytes"] = 0;
  for (json& c : run["cases"]) {
    c["sequential"]["round_ns"].erase(c["sequential"]["round_ns"].begin() + 2, c["sequential"]["round_ns"].end());
    for (json& each : c["curves"])
      for (json& p : each["points"]) p["round_ns"].erase(p["round_ns"].begin() + 2, p["round_ns"].end());
  }
  run.erase("ceilings");
  const std::set<std::string> names = names_of(make_plots(parse(run)));
  for (const char* name : {"matmul_f32_64_karp_flatt", "sobel_f32_64_karp_flatt", "matmul_f32_64_weak_scaling",
                           "crossover", "sort_i32_64_throughput", "drift", "matmul_f32_64_rounds", "roofline_f32"})
    EXPECT_THAT(names, Not(Contains(name)));
  EXPECT_THAT(names, Contains("sort_i32_64_speedup"));
}

TEST(Plots, ThroughputIsInOperationsOrBytesWhicheverAreMore) {
  // 16 MFLOP in 8 ms / 5 are 10 GFLOP/s; the interval of a rate is that of the time upside down.
  const std::string arithmetic = csv_of(full_run(), "matmul_f32_64_throughput");
  EXPECT_THAT(arithmetic, HasSubstr("series,threads,gflop_per_s,low,high,samples\n"));
  EXPECT_THAT(arithmetic, HasSubstr("\nopenmp,8,10,9.90099,10.10101,9\n"));
  EXPECT_THAT(arithmetic, HasSubstr("\npeer openblas,8,16,16,16,\n"));
  EXPECT_THAT(arithmetic, HasSubstr("\nroof,8,6.25,,,\n"));  // of the first model: 80 % of the roof at 5 GFLOP/s
  EXPECT_THAT(plot_of(full_run(), "matmul_f32_64_throughput").script, HasSubstr("'GFLOP/s'"));
  const std::string bytes = csv_of(full_run(), "sobel_f32_64_throughput");
  EXPECT_THAT(bytes, AllOf(HasSubstr("gb_per_s"), HasSubstr("\nopenmp,2,3.8,")));
  json run = full_run();
  run["cases"][0]["precision"] = "u8";
  EXPECT_THAT(plot_of(run, "matmul_f32_64_throughput").script, HasSubstr("'Gop/s'"));
}

TEST(Plots, TheRoofIsNamedByWhatBounds) {
  json run = full_run();
  EXPECT_THAT(plot_of(run, "matmul_f32_64_speedup").script, HasSubstr("'compute roof'"));
  for (const auto& [bound, words] : {std::pair("l2", "'L2 roof'"), std::pair("overhead", "'roof'")}) {
    for (json& each : run["cases"][0]["curves"])
      for (json& p : each["points"]) p["bound"] = bound;
    EXPECT_THAT(plot_of(run, "matmul_f32_64_speedup").script, HasSubstr(words));
  }
}

TEST(Plots, KarpFlattIsTheSerialPartWithItsInterval) {
  const std::string csv = csv_of(full_run(), "matmul_f32_64_karp_flatt");
  // (1/2.5 - 1/8) / (1 - 1/8), and the same of 2.525 and 2.475.
  EXPECT_THAT(csv, HasSubstr("\nthreads,8,31.42857,30.97595,31.89033,9\n"));
  EXPECT_THAT(csv, HasSubstr("\nthreads,2,33.33333,"));
  EXPECT_THAT(csv, Not(HasSubstr("threads,1,")));
}

TEST(Plots, WeakScalingSaysItsRuleAndSizes) {
  const Plot plot = plot_of(full_run(), "matmul_f32_64_weak_scaling");
  EXPECT_THAT(plot.csv, HasSubstr("\nopenmp,8,6,5.4,6.6,9\n"));
  EXPECT_THAT(plot.csv, HasSubstr("\nefficiency openmp,8,75,67.5,82.5,9\n"));
  EXPECT_THAT(plot.script, HasSubstr("n = 64 · ∛p"));
  EXPECT_THAT(plot.script, HasSubstr("from 64\u00A0on 1\u00A0thread to 128\u00A0on 8"));
}

TEST(Plots, WinnersTieWhereIntervalsOverlapAndNoneIsOneSlowerThanSequential) {
  const std::string csv = csv_of(full_run(), "winners");
  EXPECT_THAT(csv, HasSubstr("\nmatmul/f32/64,2,openmp = tbb,1.9\n"));
  EXPECT_THAT(csv, HasSubstr("\nmatmul/f32/64,8,openmp,5\n"));
  EXPECT_THAT(csv, HasSubstr("\nsobel/f32/64,2,openmp,1.9\n"));
  EXPECT_THAT(csv, HasSubstr("\nsort/i32/64,2,sequential,0.7\n"));
  EXPECT_THAT(csv, Not(HasSubstr("sort/i32/64,8")));
}

TEST(Plots, WinnersAreToldWithoutNumbersWhereThereIsNoRoom) {
  std::vector<std::pair<int, double>> speedups;
  for (int n = 1; n <= 24; ++n) speedups.emplace_back(n, 0.9 * n);
  const json run = run_of({case_of("matmul/f32/64", "f32", 16e6, 1e6, {curve("tbb", speedups, 9)})});
  EXPECT_THAT(plot_of(run, "winners").script, Not(HasSubstr("'21.6×'")));
  EXPECT_THAT(csv_of(run, "winners"), HasSubstr("\nmatmul/f32/64,24,tbb,21.6\n"));
}

TEST(Plots, CrossoverMarksTheSmallestSizeThatSurelyPays) {
  const Plot plot = plot_of(full_run(), "crossover");
  EXPECT_THAT(plot.csv, HasSubstr("\nmatmul/f32,2000,0.2,0.18,0.22,16,no\n"));
  EXPECT_THAT(plot.csv, HasSubstr("\nmatmul/f32,30000,1,0.9,1.1,32,unsure\n"));
  EXPECT_THAT(plot.csv, HasSubstr("\nmatmul/f32,8000000,5,4.5,5.5,64,yes\n"));
  EXPECT_THAT(plot.csv, Not(HasSubstr("sort")));
  EXPECT_THAT(plot.script, HasSubstr("'pays from 64, 8.00 ms'"));
  json run = full_run();
  run["crossovers"][0]["smallest_paying"] = nullptr;
  EXPECT_THAT(plot_of(run, "crossover").script, HasSubstr("'no size surely pays'"));
}

TEST(Plots, RoundsAreAgainstTheMedianOfTheirCell) {
  const std::string csv = csv_of(full_run(), "sobel_f32_64_rounds");
  EXPECT_THAT(csv, HasSubstr("\nopenmp,1,0.92,10,1\nopenmp,2,1.92,-10,1\nopenmp,3,2.92,0,1\n"));
  EXPECT_THAT(csv, HasSubstr("\nmedian openmp,1,1,10,\nmedian openmp,2,2,-10,\n"));
}

TEST(Plots, DriftHoldsEachRoundOfAllCells) {
  json run = full_run();
  // One cell of twenty is far off in the third round.
  run["cases"][0]["curves"][0]["points"][0]["round_ns"][2][1] = 2 * 8e6 / 0.97;
  const Plot plot = plot_of(run, "drift");
  EXPECT_THAT(plot.csv, HasSubstr("\n1,21,10,10,10,10,10,10,10\n2,21,-10,"));
  EXPECT_THAT(plot.csv, HasSubstr("\n3,21,0,0,0,0,0,0,100\n"));
  EXPECT_THAT(plot.script, HasSubstr("matmul/f32/64/threads/1"));
}

TEST(Plots, IntervalsAreHalfTheirWidthOverTheMedian) {
  const Plot plot = plot_of(full_run(), "intervals");
  EXPECT_THAT(plot.csv, HasSubstr("\ntbb,matmul/f32/64,8,1,"));
  EXPECT_THAT(plot.script, HasSubstr("'noise floor 1.5 %'"));
  EXPECT_THAT(plot.script, HasSubstr("'0 of 8 cells above 2 %'"));
}

TEST(Plots, RooflineShowsEachCacheOfTheLargestThreadCount) {
  const Plot plot = plot_of(full_run(), "roofline_f32");
  EXPECT_THAT(plot.csv, HasSubstr("\nceiling,memory,,8,,800,80\nceiling,L1,,8,,800,1600\nceiling,L2,,8,,800,400\n"));
  EXPECT_THAT(plot.script,
              AllOf(HasSubstr("'L1 1.60 TB/s'"), HasSubstr("'L2 400 GB/s'"), HasSubstr("'memory 80.0 GB/s'")));
  json run = full_run();
  for (json& ceiling : run["ceilings"]) ceiling.erase("caches");
  EXPECT_THAT(plot_of(run, "roofline_f32").script, AllOf(Not(HasSubstr("'L1")), HasSubstr("'memory 80.0 GB/s'")));
}

TEST(Plots, CaptionsSayHowManySamplesAndTheLevelOfTheInterval) {
  for (const Plot& plot : make_plots(parse(full_run()))) {
    if (plot.of.empty() || plot.what == "rounds") continue;
    EXPECT_THAT(plot.script, AllOf(HasSubstr("n\u00A0=\u00A09"), HasSubstr("95\u00A0%"))) << plot.name;
  }
}

// Every label lies inside its picture, by the least width that its font gives its words.
TEST(Plots, NoWordsAreClipped) {
  json run = full_run();
  run["label"] = "simulated";
  run["cases"][1]["case"] = "nested/outer_matmul_f32_with_a_long_name/64x128x128x128";
  run["cases"][1]["curves"][0]["backend"] = "a_backend_with_a_name_that_is_long";
  const std::regex label(
      R"(set label '((?:[^'\n]|'')+)' at screen ([^,]+),(\S+) (left|right|center) font 'sans-serif,([\d.]+)'([^\n]*))");
  const std::regex size(R"(terminal svg noenhanced size (\d+),(\d+))");
  for (const Plot& plot : make_plots(parse(run))) {
    std::smatch found;
    ASSERT_TRUE(std::regex_search(plot.script, found, size));
    const double width = std::stod(found[1]), height = std::stod(found[2]);
    for (std::sregex_iterator match(plot.script.begin(), plot.script.end(), label), end; match != end; ++match) {
      const std::string words = (*match)[1];
      const auto characters = std::ranges::count_if(words, [](char c) { return (c & 0xC0) != 0x80; });
      const double length = 0.5 * std::stod((*match)[5]) * static_cast<double>(characters);
      const bool upright = (*match)[6].str().find("rotate") != std::string::npos;
      const double at = upright ? std::stod((*match)[3]) * height : std::stod((*match)[2]) * width;
      const double before = (*match)[4] == "left" ? 0 : (*match)[4] == "right" ? length : length / 2;
      EXPECT_GE(at - before, 0) << plot.name << ": " << words;
      EXPECT_LE(at - before + length, upright ? height : width) << plot.name << ": " << words;
    }
  }
}

class Folder : public ScratchFolder {
 public:
  Folder() : ScratchFolder(fs::temp_directory_path()) {}
};

// gnuplot's words, and the SVG. Without gnuplot the words say so. The PNG takes most of the time.
std::pair<std::string, std::string> drawn(Plot plot, bool with_png) {
  const Folder folder;
  if (!with_png) plot.script.replace(plot.script.find("'svg png'"), 9, "'svg'");
  std::ofstream(folder.path() / (plot.name + ".gp")) << plot.script;
  std::ofstream(folder.path() / (plot.name + ".csv")) << plot.csv;
  const GnuplotResult result = run_gnuplot("gnuplot", folder.path(), plot.name + ".gp", std::chrono::seconds(60));
  if (!result.found) return {"no gnuplot", ""};
  EXPECT_TRUE(result.ok) << plot.name << ": " << result.said;
  EXPECT_EQ(fs::exists(folder.path() / (plot.name + ".png")), with_png) << plot.name;
  std::ifstream svg(folder.path() / (plot.name + ".svg"));
  return {result.said, {std::istreambuf_iterator<char>(svg), {}}};
}

TEST(Plots, GnuplotDrawsEachWithoutAWarningAndWithoutWhiteDiscs) {
  json hostile = full_run();
  const std::string name = "a'b\"c\\d`e $(f), <g>{h}_^\n%s";
  hostile["crossovers"][0]["kernel"] = hostile["crossovers"][0]["cases"][0]["size"] = name;
  hostile["cases"][0]["weak_scaling"][0]["rule"] = hostile["cases"][0]["weak_scaling"][0]["backend"] = name;
  hostile["cases"][0]["case"] = hostile["cases"][0]["curves"][0]["backend"] = name;
  json single = run_of({case_of("matmul/f32/64", "f32", 16e6, 1e6, {curve("tbb", {{1, 1}}, 1)}, 1)});
  single.erase("machine");
  single["noise_floor"] = nullptr;
  const std::vector<json> runs = {full_run(), hostile, single};
  for (const json& analysis : runs)
    for (const Plot& plot : make_plots(parse(analysis))) {
      const auto [said, svg] = drawn(plot, &analysis == &runs[0]);
      if (said == "no gnuplot") GTEST_SKIP() << "there is no gnuplot here";
      EXPECT_EQ(said, "") << plot.name;
      // A hollow mark has a white inside of its own; nothing else covers what was drawn before.
      if (plot.what != "crossover") {
        EXPECT_THAT(svg, Not(HasSubstr(" color='#FFFFFF'/>"))) << plot.name;
        EXPECT_THAT(svg, Not(HasSubstr("color='rgb(255, 255, 255)'"))) << plot.name;
      }
    }
}

}  // namespace
}  // namespace speedwell::bench::report
