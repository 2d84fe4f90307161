// SPDX-License-Identifier: Apache-2.0
#include "bench/ladder/ladder.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include <sched.h>

#include <speedwell/backend.hpp>
#include <speedwell/machine.hpp>

#include "bench/child/sampling.hpp"
#include "bench/driver/plan.hpp"
#include "bench/ladder/python_rung.hpp"
#include "bench/ladder/rungs.hpp"
#include "runtime/built.hpp"
#include "runtime/models.hpp"
#include "runtime/scaling/statistics.hpp"

namespace speedwell::bench::ladder {

namespace {

// Long enough that a disturbance of some microseconds is nothing.
constexpr double sample_ns = 30e6;
// What is cold takes milliseconds to warm, so a call that takes this long needs no other one before it.
constexpr double long_call_ns = 250e6;
constexpr double warm_up_ns = 500e3;
// A slow rung drops out after so many rounds and so much time: it is far below the others, and steady.
constexpr int fewest_rounds = 3;
constexpr double enough_ns = 3e9;

constexpr double python_seconds = 0.6;

constexpr const char* peak_case = "ceiling/fma_f32/registers";

// Keeps the calling thread, and the threads that it makes, on some CPUs.
class Bound {
 public:
  explicit Bound(int threads) {
    const std::vector<int>& cpus = machine().core_cpus;
    // Beyond 1024 logical CPUs nothing is bound.
    if (::sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < threads && i < static_cast<int>(cpus.size()); ++i)
      CPU_SET(cpus[static_cast<std::size_t>(i)], &set);
    bound_ = ::sched_setaffinity(0, sizeof set, &set) == 0;
  }
  ~Bound() {
    if (bound_) ::sched_setaffinity(0, sizeof before_, &before_);
  }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;

 private:
  cpu_set_t before_ = {};
  bool bound_ = false;
};

// A model as its makers write it.
std::string_view proper_name(std::string_view model) {
  if (model == OpenMp::name) return "OpenMP";
  if (model == Tbb::name) return "oneTBB";
  return model == Threads::name ? "std::thread" : model;
}

bool fuses(Isa isa) { return isa == Isa::avx2 || isa == Isa::avx512 || isa == Isa::neon; }

// A rung or a peak while it is measured.
struct Entry {
  std::string name;
  int threads = 1;
  Workload& workload;
  std::function<double(int calls)> time;
  double whole = 1;  // the product's time is this many times the sample's
  int calls = 1;
  std::uint64_t hash = 0;
  double spent_ns = 0;
  std::vector<double> ns = {};
  std::string wrong = {};
};

template <class Call>
double time_calls(int calls, Call call) {
  const std::int64_t begin = wall_ns();
  for (int i = 0; i < calls; ++i) call();
  return static_cast<double>(wall_ns() - begin) / calls;
}

// No thread of the last sample may run into the next one.
void park() {
  if constexpr (runtime::built<OpenMp>) runtime::release_openmp_threads();
  wait_until_idle();
}

void prepare(Entry& entry) {
  const Bound bound(entry.threads);
  entry.workload.spoil(0, 1);
  double ns = entry.time(1);
  entry.wrong = entry.workload.verify();
  if (!entry.wrong.empty()) return;
  entry.hash = entry.workload.output_hash();
  if (ns < long_call_ns) {
    // Short calls get faster as they repeat.
    for (int calls = 1; ns * calls < sample_ns / 4; calls *= 2) ns = entry.time(2 * calls);
    entry.calls = static_cast<int>(std::clamp(std::round(sample_ns / ns), 1.0, 1e6));
  }
  if (entry.threads > 1) park();
}

void take_sample(Entry& entry, std::size_t round) {
  const Bound bound(entry.threads);
  if (entry.ns.empty() || entry.ns.back() / entry.whole < long_call_ns) {
    const std::int64_t begin = wall_ns();
    do {
      entry.time(1);
    } while (static_cast<double>(wall_ns() - begin) < warm_up_ns);
  }
  // One element a page, so that the timed calls are seen to compute, and the caches stay as they are.
  constexpr std::size_t elements_a_page = 4096 / sizeof(float);
  entry.workload.spoil(round % elements_a_page, elements_a_page);
  double ns = 0;
  bool complete = false;
  for (int tries = 0; tries < 3 && !complete; ++tries) {
    ns = entry.time(entry.calls);
    // On a busy machine a call can be over before every thread had a share.
    complete = entry.threads == 1 || entry.workload.threads_used() == entry.threads;
  }
  if (entry.workload.output_hash() != entry.hash) entry.wrong = "its result is not the one that was verified";
  entry.spent_ns += ns * entry.calls;
  if (complete) entry.ns.push_back(ns * entry.whole);
  if (entry.threads > 1) park();
}

bool wants_more(const Entry& entry) {
  return entry.wrong.empty() && (static_cast<int>(entry.ns.size()) < fewest_rounds || entry.spent_ns < enough_ns);
}

Times times_of(const std::vector<double>& ns) {
  const scaling::Interval interval = scaling::median_interval(ns);
  return {ns, scaling::median(ns), interval.low, interval.high};
}

// Up and down in turn, so that a drift of the machine favours no rung. The number of complete rounds.
int measure(std::vector<Entry>& entries, int rounds, Progress& progress, Interrupts& interrupts) {
  const std::int64_t begin = wall_ns();
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      Entry& entry = entries[round % 2 == 0 ? i : entries.size() - 1 - i];
      if (!wants_more(entry)) continue;
      if (interrupts.signal() != 0) return round;
      progress.show(fmt::format("[{}/{}] {} {}", round + 1, rounds, entry.name,
                                clock_text(static_cast<double>(wall_ns() - begin) / 1e9)));
      take_sample(entry, static_cast<std::size_t>(round));
    }
  }
  return rounds;
}

