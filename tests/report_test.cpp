// SPDX-License-Identifier: Apache-2.0
#include "bench/report/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "bench/analysis/analysis.hpp"
#include "bench/files.hpp"
#include "bench/journal.hpp"
#include "bench/report/model.hpp"
#include "bench/report/sha256.hpp"
#include "bench/report/winners.hpp"

namespace speedwell::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AnyOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Folder : public ScratchFolder {
 public:
  Folder() : ScratchFolder(fs::temp_directory_path()) {}
};

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << "no " << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

bool installed(const char* program) {
  const char* path = ::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((fs::path(folder) / program).c_str(), X_OK) == 0) return true;
  return false;
}

bool has_chart_js() { return fs::exists(ReportTools{}.chart_js[0]) || fs::exists(ReportTools{}.chart_js[1]); }

// Sixteen cores, eight thread counts, laws and ceilings.
const json& simulated() {
  static const json analysis = analyse(read_journal(fs::path(SPEEDWELL_TEST_DATA) / "simulated/journal.jsonl"));
  return analysis;
}

// Nine rounds about a median; what differs by less than 1 % is faster in some and slower in others.
json rounds_of(double ns) {
  json rounds = json::array();
  const bool even = std::llround(ns) / 4 % 2 == 0;
  for (int round = 1; round <= 9; ++round)
    rounds.push_back({round, ns * (1 + ((round % 2 == 0) == even ? 0.001 : -0.001) * (round % 5) * 4)});
  return rounds;
}

json point(int threads, double ns, double speedup, double half_width) {
  return {{"threads", threads},
          {"samples", 9},
          {"median_ns", ns},
          {"ci_low_ns", ns * (1 - half_width)},
          {"ci_high_ns", ns * (1 + half_width)},
          {"speedup", speedup},
          {"speedup_ci", {speedup * (1 - half_width), speedup * (1 + half_width)}},
          {"self_speedup", speedup},
          {"efficiency", speedup / threads},
          {"karp_flatt", nullptr},
          {"round_ns", rounds_of(ns)}};
}

// A case as a two-core machine gives it: tbb and openmp tie, threads is behind.
json two_core_case(const std::string& name) {
  json c = {{"case", name},
            {"kernel", "matmul"},
            {"variant", "f32"},
            {"size", "64x64x64"},
            {"flops", 524288},
            {"bytes", 49152},
            {"precision", "f32"},
            {"sequential", point(1, 10000, 1, 0.01)},
            {"best",
             {{"backend", "tbb"}, {"threads", 2}, {"speedup", 1.9}, {"speedup_ci", {1.88, 1.92}}, {"median_ns", 5263}}},
            {"enough_threads", 2},
            {"verdict", "the verdict of " + name}};
  c["curves"] = {{{"backend", "threads"}, {"points", {point(1, 10100, 0.99, 0.02), point(2, 6666, 1.5, 0.01)}}},
                 {{"backend", "openmp"}, {"points", {point(1, 10200, 0.98, 0.001), point(2, 5291, 1.89, 0.01)}}},
                 {{"backend", "tbb"}, {"points", {point(1, 10300, 0.97, 0.001), point(2, 5263, 1.9, 0.01)}}}};
  c["peers"] = {{{"name", "openblas"}, {"version", "0.3.21"}, {"threads", 1}, {"median_ns", 9000}, {"ratio", 1.1}},
                {{"name", "openblas"}, {"version", "0.3.21"}, {"threads", 2}, {"median_ns", 4700}, {"ratio", 1.1}}};
  return c;
}

json two_core_run(const std::vector<std::string>& names) {
  json run = {
      {"schema", 1},
      {"run", "20250601T120000Z"},
      {"started", "2025-06-01T12:00:00Z"},
      {"rounds", 9},
      {"machine",
       {{"cpu", "Two-core processor"}, {"physical_cores", 2}, {"quota_cpus", 1.5}, {"quota_source", "cgroup v2"}}},
      {"cases", json::array()}};
  for (const std::string& name : names) run["cases"].push_back(two_core_case(name));
  return run;
}

// What a name in the data could try: end the script, an attribute, a gnuplot string or a CSV field; leave the folder.
const std::vector<std::string> hostile_names = {
    "</script><script>document.title='taken'</script>",
    "../../../escape/me",
    "a'b\"c\\d`e $(f)",
    "sub_{x}^{y} & <b>@~{all}",
    "two\nlines,\ttabs",
    "{{title}} {{data}} <!-- -->",
    "%s %d %",
    std::string(300, 'x') + "/ünïcödé/…",
    ".hidden",
    "matmul/f32/64",
    "matmul_f32_64",
};

