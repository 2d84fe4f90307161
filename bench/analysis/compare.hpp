// SPDX-License-Identifier: Apache-2.0
// Two runs, or two builds within one run: what got slower, what faster, and what can't be told. docs/run-folder.md
// describes what comes out.
#pragma once

#include <regex>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace speedwell::bench {

struct Journal;

// A journal and what analyse() makes of it.
struct Run {
  const Journal& journal;
  const nlohmann::json& analysis;
};

struct CompareRules {
  double threshold = 0.05;          // a change of less is none
  std::vector<std::regex> cases{};  // searched in the names of cases; none: all
  std::string despite{};            // why the runs can't be compared, if they are nevertheless
};

// The first thing in which two runs differ that makes their times incomparable: the machine, the instruction set, how
// it was built, whether it was pinned. Empty: nothing.
std::string why_not_comparable(const Journal& older, const Journal& newer);

// Whether the run holds cells of a second build, as `bench --against` takes them.
bool has_second_build(const Journal& journal);

// The content of comparison.json. Between runs samples are independent, and the machine itself may have changed: what
// no change of code touches (ceilings, calibration spins, peer libraries) tells by how much, and a change must exceed
// that.
nlohmann::json compare_runs(const Run& older, const Run& newer, const CompareRules& rules);
// The second build is the old one. Samples are paired by round.
nlohmann::json compare_builds(const Run& run, const CompareRules& rules);

// Whether a cell got surely slower, or failed that ran before.
bool has_regression(const nlohmann::json& comparison);

// For a terminal: changed and inconclusive cells, worst first; with `all` those within noise, too.
std::string render_comparison(const nlohmann::json& comparison, bool colour, int width, bool all);
// For a pull request.
std::string comparison_markdown(const nlohmann::json& comparison);

}  // namespace speedwell::bench
