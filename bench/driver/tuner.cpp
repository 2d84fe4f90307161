// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/tuner.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include <speedwell/backend.hpp>
#include <speedwell/machine.hpp>

#include "bench/driver/answers.hpp"
#include "bench/driver/plan.hpp"
#include "runtime/scaling/statistics.hpp"

namespace speedwell::bench {

using nlohmann::json;
using runtime::Setting;

namespace {

Children::Key child_of(Setting setting, std::size_t process) {
  return {std::string(runtime::model_name(setting)), setting.count,
          process == 0 ? Children::Variant::plain : Children::Variant::twin};
}

// The case that costs nothing but a fork-join.
constexpr const char* fork_join_case = "overhead/fork_join/back_to_back";

// Beyond the caches of all but the largest servers.
constexpr const char* memory_case = "triad/f32/16777216";

// Where a kernel's own speed shows best: past what a call costs, and within the caches.
constexpr double calibration_part = 0.4;
// What sharing costs beside a fork-join is told from two sizes, by what doesn't grow with the work.
constexpr double sharing_part = 0.55;
constexpr double least_sharing_s = 1e-9;  // less is the clock's

constexpr RaceRules quick = {.sample_s = 1e-3, .rounds = 5, .far = 0};

json ask(Children& children, const Children::Key& child, const json& question) {
  json answer = children.ask(child, question, 5);
  if (!answer.value("ok", false)) throw ChildError(string_or_empty(answer, "error"));
  return answer;
}

// What others do on the machine meanwhile only adds, and a fork-join that once waited for a core must not count for
// ever; the very least may be luck.
double lower_quartile(std::vector<double> seconds) {
  const auto quarter = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 4);
  std::nth_element(seconds.begin(), quarter, seconds.end());
  return *quarter;
}

double median_in(const RacedSetting& raced, std::size_t first) {
  std::vector<double> half;
  for (std::size_t round = first; round < raced.seconds.size(); round += 2) half.push_back(raced.seconds[round]);
  return half.empty() ? std::numeric_limits<double>::infinity() : scaling::median(half);
}

// The fastest in the rounds first, first + 2, ...
const RacedSetting& best_in(const std::vector<RacedSetting>& raced, std::size_t first) {
  return *std::min_element(raced.begin(), raced.end(), [first](const RacedSetting& a, const RacedSetting& b) {
    return median_in(a, first) < median_in(b, first);
  });
}

// That of the setting, or where it can't run the case, of the one that a call falls back to: fewer threads of the same
// model, and in the end none.
const RacedSetting& raced_as(const std::vector<RacedSetting>& raced, Setting setting) {
  const RacedSetting* found = &raced.front();
  for (const RacedSetting& each : raced) {
    if (each.setting.kind == setting.kind && each.setting.count <= setting.count) found = &each;
  }
  return *found;
}

}  // namespace

std::optional<NotedCall> note_call(const Case& of) {
  const std::unique_ptr<Workload> workload = of.make(1);
  runtime::CallProbe probe;
  try {
    workload->run(Automatic{});
  } catch (const runtime::CallNoted&) {
    return NotedCall{probe.kernel->name(), probe.work};
  }
  return std::nullopt;
}

Setting pick_of(const runtime::Wisdom& wisdom, const NotedCall& call) {
  const runtime::Extent extent = call.extent();
  // As the library does, by steps along the axis.
  const std::vector<runtime::Step> steps =
      runtime::steps(runtime::Predictor(wisdom, call.kernel, extent.bound, runtime::machine_limits()));
  return std::find_if(steps.begin(), steps.end(),
                      [&](const runtime::Step& step) { return extent.seconds < step.below_s; })
      ->setting;
}

std::optional<Case> case_at(const Case& of, double part) {
  if (!of.size_at || !of.of_size) return std::nullopt;
  return of.of_size(of.size_at(part));
}

