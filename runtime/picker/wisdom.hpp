// SPDX-License-Identifier: Apache-2.0
// What is known of a machine: what its fork-joins and its memory cost, and how kernels did on it. And what follows for
// a call of some extent.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/picker/kernel.hpp"
#include "runtime/picker/setting.hpp"

namespace speedwell::runtime {

// The model of a call's time behind an estimate, with t one core's time, p threads and F a fork-join:
//
//   T(1) = t,   T(p) = F(model, p) + f + t / s(p)
//
// where f is what it costs the kernel to share a call beside the fork-join, as a sort's further passes do, and s(p) is
// p, or for what goes through to the memory as many times one core's bandwidth as p cores have, if that is less.
struct CostModel {
  std::map<Setting, double> fork_join_s;        // measured ones: the geometric mean of all times
  std::map<Setting, double> fork_join_least_s;  // of these times
  std::map<Setting, double> fork_join_most_s;   // likewise
  int fork_join_times = 0;                      // that they were measured
  std::map<int, double> memory_speedup;         // by threads: of the bandwidth, over one core's; likewise a mean
  int memory_times = 0;                         // that it was measured
  std::map<std::string, double, std::less<>> slowness;   // by kernel: times its extent that a call takes one core
  std::map<std::string, double, std::less<>> sharing_s;  // by kernel: what sharing a call costs beside a fork-join

  bool empty() const { return fork_join_s.empty() && memory_speedup.empty() && slowness.empty(); }

  // One more measurement of fork-joins or of memory, as both depend on the machine's state: a virtual machine's cores
  // are at one time siblings of one core and at another far from each other. Old measurements count less and less.
  void see_fork_joins(const std::map<Setting, double>& seconds);
  void see_memory(const std::map<int, double>& speedup);

  // Of what wasn't measured: stated constants, or for other thread counts the nearest measured one's. A kernel that
  // wasn't measured on its type of element is as slow as the fastest of its types, and costs as much to share as the
  // worst.
  double fork_join(Setting setting) const;
  double speedup_of_memory(int threads) const;
  double slowness_of(std::string_view kernel) const;
  double sharing_of(std::string_view kernel) const;  // seconds; 0 of what wasn't measured
};

// From the call to the last thread's end, with workers that sleep: 5 to 20 us on a bare machine, 30 to 120 us measured
// in a small virtual one (2 us where they still spin).
inline constexpr double assumed_fork_join_s = 50e-6;

// How many times its extent a call takes: less than nearly all do, as expecting it to be longer than it is would send
// short calls to threads.
inline constexpr double assumed_slowness = 1;

// How many times one core's bandwidth a machine has at least, if it has the cores: true of all but the smallest
// laptops.
inline constexpr double assumed_memory_speedup = 2;

// A call that takes less on one thread gains or loses from others as a fork-join takes 0.4 or 2.5 us, which depends on
// the machine's state.
inline constexpr double short_call_s = 5e-5;

// A call of some extent, measured in all candidates that were still of interest.
struct TunedPoint {
  double extent_s = 0;
  std::vector<std::pair<Setting, double>> times_s;  // the candidates' medians; sequential is always among them
  int races = 1;                                    // whose geometric means they are

  const double* time_of(Setting setting) const;

  // With another race of the same call. Which setting is fastest may change with the machine's state, and the one with
  // the least geometric mean is what one regrets least where either may come. Old races count less and less.
  TunedPoint with(const TunedPoint& race) const;
};

// Of one kernel under one bound, by rising extent.
using TunedCurve = std::vector<TunedPoint>;

struct Wisdom {
  CostModel cost;
  std::map<std::string, std::array<TunedCurve, bounds>, std::less<>> kernels;

  bool empty() const { return cost.empty() && kernels.empty(); }
  const TunedCurve* curve(std::string_view kernel, Bound bound) const;
  // Of nearly this extent; nullptr if there is none.
  const TunedPoint* point(std::string_view kernel, Bound bound, double extent_s) const;
  void add(std::string_view kernel, Bound bound, const TunedPoint& point);

  // Takes over what `newer` has; points of nearly the same extent are replaced.
  void merge(const Wisdom& newer);
};

// What is expected of a setting, and from where that is known.
struct Prediction {
  Setting setting;
  double seconds = 0;
};

// What bounds every answer for one machine.
struct Limits {
  int most_threads = 1;
  double cache_bytes = 0;     // of the last level; 0: unknown, and all calls count as going to memory
  std::vector<int> beside{};  // numbers of threads that are of interest here, beside powers of two
};

// Times of all candidates for one kernel's calls under one bound: interpolated between the points of its curve where it
// was tuned, else by the cost model. A candidate that is missing at a point takes as many times one thread's time
// there, beside the fork-join, as at the next larger point.
class Predictor {
 public:
  Predictor(const Wisdom& wisdom, std::string_view kernel, Bound bound, Limits limits);

  bool tuned() const { return !log_extents_.empty(); }

  // In order of preference; without candidates that are missing at the largest point that counts, and so at all.
  void predict(double extent_s, std::vector<Prediction>& predictions) const;

 private:
  struct Candidate {
    Setting setting;
    double fork_join_s;
    double memory_speedup;
    // By point, NaN where neither it nor a larger one has a time: what of its time a fork-join may be, which is as long
    // for all calls, and the logarithm of the rest, which grows with the work.
    std::vector<double> fixed_s{};
    std::vector<double> log_rests{};
  };
  double tuned_time(const Candidate& candidate, double extent_s) const;
  double estimated_time(const Candidate& candidate, double extent_s) const;

  Bound bound_;
  double slowness_;
  double sharing_s_;
  double cache_bytes_;
  std::vector<double> log_extents_;
  std::vector<Candidate> candidates_;
};

// The one to use. Of settings that are as good as equally fast the first, so the one with the fewest threads; several
// threads at all only for a gain that predictions can be trusted with.
Setting best_of(const std::vector<Prediction>& predictions, bool tuned);

// The settings along the axis of extents: step i holds below its own end and from the end of the one before on.
struct Step {
  double below_s = 0;
  Setting setting;
  double slowness = 1;  // times their extent that calls at its beginning take one thread
};
std::vector<Step> steps(const Predictor& predictor);

}  // namespace speedwell::runtime
