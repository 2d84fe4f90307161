// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <map>
#include <random>
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
constexpr double first_parts[] = {0.4, 0.65, 0.2, 0.9, 0.05};
// Then halfway between two sizes with different winners, as long as they are this far apart: a fifth more work.
constexpr double least_gap = 0.02;
constexpr int most_halvings = 4;

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
    if (options_.calibrate && !wisdom_.cost.empty()) return exit_ok;
    progress_.say(fmt::format("wisdom: {}", path_));
    if (machine().default_threads == 1) {
      progress_.say("one core only: every call stays on it, so there is nothing to tune");
      return exit_ok;
    }
    const std::vector<TunedKernel> kernels = tuned_kernels(options_.kernels);
    if (wisdom_.cost.empty() || (options_.again && !options_.calibrate)) {
      runtime::Wisdom found;
      found.cost = calibrate(children_, kernels, random_, [this](const std::string& text) { progress_.show(text); });
      keep(found);
      progress_.say(fmt::format("calibrated in {:.1f} s", elapsed_s()));
    }
    if (options_.calibrate) return exit_ok;
    for (const double part : first_parts) {
      for (const TunedKernel& kernel : kernels) {
        if (const int status = over(); status >= 0) return end(status);
        tune(kernel, part);
      }
    }
    for (int halving = 0; halving < most_halvings; ++halving) {
      for (const TunedKernel& kernel : kernels) {
        for (const double part : halfway(kernel.name)) {
          if (const int status = over(); status >= 0) return end(status);
          tune(kernel, part);
        }
      }
    }
    return end(exit_ok);
  }

 private:
  // The status to end with, if it is to end; else -1.
  int over() {
    if (const int signal = interrupts_.signal(); signal != 0) return exit_signal_base + signal;
    return elapsed_s() > options_.budget_s ? static_cast<int>(exit_ok) : -1;
  }

  // Between the sizes where the pick changes.
  std::vector<double> halfway(const std::string& kernel) const {
    std::vector<double> parts;
    const std::map<double, runtime::Setting>& picks = picks_.at(kernel);
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
    if (!call) return;
    if (options_.again || !is_known(wisdom_, *call)) {
      progress_.show(fmt::format("{}  {} of {}", of->name(), clock_text(elapsed_s()), clock_text(options_.budget_s)));
      const std::vector<RacedSetting> raced =
          race(children_, of->name(), runtime::machine_candidates(), RaceRules(), random_);
      ++races_;
      runtime::Wisdom found;
      found.add(call->kernel, call->extent().bound, tuned_point(*call, raced));
      keep(found);
    }
    picks[part] = pick_of(wisdom_, *call);
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
    return said_ && status == exit_ok ? static_cast<int>(exit_impossible) : status;
  }

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
  std::map<std::string, std::map<double, runtime::Setting>> picks_;  // by kernel and part
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