// Every tag closed, in order; nothing but text between. Enough to catch broken escaping in SVG.
testing::AssertionResult well_formed(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t at = 0; (at = xml.find('<', at)) != std::string::npos;) {
    if (xml.compare(at, 4, "<!--") == 0) {
      at = xml.find("-->", at);
      if (at == std::string::npos) return testing::AssertionFailure() << "a comment that doesn't end";
      continue;
    }
    const std::size_t end = xml.find('>', at);
    if (end == std::string::npos) return testing::AssertionFailure() << "a tag that doesn't end";
    const std::string tag = xml.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos) return testing::AssertionFailure() << "'<' in the tag " << tag;
    const std::string name = tag.substr(tag[0] == '/', tag.find_first_of(" \t\n\r/", 1) - (tag[0] == '/'));
    if (tag[0] == '/') {
      if (open.empty() || open.back() != name) return testing::AssertionFailure() << "unexpected </" << name << ">";
      open.pop_back();
    } else if (tag[0] != '?' && tag[0] != '!' && tag.back() != '/') {
      open.push_back(name);
    }
    at = end;
  }
  const std::regex entity("&#?[a-z0-9]+;");
  for (std::size_t at = 0; (at = xml.find('&', at)) != std::string::npos; ++at) {
    if (!std::regex_search(xml.begin() + static_cast<std::ptrdiff_t>(at), xml.end(), entity,
                           std::regex_constants::match_continuous)) {
      return testing::AssertionFailure() << "a bare '&' at " << at;
    }
  }
  return open.empty() ? testing::AssertionSuccess()
                      : testing::AssertionFailure() << "<" << open.back() << "> isn't closed";
}

std::size_t count_of(const std::string& text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++count;
  return count;
}

// The page without the scripts and styles that it contains.
std::string markup_of(std::string page) {
  for (const std::string element : {"script", "style"})
    for (std::size_t begin; (begin = page.find("<" + element)) != std::string::npos;)
      page.erase(begin, page.find("</" + element + ">", begin) + element.size() + 3 - begin);
  return page;
}

