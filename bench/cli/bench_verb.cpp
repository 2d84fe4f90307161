// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <system_error>

#include <speedwell/machine.hpp>

#include "bench/analysis/analysis.hpp"
#include "bench/case.hpp"
#include "bench/cli/run_folder.hpp"
#include "bench/cli/verbs.hpp"
#include "bench/driver/children.hpp"
#include "bench/driver/fingerprint.hpp"
#include "bench/driver/plan.hpp"
#include "bench/driver/progress.hpp"
#include "bench/driver/sweep.hpp"
#include "bench/driver/twins.hpp"
#include "bench/files.hpp"
#include "bench/journal.hpp"

namespace speedwell::bench {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

namespace {

// The quick suite on two cores ends within four minutes: this, and a minute for the last round, analysis and plots.
constexpr double quick_budget_s = 180;
// An hour, as one leaves a machine alone over lunch.
constexpr double full_budget_s = 3600;
// Beyond it a round's number says nothing more; it bounds what the journal may grow to.
constexpr int most_rounds_asked = 1000;

void check(const BenchOptions& options) {
  if (options.rounds && (*options.rounds < 1 || *options.rounds > most_rounds_asked)) {
    throw UsageError(fmt::format("--rounds {}, expected a number from 1 to {}", *options.rounds, most_rounds_asked));
  }
  if (options.budget_s && !(*options.budget_s > 0 && *options.budget_s <= 1e7)) {
    throw UsageError(fmt::format("--budget {}, expected seconds from above 0 to 1e7", *options.budget_s));
  }
  if (!(options.timeout_s > 0 && options.timeout_s <= 1e6)) {
    throw UsageError(fmt::format("--timeout {}, expected seconds from above 0 to 1e6", options.timeout_s));
  }
}

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::vector<int> thread_counts(const BenchOptions& options, Progress& progress) {
  const Machine& here = machine();
  const int most = most_useful_threads(here, options.smt);
  std::vector<int> threads = options.threads.empty() ? thread_axis(most) : parse_threads(options.threads);
  const std::size_t cores = here.core_cpus.size();
  progress.say(
      fmt::format("machine: {}, {} allowed ({})", here.cpu, counted(cores, "physical core"), here.cpus_source));
  progress.say(here.quota_cpus > 0 ? fmt::format("quota: {:.4g} CPUs ({})", here.quota_cpus, here.quota_source)
                                   : fmt::format("quota: none ({})", here.quota_source));
  progress.say(fmt::format("threads: {}{}", fmt::join(threads, ", "), options.threads.empty() ? "" : " (as asked)"));
  if (options.smt && here.sibling_cpus.empty()) {
    progress.say("--smt: each core has one logical CPU here, so the thread counts end at the cores");
  }
  if (most == 1) {
    progress.warn("one core only: there is no scaling to see here, only what each model costs on one thread");
  } else if (options.threads.empty() && most < static_cast<int>(cores)) {
    progress.warn(fmt::format("the quota caps the threads at {} of {} cores; --threads goes beyond", most, cores));
  }
  if (threads.back() > static_cast<int>(here.allowed_cpus.size())) {
    progress.warn(
        fmt::format("{} threads on {}: what is beyond the cores takes turns", threads.back(), counted(cores, "core")));
  } else if (threads.back() > static_cast<int>(cores)) {
    progress.say(fmt::format("{} threads on {}: what is beyond the cores shares them, and no law is fitted to it",
                             threads.back(), counted(cores, "core")));
  }
  return threads;
}

// How idle threads of the children wait, in the words of each model.
ordered_json wait_policies(const std::vector<Cell>& cells, Children& children) {
  ordered_json policies = ordered_json::object();
  for (const Cell& cell : cells) {
    if (policies.contains(cell.backend)) continue;
    try {
      policies[cell.backend] = children.hello({cell.backend, cell.threads}).value("wait_policy", "");
    } catch (const ChildError&) {
      policies[cell.backend] = "not known";  // the sweep will say why, at the first of its cells
    }
  }
  return policies;
}

// Nothing of a run may be in the folder, so that no two runs are mixed.
void check_folder(const fs::path& folder) {
  if (!fs::exists(folder)) return;
  if (!fs::is_directory(folder)) {
    throw JournalError(fmt::format("{} is not a folder, expected one, or a name that is free", folder.string()));
  }
  if (fs::exists(folder / journal_name)) {
    throw JournalError(
        fmt::format("{} holds a run already; --resume --output {} goes on with it", folder.string(), folder.string()));
  }
  if (!fs::is_empty(folder)) {
    throw JournalError(
        fmt::format("{} is not empty, expected an empty folder, or a name that is free", folder.string()));
  }
}

// The other build must still be the one that was measured.
void set_other_build(const json& against, Children& children) {
  const std::string path = against.at("path").get<std::string>();
  children.compare_with(program_of_build(path));
  if (const std::string now = file_checksum(children.other_build()); now != against.at("crc32")) {
    throw JournalError(fmt::format("cannot resume: {} was the program with the CRC-32 {}, is that with {}", path,
                                   against.at("crc32").get<std::string>(), now));
  }
}

std::string first_difference_to_here(const json& header, const Children& children) {
  const json machine_now = machine_fingerprint();
  const json build_now = build_fingerprint(children.programs());
  std::string difference = first_difference(header.at("machine"), machine_now, "machine");
  return difference.empty() ? first_difference(header.at("build"), build_now, "build") : difference;
}

int finish(const fs::path& run, const SweepOutcome& outcome, const BenchOptions& options, Progress& progress) {
  const std::string resume = options.output.empty() ? "" : " --output " + options.output;
  if (outcome.signal != 0) {
    progress.warn(fmt::format("interrupted after {}; `{} bench --resume{}` goes on",
                              counted(static_cast<std::size_t>(outcome.rounds), "complete round"),
                              program_invocation_short_name, resume));
  }
  if (outcome.cost.wall_s > 0) {
    progress.say(fmt::format("{}, {}, {:.0f} s: {}", counted(static_cast<std::size_t>(outcome.rounds), "round"),
                             counted(static_cast<std::size_t>(outcome.cells), "cell"), outcome.cost.wall_s,
                             in_words(outcome.cost)));
  }
  bool regressed = false;
  if (outcome.rounds > 0) {
    if (outcome.signal == 0) progress.say("now the analysis and the report");
    present_results(run, {.report = !options.no_report, .json = options.json});
    regressed = present_builds(run, !options.json);
    if (options.output.empty()) {
      const fs::path latest = fs::path(results_folder) / "latest";
      if (fs::exists(fs::symlink_status(latest)) && !fs::is_symlink(fs::symlink_status(latest))) {
        progress.warn(fmt::format("{} is not a symbolic link and was left as it is", latest.string()));
      } else {
        link_atomically(latest, run.filename());
      }
    }
  }
  if (outcome.signal != 0) return exit_signal_base + outcome.signal;
  if (outcome.failed > 0) {
    progress.warn(fmt::format("{} failed, see above", counted(static_cast<std::size_t>(outcome.failed), "cell")));
    return exit_negative;
  }
  return regressed ? exit_negative : exit_ok;
}

int sweep_and_finish(const fs::path& run, const Journal& journal, JournalWriter writer, Children& children,
                     const BenchOptions& options, Progress& progress) {
  const auto make_results = [&] {
    const Journal so_far = read_journal(run / journal_name);
    write_results(so_far, analyse(so_far), run);
  };
  SweepOutcome outcome;
  {
    Interrupts interrupts;
    outcome = Sweep(journal, writer, children, progress, interrupts).run(make_results);
  }
  // From here on a signal ends the program: each file of the results is whole or not there.
  return finish(run, outcome, options, progress);
}

// The image must still be the one that was measured on.
void offer_image_again(const json& image, OfferImage offer_image) {
  const std::string file = image.at("file").get<std::string>();
  if (offer_image == nullptr)
    throw JournalError("cannot resume: the run is of an image, which this program can't read");
  if (const ordered_json now = offer_image(file); now.at("sha256") != image.at("sha256")) {
    throw JournalError(fmt::format("cannot resume: {} had the SHA-256 {}, has {}", file,
                                   image.at("sha256").get<std::string>(), now.at("sha256").get<std::string>()));
  }
}

// As the sweep counts them: another build's failures aren't this one's.
int failed_cells(const Journal& journal) {
  std::set<std::string> failed;
  for (const json& record : journal.records) {
    if (record["kind"] == "failed") failed.insert(record["cell"].get<std::string>());
  }
  for (const json& cell : journal.header["cells"]) {
    if (cell.value("against", false)) failed.erase(cell["cell"].get<std::string>());
  }
  return static_cast<int>(failed.size());
}

int resume(const BenchOptions& options, OfferImage offer_image, Progress& progress) {
  const fs::path run = options.output.empty() ? newest_resumable_run() : find_run_folder(options.output);
  Journal journal = read_journal(run / journal_name);
  if (journal.finished) {
    progress.say(fmt::format("{} is finished already; its results are made again", run.string()));
    const int failed = failed_cells(journal);
    return finish(run, {.rounds = journal.records.back()["rounds"].get<int>(), .failed = failed}, options, progress);
  }
  const json& config = journal.header["config"];
  if (config.contains("image")) offer_image_again(config["image"], offer_image);
  Children children(programs_folder(), options.timeout_s, config.value("pinned", true));
  if (const std::string difference = first_difference_to_here(journal.header, children); !difference.empty()) {
    throw JournalError(
        fmt::format("cannot resume {}: it was begun on another machine or build: {}", run.string(), difference));
  }
  if (config.contains("against")) set_other_build(config["against"], children);
  progress.say(fmt::format("going on with {}{}", run.string(),
                           journal.torn_tail ? "; its last line was cut, and is dropped" : ""));
  if (options.budget_s) journal.header["config"]["budget_s"] = *options.budget_s;
  JournalWriter writer = JournalWriter::resume(run / journal_name, journal);
  writer.append({{"kind", "resumed"}, {"at", utc_now()}});
  return sweep_and_finish(run, journal, std::move(writer), children, options, progress);
}

}  // namespace

// Not left to the command line's parser, which takes -1 for 2^64 - 1.
std::uint64_t seed_of(const std::string& text) {
  if (text.empty()) return std::random_device{}();
  std::uint64_t seed = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seed);
  if (error != std::errc() || stop != end) {
    throw UsageError(
        fmt::format("--seed {}, expected a number from 0 to {}", text, std::numeric_limits<std::uint64_t>::max()));
  }
  return seed;
}

