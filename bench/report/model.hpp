// SPDX-License-Identifier: Apache-2.0
// analysis.json as plain values, read and checked once; a number that isn't known is NaN.
#pragma once

#include <cmath>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace speedwell::bench::report {

inline constexpr double unknown = NAN;
inline bool known(double value) { return std::isfinite(value); }

struct Interval {
  double low = unknown, high = unknown;
};

inline bool known(Interval interval) { return known(interval.low) && known(interval.high); }

struct Point {
  int threads = 1;
  int samples = 0;
  double median_ns = unknown;
  Interval ns;
  double speedup = unknown;  // against the best sequential version
  Interval speedup_ci;
  double self_speedup = unknown;  // against the same backend's one thread
  double efficiency = unknown, karp_flatt = unknown;
  double flops_per_s = unknown, bytes_per_s = unknown, percent_of_roof = unknown;
  double roof_ns = unknown;  // the least time that the measured ceilings allow
  std::string bound;
  int tainted = 0;  // samples kept although the machine was disturbed
  std::vector<std::string> warnings;
  std::vector<std::pair<int, double>> rounds;  // round, ns
};

struct Prediction {
  int threads = 1;
  double speedup = unknown;
  Interval band;
};

struct Law {
  std::string law = "none", reason;
  double sigma = unknown, kappa = unknown, serial_fraction = unknown, peak_threads = unknown;
  Interval sigma_ci, kappa_ci, serial_fraction_ci, peak_threads_ci;
  std::vector<Prediction> predicted;
};

struct Curve {
  std::string backend;
  std::vector<Point> points;  // by rising thread count
  Law law;
};

// The work grows with the threads, so that each has as much to do as one thread had alone.
struct WeakPoint {
  int threads = 1;
  int samples = 0;
  std::string size;
  double median_ns = unknown;
  Interval ns;
  double scaled_speedup = unknown;  // rate of work over that of the sequential version at the base size
  Interval scaled_speedup_ci;
  double efficiency = unknown;                 // that per thread
  std::vector<std::pair<int, double>> rounds;  // round, ns
};

struct WeakCurve {
  std::string backend, rule;      // how the size grows: "n = 512 · ∛p"
  std::vector<WeakPoint> points;  // by rising thread count
};

struct Peer {
  std::string name, version;
  int threads = 1;
  double median_ns = unknown;
  Interval ns;
  double ratio = unknown;
  std::vector<std::pair<int, double>> rounds;  // round, ns
};

struct Choice {
  std::string backend;
  int threads = 1;
};

struct Case {
  std::string name, kernel, variant, size, precision, verdict;
  double flops = 0, bytes = 0, intensity = unknown;
  Point sequential;           // the best sequential version
  std::vector<Curve> curves;  // that one first, where there is one
  Choice best;
  Point best_point;
  std::vector<Choice> tied_with;
  double enough_threads = unknown;
  std::vector<Peer> peers;
  std::vector<WeakCurve> weak_scaling;
  double rejected_samples = 0;
  std::vector<std::pair<std::string, std::string>> failed_cells;  // cell, reason

  const Curve* curve(const std::string& backend) const;
};

// Bandwidth of working sets that fit in one level of cache, all threads together.
struct CacheCeiling {
  int level = 1;
  double bytes_per_thread = unknown;
  double load = unknown, copy = unknown, triad = unknown;  // bytes/s
};

struct Ceiling {
  int threads = 1;
  double fma_f32 = unknown, fma_f64 = unknown;             // FLOP/s
  double load = unknown, copy = unknown, triad = unknown;  // bytes/s, memory
  std::vector<CacheCeiling> caches;                        // by rising level
};

// From which size on parallel is surely faster, over the cases of one kernel and variant.
struct CrossoverCase {
  std::string name, size;
  double sequential_ns = unknown, best_speedup = unknown;
  Interval best_speedup_ci;
  std::optional<bool> pays;  // none: the intervals don't say
};

struct Crossover {
  std::string kernel, variant;
  std::vector<CrossoverCase> cases;                 // by rising sequential time
  std::string smallest_paying, largest_not_paying;  // cases; empty: none
};

// Where the run's wall time went, in seconds.
struct Cost {
  double wall = unknown, kernel = unknown, planned = unknown, instrument = unknown;
  double instrument_share = unknown;  // of the wall time
};

struct Run {
  std::string name, label, started;
  double rounds = unknown, noise_floor = unknown;
  std::string cpu;
  double physical_cores = unknown, default_threads = unknown, quota_cpus = unknown;
  std::vector<std::pair<std::string, std::string>> machine, build, config;  // (what, in words), for people
  std::vector<Ceiling> ceilings;
  std::vector<Case> cases;
  std::vector<Crossover> crossovers;
  Cost cost;

  std::string day() const { return started.substr(0, 10); }
};

// Throws std::invalid_argument, naming what is missing or of the wrong kind.
Run parse(const nlohmann::json& analysis);

const Point* at(const Curve& curve, int threads);

// Whether there is anything to draw in units of speedup; not so where no sequential version was measured.
bool has_speedups(const Curve& curve);
bool has_speedups(const Case& c);

// Every thread count that a curve of this case was measured at, ascending.
std::vector<int> thread_counts(const Case& c);

// The best speedup that the measured ceilings leave at a thread count, as the analysis' percentages of the roof imply;
// `bound` says what leaves no more: "compute", "memory" or "imbalance". Unknown where the analysis knows no roof.
struct Roof {
  double speedup = unknown;
  std::string bound;
};
Roof roof(const Case& c, int threads);

}  // namespace speedwell::bench::report
