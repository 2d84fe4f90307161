// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <system_error>

#include <unistd.h>

#include "bench/cli/run_folder.hpp"
#include "bench/cli/verbs.hpp"
#include "bench/driver/children.hpp"
#include "bench/driver/fingerprint.hpp"
#include "bench/driver/plan.hpp"
#include "bench/driver/progress.hpp"
#include "bench/files.hpp"
#include "bench/models/folder.hpp"
#include "bench/models/results.hpp"
#include "bench/models/study.hpp"
#include "bench/terminal.hpp"

namespace speedwell::bench {

namespace fs = std::filesystem;

namespace {

constexpr int least_tasks = 2, most_tasks = 256;
constexpr int most_delay_ms = 10'000;
constexpr double least_budget_s = 1, most_budget_s = 3600;

void check(const ModelsOptions& options) {
  if (options.tasks < least_tasks || options.tasks > most_tasks) {
    throw UsageError(
        fmt::format("--tasks {}, expected a number from {} to {}", options.tasks, least_tasks, most_tasks));
  }
  if (options.delay_ms < 1 || options.delay_ms > most_delay_ms)
    throw UsageError(fmt::format("--delay {}, expected milliseconds from 1 to {}", options.delay_ms, most_delay_ms));
  if (options.port < 0 || options.port > 65535)
    throw UsageError(fmt::format("--port {}, expected a number from 0 to 65535", options.port));
  if (!(options.budget_s >= least_budget_s && options.budget_s <= most_budget_s)) {
    throw UsageError(fmt::format("--budget {:g}, expected seconds from {:g} to {:g}", options.budget_s, least_budget_s,
                                 most_budget_s));
  }
  if (!(options.timeout_s > 0)) throw UsageError(fmt::format("--timeout {:g}, expected seconds", options.timeout_s));
}

std::vector<models::Nature> natures_of(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const models::Nature nature : models::all_natures) known.emplace_back(name(nature));
  std::vector<models::Nature> natures;
  for (const std::string& given : names) {
    if (std::ranges::find(known, given) == known.end()) {
      throw UsageError(
          fmt::format("--nature {}, expected some of {}{}", given, fmt::join(known, ", "), did_you_mean(given, known)));
    }
    natures.push_back(models::nature_from_name(given));
  }
  return natures;
}

void check_techniques(const std::vector<std::string>& names) {
  const std::vector<std::string> known = models::technique_names();
  for (const std::string& given : names) {
    if (std::ranges::find(known, given) == known.end()) {
      throw UsageError(fmt::format("--technique {}, expected some of {}{}", given, fmt::join(known, ", "),
                                   did_you_mean(given, known)));
    }
  }
}

bool is_run(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / journal_name, ignored);
}

// Where it goes, and what would only fail after the measurement fails before it.
fs::path folder_for(const std::string& asked, const std::string& started) {
  if (asked.empty()) {
    std::string time = started;
    std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
    fs::create_directories(results_folder);
    return fs::path(results_folder) / ("models-" + time);
  }
  if (is_run(asked)) return asked;
  fs::path folder = fs::path(asked) / "";
  folder = folder.parent_path();  // without a slash at its end
  if (fs::exists(folder) && (!fs::is_directory(folder) || !fs::is_empty(folder))) {
    throw fs::filesystem_error("--output: expected a run's folder, an empty folder or a name that is free", folder,
                               std::make_error_code(std::errc::file_exists));
  }
  fs::create_directories(folder.has_parent_path() ? folder.parent_path() : ".");
  return folder;
}

}  // namespace

int run_models(const ModelsOptions& options) {
  check(options);
  check_techniques(options.techniques);
  const std::string started = utc_now();
  models::Wish wish = {.tasks = options.tasks,
                       .delay_ms = options.delay_ms,
                       .port = options.port,
                       .budget_s = options.budget_s,
                       .limit_s = options.timeout_s,
                       .natures = natures_of(options.natures),
                       .techniques = options.techniques,
                       .python = !options.no_python,
                       .program = models::own_program_path(),
                       .library = models::c_library_path()};
  const fs::path folder = folder_for(options.output, started);
  Progress progress;
  Interrupts interrupts;
  models::Study study;
  {
    const ScratchFolder scratch(folder.has_parent_path() ? folder.parent_path() : ".");
    wish.scratch = scratch.path();
    study = models::measure(wish, progress, interrupts);
  }
  return show_models(study, started, folder, options);
}

int show_models(const models::Study& study, const std::string& started, const fs::path& folder,
                const ModelsOptions& options) {
  Progress progress;
  const auto measured = std::ranges::count_if(study.cells, [](const models::Cell& cell) { return cell.stands(); });
  const auto all = study.cells.size();
  if (study.signal != 0) {
    progress.warn(measured == 0 ? "interrupted before anything was measured: nothing to show"
                                : fmt::format("interrupted after {} of {} measurements", measured, all));
  } else if (measured == 0) {
    progress.warn("nothing could be measured");
  } else if (study.out_of_time) {
    progress.warn(fmt::format("the time of --budget was up after {} of {} measurements", measured, all));
  }
  if (measured > 0) {
    models::write_folder(folder, study, started, std::cerr);
    if (options.json) {
      fmt::print("{}\n", models::to_json(study, started).dump());
    } else {
      const Screen screen = screen_of(STDOUT_FILENO, width_elsewhere);
      const std::string table = models::table(study, screen.colour, screen.width);
      fmt::print("{}\nFiles: {}\n", screen.unicode ? table : in_ascii(table), folder.string());
    }
  }
  if (study.signal != 0) return exit_signal_base + study.signal;
  if (measured == 0) return exit_impossible;
  const bool wrong = std::ranges::any_of(study.cells, [](const models::Cell& cell) { return !cell.failed.empty(); });
  return wrong ? exit_negative : exit_ok;
}

}  // namespace speedwell::bench
