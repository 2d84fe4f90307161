// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <system_error>

#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/cli/verbs.hpp"
#include "bench/driver/fingerprint.hpp"
#include "bench/driver/plan.hpp"
#include "bench/driver/progress.hpp"
#include "bench/driver/sweep.hpp"
#include "bench/ladder/ladder.hpp"
#include "bench/ladder/results.hpp"

namespace speedwell::bench {

namespace fs = std::filesystem;

namespace {

// Below, a call is over before a clock can tell; above, the naive rung takes many minutes.
constexpr int least_size = 16, most_size = 4096;
constexpr int most_rounds = 1000;

void check(const LadderOptions& options) {
  if (options.size < least_size || options.size > most_size) {
    throw UsageError(fmt::format("--size {}, expected a number from {} to {}", options.size, least_size, most_size));
  }
  if (options.rounds < 1 || options.rounds > most_rounds) {
    throw UsageError(fmt::format("--rounds {}, expected a number from 1 to {}", options.rounds, most_rounds));
  }
}

// What would only fail after the measurement, fails before it.
fs::path new_folder(const std::string& asked, const std::string& started) {
  if (asked.empty()) {
    std::string time = started;
    std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
    return fs::path("results") / ("ladder-" + time);
  }
  fs::path folder = fs::path(asked) / "";
  folder = folder.parent_path();  // without a slash at its end
  if (fs::exists(folder) && (!fs::is_directory(folder) || !fs::is_empty(folder))) {
    throw fs::filesystem_error("--output: expected an empty folder or a name that is free", folder,
                               std::make_error_code(std::errc::file_exists));
  }
  fs::create_directories(folder.has_parent_path() ? folder.parent_path() : ".");
  return folder;
}

int columns_of_stdout() {
  winsize size = {};
  constexpr int elsewhere = 120;
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : elsewhere;
}

bool colours_on_stdout() {
  const char* const no_colour = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

}  // namespace

int run_ladder(const LadderOptions& options) {
  check(options);
  const std::string started = utc_now();
  const fs::path folder = new_folder(options.output, started);
  Progress progress;
  Interrupts interrupts;
  const std::vector<ladder::Rung> rungs = ladder::make_rungs(options.size, !options.no_python, progress);
  return show_ladder(ladder::climb(options.size, options.rounds, rungs, progress, interrupts), started, folder,
                     options);
}

int show_ladder(const ladder::Ladder& ladder, const std::string& started, const fs::path& folder,
                const LadderOptions& options) {
  Progress progress;
  for (const ladder::Refused& refused : ladder.refused) {
    progress.warn(fmt::format("{} is refused, wrong result: {}", refused.name, refused.reason));
  }
  if (ladder.signal != 0) {
    progress.warn(ladder.rounds == 0 ? "interrupted before each rung had its time: nothing to show"
                                     : fmt::format("interrupted after {} of {} rounds", ladder.rounds, options.rounds));
  }
  if (!ladder.steps.empty()) {
    ladder::write_folder(folder, ladder, started, std::cerr);
    if (options.json) {
      fmt::print("{}\n", ladder::to_json(ladder, started).dump(2));
    } else {
      fmt::print("{}\nFiles: {}\n", ladder::table(ladder, colours_on_stdout(), columns_of_stdout()), folder.string());
    }
  }
  if (ladder.signal != 0) return exit_signal_base + ladder.signal;
  return ladder.refused.empty() ? exit_ok : exit_negative;
}

}  // namespace speedwell::bench