Step step_of(const Rung& rung, const Entry& entry, std::ptrdiff_t n, const std::vector<Peak>& peaks) {
  const auto size = static_cast<double>(n);
  Step step = {rung.name, rung.change, rung.backend, rung.threads, rung.product->c().rows, times_of(entry.ns)};
  step.flops_per_s = 2 * size * size * size / step.times.median * 1e9;
  const auto peak = std::find_if(peaks.begin(), peaks.end(), [&](const Peak& p) { return p.threads == rung.threads; });
  if (peak != peaks.end()) step.percent_of_peak = 100 * step.flops_per_s / peak->flops_per_s;
  return step;
}

bool stands(const Entry& entry) { return entry.wrong.empty() && !entry.ns.empty(); }

Entry peak_entry(int threads, std::vector<std::unique_ptr<Workload>>& chains) {
  chains.push_back(find_case(peak_case)->make(threads));
  Workload& workload = *chains.back();
  const Backend backend = threads == 1 ? Backend(Sequential{}) : Backend(Threads{threads});
  return {.name = fmt::format("peak of {} core{}", threads, threads == 1 ? "" : "s"),
          .threads = threads,
          .workload = workload,
          .time = [&workload, backend](int calls) { return time_calls(calls, [&] { workload.run(backend); }); }};
}

// Of alternatives the fastest stands; then each step over the one below it.
void arrange(Ladder& ladder, std::vector<Step> measured) {
  for (Step& step : measured) {
    if (ladder.steps.empty() || ladder.steps.back().name != step.name) {
      ladder.steps.push_back(std::move(step));
      continue;
    }
    if (step.times.median < ladder.steps.back().times.median) std::swap(step, ladder.steps.back());
    ladder.slower.push_back(std::move(step));
  }
  for (std::size_t i = 0; i < ladder.steps.size(); ++i) {
    Step& step = ladder.steps[i];
    step.over_first = ladder.steps.front().times.median / step.times.median;
    if (i > 0) step.over_previous = ladder.steps[i - 1].times.median / step.times.median;
  }
}

}  // namespace

Rung compiled_rung(std::string name, std::string change, std::shared_ptr<Product> product, Multiply multiply) {
  Rung rung = {.name = std::move(name), .change = std::move(change), .backend = "", .threads = 1, .product = product};
  rung.time = [product, multiply = std::move(multiply)](int calls) {
    return time_calls(calls,
                      [&] { multiply(product->a().data, product->b().data, product->c().data, product->c().cols); });
  };
  return rung;
}

namespace {

Rung library_rung(std::string name, std::string change, std::shared_ptr<Product> product, std::string_view backend,
                  int threads) {
  Rung rung = {std::move(name), std::move(change), std::string(backend), threads, product};
  rung.time = [product, model = backend_from_name(backend, threads)](int calls) {
    return time_calls(calls, [&] { product->run(model); });
  };
  return rung;
}

// Throws PythonError.
Rung python_rung(const Product& whole) {
  const std::ptrdiff_t n = whole.b().cols;
  const auto python = std::make_shared<const Python>(whole.a().data, whole.b().data, n);
  const PythonRun first = [&] {
    const Bound bound(1);
    return python->run(0, python_seconds);
  }();
  const std::shared_ptr<Product> product = make_matmul_f32(first.rows, n, n, 1);
  Rung rung = {.name = "Python",
               .change = fmt::format("the three loops on lists, in {}", first.version),
               .backend = "",
               .threads = 1,
               .product = product};
  rung.time = [python, product, rows = first.rows](int) {
    const PythonRun run = python->run(rows, 0);
    std::copy(run.c.begin(), run.c.end(), product->c().data);
    return run.seconds * 1e9;
  };
  return rung;
}

}  // namespace

