// SPDX-License-Identifier: Apache-2.0
// What is known of one case once its samples are counted, as plain values: the study fills it, the verdict reads it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/scaling/laws.hpp"
#include "runtime/scaling/statistics.hpp"

namespace speedwell::scaling {

// A cell of the journal's header with its samples.
struct Cell {
  std::string name{};
  std::string case_name{};
  std::string backend{};  // or the name of a peer library
  std::string version{};
  std::string precision{};
  std::string twin_of{};  // the cell that this one repeats, to show the noise
  std::string traffic{};  // the ceiling that moves as many bytes as the case must
  // Of weak scaling: the case that this cell's work grows from, how, and how large it is here.
  std::string weak_of{};
  std::string weak_rule{};
  std::string weak_size{};
  int threads = 1;
  bool peer = false;
  double flops = 0;
  double bytes = 0;
  std::optional<double> written_bytes{};        // of those
  std::optional<double> largest_share{};        // of the work, for the busiest thread of an uneven division
  std::map<int, std::vector<double>> rounds{};  // ns of one call; a round holds one sample, more only after a resume
  double shortest_ns = 0;                       // of a whole sample, all its calls together; 0: unknown
  double steal_ticks = 0;
  int other_threads = 0;  // samples in which other threads took part than asked for
  int rejected = 0;
  int tainted = 0;       // samples that count although the machine was disturbed
  bool against = false;  // measured in another build, to be compared with this one: no part of this one's study
  std::optional<std::string> failure{};

  std::vector<double> samples() const;
  bool measured() const { return !failure && !rounds.empty(); }
};

// Time of one cell over time of another, paired by round.
struct Ratio {
  int rounds = 0;
  double value = 0;
  Interval ci{};

  // Above 1 by more than chance, and by more than two identical cells differ.
  bool above_one(double noise) const { return rounds > 1 && ci.low > 1 && value > 1 + noise; }
  // The same, below 1.
  bool below_one(double noise) const { return rounds > 1 && ci.high < 1 && 1 / value > 1 + noise; }
};
Ratio compare(const Cell& numerator, const Cell& denominator);

// How far from 1 the interval of the ratio of two identical cells reaches; none where they share less than two rounds.
std::optional<double> noise_between(const Cell& cell, const Cell& twin);

// What holds a point: a ceiling of the hardware, the share of the thread that has most to do, or what it costs to get
// threads going.
enum class Bound { unknown, compute, cache, memory, imbalance, overhead };

struct Point {
  const Cell* cell = nullptr;
  int threads = 1;
  int samples = 0;
  double median_ns = 0;
  Interval ci{};
  std::optional<Ratio> speedup{};  // none: the sequential version wasn't measured in the same rounds
  std::optional<double> self_speedup{};
  std::optional<double> roof_ns{};         // the least time that what bounds it allows
  std::optional<Interval> part_of_roof{};  // that over the point's time, where both were measured in the same rounds
  Bound bound = Bound::unknown;
  int level = 0;         // of the cache that bounds it
  double deviation = 0;  // standard deviation over mean
  Outliers outliers{};
  std::vector<std::string> warnings{};

  std::optional<double> percent_of_roof() const {
    return roof_ns ? std::optional(100 * *roof_ns / median_ns) : std::nullopt;
  }
};

struct Curve {
  std::string backend{};
  std::vector<Point> points{};  // by rising thread count
  LawFit fit{};
  // The smallest count that no larger one surely betters by 2 %, and whether the larger ones surely gain next to
  // nothing.
  int enough_threads = 1;
  bool flat_beyond = false;

