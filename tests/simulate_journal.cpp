// SPDX-License-Identifier: Apache-2.0
// Every number is made of sums, products and quotients of doubles and is rounded to whole nanoseconds, so that every
// platform writes the same bytes; nothing here calls the mathematical library.
#include "tests/simulate_journal.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/journal.hpp"
#include "runtime/scaling/statistics.hpp"

namespace speedwell::bench {

namespace {

using nlohmann::ordered_json;
using scaling::Random;

constexpr int rounds = 9;
const std::vector<int> all_counts{1, 2, 3, 4, 6, 8, 12, 16};

// FLOP/s of one core, and bytes/s by thread count: four cores use up the memory's bandwidth.
constexpr double peak_f32 = 100e9;
constexpr double peak_f64 = 50e9;
double triad(int p) { return p == 1 ? 14e9 : p == 2 ? 27e9 : p == 3 ? 39e9 : 45e9; }

struct Cell {
  std::string name, case_name, backend;
  int threads = 1;
  double ns = 0;     // the truth
  double noise = 0;  // relative standard deviation of a sample
  double flops = 0, bytes = 0;
  std::string version{}, twin_of{}, failure{};
  int calls = 1;
};

// Time on p threads over the sequential time.
using Curve = std::function<double(int)>;

Curve amdahl(double serial, double one_thread = 1) {
  return [=](int p) { return one_thread * (serial + (1 - serial) / p); };
}

Curve usl(double sigma, double kappa) {
  return [=](int p) { return (1 + sigma * (p - 1) + kappa * p * (p - 1)) / p; };
}

class Suite {
 public:
  struct Case {
    std::string name;
    double sequential_ns;
    double flops;
    double bytes;
    double noise = 0.01;
    int calls = 1;
  };

  void add_case(Case added) {
    case_ = std::move(added);
    add("sequential", 1, case_.sequential_ns);
  }
  void add_curve(const std::string& backend, const std::vector<int>& counts, const Curve& relative_time) {
    for (const int p : counts) add(backend, p, case_.sequential_ns * relative_time(p));
  }
  void add_peer(const std::string& name, const std::string& version, int threads, double ns) {
    add(name, threads, ns);
    cells.back().version = version;
  }
  void fail(const std::string& backend, int threads, const std::string& reason) {
    add(backend, threads, case_.sequential_ns);
    cells.back().failure = reason;
  }
  void add_twin(const std::string& of) {
    Cell twin = *std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) { return cell.name == of; });
    twin.twin_of = of;
    twin.name += "/twin";
    cells.push_back(twin);
  }

  std::vector<Cell> cells;

 private:
  void add(const std::string& backend, int threads, double ns) {
    cells.push_back({.name = case_.name + "/" + backend + "/" + std::to_string(threads),
                     .case_name = case_.name,
                     .backend = backend,
                     .threads = threads,
                     .ns = ns,
                     .noise = case_.noise,
                     .flops = case_.flops,
                     .bytes = case_.bytes,
                     .calls = case_.calls});
  }

  Case case_{};
};

double cube(double n) { return n * n * n; }

