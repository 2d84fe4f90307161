// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/analysis/analysis.hpp"
#include "bench/cli/run_folder.hpp"
#include "bench/cli/verbs.hpp"
#include "bench/driver/plan.hpp"
#include "bench/journal.hpp"
#include "bench/report/report.hpp"

namespace speedwell::bench {

namespace fs = std::filesystem;

namespace {

// The analyses of different runs. A run that is given twice is a slip; a copy of its folder is the same run.
std::vector<nlohmann::json> analyses_of(const std::vector<std::string>& runs) {
  std::vector<nlohmann::json> analyses;
  for (const std::string& run : runs) {
    nlohmann::json analysis = analyse(read_journal(find_run_folder(run) / journal_name));
    const auto same = std::ranges::find(analyses, analysis);
    if (same != analyses.end()) {
      throw UsageError(fmt::format("'{}' and '{}' are the same run, expected different ones",
                                   runs[static_cast<std::size_t>(same - analyses.begin())], run));
    }
    analyses.push_back(std::move(analysis));
  }
  return analyses;
}

}  // namespace

int run_report(const ReportOptions& options) {
  if (options.runs.size() == 1) {
    const fs::path folder = options.runs.front();
    // What `speedwell models` left by itself: it isn't a run, but it has a page too.
    if (fs::exists(folder / "models.json") && !fs::exists(folder / journal_name)) {
      if (options.json) throw UsageError("--json prints a run's analysis; expected a folder with a journal.jsonl");
      write_models(folder, std::cerr);
      fmt::print("Report: {}\n", (folder / "report.html").string());
      return exit_ok;
    }
    const fs::path run = find_run_folder(options.runs.front());
    present_results(run, {.report = true, .json = options.json});
    present_builds(run, !options.json);
    return exit_ok;
  }
  const std::vector<nlohmann::json> analyses = analyses_of(options.runs);
  const fs::path file =
      options.output.empty() ? find_run_folder(options.runs.front()) / "comparison.html" : fs::path(options.output);
  write_comparison(file, analyses, std::cerr);
  fmt::print("Comparison of {} runs: {}\n", analyses.size(), file.string());
  return exit_ok;
}

}  // namespace speedwell::bench