json data_of(const std::string& page) {
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const std::size_t begin = page.find(open) + open.size();
  return json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

void expect_every_plot(const fs::path& run, std::size_t expected_of_cases) {
  std::set<std::string> stems;
  for (const auto& entry : fs::directory_iterator(run / "plots")) {
    EXPECT_TRUE(entry.is_regular_file()) << "left behind: " << entry.path();
    stems.insert(entry.path().stem().string());
  }
  std::size_t of_cases = 0;
  for (const std::string& stem : stems) {
    SCOPED_TRACE(stem);
    of_cases += stem.ends_with("_speedup") || stem.ends_with("_efficiency") || stem.ends_with("_time");
    for (const char* extension : {".gp", ".csv", ".svg", ".png"})
      EXPECT_TRUE(fs::exists(run / "plots" / (stem + extension))) << "no " << extension;
    const std::string svg = text_of(run / "plots" / (stem + ".svg"));
    EXPECT_TRUE(well_formed(svg));
    EXPECT_THAT(svg, HasSubstr("<text>"));
    EXPECT_THAT(svg, HasSubstr("fill=\"#ffffff\"/>"));
    EXPECT_THAT(svg, Not(HasSubstr("gnuplot 5")));
    EXPECT_EQ(text_of(run / "plots" / (stem + ".png")).substr(0, 8), "\x89PNG\r\n\x1a\n");
  }
  EXPECT_EQ(of_cases, expected_of_cases);
  EXPECT_TRUE(stems.contains("overview"));
}

TEST(Report, DrawsEveryPlotOfASixteenCoreRunWithoutAWarning) {
  if (!installed("gnuplot")) GTEST_SKIP() << "there is no gnuplot here";
  const Folder run;
  std::ostringstream messages;
  write_report(run.path(), simulated(), messages);
  if (has_chart_js()) {
    EXPECT_THAT(messages.str(), IsEmpty());
  }
  EXPECT_THAT(messages.str(), Not(HasSubstr("gnuplot")));
  expect_every_plot(run.path(), 3 * simulated().at("cases").size());
  EXPECT_TRUE(fs::exists(run.path() / "plots/roofline_f32.svg"));
}

TEST(Report, DrawsEveryPlotOfASmallRunWithoutAWarning) {
  if (!installed("gnuplot")) GTEST_SKIP() << "there is no gnuplot here";
  json one_core = two_core_run({"matmul/f32/64x64x64"});
  for (json& curve : one_core["cases"][0]["curves"]) curve["points"].erase(1);
  json bare = two_core_run({"matmul/f32/64x64x64"});
  bare.erase("machine");
  for (const char* key : {"peers", "best", "flops", "bytes", "enough_threads"}) bare["cases"][0].erase(key);
  // A case whose cells all failed has no plots, and one without a sequential version has times only.
  json broken = two_core_run({"matmul/f32/64x64x64", "matmul/f32/65x65x65", "sobel/u8c1/640x480"});
  broken["cases"][0]["curves"] = json::array();
  broken["cases"][0]["sequential"] = nullptr;
  broken["cases"][1]["sequential"] = nullptr;
  for (json& curve : broken["cases"][1]["curves"])
    for (json& p : curve["points"]) p["speedup"] = p["speedup_ci"] = p["efficiency"] = nullptr;
  for (const auto& [analysis, plots] : {std::pair(two_core_run({"matmul/f32/64x64x64", "sobel/u8c1/640x480"}), 6u),
                                        std::pair(one_core, 3u), std::pair(bare, 3u), std::pair(broken, 4u)}) {
    const Folder run;
    std::ostringstream messages;
    write_report(run.path(), analysis, messages);
    EXPECT_THAT(messages.str(), Not(HasSubstr("gnuplot")));
    expect_every_plot(run.path(), plots);
  }
}

TEST(Report, IsTheSameBytesForTheSameRun) {
  const Folder first, second;
  std::ostringstream messages;
  write_report(first.path(), simulated(), messages);
  write_report(second.path(), simulated(), messages);
  const std::set<std::string> names = names_in(first.path());
  EXPECT_EQ(names, names_in(second.path()));
  for (const std::string& name : names) {
    if (name == "plots") continue;
    const fs::path file = name == "report.html" ? fs::path(name) : fs::path("plots") / name;
    EXPECT_EQ(text_of(first.path() / file), text_of(second.path() / file)) << name;
  }
}

TEST(Report, PlotsTheNumbersOfTheAnalysis) {
  const Folder run;
  std::ostringstream messages;
  write_report(run.path(), two_core_run({"matmul/f32/64x64x64"}), messages);
  const std::string speedups = text_of(run.path() / "plots/matmul_f32_64x64x64_speedup.csv");
  EXPECT_THAT(speedups, HasSubstr("\nthreads,2,1.5,1.485,1.515,9\n"));
  EXPECT_THAT(speedups, HasSubstr("\ntbb,2,1.9,1.881,1.919,9\n"));
  EXPECT_THAT(speedups, HasSubstr("\npeer openblas,2,2.12766,"));
  EXPECT_THAT(text_of(run.path() / "plots/matmul_f32_64x64x64_efficiency.csv"),
              HasSubstr("\nthreads,2,75,74.25,75.75,9\n"));
  EXPECT_THAT(text_of(run.path() / "plots/matmul_f32_64x64x64_time.csv"),
              HasSubstr("\nopenmp,2,5291,5238.09,5343.91,9\n"));
}

TEST(Report, PageSaysTheVerdictsAndTheTies) {
  const Folder run;
  std::ostringstream messages;
  json analysis = two_core_run({"matmul/f32/64x64x64", "sobel/u8c1/640x480"});
  analysis["label"] = "simulated";
  analysis["cases"][1]["curves"][0]["points"][1] = point(2, 4000, 2.5, 0.01);
  analysis["cases"].push_back(two_core_case("sobel/u8c1/8x8"));
  for (int i = 0; i < 3; ++i) analysis["cases"][2]["curves"][i]["points"][1] = point(2, 1e5, 0.3 + 0.1 * i, 0.01);
  analysis["cases"][1]["failed_cells"] = {{{"cell", "sobel/u8c1/640x480/tbb/2"}, {"reason", "wrong result"}}};
  write_report(run.path(), analysis, messages);
  const std::string page = markup_of(text_of(run.path() / "report.html"));
  EXPECT_THAT(page, HasSubstr("the verdict of matmul/f32/64x64x64"));
  EXPECT_THAT(page, HasSubstr("<dt>Quota</dt><dd>1.5 CPUs</dd>"));
  EXPECT_THAT(page, HasSubstr(">simulated<"));
  EXPECT_THAT(page, HasSubstr("wrong result"));
  EXPECT_THAT(page, HasSubstr("<td class=\"tie\" data-n=\"2 threads\"><b>tie</b><span class=\"glyphs\" role=\"img\" "
                              "aria-label=\"openmp, tbb\""));
  EXPECT_THAT(page, HasSubstr("<b>none</b> <small>0.500× <span class=\"glyphs\" role=\"img\" aria-label=\"tbb\""));
  EXPECT_THAT(page, HasSubstr("<td class=\"threads\" data-n=\"2 threads\"><b>threads</b> <small>2.50×</small></td>"));
  // The absolute time beside the ratio, with its interval.
  EXPECT_THAT(
      page, HasSubstr("<td>5.29 µs <small>[5.24 µs, 5.34 µs]</small></td><td>1.89× <small>[1.87, 1.91]</small></td>"));
}

TEST(Report, HostileNamesStayText) {
  const Folder parent;
  const fs::path run = parent.path() / "run";
  fs::create_directory(run);
  json analysis = two_core_run(hostile_names);
  analysis["machine"]["cpu"] = hostile_names[0];
  analysis["label"] = hostile_names[2];
  analysis["cases"][0]["peers"][0]["name"] = hostile_names[0];
  analysis["cases"][1]["curves"][0]["backend"] = hostile_names[2];
  analysis["cases"][2]["curves"][1]["backend"] = hostile_names[4];
  std::ostringstream messages;
  write_report(run, analysis, messages);
  EXPECT_THAT(messages.str(), Not(HasSubstr("gnuplot warned")));
  EXPECT_THAT(messages.str(), Not(HasSubstr("gnuplot failed")));
  EXPECT_THAT(names_in(parent.path()), testing::Contains("report.html"));
  for (const auto& entry : fs::directory_iterator(parent.path())) EXPECT_EQ(entry.path(), run);
  for (const std::string& name : names_in(run))
    EXPECT_TRUE(std::regex_match(name, std::regex("[A-Za-z0-9_][A-Za-z0-9._-]{0,130}"))) << name;
  if (installed("gnuplot")) expect_every_plot(run, 3 * hostile_names.size());

  const std::string page = text_of(run / "report.html");
  // Ours, Chart.js and the data; no name opened or closed one more.
  EXPECT_EQ(count_of(page, "<script"), has_chart_js() ? 3u : 2u);
  EXPECT_EQ(count_of(page, "</script"), has_chart_js() ? 3u : 2u);
  EXPECT_THAT(page, HasSubstr("{{title}} {{data}}"));
  EXPECT_EQ(data_of(page).at("cases").size(), hostile_names.size());
  EXPECT_EQ(data_of(page).at("cases")[0].at("peers")[0].at("name"), hostile_names[0]);
}

TEST(Report, PageFetchesNothingAndAllowsOnlyItself) {
  const Folder run;
  std::ostringstream messages;
  write_report(run.path(), simulated(), messages);
  const std::string page = text_of(run.path() / "report.html");
  EXPECT_LE(page.size(), 1'500'000u);
  const std::string markup = markup_of(page);
  EXPECT_THAT(markup, HasSubstr("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "));
  EXPECT_THAT(markup, Not(AnyOf(HasSubstr("src=\"http"), HasSubstr("src=\"//"), HasSubstr("href=\"http"),
                                HasSubstr("<link rel=\"stylesheet"), HasSubstr("<iframe"))));
  // Every script and style is one that the policy names by its hash, and no other script is.
  const std::regex element("<(script|style)>");
  std::size_t allowed = 0;
  for (std::sregex_iterator match(page.begin(), page.end(), element), end; match != end; ++match) {
    const std::size_t begin = static_cast<std::size_t>(match->position() + match->length());
    const std::string content = page.substr(begin, page.find("</" + (*match)[1].str() + ">", begin) - begin);
    EXPECT_THAT(markup, HasSubstr("'sha256-" + report::sha256_base64(content) + "'"));
    ++allowed;
  }
  EXPECT_EQ(count_of(markup, "'sha256-"), allowed);
  const std::size_t policy = markup.find("script-src");
  EXPECT_THAT(markup.substr(policy, markup.find('>', policy) - policy), Not(HasSubstr("unsafe")));
}

TEST(Report, StaysSmallForFortyCasesOnTwentyFourCores) {
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i) names.push_back("median_blur/u8c3/" + std::to_string(3840 + i) + "x2160");
  json analysis = two_core_run(names);
  for (json& c : analysis["cases"])
    for (json& curve : c["curves"]) {
      curve["points"].clear();
      for (int threads = 1; threads <= 24; ++threads) {
        json p = point(threads, 10000.123456 / threads, threads * 0.987654321, 0.01);
        for (int round = 3; round <= 20; ++round) p["round_ns"].push_back({round, 10000.123456 / threads});
        curve["points"].push_back(std::move(p));
      }
    }
  const Folder run;
  std::ostringstream messages;
  // The pictures don't matter here, and there are many.
  write_report(run.path(), analysis, messages, {.gnuplot = "/nonexistent/gnuplot"});
  const std::string page = text_of(run.path() / "report.html");
  EXPECT_LE(page.size(), 1'500'000u);
  EXPECT_EQ(count_of(page, "<article"), 40u);
}

