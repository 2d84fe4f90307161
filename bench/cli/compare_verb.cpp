// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

#include "bench/analysis/analysis.hpp"
#include "bench/analysis/compare.hpp"
#include "bench/cli/run_folder.hpp"
#include "bench/cli/verbs.hpp"
#include "bench/driver/plan.hpp"
#include "bench/files.hpp"
#include "bench/journal.hpp"
#include "bench/terminal.hpp"

namespace speedwell::bench {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* comparison_name = "comparison.json";

// A run's folder, its journal, or latest.
fs::path journal_of(const std::string& run) {
  std::error_code ignored;
  return fs::is_regular_file(run, ignored) ? fs::path(run) : find_run_folder(run) / journal_name;
}

bool is_run(const std::string& word) {
  try {
    return fs::exists(journal_of(word));
  } catch (const JournalError&) {
    return false;
  }
}

struct Loaded {
  Journal journal;
  json analysis;

  explicit Loaded(const fs::path& path) : journal(read_journal(path)), analysis(analyse(journal)) {}
  Run run() const { return {journal, analysis}; }
};

CompareRules rules_of(const CompareOptions& options, const std::vector<std::string>& patterns) {
  if (!(options.threshold_percent >= 0 && options.threshold_percent <= 1000)) {
    throw UsageError(fmt::format("--threshold {}, expected percent from 0 to 1000", options.threshold_percent));
  }
  if (options.json && options.markdown) throw UsageError("--json and --markdown given, expected one of them");
  CompareRules rules{.threshold = options.threshold_percent / 100};
  for (const std::string& pattern : patterns) {
    try {
      rules.cases.emplace_back(pattern);
    } catch (const std::regex_error& error) {
      throw UsageError(fmt::format("'{}' is not a regular expression: {}", pattern, error.what()));
    }
  }
  return rules;
}

void show(const json& comparison, bool all) {
  const Screen screen = screen_of(STDOUT_FILENO, width_elsewhere);
  const std::string text = render_comparison(comparison, screen.colour, screen.width, all);
  fmt::print("{}", screen.unicode ? text : in_ascii(text));
}

std::string text_of(const json& comparison) {
  // Text from outside may not be UTF-8: replaced, not refused.
  return comparison.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

void check_common(const json& comparison, const std::vector<std::string>& patterns) {
  if (!comparison.at("cells").empty() || !comparison.at("failed").empty()) return;
  const std::string among = patterns.empty() ? "" : fmt::format(" that matches {}", fmt::join(patterns, " or "));
  throw JournalError(
      fmt::format("nothing to compare: no cell{} was measured in both; {} only in the old, {} only in "
                  "the new",
                  among, comparison.at("only_in_old").size(), comparison.at("only_in_new").size()));
}

json compare_two(const std::string& old_run, const std::string& new_run, CompareRules rules, bool force) {
  const Loaded older(journal_of(old_run));
  const Loaded newer(journal_of(new_run));
  const std::string why_not = why_not_comparable(older.journal, newer.journal);
  if (!why_not.empty() && !force) {
    throw JournalError(
        fmt::format("{} and {} can't be compared: {}; --force does so nevertheless", old_run, new_run, why_not));
  }
  rules.despite = why_not;
  return compare_runs(older.run(), newer.run(), rules);
}

json compare_one(const std::string& run, const CompareRules& rules) {
  const Loaded loaded(journal_of(run));
  if (!has_second_build(loaded.journal)) {
    throw UsageError(fmt::format("{} holds one build, expected a second run, or one taken with `{} bench --against`",
                                 run, program_invocation_short_name));
  }
  return compare_builds(loaded.run(), rules);
}

}  // namespace

int run_compare(const CompareOptions& options) {
  // The second word may be a pattern, where one run holds two builds.
  const bool two = options.words.size() > 1 && (is_run(options.words[1]) || !is_run(options.words[0]) ||
                                                !has_second_build(read_journal(journal_of(options.words[0]))));
  const std::vector<std::string> patterns(options.words.begin() + (two ? 2 : 1), options.words.end());
  const CompareRules rules = rules_of(options, patterns);
  const json comparison = two ? compare_two(options.words[0], options.words[1], rules, options.force)
                              : compare_one(options.words[0], rules);
  check_common(comparison, patterns);
  if (options.json) {
    fmt::print("{}", text_of(comparison));
  } else if (options.markdown) {
    fmt::print("{}", comparison_markdown(comparison));
  } else {
    show(comparison, options.all);
  }
  return has_regression(comparison) ? exit_negative : exit_ok;
}

bool present_builds(const fs::path& run, bool print) {
  const Journal journal = read_journal(run / journal_name);
  if (!has_second_build(journal)) return false;
  const Loaded loaded(run / journal_name);
  const json comparison = compare_builds(loaded.run(), {});
  write_file_atomically(run / comparison_name, text_of(comparison));
  if (print) {
    fmt::print("\n");
    show(comparison, false);
  }
  return has_regression(comparison);
}

}  // namespace speedwell::bench