std::vector<TunedKernel> tuned_kernels(const std::vector<std::string>& words) {
  std::vector<TunedKernel> kernels;
  std::map<std::string, const Case*> variants;
  std::vector<std::string> in_order;
  for (const Case& each : cases()) {
    const std::string variant = each.kernel + "/" + each.variant;
    if (each.size_at && variants.emplace(variant, &each).second) in_order.push_back(variant);
  }
  // Which kernel a case's call is of is known only once its data are made: not for all cases unless a word needs it.
  const bool by_kernel = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    const auto next = variants.lower_bound(word);
    return next == variants.end() || !next->first.starts_with(word);
  });
  std::set<std::string> used;
  for (const std::string& variant : in_order) {
    const auto fits = [&](const std::string& word) { return variant.starts_with(word); };
    if (!words.empty() && !by_kernel && std::none_of(words.begin(), words.end(), fits)) continue;
    const Case& each = *variants.at(variant);
    const auto small = case_at(each, calibration_part);
    const auto call = small ? note_call(*small) : std::nullopt;
    if (!call) continue;
    bool wanted = words.empty();
    for (const std::string& word : words) {
      if (!call->kernel.starts_with(word) && !fits(word)) continue;
      wanted = true;
      used.insert(word);
    }
    if (!wanted) continue;
    const auto known = std::find_if(kernels.begin(), kernels.end(),
                                    [&](const TunedKernel& kernel) { return kernel.name == call->kernel; });
    if (known == kernels.end()) {
      kernels.push_back({call->kernel, {&each}, *small, call->extent()});
    } else {
      known->cases.push_back(&each);
    }
  }
  for (const std::string& word : words) {
    if (used.contains(word)) continue;
    std::vector<std::string> known;
    for (const auto& each : variants) known.push_back(each.first);
    throw UsageError(fmt::format("no kernel begins with '{}'{}; expected one of {}", word, did_you_mean(word, known),
                                 fmt::join(known, ", ")));
  }
  return kernels;
}

std::vector<RacedSetting> race(Children& children, const std::string& case_name, const std::vector<Setting>& settings,
                               const RaceRules& rules, std::mt19937_64& random) {
  std::vector<RacedSetting> raced;
  std::vector<std::vector<json>> calls;  // by setting and process
  std::vector<Children::Key> prepared;
  const std::size_t processes = rules.twins ? 2 : 1;
  for (const Setting setting : settings) {
    std::vector<json> of_setting;
    for (std::size_t process = 0; process < processes; ++process) {
      prepared.push_back(child_of(setting, process));
      const json ready =
          ask(children, prepared.back(),
              {{"do", "prepare"}, {"case", case_name}, {"target_ns", rules.sample_s * 1e9}, {"verify", false}});
      if (static_cast<int>(number_or(ready, "threads_used", 0)) < setting.count) break;
      of_setting.push_back(ready.at("calls"));
    }
    if (of_setting.size() < processes) continue;
    raced.push_back({setting, {}});
    calls.push_back(std::move(of_setting));
  }
  std::vector<std::size_t> order(raced.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (int round = 0; round < rules.rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t i : order) {
      const std::size_t process = static_cast<std::size_t>(round) % processes;
      const json sample = ask(children, child_of(raced[i].setting, process),
                              {{"do", "sample"}, {"case", case_name}, {"calls", calls[i][process]}});
      raced[i].seconds.push_back(number_or(sample, "ns", 0) * 1e-9);
    }
    if (rules.far <= 0 || round + 1 != rules.open_rounds) continue;
    // The one core's time is kept, as all else is held against it.
    double least = std::numeric_limits<double>::infinity();
    for (const std::size_t i : order) least = std::min(least, scaling::median(raced[i].seconds));
    std::erase_if(order, [&](std::size_t i) {
      return raced[i].setting.count > 1 && scaling::median(raced[i].seconds) > rules.far * least;
    });
  }
  for (const Children::Key& child : prepared) ask(children, child, {{"do", "release"}, {"case", case_name}});
  return raced;
}

