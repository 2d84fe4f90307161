// SPDX-License-Identifier: Apache-2.0
// From a journal to answers: speedups with intervals, laws, winners, ceilings and a verdict in words.
// docs/run-folder.md describes what goes in and what comes out.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace speedwell::bench {

struct Journal;

// The content of analysis.json. Any journal whose lines are JSON objects will do: what is missing, failed or cut short
// is left out and said. The same journal always gives the same analysis.
nlohmann::json analyse(const Journal& journal);

// Writes analysis.json, results.json, medians.json and summary.csv into the folder `run`, each whole or not at all.
// Throws std::system_error, with the path and the system's reason.
void write_results(const Journal& journal, const nlohmann::json& analysis, const std::filesystem::path& run);

// The table and the verdicts for a terminal that is `width` columns wide.
std::string render_table(const nlohmann::json& analysis, bool colour, int width);

}  // namespace speedwell::bench
