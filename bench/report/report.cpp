// SPDX-License-Identifier: Apache-2.0
#include "bench/report/report.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <fstream>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "bench/files.hpp"
#include "bench/report/comparison.hpp"
#include "bench/report/gnuplot.hpp"
#include "bench/report/model.hpp"
#include "bench/report/page.hpp"
#include "bench/report/plots.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench {
namespace {

using namespace report;

// No report of ours comes near this.
constexpr std::size_t most_bytes = std::size_t{64} << 20;

// Draws every plot in a scratch folder and moves what came out to `folder`. Returns the SVGs, empty where there is
// none.
std::vector<std::string> draw(const std::vector<Plot>& plots, const std::filesystem::path& folder,
                              std::ostream& messages, const ReportTools& tools) {
  std::vector<std::string> svgs(plots.size());
  const ScratchFolder scratch(folder);
  std::atomic<std::size_t> next{0};
  std::atomic<bool> missing{false};
  std::mutex speaking;
  std::exception_ptr error;
  const auto work = [&] {
    for (std::size_t i = next++; i < plots.size() && !missing; i = next++) try {
        const Plot& plot = plots[i];
        const auto drawn = [&](const char* extension) { return scratch.path() / (plot.name + extension); };
        std::ofstream(drawn(".gp"), std::ios::binary) << plot.script;
        std::ofstream(drawn(".csv"), std::ios::binary) << plot.csv;
        const GnuplotResult result = run_gnuplot(tools.gnuplot, scratch.path(), plot.name + ".gp", tools.gnuplot_limit);
        if (!result.found) {
          missing = true;
          return;
        }
        if (!result.said.empty() || !result.ok) {
          const std::lock_guard lock(speaking);
          messages << "plot " << plot.name << ": gnuplot " << (result.ok ? "warned" : "failed") << ": " << result.said
                   << '\n';
        }
        if (!result.ok) continue;
        svgs[i] = described(read_file(drawn(".svg"), most_bytes), plot.title);
        write_file_atomically(folder / (plot.name + ".svg"), svgs[i]);
        write_file_atomically(folder / (plot.name + ".png"), read_file(drawn(".png"), most_bytes));
      } catch (...) {
        const std::lock_guard lock(speaking);
        error = std::current_exception();
      }
  };
  {
    // gnuplot draws one picture on one core; more than eight at once gain little and need memory.
    std::vector<std::jthread> workers;
    const std::size_t wanted = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 8);
    for (std::size_t i = 0; i < std::min(wanted, plots.size()); ++i) workers.emplace_back(work);
  }
  if (error) std::rethrow_exception(error);
  if (missing)
    messages
        << "no plots: there is no gnuplot (`" << tools.gnuplot
        << "`); to have them: sudo apt-get install gnuplot-nox, then run the report again (their .gp and .csv files "
           "are in "
        << folder.string() << ")\n";
  return svgs;
}

// What `speedwell models` left in the folder, if it did.
std::optional<Models> models_of(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "models.json";
  if (!std::filesystem::exists(file)) return {};
  try {
    return parse_models(nlohmann::json::parse(read_file(file, most_bytes)));
  } catch (const nlohmann::json::exception& error) {
    throw std::invalid_argument(file.string() + ": " + error.what());
  }
}

// Writes scripts and data, and draws them.
std::vector<std::string> draw_into(const std::filesystem::path& run_folder, const std::vector<Plot>& plots,
                                   std::ostream& messages, const ReportTools& tools) {
  const std::filesystem::path folder = run_folder / "plots";
  std::filesystem::create_directories(folder);
  for (const Plot& plot : plots) {
    write_file_atomically(folder / (plot.name + ".gp"), plot.script);
    write_file_atomically(folder / (plot.name + ".csv"), plot.csv);
  }
  return draw(plots, folder, messages, tools);
}

std::string chart_library(const ReportTools& tools, std::ostream& messages) {
  for (const std::filesystem::path& path : tools.chart_js) try {
      std::string source = read_file(path, most_bytes);
      // It will stand inside a script element, which this would end.
      if (!source.empty() && source.find("</script") == std::string::npos) return source;
    } catch (const std::system_error&) {
      continue;
    }
  messages << "no interactive charts: there is no Chart.js at "
           << (tools.chart_js.empty() ? "" : tools.chart_js[0].string())
           << "; to have them: sudo apt-get install libjs-chart.js, then run the report again\n";
  return {};
}

}  // namespace

void write_models(const std::filesystem::path& folder, std::ostream& messages, const ReportTools& tools) {
  const std::optional<Models> models = models_of(folder);
  if (!models) throw std::invalid_argument(folder.string() + " has no models.json");
  draw_into(folder, models_plots(*models), messages, tools);
  write_file_atomically(folder / "report.html", make_models_page(*models));
}

void write_report(const std::filesystem::path& run_folder, const nlohmann::json& analysis, std::ostream& messages) {
  write_report(run_folder, analysis, messages, ReportTools{});
}

void write_report(const std::filesystem::path& run_folder, const nlohmann::json& analysis, std::ostream& messages,
                  const ReportTools& tools) {
  const Run run = parse(analysis);
  const std::optional<Models> models = models_of(run_folder);
  std::vector<Plot> plots = make_plots(run);
  if (models) std::ranges::move(models_plots(*models), std::back_inserter(plots));
  const std::vector<std::string> svgs = draw_into(run_folder, plots, messages, tools);
  const std::string charts = chart_library(tools, messages);
  write_file_atomically(run_folder / "report.html", make_page(run, plots, svgs, charts, models));
}

void write_comparison(const std::filesystem::path& file, const std::vector<nlohmann::json>& analyses,
                      std::ostream& messages, const ReportTools& tools) {
  std::vector<Run> runs;
  for (const nlohmann::json& analysis : analyses) runs.push_back(parse(analysis));
  write_file_atomically(file, make_comparison(runs, chart_library(tools, messages)));
}

}  // namespace speedwell::bench
