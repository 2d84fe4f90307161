// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/command_line.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>

#include <speedwell/error.hpp>
#include <speedwell/runtime.hpp>

#include "bench/cases/kernel_cases.hpp"
#include "bench/cli/verbs.hpp"
#include "bench/driver/build_info.hpp"
#include "bench/driver/plan.hpp"

namespace speedwell::bench {

namespace {

struct Command {
  CLI::App app;
  MachineOptions machine;
  BenchOptions bench;
  ReportOptions report;
  CompareOptions compare;
  RaceOptions race;
  TuneOptions tune;
  PlanOptions plan;
  RegretOptions regret;
  FilterOptions filter;
  LadderOptions ladder;
  ModelsOptions models;

  explicit Command(const Program& program);
};

void add_machine(CLI::App& app, MachineOptions& options) {
  CLI::App* const verb = app.add_subcommand("machine", "Say what this machine is, and measure its ceilings");
  verb->add_flag("--json", options.json, "Print JSON");
  verb->add_flag("--no-ceilings", options.no_ceilings, "Measure nothing");
  verb->add_option("--timeout", options.timeout_s, "When a silent child counts as hung")
      ->type_name("SECONDS")
      ->capture_default_str();
}

// What is measured stands in the journal of a run that goes on.
constexpr const char* not_with_resume[] = {"CASE-REGEX", "--full", "--quick",   "--backend",  "--threads",
                                           "--rounds",   "--seed", "--list",    "--no-peers", "--peers",
                                           "--unpinned", "--smt",  "--against", "--image"};

void check_together(const CLI::App& verb, const BenchOptions& options) {
  if (verb.count("--quick") > 0 && options.full) throw UsageError("--quick and --full given, expected one of them");
  if (options.peers && verb.count("--no-peers") > 0) {
    throw UsageError("--peers and --no-peers given, expected one of them");
  }
  if (!options.resume) return;
  for (const char* const given : not_with_resume) {
    const CLI::Option* const option = verb.get_option_no_throw(given);
    if (option != nullptr && option->count() > 0) {
      throw UsageError(
          fmt::format("--resume goes on with what the run's journal says, {} can't be given with it", given));
    }
  }
}

void add_bench(CLI::App& app, bool with_images, BenchOptions& options) {
  CLI::App* const verb =
      app.add_subcommand("bench", "Measure cases on each backend and thread count, into a run folder with a report");
  verb->add_option(
          "CASE-REGEX", options.patterns,
          "Cases whose names match: of the quick ones, or if none of those does, of all; or the whole name of a "
          "case, also of a size that isn't listed: matmul/f32/123x77x1001")
      ->type_name("");
  verb->add_flag("--full", options.full, "All cases, for up to an hour");
  verb->add_flag("--quick")->description("The quick cases, for up to three minutes: the default");
  verb->add_option(
          "--backend", options.backends,
          "Only these models and peers beside the sequential version, such as openmp,tbb,openblas; automatic: the "
          "library's own choice")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAMES");
  verb->add_option("--threads", options.threads,
                   "Thread counts, such as 1,2,4 or 1-8; default: 1, 2, ... up to the allowed cores")
      ->type_name("LIST");
  verb->add_option("--rounds", options.rounds,
                   "Exactly so many samples a cell; default: 9, and up to 30 while intervals or the winner are open")
      ->type_name("N");
  verb->add_option("--budget", options.budget_s, "For preparation and samples; default: 180, with --full 3600")
      ->type_name("SECONDS");
  verb->add_option("--seed", options.seed, "Of the order within rounds; default: a new one each time, in the journal")
      ->type_name("N");
  verb->add_option("--output", options.output, "The run's folder; default: results/<UTC time>")->type_name("FOLDER");
  verb->add_flag("--resume", options.resume, "Go on with the newest unfinished run, or with the one in --output");
  verb->add_flag("--list", options.list, "Print the cells, measure nothing");
  verb->add_flag("--peers", options.peers,
                 "Race every other library that is installed: only cases that one of them has too");
  verb->add_flag("--no-peers", options.no_peers, "Don't measure other libraries beside");
  verb->add_flag("--unpinned", options.unpinned,
                 "Leave threads to the system's scheduler; default: a CPU for each of them");
  verb->add_flag("--smt", options.smt, "Thread counts beyond the cores too, up to all allowed logical CPUs");
  verb->add_option("--against", options.against,
                   "Another build's speedwell_bench, or the folder that holds it: measured in the same rounds")
      ->type_name("FOLDER-OR-BINARY");
  if (with_images) {
    verb->add_option("--image", options.image,
                     "Measure the image filters on this PNG or JPEG image, in the types and channels of their cases; "
                     "such as --image photo.jpg 'gaussian_blur/u8c3'")
        ->type_name("FILE");
  }
  verb->add_flag("--no-report", options.no_report, "No plots and no HTML page");
  verb->add_flag("--json", options.json, "Print the analysis (with --list, the cells) as JSON");
  verb->add_option("--timeout", options.timeout_s, "When a silent child counts as hung")
      ->type_name("SECONDS")
      ->capture_default_str();
  verb->callback([verb, &options] { check_together(*verb, options); });
  verb->footer(
      "Ctrl-C lets the running sample end and makes results of what there is; --resume goes on from there.\n"
      "A sample that the machine disturbed is taken again, up to twice; the third counts and is marked.\n"
      "Status: 0 done, 1 a cell failed or, with --against, got slower, 2 wrong use, 3 could not, 128 + N ended by "
      "signal N.");
}

void check_together(const ReportOptions& options) {
  if (options.runs.size() == 1 && !options.output.empty())
    throw UsageError("--output given with one run, whose report is in its folder; expected several runs to compare");
  if (options.runs.size() > 1 && options.json)
    throw UsageError(fmt::format("--json prints the analysis of one run, {} given", options.runs.size()));
}

void add_report(CLI::App& app, ReportOptions& options) {
  CLI::App* const verb = app.add_subcommand(
      "report", "Make analysis, tables, plots and page again from a run's journal; of several runs, one page");
  verb->add_option("RUN", options.runs, "A run's folder, or latest")->required()->type_name("...");
  verb->add_option("--output", options.output,
                   "Where the page of several runs goes; default: comparison.html in the first run's folder")
      ->type_name("FILE.html");
  verb->add_flag("--json", options.json, "Print the analysis of the one run as JSON");
  verb->callback([&options] { check_together(options); });
  verb->footer(
      "Several runs, of several machines say, are shown case by case: each run's best model, against threads.\n"
      "Their folders are left as they are but for that page.");
}

void add_compare(CLI::App& app, CompareOptions& options) {
  CLI::App* const verb =
      app.add_subcommand("compare", "Say what got slower and what faster between two runs, as far as that is sure");
  verb->add_option(
          "RUN", options.words,
          "The old run and the new one, each a run's folder, its journal, or latest; or one run that was taken "
          "with bench --against. Then patterns of cases, if not all")
      ->required()
      ->type_name("");
  verb->add_option("--threshold", options.threshold_percent, "A change of less is none")
      ->capture_default_str()
      ->type_name("PERCENT");
  verb->add_flag("--force", options.force, "Also runs of different machines, builds, instruction sets or pinning");
  verb->add_flag("--all", options.all, "Also show each cell that is within noise");
  verb->add_flag("--json", options.json, "Print JSON");
  verb->add_flag("--markdown", options.markdown, "Print Markdown, for a pull request");
  verb->footer(
      "Status: 0 no regression, 1 a cell is surely slower or failed, 2 wrong use, 3 the runs can't be compared.");
}

void add_race(CLI::App& app, RaceOptions& options) {
  CLI::App* const verb = app.add_subcommand(
      "race", "Hold our models against the other libraries of a run, case by case: a table, and a summary");
  verb->add_option("RUN", options.runs, "A run's folder, or latest; of several, the cases of all")
      ->required()
      ->type_name("...");
  verb->add_option("--output", options.output, "Where race.md and race.csv go; default: the first run's folder")
      ->type_name("FOLDER");
  verb->footer(
      "Each on as many threads as it likes, up to each count that was measured.\n"
      "Status: 0 done, 1 a case is surely below 0.97 of the fastest other library, 2 wrong use, 3 could not.");
}

void add_timeout(CLI::App* verb, double& timeout_s) {
  verb->add_option("--timeout", timeout_s, "When a silent child counts as hung")
      ->type_name("SECONDS")
      ->capture_default_str();
}

void add_tune(CLI::App& app, TuneOptions& options) {
  CLI::App* const verb = app.add_subcommand(
      "tune", "Race models and thread counts, so that the library picks the fastest in every program of this user");
  verb->add_option("KERNEL", options.kernels, "Beginnings of names, such as matmul or gaussian_blur/u8; default: all")
      ->type_name("...");
  verb->add_option("--budget", options.budget_s, "What isn't tuned by then is picked by the estimate")
      ->type_name("SECONDS")
      ->capture_default_str();
  verb->add_flag("--calibrate", options.calibrate,
                 "Only measure fork-joins, memory and each kernel's speed, for the estimate; "
                 "each kernel's speed only the first time");
  verb->add_flag("--again", options.again, "Also what was tuned before");
  add_timeout(verb, options.timeout_s);
  verb->footer(
      "What was found is in the wisdom file after each race: interrupting loses nothing, and running it again goes "
      "on.\n"
      "The file is SPEEDWELL_WISDOM, or in the user's cache folder; removing it forgets all.\n"
      "Status: 0 done, 2 wrong use, 3 could not, 128 + N ended by signal N.");
}

void add_plan(CLI::App& app, PlanOptions& options) {
  CLI::App* const verb = app.add_subcommand("plan", "Say what the library would pick for a call, and why");
  verb->add_option("KERNEL", options.kernel, "Such as matmul, matmul/f64 or gaussian_blur/u8c3")->required();
  verb->add_option("SIZE", options.size, "As the kernel's cases write it: 64x64x64, 1920x1080, 100000")->required();
  verb->add_flag("--explain", options.explain, "Also where the numbers come from");
  verb->add_flag("--json", options.json, "Print JSON");
  verb->footer("Nothing is measured.");
}

void add_regret(CLI::App& app, RegretOptions& options) {
  CLI::App* const verb = app.add_subcommand(
      "regret", "Measure how much slower the library's picks are than the best, on sizes that it wasn't tuned on");
  verb->add_option("KERNEL", options.kernels, "Beginnings of names; default: all")->type_name("...");
  verb->add_option("--sizes", options.sizes, "Drawn at random for each kernel, 1 to 100")
      ->type_name("N")
      ->capture_default_str();
  verb->add_option("--rounds", options.rounds, "Samples of each setting, 4 to 1000")
      ->type_name("N")
      ->capture_default_str();
  verb->add_option("--seed", options.seed, "Of sizes and orders; default: a new one each time, printed")
      ->type_name("N");
  verb->add_flag("--estimate", options.estimate, "Of the estimate alone, as if nothing were tuned");
  verb->add_flag("--json", options.json, "Print JSON, with every sample");
  add_timeout(verb, options.timeout_s);
}

// The filters in the order in which they were given.
std::vector<FilterOptions::Word> chain_of(const CLI::App& verb, const std::vector<FilterWord>& filters) {
  std::vector<FilterOptions::Word> chain;
  std::map<const CLI::Option*, std::size_t> taken;
  for (const CLI::Option* const option : verb.parse_order()) {
    for (const FilterWord& filter : filters) {
      if (!option->check_name(filter.option)) continue;
      const std::string given = option->results()[taken[option]++];
      chain.push_back({filter.option, filter.argument.empty() ? std::string() : given});
    }
  }
  return chain;
}

void add_filter(CLI::App& app, const std::vector<FilterWord>& filters, FilterOptions& options) {
  CLI::App* const verb = app.add_subcommand("filter", "Run image filters on a PNG or JPEG file, one after the other");
  verb->add_option("IN", options.in, "A PNG or JPEG image; its first bytes say which")->required();
  verb->add_option("OUT", options.out,
                   "Where the result goes, whole or not at all; may be IN. PNG or JPEG by its name, else as IN")
      ->required();
  const auto ignore = [](const CLI::results_t&) { return true; };
  for (const FilterWord& filter : filters) {
    CLI::Option* const option = filter.argument.empty() ? verb->add_flag(filter.option)
                                                        : verb->add_option(filter.option, CLI::callback_t(ignore));
    option->description(filter.help)->group("Filters, in the order in which they are given, each as often as wanted");
    if (filter.argument.empty()) continue;
    option->type_name(filter.argument)->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  verb->add_option("--border", options.border,
                   "Beyond the edge: constant, replicate, reflect, reflect_101 or wrap; default: each filter's own")
      ->type_name("NAME");
  verb->add_option("--border-value", options.border_value, "What a constant border is; default: each filter's own")
      ->type_name("VALUE");
  verb->add_option("--backend", options.backend, "automatic, sequential, threads, openmp or tbb")
      ->capture_default_str()
      ->type_name("NAME");
  verb->add_option("--threads", options.threads, "1 to 1024; 0: as many as the machine is good for")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--quality", options.quality, "Of a JPEG image, 1 to 100")->capture_default_str()->type_name("N");
  verb->add_flag("--time", options.time, "Say how long reading, each filter and writing took");
  verb->add_flag("--verbose", options.verbose, "Say what was read, and on which backend and threads each filter ran");
  verb->callback([verb, filters, &options] { options.chain = chain_of(*verb, filters); });
  verb->footer(
      "Images are filtered in the 8 or 16 bits that they have. Colours are filtered as they are stored: blurs know no\n"
      "gamma. Alpha is kept: what moves colours about does the same with alpha, by itself, and what changes "
      "brightness\n"
      "(--sobel, --convolve, --gray, --equalize) leaves it. Colour profiles and comments aren't taken over.\n"
      "\n"
      "  speedwell filter photo.jpg soft.jpg --gaussian 2\n"
      "  speedwell filter photo.jpg edges.png --median 3 --gaussian 1.5 --sobel x\n"
      "  speedwell filter scan-16-bit.png edges.png --gaussian 4 --depth 8 --sobel y --time\n"
      "  speedwell filter photo.jpg small.png --resize 640x480,area --convolve 0,-1,0/-1,5,-1/0,-1,0\n"
      "\n"
      "Status: 0 done, 2 wrong use, 3 could not; what was in OUT is untouched unless it is 0.");
}

void add_ladder(CLI::App& app, LadderOptions& options) {
  CLI::App* const verb =
      app.add_subcommand("ladder", "Climb one matrix product from a naive loop to all cores, each rung timed");
  verb->add_option("--size", options.size, "Of the square matrices, 16 to 4096")->capture_default_str()->type_name("N");
  verb->add_option("--rounds", options.rounds, "Samples of each rung; slow rungs stop at three and three seconds")
      ->capture_default_str()
      ->type_name("N");
  verb->add_flag("--no-python", options.no_python, "Begin with the first compiled rung");
  verb->add_option("--output", options.output, "Where table and plot go; default: results/ladder-<UTC time>")
      ->type_name("FOLDER");
  verb->add_flag("--json", options.json, "Print JSON");
  verb->footer(
      "Ctrl-C lets the running sample end and shows the complete rounds.\n"
      "Status: 0 done, 1 a rung gave a wrong result, 2 wrong use, 3 could not, 128 + N ended by signal N.");
}

void add_models(CLI::App& app, ModelsOptions& options) {
  CLI::App* const verb = app.add_subcommand(
      "models", "Concurrency against parallelism: the same tasks by each technique, timed, verified and drawn");
  verb->add_option("--tasks", options.tasks, "By each technique, 2 to 256")->capture_default_str()->type_name("N");
  verb->add_option("--nature", options.natures,
                   "Only these tasks: requests, timers, files, matmul, filter, triad, mixed; default: all")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAMES");
  verb->add_option("--technique", options.techniques,
                   "Only these and what they are held against: sequential, coroutines, threads, global_lock, "
                   "processes, openmp, tbb, python_asyncio, ...; default: all")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAMES");
  verb->add_option("--delay", options.delay_ms, "Of requests and timers")->capture_default_str()->type_name("MS");
  verb->add_option("--budget", options.budget_s, "Rounds are repeated as long as it allows")
      ->capture_default_str()
      ->type_name("SECONDS");
  verb->add_option("--timeout", options.timeout_s, "When a process counts as hung")
      ->capture_default_str()
      ->type_name("SECONDS");
  verb->add_option("--port", options.port, "Of the server on the loopback; 0: one that is free")
      ->capture_default_str()
      ->type_name("N");
  verb->add_flag("--no-python", options.no_python, "Without Python's techniques");
  verb->add_option("--output", options.output,
                   "Where table, plots and page go; a run's folder gets them too; default: results/models-<UTC time>")
      ->type_name("FOLDER");
  verb->add_flag("--json", options.json, "Print JSON");
  verb->footer(
      "Each technique runs free to use all cores and on one core alone, in processes of its own.\n"
      "Ctrl-C shows what was measured so far.\n"
      "Status: 0 done, 1 a measurement failed or gave a wrong result, 2 wrong use, 3 could not, 128 + N ended by "
      "signal N.");
}

Command::Command(const Program& program) : app(program.description) {
  const BuildInfo& build = build_info();
  app.name(program.name);
  app.set_version_flag("--version",
                       fmt::format("speedwell {} ({}{}, {})", speedwell::version(), build.commit.substr(0, 12),
                                   build.dirty ? " modified" : "", build.compiler));
  app.require_subcommand(1);
  add_machine(app, machine);
  add_bench(app, program.offer_image != nullptr, bench);
  add_report(app, report);
  add_compare(app, compare);
  add_race(app, race);
  add_tune(app, tune);
  add_plan(app, plan);
  add_regret(app, regret);
  if (program.filter != nullptr) add_filter(app, program.filters, filter);
  if (program.ladder != nullptr) add_ladder(app, ladder);
  if (program.models != nullptr) add_models(app, models);
  bench.no_peers = brings_own_cases();
}

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* const verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(verb->get_name());
  }
  return names;
}

// CLI11 says only that a word was not expected. Most often it is a slip.
std::string about_unexpected(const CLI::App& app, const std::vector<std::string>& words) {
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) {
    const std::vector<std::string> known = verbs_of(app);
    return fmt::format("unknown verb '{}', expected one of {}{}", words.front(), fmt::join(known, ", "),
                       did_you_mean(words.front(), known));
  }
  const CLI::App* const verb = chosen.front();
  std::vector<std::string> known;
  for (const CLI::Option* const option : verb->get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  const std::string guess = did_you_mean(words.front().substr(0, words.front().find('=')), known);
  return fmt::format("{}: unknown argument '{}'{} `{} {} --help` shows what is expected", verb->get_name(),
                     words.front(), guess.empty() ? "." : guess, app.get_name(), verb->get_name());
}

// The words of the command line. Who brings cases wants them measured, and needn't say so.
std::vector<std::string> words_of(const Command& command, int argc, char** argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (!brings_own_cases()) return words;
  std::vector<std::string> first_words = verbs_of(command.app);
  for (const char* const of_the_program : {"-h", "--help", "--version"}) first_words.push_back(of_the_program);
  const bool has_verb = !words.empty() && std::ranges::find(first_words, words.front()) != first_words.end();
  if (!has_verb) words.insert(words.begin(), "bench");
  return words;
}

// A status, or -1 if there is a verb to run.
int parse(Command& command, const Program& program, int argc, char** argv) {
  try {
    std::vector<std::string> words = words_of(command, argc, argv);
    // CLI11 takes them from the back.
    std::reverse(words.begin(), words.end());
    command.app.parse(std::move(words));
    return -1;
  } catch (const CLI::Success& help) {
    return command.app.exit(help);
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> unexpected = command.app.remaining(true);
    if (!unexpected.empty()) return complain(program, exit_wrong_use, about_unexpected(command.app, unexpected));
    if (argc < 2) {
      return complain(
          program, exit_wrong_use,
          fmt::format("no verb given, expected one of {}; --help says more", fmt::join(verbs_of(command.app), ", ")));
    }
    return complain(program, exit_wrong_use, error.what());
  }
}

int run_verb(const Command& command, const Program& program) {
  if (command.app.got_subcommand("machine")) return run_machine(command.machine);
  if (command.app.got_subcommand("bench")) return run_bench(command.bench, program.offer_image);
  if (command.app.got_subcommand("report")) return run_report(command.report);
  if (command.app.got_subcommand("compare")) return run_compare(command.compare);
  if (command.app.got_subcommand("race")) return run_race(command.race);
  if (command.app.got_subcommand("tune")) return run_tune(command.tune);
  if (command.app.got_subcommand("plan")) return run_plan(command.plan);
  if (command.app.got_subcommand("regret")) return run_regret(command.regret);
  if (program.ladder != nullptr && command.app.got_subcommand("ladder")) return program.ladder(command.ladder);
  if (program.models != nullptr && command.app.got_subcommand("models")) return program.models(command.models);
  return program.filter(command.filter);
}

int guarded(int argc, char** argv, const Program& program) {
  try {
    Command command(program);
    const int status = parse(command, program, argc, argv);
    return status >= 0 ? status : run_verb(command, program);
  } catch (const UsageError& error) {
    return complain(program, exit_wrong_use, error.what());
  } catch (const InvalidArgument& error) {
    return complain(program, exit_wrong_use, error.what());
  } catch (const std::bad_alloc&) {
    return complain(program, exit_impossible, "not enough memory");
  } catch (const std::exception& error) {
    return complain(program, exit_impossible, error.what());
  }
}

}  // namespace

int complain(const Program& program, int status, std::string_view what) {
  fmt::print(stderr, "{}: {}\n", program.name, what);
  return status;
}

int run_command_line(int argc, char** argv, const Program& program) {
  // A reader that has seen enough (`| head`), or a child that died, is no reason to end without a word.
  std::signal(SIGPIPE, SIG_IGN);
  const int status = guarded(argc, argv, program);
  errno = 0;
  const bool printed = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (!printed && errno != EPIPE) {
    return complain(program, exit_impossible,
                    fmt::format("cannot write to standard output: {}", std::generic_category().message(errno)));
  }
  return status;
}

}  // namespace speedwell::bench