std::vector<Cell> simulated_cells() {
  Suite suite;
  const auto add_ceiling = [&](const std::string& name, double flops, double bytes,
                               const std::function<double(int)>& rate) {
    const double work = flops + bytes;
    suite.add_case(
        {.name = name, .sequential_ns = work / rate(1) * 1e9, .flops = flops, .bytes = bytes, .noise = 0.003});
    for (const int p : all_counts) {
      if (p > 1) suite.add_curve("threads", {p}, [&](int n) { return rate(1) / rate(n); });
    }
  };
  add_ceiling("ceiling/fma_f32/registers", 2e9, 0, [](int p) { return peak_f32 * p; });
  add_ceiling("ceiling/fma_f64/registers", 1e9, 0, [](int p) { return peak_f64 * p; });
  add_ceiling("ceiling/triad/memory", 0, 800e6, triad);

  // Perfect scaling, and an exact tie of three, at 93 % of the peak; the peers are slower.
  suite.add_case({.name = "matmul/f32/2048x2048x2048",
                  .sequential_ns = 2 * cube(2048) / (0.93 * peak_f32) * 1e9,
                  .flops = 2 * cube(2048),
                  .bytes = 3.0 * 4 * 2048 * 2048});
  const double perfect_ns = suite.cells.back().ns;
  for (const char* backend : {"threads", "openmp", "tbb"}) suite.add_curve(backend, all_counts, amdahl(0));
  suite.add_peer("openblas", "0.3.21", 1, perfect_ns / 0.95);
  suite.add_peer("openblas", "0.3.21", 16, perfect_ns / 16 / 0.95);
  suite.add_peer("eigen", "3.4.0", 1, perfect_ns / 0.8);
  suite.add_peer("eigen", "3.4.0", 16, perfect_ns / 16 / 0.8);

  // Amdahl's law with known serial fractions and a clear winner; one thread costs 2 %; a peer is 1.07 times faster.
  suite.add_case({.name = "matmul/f64/1024x1024x1024",
                  .sequential_ns = 2 * cube(1024) / (0.90 * peak_f64) * 1e9,
                  .flops = 2 * cube(1024),
                  .bytes = 3.0 * 8 * 1024 * 1024});
  const double serial_ns = suite.cells.back().ns;
  suite.add_curve("threads", all_counts, amdahl(0.12, 1.02));
  suite.add_curve("openmp", all_counts, amdahl(0.05, 1.02));
  suite.add_curve("tbb", all_counts, amdahl(0.08, 1.02));
  suite.add_peer("openblas", "0.3.21", 1, serial_ns * 0.98);
  suite.add_peer("openblas", "0.3.21", 16, serial_ns * amdahl(0.05, 1.02)(16) / 1.07);

  // USL with its peak at 7 threads.
  suite.add_case({.name = "matmul/f32/512x512x512",
                  .sequential_ns = 2 * cube(512) / (0.88 * peak_f32) * 1e9,
                  .flops = 2 * cube(512),
                  .bytes = 3.0 * 4 * 512 * 512});
  suite.add_curve("openmp", all_counts, usl(0.02, 0.02));
  suite.add_curve("tbb", all_counts, usl(0.05, 0.03));

  // Memory-bound from four threads on, at 92 % of the triad's bandwidth; TBB is 8 % behind.
  const double big_image = 2.0 * 7680 * 4320;
  const auto streamed = [&](int p) { return std::min(12.5e9 * p, 0.92 * triad(p)); };
  suite.add_case({.name = "gaussian_blur/u8c1/7680x4320",
                  .sequential_ns = big_image / streamed(1) * 1e9,
                  .flops = 0,
                  .bytes = big_image});
  for (const char* backend : {"threads", "openmp"}) {
    suite.add_curve(backend, all_counts, [&](int p) { return streamed(1) / streamed(p); });
  }
  suite.add_curve("tbb", all_counts, [&](int p) { return 1.08 * streamed(1) / streamed(p); });

  // Too small: a fork-join costs more than the whole call.
  suite.add_case(
      {.name = "sobel/u8c1/320x240", .sequential_ns = 6000, .flops = 0, .bytes = 2.0 * 320 * 240, .calls = 500});
  const auto fork_join = [](double start_ns, double each_ns) -> Curve {
    return [=](int p) { return p == 1 ? 1.02 : 1.0 / p + (start_ns + each_ns * p) / 6000; };
  };
  suite.add_curve("threads", all_counts, fork_join(5000, 900));
  suite.add_curve("openmp", all_counts, fork_join(3500, 600));
  suite.add_curve("tbb", all_counts, fork_join(4500, 700));

  // Two models tie exactly, the third is behind.
  suite.add_case({.name = "median_blur/f32c1/3840x2160",
                  .sequential_ns = 40e6,
                  .flops = 30.0 * 3840 * 2160,
                  .bytes = 2.0 * 4 * 3840 * 2160});
  suite.add_curve("threads", all_counts, amdahl(0.06));
  suite.add_curve("openmp", all_counts, amdahl(0.03));
  suite.add_curve("tbb", all_counts, amdahl(0.03));

  // Superlinear: from four threads on the data fit in the cores' own caches.
  suite.add_case({.name = "gaussian_blur/f32c3/1280x720",
                  .sequential_ns = 9e6,
                  .flops = 52.0 * 3 * 1280 * 720,
                  .bytes = 2.0 * 4 * 3 * 1280 * 720});
  const auto cached = [](int p) { return 1.0 / p / (p == 1 ? 1 : p == 2 ? 1.06 : p == 3 ? 1.12 : 1.16); };
  suite.add_curve("threads", all_counts, [&](int p) { return 1.06 * cached(p); });
  suite.add_curve("openmp", all_counts, cached);

  // So noisy that two equal models can't be told apart.
  suite.add_case({.name = "sobel/f32c1/1920x1080",
                  .sequential_ns = 4e6,
                  .flops = 20.0 * 1920 * 1080,
                  .bytes = 2.0 * 4 * 1920 * 1080,
                  .noise = 0.20});
  suite.add_curve("openmp", all_counts, amdahl(0.04));
  suite.add_curve("tbb", all_counts, amdahl(0.04));

  // Failed cells: one of TBB's, all that was asked of `threads`.
  suite.add_case(
      {.name = "median_blur/u8c3/1920x1080", .sequential_ns = 15e6, .flops = 0, .bytes = 2.0 * 3 * 1920 * 1080});
  suite.fail("threads", 1, "the child crashed: signal 11");
  suite.fail("threads", 2, "the child crashed: signal 11");
  suite.add_curve("openmp", all_counts, amdahl(0.02));
  suite.add_curve("tbb", {1, 2, 3, 4, 6, 12, 16}, amdahl(0.05));
  suite.fail("tbb", 8, "wrong result");

  // Few thread counts: two, one, three.
  suite.add_case({.name = "matmul/f64/256x256x256",
                  .sequential_ns = 2 * cube(256) / (0.85 * peak_f64) * 1e9,
                  .flops = 2 * cube(256),
                  .bytes = 3.0 * 8 * 256 * 256,
                  .calls = 5});
  suite.add_curve("openmp", {1, 2}, [](int p) { return p == 1 ? 1.0 : 1 / 1.6; });
  suite.add_curve("tbb", {1, 2}, [](int p) { return p == 1 ? 1.0 : 1 / 1.5; });
  suite.add_case({.name = "gaussian_blur/f32c1/640x480",
                  .sequential_ns = 1.2e6,
                  .flops = 52.0 * 640 * 480,
                  .bytes = 8.0 * 640 * 480});
  suite.add_curve("openmp", {1}, amdahl(0, 1.03));
  suite.add_case({.name = "sobel/u8c3/1920x1080", .sequential_ns = 8e6, .flops = 0, .bytes = 2.0 * 3 * 1920 * 1080});
  suite.add_curve("openmp", {1, 2, 4}, amdahl(0.10));

  suite.add_twin("median_blur/f32c1/3840x2160/sequential/1");
  return suite.cells;
}