std::vector<Rung> make_rungs(std::ptrdiff_t n, bool python, Progress& progress) {
  const Machine& here = machine();
  const int threads = most_useful_threads(here);
  const std::shared_ptr<Product> product = make_matmul_f32(n, n, n, 1);
  std::vector<Rung> rungs;
  if (python) {
    progress.show("trying python3");
    try {
      rungs.push_back(python_rung(*product));
    } catch (const PythonError& error) {
      progress.warn(fmt::format("without Python's rung: {}", error.what()));
    }
  }
  rungs.push_back(compiled_rung("naive", "the same loops, compiled", product, naive));
  rungs.push_back(compiled_rung("reordered", "inner loop along the rows, not down a column", product, reordered));
  rungs.push_back(compiled_rung(
      "vectorised",
      fmt::format("explicit vectors ({}){}", name(here.isa), fuses(here.isa) ? ", fused multiply-add" : ""), product,
      vectorised));
  rungs.push_back(compiled_rung("tiled", "a tile of B stays in cache, C is touched less", product, tiled));
  rungs.push_back(library_rung("packed", "the library: register tiles, packed operands", product, Sequential::name, 1));
  if (threads == 1) {
    progress.say("one core only: the ladder ends there");
    return rungs;
  }
  for (const std::string& model : backend_names()) {
    if (model == Sequential::name) continue;
    rungs.push_back(library_rung("all cores",
                                 fmt::format("the library on {} cores, by {}", threads, proper_name(model)), product,
                                 model, threads));
  }
  return rungs;
}

Ladder climb(std::ptrdiff_t n, int rounds, const std::vector<Rung>& rungs, Progress& progress, Interrupts& interrupts) {
  std::vector<std::unique_ptr<Workload>> chains;
  std::vector<Entry> entries;
  for (const Rung& rung : rungs) {
    const auto same = [&](const Entry& entry) { return entry.threads == rung.threads; };
    if (std::none_of(entries.begin(), entries.end(), same)) entries.push_back(peak_entry(rung.threads, chains));
  }
  const auto peaks = static_cast<std::ptrdiff_t>(entries.size());
  for (const Rung& rung : rungs) {
    entries.push_back({.name = rung.backend.empty() ? rung.name : fmt::format("{} ({})", rung.name, rung.backend),
                       .threads = rung.threads,
                       .workload = *rung.product,
                       .time = rung.time,
                       .whole = static_cast<double>(n) / static_cast<double>(rung.product->c().rows)});
  }
  Ladder ladder;
  ladder.n = n;
  for (Entry& entry : entries) {
    if ((ladder.signal = interrupts.signal()) != 0) return ladder;
    progress.show(fmt::format("verifying {}", entry.name));
    prepare(entry);
  }
  ladder.rounds = measure(entries, rounds, progress, interrupts);
  ladder.signal = interrupts.signal();
  for (const Entry& entry : entries) {
    if (!entry.wrong.empty()) ladder.refused.push_back({entry.name, entry.wrong});
  }
  if (ladder.rounds == 0) return ladder;

  const double peak_flops = find_case(peak_case)->flops;
  for (auto entry = entries.begin(); entry != entries.begin() + peaks; ++entry) {
    if (stands(*entry)) ladder.peaks.push_back({entry->threads, peak_flops / scaling::median(entry->ns) * 1e9});
  }
  std::vector<Step> measured;
  for (std::size_t i = 0; i < rungs.size(); ++i) {
    const Entry& entry = entries[static_cast<std::size_t>(peaks) + i];
    if (stands(entry)) {
      measured.push_back(step_of(rungs[i], entry, n, ladder.peaks));
    } else if (entry.wrong.empty()) {
      progress.warn(fmt::format("{} is left out: never did all its {} threads take part", entry.name, entry.threads));
    }
  }
  arrange(ladder, std::move(measured));
  return ladder;
}

}  // namespace speedwell::bench::ladder