  const Point* at(int threads) const;
};

struct Choice {
  const Curve* curve = nullptr;  // none: the sequential version
  const Point* point = nullptr;
  std::optional<Ratio> behind{};  // its time over the best one's time, paired
};

struct Peer {
  Point point{};
  std::optional<Ratio> ratio{};  // our best time at that thread count over the peer's: above 1, the peer is faster
};

// Work that grows with the threads: each point has about as many times the work of the first.
struct WeakPoint {
  Point point{};
  std::string size{};
  std::optional<Ratio> scaled{};  // rate of work over the sequential version's at the first size
};

struct WeakCurve {
  std::string backend{};
  std::string rule{};
  std::vector<WeakPoint> points{};  // by rising thread count
};

// Bytes a second.
struct StreamRates {
  std::optional<double> load{};
  std::optional<double> copy{};
  std::optional<double> triad{};
};

struct Ceiling {
  std::optional<double> fma_f32{};
  std::optional<double> fma_f64{};
  StreamRates memory{};
  std::map<int, StreamRates> caches{};  // by level
};

// What a case's traffic is held against: the same buffers, copied; else the stream with the nearest share of writes.
struct Bandwidth {
  std::string of = "triad bandwidth";
  std::optional<double> bytes_per_s{};
  const Cell* cell = nullptr;  // of the same buffers: its samples can be paired with the case's, round by round
};

struct Cache {
  int level = 0;
  double bytes = 0;
  int sharing_cores = 0;
};

// What the run says of the machine.
struct Setting {
  int cores = 1;                // physical cores that the process may run on
  int available = 1;            // the same, capped by the quota
  std::vector<Cache> caches{};  // by rising level
  std::map<int, Ceiling> ceilings{};
  std::map<std::string, std::map<int, const Cell*>> traffic{};  // each traffic ceiling, by thread count
  std::optional<double> noise_floor{};

  double noise() const { return noise_floor.value_or(0); }

  // The first level that holds so many bytes, divided among so many threads (neighbours are filled first); 0: none.
  int level_of(double bytes, int threads) const;
};

// Where among the sizes of one kernel parallel work begins to pay, for the verdict on each of them.
struct Crossing {
  std::string size{};  // from which on it surely does; empty: at none of them
  double sequential_ns = 0;
  std::string not_at{};  // the largest size at which it surely doesn't
  double not_at_ns = 0;
  int sizes = 0;         // measured
  bool at_each = false;  // of them it pays
};

struct CaseStudy {
  std::string name{}, kernel{}, variant{}, size{}, precision{}, traffic{};
  double flops = 0;
  double bytes = 0;
  std::optional<double> written_bytes{};
  std::unique_ptr<Point> sequential{};  // stays where it is when the study is moved, as `best` may point to it
  std::vector<Curve> curves{};
  std::vector<WeakCurve> weak{};
  std::optional<Choice> best{};
  std::vector<Choice> tied{};
  std::vector<Choice> slower{};  // each other model's best point, fastest first
  std::optional<int> enough_threads{};
  std::vector<Peer> peers{};
  std::optional<Ratio> fastest_peer_ratio{};  // the best point's time over the fastest peer's
  const Peer* fastest_peer = nullptr;
  int rejected = 0;
  std::vector<const Cell*> failed{};
  std::optional<Crossing> crossing{};

  int largest_count() const;
  Bandwidth bandwidth(const Setting& setting, int threads) const;
};

// The sizes of one kernel and variant, from the shortest call to the longest.
struct Crossover {
  struct Size {
    const CaseStudy* study = nullptr;
    std::optional<Ratio> best{};  // of the fastest point on two threads or more
    std::optional<bool> pays{};   // none: the intervals don't tell
  };
  std::string kernel{}, variant{};
  std::vector<Size> sizes{};
  const Size* smallest_paying = nullptr;  // from which on each pays
  const Size* largest_not_paying = nullptr;
};

// From here on a ceiling is what holds the case: what is left is edges and start-up.
inline constexpr double near_roof_percent = 80;

// With more operations to a byte than this, arithmetic takes longer than memory on any machine: the ridge of ninety
// cores with 512-bit vectors on a dozen channels is at 50.
inline constexpr double far_above_the_ridge = 100;

// pyperf's limit: from here on the standard deviation over the mean is said.
inline constexpr double unstable_deviation = 0.10;

// Below this a call is too short for a fork-join, which costs some microseconds on every model.
inline constexpr double too_short_ns = 50e3;

// Cases of a few microseconds stand under this kernel's name, with their own in front of the variant.
inline constexpr const char* tiny_kernel = "tiny";

// Makes the study of the cells of one case, with those of its weak scaling.
CaseStudy study_of(const std::string& name, const std::vector<const Cell*>& cells, const Setting& setting);

// Of the kernels with two sizes and more. Tells each study of them where parallel work pays. The studies must stay
// where they are.
std::vector<Crossover> find_crossovers(std::span<CaseStudy> studies, const Setting& setting);

// One sentence that an expert would sign, with its evidence.
std::string verdict(const CaseStudy& study, const Setting& setting);

}  // namespace speedwell::scaling