// Nearly normal, mean 0 and deviation 1: the sum of twelve uniform numbers (Irwin and Hall).
double normal(Random& random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(random.next() >> 11) / 9007199254740992.0;
  return sum;
}

// Timings are skewed: one sample in twenty is disturbed and takes up to eight deviations longer.
double noise(Random& random) {
  const double usual = normal(random);
  return random.below(20) == 0 ? std::abs(usual) + 4.0 * random.below(3) : usual;
}

ordered_json header(const std::vector<Cell>& cells) {
  ordered_json cpus = ordered_json::array();
  for (int cpu = 0; cpu < 16; ++cpu) cpus.push_back(cpu);
  ordered_json described = ordered_json::array();
  for (const Cell& cell : cells) {
    ordered_json each{{"cell", cell.name},       {"case", cell.case_name}, {"backend", cell.backend},
                      {"threads", cell.threads}, {"flops", cell.flops},    {"bytes", cell.bytes}};
    if (!cell.version.empty()) each.update({{"peer", true}, {"version", cell.version}});
    if (!cell.twin_of.empty()) each["twin_of"] = cell.twin_of;
    described.push_back(std::move(each));
  }
  const auto cache = [](int level, int bytes, int sharing) {
    return ordered_json{{"level", level}, {"bytes", bytes}, {"sharing_cores", sharing}};
  };
  return {{"kind", "header"},
          {"schema", 1},
          {"run", "simulated"},
          {"started", "2024-01-01T00:00:00Z"},
          {"label", "simulated"},
          {"machine",
           {{"cpu", "Simulated 16-core processor"},
            {"physical_cores", 16},
            {"allowed_cpus", cpus},
            {"core_cpus", cpus},
            {"default_threads", 16},
            {"quota_cpus", 0},
            {"quota_source", "no quota"},
            {"cpus_source", "simulated"},
            {"caches", {cache(1, 32 << 10, 1), cache(2, 2 << 20, 1), cache(3, 32 << 20, 16)}},
            {"numa_nodes", 1},
            {"isa", "avx2"},
            {"kernel_release", ""},
            {"virtualization", ""},
            {"governor", ""}}},
          {"build",
           {{"version", "0.1.0"},
            {"commit", ""},
            {"dirty", false},
            {"compiler", ""},
            {"flags", ""},
            {"libraries", ordered_json::object()}}},
          {"config",
           {{"seed", 1},
            {"rounds", rounds},
            {"budget_s", 0},
            {"threads", all_counts},
            {"wait_policy", "passive"},
            {"pinned", true}}},
          {"cells", std::move(described)}};
}

}  // namespace

