// SPDX-License-Identifier: Apache-2.0
// Finding a run's folder, and making its results.
#pragma once

#include <filesystem>
#include <string>

namespace speedwell::bench {

inline constexpr const char* results_folder = "results";
inline constexpr const char* journal_name = "journal.jsonl";
// Where stdout isn't a terminal: what a mail or a log shows without wrapping.
inline constexpr int width_elsewhere = 120;

// A new name under results/, from the time: "results/20260301T123456Z".
std::filesystem::path new_run_folder();

// The folder that the user means by `run`: a folder with a journal, or "latest". Throws JournalError.
std::filesystem::path find_run_folder(const std::string& run);

// The newest run under results/ that isn't finished; if all are, the newest. Throws JournalError if there is none.
std::filesystem::path newest_resumable_run();

struct Present {
  bool report = true;  // make plots and report.html
  bool json = false;   // print the analysis rather than the table
};

// Makes all results of the run from its journal, and prints them.
void present_results(const std::filesystem::path& run, const Present& what);

// If the run holds cells of a second build: writes comparison.json beside the journal, and shows it. Whether a cell
// regressed.
bool present_builds(const std::filesystem::path& run, bool print);

}  // namespace speedwell::bench
