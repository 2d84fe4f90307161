// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/run_folder.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <vector>

#include <unistd.h>

#include "bench/analysis/analysis.hpp"
#include "bench/cli/verbs.hpp"
#include "bench/driver/fingerprint.hpp"
#include "bench/journal.hpp"
#include "bench/report/report.hpp"
#include "bench/terminal.hpp"

namespace speedwell::bench {

namespace fs = std::filesystem;

fs::path new_run_folder() {
  std::string time = utc_now();
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  // A second run within the same second gets a number.
  for (int number = 1;; ++number) {
    const fs::path folder = fs::path(results_folder) / (number == 1 ? time : fmt::format("{}-{}", time, number));
    if (!fs::exists(folder)) return folder;
  }
}

fs::path find_run_folder(const std::string& run) {
  std::vector<fs::path> tried = {run};
  if (run == "latest") tried.push_back(fs::path(results_folder) / run);
  for (const fs::path& folder : tried) {
    std::error_code ignored;
    if (fs::exists(folder / journal_name, ignored)) return folder;
  }
  throw JournalError(fmt::format("no run in '{}', expected a folder that holds a {}, or the word latest for {}/latest",
                                 run, journal_name, results_folder));
}

fs::path newest_resumable_run() {
  std::vector<fs::path> runs;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(results_folder, error)) {
    std::error_code ignored;
    if (!entry.is_symlink(ignored) && fs::exists(entry.path() / journal_name, ignored)) runs.push_back(entry.path());
  }
  if (runs.empty()) {
    throw JournalError(
        fmt::format("nothing to resume: no run under {}/; expected one here, or --output FOLDER", results_folder));
  }
  // The names are times.
  std::sort(runs.rbegin(), runs.rend());
  for (const fs::path& run : runs) {
    if (!read_journal(run / journal_name).finished) return run;
  }
  return runs.front();
}

void present_results(const fs::path& run, const Present& what) {
  const Journal journal = read_journal(run / journal_name);
  const nlohmann::json analysis = analyse(journal);
  write_results(journal, analysis, run);
  if (what.report) write_report(run, analysis, std::cerr);
  if (what.json) {
    fmt::print("{}\n", analysis.dump(2));
  } else {
    const Screen screen = screen_of(STDOUT_FILENO, width_elsewhere);
    const std::string table = render_table(analysis, screen.colour, screen.width);
    fmt::print("{}", screen.unicode ? table : in_ascii(table));
    if (what.report) fmt::print("\nReport: {}\n", (run / "report.html").string());
  }
}

}  // namespace speedwell::bench
