// SPDX-License-Identifier: Apache-2.0
// Every cell as a Google Benchmark, with its usual flags; or, with --serve, the child of a sweep (child/protocol.hpp).
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include "bench/case.hpp"
#include "bench/child/own_engine.hpp"
#include "bench/child/protocol.hpp"

namespace speedwell::bench {
namespace {

// What Google Benchmark's flag says: from the command line, else from the environment as it does.
std::string flag(int argc, char** argv, const std::string& name, std::string value) {
  std::string variable = name;
  for (char& letter : variable) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  if (const char* from_environment = std::getenv(variable.c_str())) value = from_environment;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--" + name) value = "true";
    if (argument.starts_with("--" + name + "=")) value = argument.substr(name.size() + 3);
  }
  return value;
}

bool is_true(const std::string& value) { return value == "true" || value == "1" || value == "yes" || value == "on"; }

// Google Benchmark adds to a name how it was timed; a cell's name is what it is everywhere else.
template <class Reporter>
class PlainNames final : public Reporter {
 public:
  using Reporter::Reporter;

  bool ReportContext(const benchmark::BenchmarkReporter::Context& context) override {
    auto narrower = context;
    narrower.name_field_width -= std::string_view("/process_time/real_time").size();
    return Reporter::ReportContext(narrower);
  }

  void ReportRuns(const std::vector<benchmark::BenchmarkReporter::Run>& runs) override {
    auto plain = runs;
    for (auto& run : plain) run.run_name.time_type.clear();
    Reporter::ReportRuns(plain);
  }
};

// Google Benchmark wants to be rid of its CSV reporter, but its users aren't.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
using CsvReporter = PlainNames<benchmark::CSVReporter>;
#pragma GCC diagnostic pop

std::unique_ptr<benchmark::BenchmarkReporter> make_reporter(const std::string& format, bool color, bool tabular) {
  using Console = benchmark::ConsoleReporter;
  if (format == "json") return std::make_unique<PlainNames<benchmark::JSONReporter>>();
  if (format == "csv") return std::make_unique<CsvReporter>();
  return std::make_unique<PlainNames<Console>>(
      static_cast<Console::OutputOptions>((color ? Console::OO_Color : 0) | (tabular ? Console::OO_Tabular : 0)));
}

struct Cell {
  const Case* which;
  std::string backend;
  int threads;
  std::string name() const { return cell_name(*which, backend, threads); }
};

std::vector<Cell> all_cells() {
  std::vector<Cell> cells;
  const int cores = static_cast<int>(machine().core_cpus.size());
  for (const Case& which : cases()) {
    for (const std::string& backend : backend_names()) {
      if (!runs_on(which, backend)) continue;
      for (const int threads : thread_axis(backend == Sequential::name ? 1 : cores)) {
        // A ceiling at one thread is Sequential's, and weak scaling's is that of the case it grows from.
        const bool another = which.kernel == "ceiling" ? backend != Sequential::name : which.kernel == weak_kernel;
        if (another && threads == 1) continue;
        cells.push_back({&which, backend, threads});
      }
    }
  }
  return cells;
}

// Those that --benchmark_filter means, by their own names: Google Benchmark's carry a suffix.
std::vector<Cell> chosen_cells(const std::string& filter) {
  const bool inverted = filter.starts_with('-');
  const std::regex pattern(filter == "all" ? "." : filter.substr(inverted ? 1 : 0), std::regex::extended);
  std::vector<Cell> chosen;
  for (const Cell& cell : all_cells()) {
    if (std::regex_search(cell.name(), pattern) != inverted) chosen.push_back(cell);
  }
  return chosen;
}

// The cells that Google Benchmark calls, one after the other. Holds one workload at a time, and knows what was
// verified: it calls a cell several times, to find out how often to repeat it.
class Session {
 public:
  bool failed() const { return failed_; }

  void measure(benchmark::State& state, const Cell& cell) {
    try {
      const Backend backend = backend_from_name(cell.backend, cell.threads);
      if (const std::string wrong = prepare(cell, backend); !wrong.empty())
        return skip(state, "wrong result: " + wrong);
      int used = 0;
      for (auto unused : state) {
        if (workload_->needs_reset()) {
          state.PauseTiming();
          workload_->reset();
          state.ResumeTiming();
        }
        workload_->run(backend);
        used = std::max(used, workload_->threads_used());
      }
      if (used != cell.threads) {
        state.SetLabel(std::to_string(used) + " took part: " + std::string(last_run().reason));
      }
      using benchmark::Counter;
      const Case there = cell.which->at(cell.threads);
      if (there.flops > 0) state.counters["FLOP/s"] = Counter(there.flops, Counter::kIsIterationInvariantRate);
      if (there.bytes > 0) state.counters["bytes/s"] = Counter(there.bytes, Counter::kIsIterationInvariantRate);
    } catch (const std::exception& error) {
      skip(state, error.what());
    }
  }

