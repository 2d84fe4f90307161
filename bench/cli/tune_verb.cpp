// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <limits>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <speedwell/machine.hpp>

#include "bench/cli/verbs.hpp"
#include "bench/driver/children.hpp"
#include "bench/driver/interrupts.hpp"
#include "bench/driver/plan.hpp"
#include "bench/driver/progress.hpp"
#include "bench/driver/tuner.hpp"
#include "bench/journal.hpp"
#include "runtime/picker/picker.hpp"
#include "runtime/picker/wisdom_file.hpp"

namespace speedwell::bench {

namespace {

using Clock = std::chrono::steady_clock;

// The middle of each kernel's sizes first, where its choices change, so that a short budget still tells something of
// every kernel.
constexpr double middle_parts[] = {0.4, 0.65, 0.2};
// The largest size takes longest, and tells of arithmetic no more than the middle ones: for that it comes last of all.
constexpr double largest_part[] = {0.9};
constexpr double smallest_part[] = {0.05};
// Halfway between two sizes with different winners, as long as they are this far apart: a fifth more work. Some come
// before the smallest and the largest size, where the winner is seldom another than at the nearest middle one.
constexpr double least_gap = 0.02;
constexpr int first_halvings = 2, further_halvings = 3;

// Whether short calls are worth several threads may change from minute to minute. So they are raced again and again,
// with other races between; except those that no state of the machine makes worth it.
constexpr double short_least_s = 5e-7;  // on one thread
// Several threads that take as many times as long gain in no state that was ever seen.
constexpr double hopeless = 4;
// Nor where they took as many times as long for several times the work.
constexpr double hopeless_below = 2;
constexpr RaceRules short_race = {.sample_s = 1e-3};
constexpr RaceRules short_race_again = {.sample_s = 1e-3, .rounds = 3};

// Nor are rounds of what takes milliseconds worth theirs.
constexpr double long_extent_s = 1e-3;
constexpr RaceRules long_race = {.rounds = 3};

// Points whose extents are as near as this need no other between them.
constexpr double near_enough = 1.1;

bool is_known(const runtime::Wisdom& wisdom, const NotedCall& call) {
  const runtime::Extent extent = call.extent();
  const runtime::TunedCurve* const curve = wisdom.curve(call.kernel, extent.bound);
  if (curve == nullptr) return false;
  return std::any_of(curve->begin(), curve->end(), [&](const runtime::TunedPoint& point) {
    return point.extent_s < extent.seconds * near_enough && extent.seconds < point.extent_s * near_enough;
  });
}

class Tuning {
 public:
  explicit Tuning(const TuneOptions& options)
      : options_(options), children_(programs_folder(), options.timeout_s), wisdom_(runtime::current_wisdom()) {
    if (path_.empty()) {
      throw JournalError(
          "there is no cache folder: neither XDG_CACHE_HOME nor HOME is set; SPEEDWELL_WISDOM=/a/file helps");
    }
  }

  int run() {
    const std::vector<TunedKernel> kernels = tuned_kernels(options_.kernels);
    progress_.say(fmt::format("wisdom: {}", path_));
    if (machine().default_threads == 1) {
      progress_.say("one core only: every call stays on it, so there is nothing to tune");
      return exit_ok;
    }
    if (wisdom_.cost.empty() || options_.again) {
      runtime::Wisdom found;
      found.cost = calibrate(children_, kernels, random_, [this](const std::string& text) { progress_.show(text); });
      keep(found);
      progress_.say(fmt::format("calibrated in {:.1f} s", elapsed_s()));
    } else {
      measure_state();
    }
    if (options_.calibrate) return end_status(std::max(over(), static_cast<int>(exit_ok)));
    tune_at(kernels, middle_parts);
    halve(kernels, first_halvings);
    repeat_short_calls();
    tune_at(bound_by(runtime::Bound::memory, kernels), largest_part);
    tune_at(kernels, smallest_part);
    halve(kernels, further_halvings);
    repeat_short_calls();
    tune_at(bound_by(runtime::Bound::arithmetic, kernels), largest_part);
    return end(std::max(over(), static_cast<int>(exit_ok)));
  }

 private:
  // The status to end with, if it is to end; else -1.
  int over() {
    if (const int signal = interrupts_.signal(); signal != 0) return exit_signal_base + signal;
    return elapsed_s() > options_.budget_s ? static_cast<int>(exit_ok) : -1;
  }

  static std::vector<TunedKernel> bound_by(runtime::Bound bound, const std::vector<TunedKernel>& kernels) {
    std::vector<TunedKernel> those;
    std::copy_if(kernels.begin(), kernels.end(), std::back_inserter(those),
                 [bound](const TunedKernel& kernel) { return kernel.calibration_extent.bound == bound; });
    return those;
  }

  void tune_at(const std::vector<TunedKernel>& kernels, std::span<const double> parts) {
    for (const double part : parts) {
      for (const TunedKernel& kernel : kernels) {
        if (over() >= 0) return;
        if (!is_hopeless_below(kernel.name, part)) tune(kernel, part);
      }
    }
  }

  void halve(const std::vector<TunedKernel>& kernels, int times) {
    for (int halving = 0; halving < times; ++halving) {
      for (const TunedKernel& kernel : kernels) {
        for (const double part : halfway(kernel.name)) {
          if (over() >= 0) return;
          tune(kernel, part);
        }
      }
    }
  }

  // Between the sizes where the pick changes.
  std::vector<double> halfway(const std::string& kernel) const {
    std::vector<double> parts;
    const auto known = picks_.find(kernel);
    if (known == picks_.end()) return parts;
    const std::map<double, runtime::Setting>& picks = known->second;
    for (auto here = picks.begin(); here != picks.end() && std::next(here) != picks.end(); ++here) {
      const auto next = std::next(here);
      if (here->second != next->second && next->first - here->first > least_gap) {
        parts.push_back((here->first + next->first) / 2);
      }
    }
    return parts;
  }

