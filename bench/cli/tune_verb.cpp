// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
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
// every kernel; then what halves the gaps.
constexpr double parts[] = {0.4, 0.65, 0.2, 0.9, 0.05, 0.52, 0.3};

// Points whose extents are as near as this need no other between them.
constexpr double near_enough = 1.3;

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
    const std::vector<runtime::Setting> settings = runtime::candidates(machine().default_threads);
    int races = 0;
    for (const double part : parts) {
      for (const TunedKernel& kernel : kernels) {
        if (const int signal = interrupts_.signal(); signal != 0) return end(races, exit_signal_base + signal);
        if (elapsed_s() > options_.budget_s) return end(races, exit_ok);
        races += tune(kernel, part, settings);
      }
    }
    return end(races, exit_ok);
  }

 private:
  int tune(const TunedKernel& kernel, double part, const std::vector<runtime::Setting>& settings) {
    const auto of = case_at(*kernel.cases.front(), part);
    const auto call = of ? note_call(*of) : std::nullopt;
    if (!call || (!options_.again && is_known(wisdom_, *call))) return 0;
    progress_.show(fmt::format("{}  {} of {}", of->name(), clock_text(elapsed_s()), clock_text(options_.budget_s)));
    const std::vector<RacedSetting> raced = race(children_, of->name(), settings, RaceRules(), random_);
    if (raced.empty()) return 0;
    runtime::Wisdom found;
    found.add(call->kernel, call->extent().bound, tuned_point(*call, raced));
    keep(found);
    return 1;
  }

  void keep(const runtime::Wisdom& found) {
    wisdom_.merge(found);
    if (const std::string why = runtime::save_wisdom(path_, fingerprint_, found); !why.empty() && !said_) {
      said_ = true;
      progress_.warn(fmt::format("nothing is kept: {}", why));
    }
  }

  int end(int races, int status) {
    progress_.say(fmt::format("{} races in {:.0f} s; `{} plan KERNEL SIZE` says what follows", races, elapsed_s(),
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