std::map<Setting, double> measure_fork_joins(Children& children, const std::vector<Setting>& settings,
                                             std::mt19937_64& random) {
  const std::vector<RacedSetting> raced = race(children, fork_join_case, settings, quick, random);
  const double alone = lower_quartile(raced.front().seconds);
  // No fork-join of threads on several cores is shorter than a cache line's way to the other and back.
  constexpr double least_s = 2e-7;
  std::map<Setting, double> seconds;
  for (const RacedSetting& each : raced) {
    if (each.setting.count > 1) seconds[each.setting] = std::max(lower_quartile(each.seconds) - alone, least_s);
  }
  return seconds;
}

std::map<int, double> measure_memory(Children& children, std::mt19937_64& random) {
  std::vector<Setting> by_threads = runtime::machine_candidates();
  std::erase_if(by_threads, [](Setting setting) { return setting.count > 1 && setting.kind != Setting::threads; });
  // Other guests of a machine take its bandwidth for longer than a few rounds last.
  const RaceRules longer = {.sample_s = 1e-3, .rounds = 15, .far = 0};
  const std::vector<RacedSetting> raced = race(children, memory_case, by_threads, longer, random);
  std::map<int, double> speedup;
  for (const RacedSetting& each : raced) {
    speedup[each.setting.count] = lower_quartile(raced.front().seconds) / lower_quartile(each.seconds);
  }
  return speedup;
}

bool ForkJoinState::is_another() const {
  if (tuned_s == 0) return false;
  return std::any_of(now_s.begin(), now_s.end(),
                     [this](double now) { return now * far < least_s || now > most_s * far; });
}

ForkJoinState fork_join_state(const runtime::CostModel& cost) {
  ForkJoinState state = {.setting = {Setting::threads, machine().default_threads}};
  const auto tuned = cost.fork_join_s.find(state.setting);
  if (tuned == cost.fork_join_s.end()) return state;
  const auto or_tuned = [&](const std::map<Setting, double>& of) {
    const auto found = of.find(state.setting);
    return found == of.end() ? tuned->second : found->second;
  };
  state.tuned_s = tuned->second;
  state.least_s = or_tuned(cost.fork_join_least_s);
  state.most_s = or_tuned(cost.fork_join_most_s);
  return state;
}

namespace {

struct AloneAndShared {
  double alone_s = 0;
  std::optional<double> beside_s;  // that all threads took beside their part and a fork-join; none: they can't share it
};

AloneAndShared race_shared(Children& children, const std::string& case_name, const runtime::CostModel& cost,
                           std::mt19937_64& random) {
  const Setting all = {Setting::threads, machine().default_threads};
  std::vector<Setting> settings = {{}};
  if (all.count > 1) settings.push_back(all);
  const std::vector<RacedSetting> raced = race(children, case_name, settings, quick, random);
  AloneAndShared of = {lower_quartile(raced.front().seconds), {}};
  if (raced.size() > 1) {
    of.beside_s = lower_quartile(raced.back().seconds) - cost.fork_join(all) - of.alone_s / all.count;
  }
  return of;
}

// Of what sharing costs beside, the part that is the same for all sizes.
double constant_part(const AloneAndShared& small, const AloneAndShared& large) {
  if (!small.beside_s || !large.beside_s) return 0;
  const double growth = std::max((*large.beside_s - *small.beside_s) / (large.alone_s - small.alone_s), 0.0);
  return std::min(*small.beside_s, *large.beside_s) - growth * small.alone_s;
}

}  // namespace