  void tune(const TunedKernel& kernel, double part) {
    std::map<double, runtime::Setting>& picks = picks_[kernel.name];
    const auto of = case_at(*kernel.cases.front(), part);
    const auto call = of ? note_call(*of) : std::nullopt;
    // Some sizes may be another kernel's, as few keys are sorted alike whatever they are.
    if (!call || call->kernel != kernel.name) return;
    if (call->shareable()) {
      noted_.insert_or_assign(of->name(), *call);
      if (options_.again || !is_known(wisdom_, *call)) {
        keep_point(*call, run_race(of->name(), *call, rules_for(*call)));
      }
    }
    picks[part] = pick_of(wisdom_, *call);
    const runtime::Extent extent = call->extent();
    if (const auto* const point = wisdom_.point(call->kernel, extent.bound, extent.seconds)) {
      points_[kernel.name].insert_or_assign(part, *point);
    }
  }

  RaceRules rules_for(const NotedCall& call) const {
    const double extent_s = call.extent().seconds;
    if (extent_s > long_extent_s) return long_race;
    return extent_s * wisdom_.cost.slowness_of(call.kernel) < runtime::short_call_s ? short_race : RaceRules();
  }

  runtime::TunedPoint run_race(const std::string& case_name, const NotedCall& call, const RaceRules& rules) {
    progress_.show(fmt::format("{}  {} of {}", case_name, clock_text(elapsed_s()), clock_text(options_.budget_s)));
    ++races_;
    return tuned_point(call, race(children_, case_name, runtime::machine_candidates(), rules, random_));
  }

  void keep_point(const NotedCall& call, const runtime::TunedPoint& point) {
    runtime::Wisdom found;
    found.add(call.kernel, call.extent().bound, point);
    keep(found);
  }

  void see_fork_joins(runtime::CostModel& cost) {
    progress_.show("fork-joins once more");
    cost.see_fork_joins(measure_fork_joins(children_, runtime::machine_candidates(), random_));
  }

  // What was calibrated but may be another now, as the machine may be in another state.
  void measure_state() {
    runtime::Wisdom found;
    found.cost = wisdom_.cost;
    see_fork_joins(found.cost);
    progress_.show("memory once more");
    found.cost.see_memory(measure_memory(children_, random_));
    keep(found);
    progress_.say(fmt::format("fork-joins and memory measured once more in {:.1f} s", elapsed_s()));
  }

  void repeat_short_calls() {
    if (over() >= 0) return;
    runtime::Wisdom found;
    found.cost = wisdom_.cost;
    see_fork_joins(found.cost);
    keep(found);
    for (const auto& [case_name, call] : noted_) {
      if (over() >= 0) return;
      const runtime::Extent extent = call.extent();
      const runtime::TunedPoint* const known = wisdom_.point(call.kernel, extent.bound, extent.seconds);
      if (known == nullptr || !depends_on_state(*known)) continue;
      keep_point(call, known->with(run_race(case_name, call, short_race_again)));
    }
  }

  // Whether at a larger size several threads took so much longer that nothing is to be learned of smaller ones.
  bool is_hopeless_below(const std::string& kernel, double part) const {
    const auto known = points_.find(kernel);
    if (known == points_.end()) return false;
    return std::any_of(known->second.begin(), known->second.end(), [&](const auto& each) {
      return each.first > part && several_over_one(each.second) > hopeless_below;
    });
  }

  static double several_over_one(const runtime::TunedPoint& point) {
    double several = std::numeric_limits<double>::infinity();
    for (const auto& [setting, seconds] : point.times_s) {
      if (setting.count > 1) several = std::min(several, seconds);
    }
    return several / *point.time_of({});
  }

  static bool depends_on_state(const runtime::TunedPoint& point) {
    const double alone = *point.time_of({});
    return alone > short_least_s && alone < runtime::short_call_s && several_over_one(point) < hopeless;
  }

  void keep(const runtime::Wisdom& found) {
    wisdom_.merge(found);
    if (const std::string why = runtime::save_wisdom(path_, fingerprint_, found); !why.empty() && !said_) {
      said_ = true;
      progress_.warn(fmt::format("nothing is kept: {}", why));
    }
  }

  int end(int status) {
    progress_.say(fmt::format("{} races in {:.0f} s; `{} plan KERNEL SIZE` says what follows", races_, elapsed_s(),
                              program_invocation_short_name));
    return end_status(status);
  }

  int end_status(int status) const { return said_ && status == exit_ok ? static_cast<int>(exit_impossible) : status; }

  double elapsed_s() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }

  const TuneOptions& options_;
  Clock::time_point began_ = Clock::now();
  Progress progress_;
  Interrupts interrupts_;
  Children children_;
  std::string path_ = runtime::wisdom_path();
  std::string fingerprint_ = runtime::machine_fingerprint();
  runtime::Wisdom wisdom_;
  std::mt19937_64 random_{std::random_device{}()};
  std::map<std::string, std::map<double, runtime::Setting>> picks_;      // by kernel and part
  std::map<std::string, std::map<double, runtime::TunedPoint>> points_;  // likewise
  std::map<std::string, NotedCall> noted_;                               // by case
  int races_ = 0;
  bool said_ = false;
};

}  // namespace

int run_tune(const TuneOptions& options) {
  if (!(options.budget_s > 0 && options.budget_s <= 1e6)) {
    throw UsageError(fmt::format("--budget {}, expected seconds from above 0 to 1e6", options.budget_s));
  }
  return Tuning(options).run();
}

}  // namespace speedwell::bench