TEST(Report, WithoutGnuplotTheRestIsThereAndTheMessageSaysWhatToInstall) {
  const Folder run;
  std::ostringstream messages;
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", "", 1);
  write_report(run.path(), two_core_run({"matmul/f32/64x64x64"}), messages);
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(messages.str(), HasSubstr("apt-get install gnuplot-nox"));
  EXPECT_EQ(count_of(messages.str(), "gnuplot-nox"), 1u);
  EXPECT_TRUE(fs::exists(run.path() / "plots/matmul_f32_64x64x64_speedup.gp"));
  EXPECT_TRUE(fs::exists(run.path() / "plots/matmul_f32_64x64x64_speedup.csv"));
  EXPECT_FALSE(fs::exists(run.path() / "plots/matmul_f32_64x64x64_speedup.svg"));
  EXPECT_THAT(text_of(run.path() / "report.html"), HasSubstr("the verdict of matmul/f32/64x64x64"));
}

TEST(Report, GnuplotThatFailsOrHangsIsSaid) {
  const Folder tools;
  const auto program = [&](const char* name, const char* text) {
    const fs::path path = tools.path() / name;
    std::ofstream(path) << "#!/bin/sh\n" << text << '\n';
    fs::permissions(path, fs::perms::owner_all);
    return path.string();
  };
  const auto messages_with = [](const ReportTools& with) {
    const Folder run;
    std::ostringstream messages;
    write_report(run.path(), two_core_run({"matmul/f32/64x64x64"}), messages, with);
    EXPECT_TRUE(fs::exists(run.path() / "report.html"));
    for (const std::string& name : names_in(run.path())) EXPECT_THAT(name, Not(EndsWith(".svg")));
    return messages.str();
  };
  EXPECT_THAT(messages_with({.gnuplot = program("failing", "echo no such terminal >&2; exit 1")}),
              HasSubstr("gnuplot failed: no such terminal"));
  EXPECT_THAT(
      messages_with({.gnuplot = program("hanging", "exec sleep 100"), .gnuplot_limit = std::chrono::seconds(1)}),
      HasSubstr("stopped after 1000 ms"));
}

