// SPDX-License-Identifier: Apache-2.0
// analysis.json as plain values, read and checked once; a number that isn't known is NaN.
#pragma once

#include <cmath>
#include <nlohmann/json_fwd.hpp>
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

inline bool overlap(Interval a, Interval b) { return a.low <= b.high && b.low <= a.high; }

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
  std::string bound;
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

struct Peer {
  std::string name, version;
  int threads = 1;
  double median_ns = unknown;
  Interval ns;
  double ratio = unknown;
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
  double rejected_samples = 0;
  std::vector<std::pair<std::string, std::string>> failed_cells;  // cell, reason

  const Curve* curve(const std::string& backend) const;
};

struct Ceiling {
  int threads = 1;
  double fma_f32 = unknown, fma_f64 = unknown;             // FLOP/s
  double load = unknown, copy = unknown, triad = unknown;  // bytes/s
};

struct Run {
  std::string name, label, started;
  double rounds = unknown, noise_floor = unknown;
  std::string cpu;
  double physical_cores = unknown, default_threads = unknown, quota_cpus = unknown;
  std::vector<std::pair<std::string, std::string>> machine, build, config;  // (what, in words), for people
  std::vector<Ceiling> ceilings;
  std::vector<Case> cases;

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

// Who is fastest at a thread count, and who can't be told from it (intervals overlap). Empty: nothing measured there.
std::vector<const Curve*> winners(const Case& c, int threads);

}  // namespace speedwell::bench::report
