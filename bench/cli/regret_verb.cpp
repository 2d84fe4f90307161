// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>
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
#include "runtime/picker/picker.hpp"

namespace speedwell::bench {

namespace {

using nlohmann::ordered_json;
using runtime::Setting;

// Not the ends: beyond them nobody tunes either.
constexpr double least_part = 0.08;
constexpr double most_part = 0.88;

ordered_json to_json(const Regret& each) {
  ordered_json samples = ordered_json::object();
  for (const RacedSetting& raced : each.raced) samples[runtime::text(raced.setting)] = raced.seconds;
  return {{"case", each.case_name},
          {"kernel", each.kernel},
          {"pick", text(each.pick)},
          {"best", text(each.best)},
          {"regret", each.regret},
          {"noise_floor", each.noise},
          {"over_sequential", each.over_sequential},
          {"seconds", samples}};
}

ordered_json to_json(const RegretSummary& summary, std::size_t cases) {
  return {{"cases", cases},
          {"regret_mean", summary.mean},
          {"regret_95_percent", summary.percentile_95},
          {"worst_over_sequential", summary.worst_over_sequential},
          {"noise_floor_mean", summary.noise_mean},
          {"picked_the_best", summary.picked_best},
          {"best_fixed", text(summary.fixed)},
          {"best_fixed_mean", summary.fixed_mean}};
}

ordered_json to_json(const ForkJoinState& state) {
  ordered_json json = {{"setting", text(state.setting)}, {"now_s", state.now_s}};
  if (state.tuned_s > 0) {
    json["tuned_s"] = state.tuned_s;
    json["tuned_least_s"] = state.least_s;
    json["tuned_most_s"] = state.most_s;
  }
  json["another_state"] = state.is_another();
  return json;
}

std::string in_words(const ForkJoinState& state) {
  const auto us = [](double seconds) { return fmt::format("{:.2g}", seconds * 1e6); };
  std::string line = fmt::format("a fork-join, {}: {}{} us now, ", text(state.setting), us(state.now_s.front()),
                                 state.now_s.size() > 1 ? " to " + us(state.now_s.back()) : std::string());
  if (state.tuned_s == 0) return line + "never calibrated: `speedwell tune` does it";
  line += fmt::format("{} to {} us when tuned", us(state.least_s), us(state.most_s));
  if (!state.is_another()) return line;
  return line +
         ": the machine is in another state; `speedwell tune` again adds what short calls take in this one, or "
         "`tune --again` replaces all";
}

void print(const std::vector<Regret>& all, const RegretSummary& summary) {
  fmt::print("{:<44} {:<14} {:<14} {:>8} {:>8} {:>10}\n", "case", "pick", "best", "regret", "noise", "over seq.");
  for (const Regret& each : all) {
    fmt::print("{:<44} {:<14} {:<14} {:>7.1f}% {:>7.1f}% {:>9.1f}%\n", each.case_name, text(each.pick), text(each.best),
               100 * each.regret, 100 * each.noise, 100 * each.over_sequential);
  }
  fmt::print(
      "\nregret of {} picks: {:.1f} % (geometric mean), {:.1f} % at most in 95 of 100; noise floor {:.1f} %\n"
      "the best setting was picked {} times; never more than {:.1f} % slower than sequential\n"
      "the best single setting for all, {}, would regret {:.1f} %\n",
      all.size(), 100 * summary.mean, 100 * summary.percentile_95, 100 * summary.noise_mean, summary.picked_best,
      100 * std::max(0.0, summary.worst_over_sequential), text(summary.fixed), 100 * summary.fixed_mean);
}

}  // namespace

int run_regret(const RegretOptions& options) {
  if (options.sizes < 1 || options.sizes > 100) {
    throw UsageError(fmt::format("--sizes {}, expected a number from 1 to 100", options.sizes));
  }
  if (options.rounds < 4 || options.rounds > 1000) {
    throw UsageError(fmt::format("--rounds {}, expected a number from 4 to 1000", options.rounds));
  }
  const std::uint64_t seed = seed_of(options.seed);
  Progress progress;
  Interrupts interrupts;
  Children children(programs_folder(), options.timeout_s);
  std::mt19937_64 random(seed);
  runtime::Wisdom wisdom = runtime::current_wisdom();
  if (options.estimate) wisdom.kernels.clear();
  progress.say(fmt::format("seed {}; {}", seed,
                           options.estimate         ? "picks by the estimate alone"
                           : wisdom.kernels.empty() ? "nothing is tuned on this machine: picks by the estimate"
                                                    : "picks by wisdom"));
  const std::vector<TunedKernel> kernels = tuned_kernels(options.kernels);
  const std::vector<Setting> settings = runtime::machine_candidates();
  const RaceRules rules = {.rounds = options.rounds, .far = 0, .twins = true};
  ForkJoinState state = fork_join_state(wisdom.cost);
  // With a generator of its own: a seed stands for the same sizes whatever else is measured.
  std::mt19937_64 other_random(seed + 1);
  const auto look_at_state = [&] {
    if (state.setting.count == 1) return;
    for (const auto& [setting, seconds] : measure_fork_joins(children, {Setting{}, state.setting}, other_random)) {
      state.now_s.push_back(seconds);
    }
    std::sort(state.now_s.begin(), state.now_s.end());
  };
  look_at_state();
  std::vector<Regret> all;
  int signal = 0;
  for (std::size_t i = 0; i < kernels.size() && signal == 0; ++i) {
    for (int size = 0; size < options.sizes && (signal = interrupts.signal()) == 0; ++size) {
      const TunedKernel& kernel = kernels[i];
      const Case& variant = *kernel.cases[random() % kernel.cases.size()];
      const double part = std::uniform_real_distribution(least_part, most_part)(random);
      const auto of = case_at(variant, part);
      const auto call = of ? note_call(*of) : std::nullopt;
      if (!call) continue;
      progress.show(fmt::format("{}  kernel {} of {}", of->name(), i + 1, kernels.size()));
      const std::vector<RacedSetting> raced = race(children, of->name(), settings, rules, random);
      if (!raced.empty()) all.push_back(regret_of(of->name(), call->kernel, pick_of(wisdom, *call), raced));
    }
  }
  if (signal == 0) look_at_state();
  const RegretSummary summary = summary_of(all);
  if (options.json) {
    ordered_json json = {{"seed", seed}, {"estimate", options.estimate}, {"summary", to_json(summary, all.size())}};
    if (!state.now_s.empty()) json["fork_join"] = to_json(state);
    json["cases"] = ordered_json::array();
    for (const Regret& each : all) json["cases"].push_back(to_json(each));
    fmt::print("{}\n", json.dump(1));
  } else if (!all.empty()) {
    print(all, summary);
    if (!state.now_s.empty()) fmt::print("{}\n", in_words(state));
  }
  return signal != 0 ? exit_signal_base + signal : exit_ok;
}

}  // namespace speedwell::bench