runtime::CostModel calibrate(Children& children, const std::vector<TunedKernel>& kernels, std::mt19937_64& random,
                             const std::function<void(const std::string&)>& show) {
  runtime::CostModel cost;
  show("calibrating: fork-joins");
  cost.see_fork_joins(measure_fork_joins(children, runtime::machine_candidates(), random));
  show("calibrating: memory");
  cost.see_memory(measure_memory(children, random));
  for (const TunedKernel& kernel : kernels) {
    if (kernel.calibration_extent.seconds <= 0) continue;
    show(fmt::format("calibrating: {}", kernel.name));
    const AloneAndShared small = race_shared(children, kernel.calibration.name(), cost, random);
    cost.slowness[kernel.name] = small.alone_s / kernel.calibration_extent.seconds;
    const auto larger = case_at(*kernel.cases.front(), sharing_part);
    if (!larger || !small.beside_s) continue;
    const double sharing_s = constant_part(small, race_shared(children, larger->name(), cost, random));
    if (sharing_s >= least_sharing_s) cost.sharing_s[kernel.name] = sharing_s;
  }
  return cost;
}

runtime::TunedPoint tuned_point(const NotedCall& call, const std::vector<RacedSetting>& raced) {
  runtime::TunedPoint point = {call.extent().seconds, {}};
  // Those that were given up keep what they had: a curve without them there would know nothing of them around it.
  for (const RacedSetting& each : raced) point.times_s.emplace_back(each.setting, scaling::median(each.seconds));
  return point;
}

Regret regret_of(const std::string& case_name, const std::string& kernel, Setting pick,
                 const std::vector<RacedSetting>& raced) {
  const RacedSetting& picked = raced_as(raced, pick);
  const RacedSetting& sequential = raced_as(raced, Setting{});
  Regret of;
  of.case_name = case_name;
  of.kernel = kernel;
  of.pick = picked.setting;
  of.raced = raced;
  double regret = 0, noise = 0;
  for (const std::size_t half : {0, 1}) {
    const double chosen = median_in(best_in(raced, 1 - half), half);
    const double least = median_in(best_in(raced, half), half);
    regret += std::log(median_in(picked, half) / chosen) / 2;
    noise += std::log(chosen / least) / 2;
  }
  of.regret = std::expm1(regret);
  of.noise = std::expm1(noise);
  of.over_sequential = scaling::median(picked.seconds) / scaling::median(sequential.seconds) - 1;
  of.best = std::min_element(raced.begin(), raced.end(), [](const RacedSetting& a, const RacedSetting& b) {
              return scaling::median(a.seconds) < scaling::median(b.seconds);
            })->setting;
  return of;
}

RegretSummary summary_of(const std::vector<Regret>& all) {
  RegretSummary summary;
  if (all.empty()) return summary;
  const auto count = static_cast<double>(all.size());
  std::vector<double> regrets;
  std::map<Setting, double> fixed;  // sums of logarithms
  double sum = 0, noise = 0;
  summary.worst_over_sequential = -1;
  for (const Regret& each : all) {
    regrets.push_back(each.regret);
    sum += std::log1p(each.regret);
    noise += std::log1p(each.noise);
    summary.worst_over_sequential = std::max(summary.worst_over_sequential, each.over_sequential);
    summary.picked_best += each.pick == each.best;
    const double least = scaling::median(raced_as(each.raced, each.best).seconds);
    for (const Setting setting : runtime::machine_candidates()) {
      fixed[setting] += std::log(scaling::median(raced_as(each.raced, setting).seconds) / least);
    }
  }
  summary.mean = std::expm1(sum / count);
  summary.noise_mean = std::expm1(noise / count);
  std::sort(regrets.begin(), regrets.end());
  // The least value that 95 % don't exceed.
  summary.percentile_95 = regrets[static_cast<std::size_t>(std::ceil(0.95 * count)) - 1];
  const auto best =
      std::min_element(fixed.begin(), fixed.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  summary.fixed = best->first;
  summary.fixed_mean = std::expm1(best->second / count);
  return summary;
}

}  // namespace speedwell::bench
