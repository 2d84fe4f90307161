// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include <speedwell/machine.hpp>

#include "bench/case.hpp"
#include "bench/cli/verbs.hpp"
#include "bench/driver/plan.hpp"
#include "bench/driver/tuner.hpp"
#include "runtime/environment.hpp"
#include "runtime/picker/picker.hpp"
#include "runtime/picker/wisdom_file.hpp"

namespace speedwell::bench {

namespace {

using nlohmann::ordered_json;
using runtime::Bound;
using runtime::Prediction;
using runtime::Setting;

// A case of the kernel, of any size; "matmul" is its first variant.
const Case& variant_of(const std::string& kernel) {
  std::vector<std::string> known;
  for (const Case& each : cases()) {
    if (!each.size_at) continue;
    if (kernel == each.kernel || kernel == each.kernel + "/" + each.variant) return each;
    if (std::find(known.begin(), known.end(), each.kernel) == known.end()) known.push_back(each.kernel);
  }
  throw UsageError(
      fmt::format("there is no kernel '{}'{}; expected one of {}, or one with its variant, such as matmul/f64", kernel,
                  did_you_mean(kernel.substr(0, kernel.find('/')), known), fmt::join(known, ", ")));
}

std::string time_text(double seconds) {
  if (seconds < 1e-6) return fmt::format("{:.3g} ns", seconds * 1e9);
  if (seconds < 1e-3) return fmt::format("{:.3g} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.3g} ms", seconds * 1e3);
  return fmt::format("{:.3g} s", seconds);
}

struct Answer {
  std::string case_name;
  NotedCall call;
  Setting setting;
  bool forced = false;  // by the environment
  bool tuned = false;
  bool alone = false;  // nothing to share with other threads
  std::vector<Prediction> predictions;
  std::string crossover;  // the smallest size that gets several threads; empty: none of the kernel's sizes does
};

// By halving: along a kernel's sizes calls go from one thread to several once.
std::string crossover_of(const Case& variant, const runtime::Wisdom& wisdom) {
  const auto parallel_at = [&](double part) {
    const auto of = case_at(variant, part);
    const auto call = of ? note_call(*of) : std::nullopt;
    return call && pick_of(wisdom, *call).count > 1;
  };
  // Larger ones hold a lot of memory for a question.
  constexpr double most_part = 0.8;
  if (!parallel_at(most_part)) return "";
  double alone = 0, parallel = most_part;
  for (int i = 0; i < 9; ++i) {
    const double middle = (alone + parallel) / 2;
    (parallel_at(middle) ? parallel : alone) = middle;
  }
  return variant.size_at(parallel);
}

Answer answer(const PlanOptions& options, const runtime::Wisdom& wisdom) {
  const Case& variant = variant_of(options.kernel);
  const auto of = variant.of_size(options.size);
  if (!of) {
    throw UsageError(fmt::format("size '{}' isn't one of {}/{}, expected one such as {}", options.size, variant.kernel,
                                 variant.variant, variant.size_at(0.5)));
  }
  Answer found;
  found.case_name = of->name();
  if (const auto call = note_call(*of); call && !call->shareable()) {
    found.alone = true;
  } else if (call) {
    found.call = *call;
    const runtime::Predictor predictor(wisdom, call->kernel, call->extent().bound, runtime::machine_limits());
    found.tuned = predictor.tuned();
    predictor.predict(call->extent().seconds, found.predictions);
    found.setting = pick_of(wisdom, *call);
  }
  if (const auto backend = runtime::environment_backend(); backend && !std::holds_alternative<Automatic>(*backend)) {
    found.forced = true;
    const int threads = std::holds_alternative<Sequential>(*backend) ? 1 : machine().default_threads;
    runtime::parse_setting(fmt::format("{}{}", name(*backend), threads > 1 ? fmt::format("/{}", threads) : ""),
                           found.setting);
  }
  found.crossover = crossover_of(variant, wisdom);
  return found;
}

// Why, in words.
std::string reason(const Answer& found) {
  if (found.forced) return "SPEEDWELL_BACKEND says so";
  if (found.alone) return "a pass over what the caller has in its caches: other threads would have to fetch it first";
  if (found.predictions.empty()) return "a call of nanoseconds: it never asks";
  if (machine().default_threads == 1) return "one core is allowed";
  const std::string source = found.tuned
                                 ? "tuned on this machine"
                                 : "an estimate: the kernel isn't tuned on this machine, `speedwell tune` does it";
  double one = 0, several = HUGE_VAL, picked = 0;
  for (const Prediction& each : found.predictions) {
    if (each.setting.count == 1) one = each.seconds;
    if (each.setting.count > 1) several = std::min(several, each.seconds);
    if (each.setting == found.setting) picked = each.seconds;
  }
  if (found.setting.count == 1) {
    return several > one ? fmt::format("several threads would take {:.2g} times as long ({})", several / one, source)
                         : fmt::format("several threads would save {:.0f} % at most, which isn't sure ({})",
                                       100 * (1 - several / one), source);
  }
  return fmt::format("{:.2g} times as fast as one thread ({})", one / picked, source);
}

std::string in_words_of_sharing(double seconds) {
  return seconds == 0 ? std::string() : fmt::format(" + {} for sharing", time_text(seconds));
}

void explain(const Answer& found, const runtime::Wisdom& wisdom) {
  const runtime::CostModel& cost = wisdom.cost;
  const runtime::Extent extent = found.call.extent();
  const std::string path = runtime::wisdom_path();
  fmt::print(
      "\nThe call counts {:.4g} operations and {:.4g} bytes, which would take a core of the reference machine\n"
      "{} ({}); that is where it stands among the kernel's calls.\n",
      found.call.work.flops, found.call.work.bytes, time_text(extent.seconds),
      extent.bound == Bound::memory ? "bound by memory" : "bound by arithmetic");
  if (const runtime::TunedCurve* const curve = wisdom.curve(found.call.kernel, extent.bound)) {
    fmt::print("{} was raced at {} sizes; times are interpolated between them, on logarithmic scales:\n",
               found.call.kernel, curve->size());
    for (const runtime::TunedPoint& point : *curve) {
      std::string times;
      for (const auto& [setting, seconds] : point.times_s) {
        times += fmt::format("  {} {}", text(setting), time_text(seconds));
      }
      fmt::print("  at {:<9}{}\n", time_text(point.extent_s), times);
    }
  } else {
    fmt::print("T(1) = {:.3g} x that, T(p) = fork-join{} + T(1) / speedup. Fork-joins ({}):",
               cost.slowness_of(found.call.kernel), in_words_of_sharing(cost.sharing_of(found.call.kernel)),
               cost.fork_join_s.empty() ? "assumed" : "measured here");
    for (const Setting setting : runtime::machine_candidates()) {
      if (setting.count > 1) fmt::print("  {} {}", text(setting), time_text(cost.fork_join(setting)));
    }
    fmt::print("\nSpeedup: p, or where data come from memory at most {:.2g} with all threads ({}).\n",
               cost.speedup_of_memory(machine().default_threads),
               cost.memory_speedup.empty() ? "assumed" : "measured here");
  }
  fmt::print("wisdom: {}\n", path.empty() ? "none: no cache folder" : path);
}

void print(const Answer& found, const runtime::Wisdom& wisdom, bool explained) {
  fmt::print("{}: {}\n  {}\n\n", found.case_name, text(found.setting), reason(found));
  for (const Prediction& each : found.predictions) {
    fmt::print("  {:<14}{:>10}{}\n", text(each.setting), time_text(each.seconds),
               each.setting == found.setting ? "  <- picked" : "");
  }
  if (machine().default_threads > 1) {
    if (found.crossover.empty()) {
      fmt::print("\nNo size of its cases is worth several threads here.\n");
    } else {
      fmt::print("\nBelow about {} a call stays on its own core.\n", found.crossover);
    }
  }
  if (explained && !found.predictions.empty()) explain(found, wisdom);
}

ordered_json to_json(const Answer& found) {
  ordered_json times = ordered_json::object();
  for (const Prediction& each : found.predictions) times[text(each.setting)] = each.seconds;
  return {{"case", found.case_name},
          {"pick", text(found.setting)},
          {"source", found.forced  ? "environment"
                     : found.tuned ? "wisdom"
                                   : "estimate"},
          {"reason", reason(found)},
          {"predicted_s", times},
          {"crossover", found.crossover}};
}

}  // namespace

int run_plan(const PlanOptions& options) {
  const runtime::Wisdom wisdom = runtime::current_wisdom();
  const Answer found = answer(options, wisdom);
  if (options.json) {
    fmt::print("{}\n", to_json(found).dump(2));
  } else {
    print(found, wisdom, options.explain);
  }
  return exit_ok;
}

}  // namespace speedwell::bench
