// SPDX-License-Identifier: Apache-2.0
// Draws a run, or several beside each other: plots by gnuplot, and one HTML page that opens offline.
#pragma once

#include <chrono>
#include <filesystem>
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace speedwell::bench {

// What the report is made with. The defaults are where Debian's packages put things.
struct ReportTools {
  std::string gnuplot = "gnuplot";  // a path, or a name to be found through PATH
  std::chrono::seconds gnuplot_limit{60};
  // The first that can be read is inlined into the page; none: the page has static plots and tables instead.
  std::vector<std::filesystem::path> chart_js = {"/usr/share/javascript/chart.js/chart.min.js",
                                                 "/usr/share/javascript/chart.js/chart.js"};
};

// Writes RUN/plots/*.{gp,csv,svg,png} and RUN/report.html, each whole or not at all. `analysis` is analysis.json, as
// docs/run-folder.md describes it, and RUN/models.json, if it is there, has a section; one that isn't throws
// std::invalid_argument, and nothing is written then. What is missing (gnuplot, Chart.js) or went wrong with one plot
// is said on `messages`, and the rest is still written. Throws std::system_error, with the path, when a file can't be
// written.
void write_report(const std::filesystem::path& run, const nlohmann::json& analysis, std::ostream& messages);
void write_report(const std::filesystem::path& run, const nlohmann::json& analysis, std::ostream& messages,
                  const ReportTools& tools);

// The same for a folder that has a models.json and nothing else to report: plots and page of that. Throws
// std::invalid_argument if it isn't one.
void write_models(const std::filesystem::path& folder, std::ostream& messages, const ReportTools& tools = {});

// Writes one page of several runs to `file`, whole or not at all; refuses as above.
void write_comparison(const std::filesystem::path& file, const std::vector<nlohmann::json>& analyses,
                      std::ostream& messages, const ReportTools& tools = {});

}  // namespace speedwell::bench