 private:
  std::string prepare(const Cell& cell, const Backend& backend) {
    if (verified_ == cell.name()) return {};
    // One workload does for all thread counts, unless the work depends on them.
    const int threads = cell.which->on ? cell.threads : static_cast<int>(machine().core_cpus.size());
    if (which_ != cell.which || made_for_ != threads) {
      workload_.reset();
      workload_ = cell.which->make(threads);
      which_ = cell.which;
      made_for_ = threads;
    }
    workload_->spoil(0, 1);
    if (workload_->needs_reset()) workload_->reset();
    workload_->run(backend);
    std::string wrong = workload_->verify();
    if (wrong.empty()) verified_ = cell.name();
    return wrong;
  }

  void skip(benchmark::State& state, const std::string& why) {
    failed_ = true;
    state.SkipWithError(why.c_str());
  }

  const Case* which_ = nullptr;
  int made_for_ = 0;
  std::unique_ptr<Workload> workload_;
  std::string verified_;
  bool failed_ = false;
};

void add_context() {
  const Machine& here = machine();
  const auto add = [](const char* key, const std::string& value) { benchmark::AddCustomContext(key, value); };
  add("cpu", here.cpu);
  add("isa", std::string(name(here.isa)) + " (" + here.isa_source + ")");
  add("physical_cores_allowed", std::to_string(here.core_cpus.size()) + " (" + here.cpus_source + ")");
  add("default_threads", std::to_string(here.default_threads));
  add("quota", here.quota_source);
  add("speedwell_version", std::string(version()));
  add("compiler", SPEEDWELL_BENCH_COMPILER);
  add("build_flags", SPEEDWELL_BENCH_FLAGS);
}

int google_benchmark_main(int argc, char** argv) {
  const auto read = [&](const char* name, const char* value) { return flag(argc, argv, name, value); };
  const std::string filter = read("benchmark_filter", ".");
  const bool list = is_true(read("benchmark_list_tests", "false"));
  const std::string color = read("benchmark_color", "auto");
  const bool tabular = is_true(read("benchmark_counters_tabular", "false"));
  const auto display = make_reporter(read("benchmark_format", "console"),
                                     color == "auto" ? ::isatty(STDOUT_FILENO) != 0 : is_true(color), tabular);
  const bool to_file = !read("benchmark_out", "").empty();
  const auto file = to_file ? make_reporter(read("benchmark_out_format", "json"), false, tabular) : nullptr;

  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const std::vector<Cell> cells = chosen_cells(filter);
  if (cells.empty()) {
    std::fprintf(stderr, "%s: no cell matches --benchmark_filter=%s; --benchmark_list_tests lists them\n", argv[0],
                 filter.c_str());
    return 2;
  }
  if (list) {
    for (const Cell& cell : cells) std::puts(cell.name().c_str());
    return 0;
  }
  add_context();
  Session session;
  for (const Cell& cell : cells) {
    benchmark::RegisterBenchmark(cell.name().c_str(),
                                 [&session, cell](benchmark::State& state) { session.measure(state, cell); })
        ->UseRealTime()
        ->MeasureProcessCPUTime();
  }
  benchmark::RunSpecifiedBenchmarks(display.get(), file.get(), "all");
  benchmark::Shutdown();
  return session.failed() ? 1 : 0;
}

}  // namespace
}  // namespace speedwell::bench

int main(int argc, char** argv) {
  using namespace speedwell::bench;
  try {
    for (int i = 1; i < argc; ++i) {
      if (std::string_view(argv[i]) == "--serve") {
        return child_main(argc, argv, "sequential", own_environment, make_own_engine);
      }
    }
    return google_benchmark_main(argc, argv);
  } catch (const std::regex_error& error) {
    std::fprintf(stderr, "%s: --benchmark_filter isn't a regular expression: %s\n", argv[0], error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
  }
  return 2;
}