std::string simulated_journal() {
  const std::vector<Cell> cells = simulated_cells();
  std::string text = journal_line(header(cells));
  std::vector<const Cell*> running;
  for (const Cell& cell : cells) {
    if (!cell.failure.empty()) {
      text += journal_line({{"kind", "failed"}, {"cell", cell.name}, {"reason", cell.failure}});
      continue;
    }
    running.push_back(&cell);
    text += journal_line({{"kind", "ready"},
                          {"cell", cell.name},
                          {"calls", cell.calls},
                          {"verified", true},
                          {"threads_used", cell.threads}});
  }

  Random random(1);
  for (int round = 1; round <= rounds; ++round) {
    // The whole machine drifts from round to round: what is paired by round doesn't see it.
    const double drift = 1 + 0.02 * normal(random);
    for (std::size_t i = running.size(); i > 1; --i) {
      std::swap(running[i - 1], running[static_cast<std::size_t>(random.below(static_cast<int>(i)))]);
    }
    for (const Cell* cell : running) {
      const double ns = cell->ns * drift * std::max(0.5, 1 + cell->noise * noise(random));
      if (random.below(400) == 0) {
        text += journal_line(
            {{"kind", "rejected"}, {"round", round}, {"cell", cell->name}, {"reason", "the machine was disturbed"}});
      }
      text += journal_line({{"kind", "sample"},
                            {"round", round},
                            {"cell", cell->name},
                            {"ns", std::llround(ns)},
                            {"calls", cell->calls},
                            {"cpu_ns", std::llround(ns * cell->threads)},
                            {"threads_used", cell->threads},
                            {"spin_ns", std::llround(100000 * drift)},
                            {"steal_ticks", 0},
                            {"involuntary_switches", 0}});
    }
  }
  return text + journal_line({{"kind", "finished"}, {"at", "2024-01-01T00:10:00Z"}, {"rounds", rounds}});
}

}  // namespace speedwell::bench