int run_bench(const BenchOptions& options, OfferImage offer_image) {
  check(options);
  const std::uint64_t seed = seed_of(options.seed);
  Progress progress;
  if (options.resume) return resume(options, offer_image, progress);
  ordered_json image;
  if (!options.image.empty()) image = offer_image(options.image);
  Children children(programs_folder(), options.timeout_s, !options.unpinned);
  ordered_json other_build;
  if (!options.against.empty()) {
    children.compare_with(program_of_build(options.against));
    other_build = describe_other_build(children);
  }

  Selection selection = {.patterns = options.patterns,
                         .full = options.full,
                         .backends = options.backends,
                         .threads = thread_counts(options, progress),
                         .peers = options.peers      ? Selection::Peers::race
                                  : options.no_peers ? Selection::Peers::none
                                                     : Selection::Peers::beside};
  const std::vector<Cell> cells = plan_cells(selection, children, progress);
  if (options.list) {
    if (options.json) {
      ordered_json list = ordered_json::array();
      for (const Cell& cell : cells) list.push_back(to_json(cell));
      fmt::print("{}\n", list.dump(2));
    } else {
      for (const Cell& cell : cells) fmt::print("{}\n", cell.name);
    }
    return exit_ok;
  }

  const fs::path run = options.output.empty() ? new_run_folder() : fs::path(options.output);
  check_folder(run);
  // Who asks for a number of rounds gets it, however long it takes, unless there is a budget too.
  const SweepConfig defaults;
  const double budget_s =
      options.budget_s.value_or(options.rounds ? 0 : (options.full ? full_budget_s : quick_budget_s));
  ordered_json header = {{"kind", "header"},
                         {"schema", 1},
                         {"run", fs::weakly_canonical(run).filename().string()},
                         {"started", utc_now()},
                         {"label", ""},
                         {"machine", machine_fingerprint()},
                         {"build", build_fingerprint(children.programs())},
                         {"config",
                          {{"seed", seed},
                           {"rounds", options.rounds.value_or(defaults.rounds)},
                           {"most_rounds", options.rounds.value_or(defaults.most_rounds)},
                           {"budget_s", budget_s},
                           {"threads", selection.threads},
                           {"suite", options.full ? "full" : "quick"},
                           {"patterns", options.patterns},
                           {"wait_policy", wait_policies(cells, children)},
                           {"pinned", !options.unpinned},
                           {"smt", options.smt},
                           {"environment", measuring_environment()}}},
                         {"cells", [&] {
                            ordered_json list = ordered_json::array();
                            for (const Cell& cell : cells) list.push_back(to_json(cell));
                            return list;
                          }()}};
  if (!other_build.is_null()) header["config"]["against"] = other_build;
  if (!image.is_null()) header["config"]["image"] = image;
  const bool made = fs::create_directories(run);
  JournalWriter writer = [&] {
    try {
      return JournalWriter::create(run / journal_name, header);
    } catch (...) {
      std::error_code ignored;
      if (made) fs::remove(run, ignored);
      throw;
    }
  }();
  std::set<std::string> names;
  for (const Cell& cell : cells) names.insert(cell.case_name);
  progress.say(fmt::format("run: {}, {} of {}, seed {}{}", run.string(), counted(cells.size(), "cell"),
                           counted(names.size(), "case"), seed,
                           budget_s > 0 ? fmt::format(", budget {}", clock_text(budget_s)) : std::string()));
  return sweep_and_finish(run, read_journal(run / journal_name), std::move(writer), children, options, progress);
}

}  // namespace speedwell::bench
