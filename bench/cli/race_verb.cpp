// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/analysis/analysis.hpp"
#include "bench/analysis/race.hpp"
#include "bench/cli/run_folder.hpp"
#include "bench/cli/verbs.hpp"
#include "bench/driver/plan.hpp"
#include "bench/files.hpp"
#include "bench/journal.hpp"

namespace speedwell::bench {

namespace fs = std::filesystem;

int run_race(const RaceOptions& options) {
  std::vector<nlohmann::json> analyses;
  for (const std::string& run : options.runs)
    analyses.push_back(analyse(read_journal(find_run_folder(run) / journal_name)));
  const std::vector<RacedCase> cases = race_of(analyses);
  if (cases.empty()) {
    throw UsageError(fmt::format("no case of {} was measured with another library, expected a run of `bench --peers`",
                                 fmt::join(options.runs, ", ")));
  }
  const fs::path folder = options.output.empty() ? find_run_folder(options.runs.front()) : fs::path(options.output);
  fs::create_directories(folder);
  const std::string markdown = race_markdown(cases, analyses);
  write_file_atomically(folder / "race.md", markdown);
  write_file_atomically(folder / "race.csv", race_csv(cases));
  fmt::print("{}", markdown);
  const bool lost = std::any_of(cases.begin(), cases.end(), [](const RacedCase& each) { return is_lost(each.ratio); });
  return lost ? exit_negative : exit_ok;
}

}  // namespace speedwell::bench
