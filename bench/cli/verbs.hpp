// SPDX-License-Identifier: Apache-2.0
// The verbs of the command. Each prints results to stdout and all else to stderr, and returns the exit status.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace speedwell::bench {

namespace ladder {
struct Ladder;
}
namespace models {
struct Study;
}

enum ExitStatus {
  exit_ok = 0,
  exit_negative = 1,  // it ran, and found something wrong
  exit_wrong_use = 2,
  exit_impossible = 3,    // files that can't be read or written, runs that can't go on
  exit_signal_base = 128  // and the signal's number, as shells count
};

struct MachineOptions {
  bool json = false;
  bool no_ceilings = false;
  double timeout_s = 60;
};
int run_machine(const MachineOptions& options);

struct BenchOptions {
  std::vector<std::string> patterns;
  bool full = false;
  std::vector<std::string> backends;
  std::string threads;
  std::optional<int> rounds;
  std::optional<double> budget_s;
  std::string seed;  // a number, or empty
  std::string output;
  bool resume = false;
  bool list = false;
  bool peers = false;
  bool no_peers = false;
  bool unpinned = false;
  bool smt = false;
  std::string against;  // another build's program, or empty
  std::string image;    // a file whose image the filters are measured on, or empty
  bool no_report = false;
  bool json = false;
  double timeout_s = 60;
};
// Makes an image the one that cases are measured on; what the journal says of it.
using OfferImage = nlohmann::ordered_json (*)(const std::filesystem::path& file);
// `offer_image` may be nullptr where options.image is empty and no run with an image is to be resumed.
int run_bench(const BenchOptions& options, OfferImage offer_image);

struct ReportOptions {
  std::vector<std::string> runs;  // one is drawn, several are compared
  std::string output;
  bool json = false;
};
int run_report(const ReportOptions& options);

struct CompareOptions {
  std::vector<std::string> words;  // one run or two, then patterns of cases
  double threshold_percent = 5;
  bool force = false;
  bool all = false;
  bool json = false;
  bool markdown = false;
};
int run_compare(const CompareOptions& options);

struct RaceOptions {
  std::vector<std::string> runs;
  std::string output;  // a folder, or empty
};
int run_race(const RaceOptions& options);

struct TuneOptions {
  std::vector<std::string> kernels;  // words that names begin with; none: all
  double budget_s = 60;
  bool calibrate = false;  // only the cost model, and only if there is none yet
  bool again = false;      // also what is known already
  double timeout_s = 60;
};
int run_tune(const TuneOptions& options);

struct PlanOptions {
  std::string kernel;
  std::string size;
  bool explain = false;
  bool json = false;
};
int run_plan(const PlanOptions& options);

struct RegretOptions {
  std::vector<std::string> kernels;
  int sizes = 2;  // a kernel
  int rounds = 8;
  std::string seed;  // a number, or empty
  bool estimate = false;
  bool json = false;
  double timeout_s = 60;
};
int run_regret(const RegretOptions& options);

// A number from 0 on; of an empty text a new one. Throws UsageError.
std::uint64_t seed_of(const std::string& text);

struct FilterOptions {
  // A filter as it was given: "--gaussian" and "2".
  struct Word {
    std::string option;
    std::string argument;
  };
  std::filesystem::path in;
  std::filesystem::path out;
  std::vector<Word> chain;
  std::string border;  // empty: each filter's own
  std::optional<double> border_value;
  std::string backend = "automatic";
  int threads = 0;
  int quality = 95;
  bool time = false;
  bool verbose = false;
};
int run_filter(const FilterOptions& options);

struct LadderOptions {
  int size = 1000;
  int rounds = 9;
  bool no_python = false;
  bool json = false;
  std::string output;
};
int run_ladder(const LadderOptions& options);
// Writes and prints what was climbed; the exit status.
int show_ladder(const ladder::Ladder& ladder, const std::string& started, const std::filesystem::path& folder,
                const LadderOptions& options);

struct ModelsOptions {
  int tasks = 16;
  int delay_ms = 25;
  std::vector<std::string> natures;     // none: all
  std::vector<std::string> techniques;  // none: all
  double budget_s = 56;
  double timeout_s = 20;
  int port = 0;  // 0: one that is free
  bool no_python = false;
  bool json = false;
  std::string output;
};
int run_models(const ModelsOptions& options);
// Writes and prints what was measured; the exit status.
int show_models(const models::Study& study, const std::string& started, const std::filesystem::path& folder,
                const ModelsOptions& options);

}  // namespace speedwell::bench
