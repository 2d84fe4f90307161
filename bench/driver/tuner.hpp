// SPDX-License-Identifier: Apache-2.0
// Races of models and thread counts on one case, and what they tell the picker: the wisdom of this machine, and how far
// the picks are from the best.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/case.hpp"
#include "bench/driver/children.hpp"
#include "runtime/picker/picker.hpp"

namespace speedwell::bench {

// What a case's call asks the picker.
struct NotedCall {
  std::string kernel;  // "matmul/f32"
  runtime::Work work;

  runtime::Extent extent() const { return runtime::extent_of(work); }

  // Some have nothing to share with other threads, at this size: one thread whatever was tuned.
  bool shareable() const { return extent().seconds > 0; }
};

// Found out without running the kernel; the case's data are made, though. Nothing if it never asks, being too small.
std::optional<NotedCall> note_call(const Case& of);

// What the library picks for it, given that wisdom.
runtime::Setting pick_of(const runtime::Wisdom& wisdom, const NotedCall& call);

// The case of the same kernel and variant at a part of its range of sizes; nothing if it has none.
std::optional<Case> case_at(const Case& of, double part);

// For each kernel on each type that can be tuned, its cases: the first is the one to tune on.
struct TunedKernel {
  std::string name;
  std::vector<const Case*> cases;
  Case calibration;  // the first at a size where the kernel's own speed shows best
  runtime::Extent calibration_extent;
};
// Those whose name, or one of whose cases', begins with one of the words; without words all. Throws UsageError if a
// word fits none.
std::vector<TunedKernel> tuned_kernels(const std::vector<std::string>& words);

struct RaceRules {
  double sample_s = 2e-3;
  int rounds = 5;
  int open_rounds = 2;  // after which a setting that is far behind is given up
  double far = 1.25;    // times the best; 0: none is given up
  // Every other round in a second process: where a process's data came to lie stays as it is for all its rounds, and
  // makes it faster or slower by some percent for no merit of the setting.
  bool twins = false;
};

struct RacedSetting {
  runtime::Setting setting;
  std::vector<double> seconds;  // by round; fewer than the others: given up
};

// Each round takes a sample of each setting, in an order shuffled anew. Settings with which the case can't run (fewer
// blocks of work than threads) are left out. Throws ChildError.
std::vector<RacedSetting> race(Children& children, const std::string& case_name,
                               const std::vector<runtime::Setting>& settings, const RaceRules& rules,
                               std::mt19937_64& random);

// What a fork-join of each setting with several threads costs now.
std::map<runtime::Setting, double> measure_fork_joins(Children& children, const std::vector<runtime::Setting>& settings,
                                                      std::mt19937_64& random);

// How many times one thread's bandwidth so many threads have now.
std::map<int, double> measure_memory(Children& children, std::mt19937_64& random);

// How fork-joins compare with what they cost when wisdom was made: the machine may be in another state.
struct ForkJoinState {
  runtime::Setting setting;         // the pool's, with the most threads
  std::vector<double> now_s{};      // by measurement
  double tuned_s = 0;               // 0: never measured
  double least_s = 0, most_s = 0;   // of what that is the mean of
  static constexpr double far = 2;  // times what was seen, on either side, is another state

  bool is_another() const;
};
ForkJoinState fork_join_state(const runtime::CostModel& cost);

// Fork-joins, memory, and what each kernel takes one core and all of them, in some seconds.
runtime::CostModel calibrate(Children& children, const std::vector<TunedKernel>& kernels, std::mt19937_64& random,
                             const std::function<void(const std::string&)>& show);

// The medians of a race of a case with this call.
runtime::TunedPoint tuned_point(const NotedCall& call, const std::vector<RacedSetting>& raced);

// How a pick compares with the others on one case. Which setting is best is settled on half of the rounds, every other
// one, and times come from the other half; then the other way round, and the mean of both is taken.
struct Regret {
  std::string case_name;
  std::string kernel;
  runtime::Setting pick;
  runtime::Setting best;       // of all rounds
  double regret = 0;           // the pick's time over the best one's, less 1
  double noise = 0;            // the same of the best of the one half, against the best of the other
  double over_sequential = 0;  // the pick's time over the sequential one's, less 1
  std::vector<RacedSetting> raced;
};
Regret regret_of(const std::string& case_name, const std::string& kernel, runtime::Setting pick,
                 const std::vector<RacedSetting>& raced);

struct RegretSummary {
  double mean = 0;  // exp(mean(log(1 + r))) - 1
  double percentile_95 = 0;
  double worst_over_sequential = 0;
  double noise_mean = 0;
  runtime::Setting fixed;  // the single setting that does best if used for all
  double fixed_mean = 0;
  int picked_best = 0;  // cases whose pick is the best
};
RegretSummary summary_of(const std::vector<Regret>& all);

}  // namespace speedwell::bench