TEST(Report, WithoutChartJsThePageHoldsTheStaticPlots) {
  const Folder run;
  std::ostringstream messages;
  write_report(run.path(), two_core_run({"matmul/f32/64x64x64", "sobel/u8c1/640x480"}), messages,
               {.chart_js = {"/nonexistent/chart.js"}});
  EXPECT_THAT(messages.str(), HasSubstr("apt-get install libjs-chart.js"));
  const std::string page = text_of(run.path() / "report.html");
  EXPECT_THAT(page, Not(AnyOf(HasSubstr("<canvas"), HasSubstr("Third-party"))));
  if (!installed("gnuplot")) return;
  EXPECT_EQ(count_of(page, "<svg"), 10u);
  // Every id in the page is one of a kind.
  std::set<std::string> ids;
  const std::regex id(R"([ \t\n]id=["']([^"']+)["'])");
  const std::string markup = markup_of(page);
  for (std::sregex_iterator match(markup.begin(), markup.end(), id), end; match != end; ++match)
    EXPECT_TRUE(ids.insert((*match)[1]).second) << (*match)[1];
}

TEST(Report, WhatIsNoAnalysisIsRefusedAndNothingWritten) {
  const auto refusal = [](const json& analysis) -> std::string {
    const Folder run;
    std::ostringstream messages;
    try {
      write_report(run.path(), analysis, messages);
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(names_in(run.path()), IsEmpty());
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal(json::array()), HasSubstr("expected an object, got []"));
  EXPECT_THAT(refusal({{"schema", 2}, {"cases", json::array()}}), HasSubstr("schema: expected 1, got 2"));
  EXPECT_THAT(refusal({{"schema", 1}}), HasSubstr("cases: expected an array, got null"));
  json bad = two_core_run({"matmul/f32/64x64x64"});
  bad["cases"][0]["curves"][0]["points"][0]["threads"] = -1;
  EXPECT_THAT(refusal(bad), HasSubstr("threads: expected an integer from 0 to 1000000, got -1"));
  bad = two_core_run({"matmul/f32/64x64x64"});
  bad["cases"][0]["curves"][0]["points"][0]["median_ns"] = 0;
  EXPECT_THAT(refusal(bad), HasSubstr("median_ns: expected a positive number, got 0"));
  bad = two_core_run({""});
  EXPECT_THAT(refusal(bad), HasSubstr("expected a name"));
}

// The analysis compares each model's best point with the best of all; where those are at one thread count, the map and
// the verdict speak of the same pair.
TEST(Winners, AreThoseOfTheVerdicts) {
  const report::Run run = report::parse(simulated());
  int ties = 0, wins = 0;
  for (const report::Case& c : run.cases) {
    if (c.best.backend.empty() || c.best.backend == "sequential") continue;
    SCOPED_TRACE(c.name);
    const report::Winner found = report::winner(c, c.best.threads, run.noise_floor);
    ASSERT_TRUE(found.measured());
    EXPECT_FALSE(found.none);
    EXPECT_EQ(found.fastest[0]->backend, c.best.backend);
    const auto ties_here = [&](const std::string& backend) {
      return std::ranges::any_of(found.fastest, [&](const report::Curve* curve) { return curve->backend == backend; });
    };
    for (const report::Choice& other : c.tied_with) {
      if (other.threads == c.best.threads) {
        EXPECT_TRUE(ties_here(other.backend)) << other.backend << " ties in the verdict only";
      }
    }
    (found.tie() ? ties : wins) += 1;
  }
  EXPECT_GT(ties, 1);
  EXPECT_GT(wins, 1);
}

TEST(Winners, GoByRatiosOfTheSameRoundAndTheNoiseFloor) {
  // The whole machine drifts by 30 %, so that the intervals of the times overlap; in each round tbb is 2 % ahead.
  json analysis = two_core_run({"matmul/f32/64x64x64"});
  json& curves = analysis["cases"][0]["curves"];
  json fast = json::array(), slow = json::array();
  for (int round = 1; round <= 9; ++round) {
    const double drift = 1 + 0.03 * round;
    fast.push_back({round, 5000 * drift});
    slow.push_back({round, 5100 * drift * (1 + 0.001 * (round % 3))});
  }
  curves[1]["points"][1]["round_ns"] = slow;
  curves[2]["points"][1]["round_ns"] = fast;
  const report::Run run = report::parse(analysis);
  EXPECT_FALSE(report::winner(run.cases[0], 2, report::unknown).tie());
  EXPECT_EQ(report::winner(run.cases[0], 2, 0.01).fastest[0]->backend, "tbb");
  EXPECT_EQ(report::winner(run.cases[0], 2, 0.05).fastest.size(), 2u);
  EXPECT_EQ(report::winner(run.cases[0], 1, 0).fastest[0]->backend, "sequential");
  EXPECT_FALSE(report::winner(run.cases[0], 4, 0).measured());
}

// Each case by name, with every run's best curve, and a fastest one only where the intervals carry it.
TEST(Comparison, ShowsEveryRunsBestTimeAndWhatItsIntervalsCarry) {
  json first = two_core_run({"matmul/f32/64x64x64", "only/in/first"}), second = two_core_run({"matmul/f32/64x64x64"});
  second["machine"]["cpu"] = "Another & <processor>";
  second["cases"][0]["curves"][2]["points"][1] = point(2, 4000, 2.5, 0.01);
  const Folder folder;
  std::ostringstream messages;
  const auto written = [&](const std::vector<json>& analyses) {
    write_comparison(folder.path() / "both.html", analyses, messages);
    return markup_of(text_of(folder.path() / "both.html"));
  };
  const std::string page = written({first, second});
  EXPECT_THAT(page, HasSubstr("How 2 runs compare"));
  EXPECT_THAT(page, HasSubstr("Another &amp; &lt;processor&gt;"));
  EXPECT_EQ(count_of(page, "<article"), 2u);
  EXPECT_THAT(page,
              HasSubstr("<td data-n=\"A\">5.26 µs <small>[5.21 µs, 5.32 µs]</small><small>tbb, 2 threads, 1.90×"));
  EXPECT_THAT(page, HasSubstr("<td data-n=\"B\"><b>4.00 µs</b> <small>[3.96 µs, 4.04 µs]</small><small>tbb, 2 threads, "
                              "2.50× · 0.760× of A’s time"));
  EXPECT_THAT(page, HasSubstr("<td data-n=\"B\">–</td>"));
  second["cases"][0]["curves"][2]["points"][1] = point(2, 5200, 1.92, 0.02);
  EXPECT_THAT(written({first, second}), Not(HasSubstr("<b>5.20 µs</b>")));
  const json data = data_of(text_of(folder.path() / "both.html"));
  ASSERT_EQ(data["cases"][0]["curves"].size(), 2u);
  EXPECT_EQ(data["cases"][0]["curves"][1]["name"], "B tbb");
  EXPECT_THROW(write_comparison(folder.path() / "bad.html", {first, json::array()}, messages), std::invalid_argument);
  EXPECT_FALSE(fs::exists(folder.path() / "bad.html"));
}

TEST(Report, PageHoldsTheRawSamples) {
  const Folder run;
  std::ostringstream messages;
  json analysis = two_core_run({"matmul/f32/64x64x64"});
  // A round more than once, as after a resume, and one that another cell lacks.
  analysis["cases"][0]["curves"][0]["points"][0]["round_ns"] = {{1, 10000.123456}, {1, 10001}, {3, 10002}};
  write_report(run.path(), analysis, messages, {.gnuplot = "/nonexistent/gnuplot"});
  const json c = data_of(text_of(run.path() / "report.html"))["cases"][0];
  EXPECT_EQ(c["rounds"], json({1, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(c["curves"][1]["samples"][0], json({10000.1235, 10001, nullptr, 10002}));
}

TEST(ReportModel, KnowsWeakScalingCrossoversAndCacheCeilings) {
  json analysis = two_core_run({"matmul/f32/64x64x64"});
  json& c = analysis["cases"][0];
  c["curves"][0]["points"][0].update({{"roof_ns", 9000}, {"tainted", 2}});
  const json weak_point = {{"threads", 2},
                           {"size", "81x81x81"},
                           {"samples", 9},
                           {"median_ns", 10500},
                           {"ci_low_ns", 10400},
                           {"ci_high_ns", 10600},
                           {"scaled_speedup", 1.9},
                           {"efficiency", 0.95},
                           {"scaled_speedup_ci", {1.88, 1.92}},
                           {"round_ns", {{1, 10500}}}};
  c["weak_scaling"] = {{{"backend", "openmp"}, {"rule", "n = 64 · ∛p"}, {"points", {weak_point}}}};
  analysis["ceilings"] = {
      {{"threads", 1},
       {"triad_bytes_per_s", 1e10},
       {"caches", {{{"level", 2}, {"load_bytes_per_s", 2e10}}, {{"level", 1}, {"load_bytes_per_s", 9e10}}}}}};
  analysis["crossovers"] = {{{"kernel", "matmul"},
                             {"variant", "f32"},
                             {"cases",
                              {{{"case", "matmul/f32/64x64x64"}, {"sequential_ns", 1e4}, {"pays", true}},
                               {{"case", "matmul/f32/99x99x99"}, {"sequential_ns", 3e4}, {"pays", nullptr}}}},
                             {"smallest_paying", "matmul/f32/64x64x64"},
                             {"largest_not_paying", nullptr}}};
  analysis["cost"] = {{"wall_s", 100}, {"instrument_share", 0.03}};
  const report::Run run = report::parse(analysis);
  const report::Point& first = run.cases[0].curves[1].points[0];
  EXPECT_EQ(first.roof_ns, 9000);
  EXPECT_EQ(first.tainted, 2);
  ASSERT_EQ(run.cases[0].weak_scaling.size(), 1u);
  EXPECT_EQ(run.cases[0].weak_scaling[0].rule, "n = 64 · ∛p");
  EXPECT_EQ(run.cases[0].weak_scaling[0].points[0].scaled_speedup_ci.high, 1.92);
  EXPECT_EQ(run.cases[0].weak_scaling[0].points[0].rounds.size(), 1u);
  ASSERT_EQ(run.ceilings[0].caches.size(), 2u);
  EXPECT_EQ(run.ceilings[0].caches[0].level, 1);
  EXPECT_EQ(run.ceilings[0].caches[0].load, 9e10);
  ASSERT_EQ(run.crossovers.size(), 1u);
  EXPECT_EQ(run.crossovers[0].cases[0].pays, std::optional(true));
  EXPECT_EQ(run.crossovers[0].cases[1].pays, std::nullopt);
  EXPECT_EQ(run.crossovers[0].smallest_paying, "matmul/f32/64x64x64");
  EXPECT_EQ(run.crossovers[0].largest_not_paying, "");
  EXPECT_EQ(run.cost.instrument_share, 0.03);

  const Folder folder;
  std::ostringstream messages;
  write_report(folder.path(), analysis, messages, {.gnuplot = "/nonexistent/gnuplot"});
  const std::string page = text_of(folder.path() / "report.html");
  EXPECT_THAT(page, HasSubstr("<td>81x81x81</td><td>10.5 µs <small>[10.4 µs, 10.6 µs]</small></td><td>1.90×"));
  EXPECT_THAT(page, HasSubstr("The smallest measured sizes that surely gain: matmul/<wbr>f32/<wbr>64x64x64."));
  EXPECT_THAT(page, HasSubstr("<dt>Instrument’s own time</dt><dd>3.0 %</dd>"));
  EXPECT_EQ(data_of(page)["cases"][0]["weak"][0]["points"][0][5], 1.9);
  EXPECT_EQ(data_of(page)["crossovers"][0]["points"][1][6], nullptr);

  const report::Run older = report::parse(two_core_run({"matmul/f32/64x64x64"}));
  EXPECT_TRUE(older.cases[0].weak_scaling.empty() && older.crossovers.empty());
  EXPECT_FALSE(report::known(older.cost.wall));
}

TEST(Report, AnEmptyRunHasAPage) {
  const Folder run;
  std::ostringstream messages;
  write_report(run.path(), two_core_run({}), messages);
  EXPECT_THAT(text_of(run.path() / "report.html"), HasSubstr("No case was measured"));
}

TEST(Report, UnwritableFolderIsAnError) {
  std::ostringstream messages;
  try {
    write_report("/proc/no/such/run", two_core_run({"matmul/f32/64x64x64"}), messages);
    FAIL() << "accepted";
  } catch (const std::system_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("/proc/no/such/run"));
  }
}

TEST(Sha256, KnownAnswers) {
  // FIPS 180-4's examples, and lengths around the padding's edge.
  EXPECT_EQ(report::sha256_base64(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  EXPECT_EQ(report::sha256_base64("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(report::sha256_base64("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "JI1qYdIGOLjlwCaTDD5gOaM85Flk/yFn9uzt1BnbBsE=");
}

struct Browsed {
  std::string page, console;
};

// Opens the page in a browser and returns what it looks like after its scripts have run; nothing without a browser.
std::optional<Browsed> browse(const fs::path& page) {
  if (!installed("chromium")) return std::nullopt;
  const Folder profile;
  const fs::path log = profile.path() / "log";
  const std::string command =
      "timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
      "--disable-background-networking --disable-component-update --disable-sync --window-size=1280,4000 "
      "--virtual-time-budget=5000 --enable-logging=stderr --v=0 --user-data-dir='" +
      profile.path().string() + "' --dump-dom 'file://" + page.string() + "' 2>'" + log.string() + "'";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return std::nullopt;
  Browsed browsed;
  std::array<char, 65536> buffer;
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
    browsed.page.append(buffer.data(), got);
  const int status = ::pclose(pipe);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << text_of(log);
  std::istringstream lines(text_of(log));
  for (std::string line; std::getline(lines, line);)
    if (line.find("CONSOLE") != std::string::npos) browsed.console += line + '\n';
  return browsed;
}

// Chart.js gives a canvas its size when it draws on it.
std::size_t drawn(const std::string& page) {
  const std::regex canvas("<canvas [^>]*height: [1-9]");
  return static_cast<std::size_t>(
      std::distance(std::sregex_iterator(page.begin(), page.end(), canvas), std::sregex_iterator()));
}

TEST(ReportInBrowser, DrawsEveryChartAndSaysNothing) {
  if (!has_chart_js()) GTEST_SKIP() << "there is no Chart.js here";
  json hostile = two_core_run(hostile_names);
  hostile["cases"][1]["curves"][0]["backend"] = hostile_names[0];
  for (const json& analysis : {simulated(), two_core_run({"matmul/f32/64x64x64"}), hostile}) {
    const Folder run;
    std::ostringstream messages;
    write_report(run.path(), analysis, messages, {.gnuplot = "/nonexistent/gnuplot"});
    // The page draws what comes near the window; a copy that knows no windows draws everything.
    const std::string blind = "window.IntersectionObserver = undefined";
    std::string page = text_of(run.path() / "report.html");
    page.insert(page.find("script-src ") + 11, "'sha256-" + report::sha256_base64(blind) + "' ");
    page.insert(page.find("<style>"), "<script>" + blind + "</script>");
    std::ofstream(run.path() / "all.html") << page;
    const std::optional<Browsed> browsed = browse(run.path() / "all.html");
    if (!browsed) GTEST_SKIP() << "there is no chromium here";
    EXPECT_THAT(browsed->console, IsEmpty());
    EXPECT_THAT(browsed->page, Not(HasSubstr("<title>taken")));
    EXPECT_GE(count_of(browsed->page, "<canvas "), 4 * analysis.at("cases").size());
    EXPECT_EQ(drawn(browsed->page), count_of(browsed->page, "<canvas "));
    EXPECT_GT(count_of(browsed->page, "aria-pressed=\"true\""), 12 * analysis.at("cases").size());
  }
}

TEST(ReportInBrowser, DrawsWhatComesNearTheWindow) {
  if (!has_chart_js()) GTEST_SKIP() << "there is no Chart.js here";
  const Folder run;
  std::ostringstream messages;
  write_report(run.path(), simulated(), messages, {.gnuplot = "/nonexistent/gnuplot"});
  const std::optional<Browsed> browsed = browse(run.path() / "report.html");
  if (!browsed) GTEST_SKIP() << "there is no chromium here";
  EXPECT_THAT(browsed->console, IsEmpty());
  EXPECT_GE(drawn(browsed->page), 4u);
  EXPECT_LT(drawn(browsed->page), 4 * simulated().at("cases").size());
}

TEST(ReportInBrowser, StaticPageSaysNothingEither) {
  if (!installed("gnuplot")) GTEST_SKIP() << "there is no gnuplot here";
  const Folder run;
  std::ostringstream messages;
  write_report(run.path(), two_core_run({"matmul/f32/64x64x64"}), messages, {.chart_js = {}});
  const std::optional<Browsed> browsed = browse(run.path() / "report.html");
  if (!browsed) GTEST_SKIP() << "there is no chromium here";
  EXPECT_THAT(browsed->console, IsEmpty());
  EXPECT_EQ(count_of(browsed->page, "<svg "), 5u);
}

}  // namespace
}  // namespace speedwell::bench
