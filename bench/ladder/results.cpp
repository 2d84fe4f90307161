// SPDX-License-Identifier: Apache-2.0
#include "bench/ladder/results.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include <speedwell/machine.hpp>

#include "bench/driver/build_info.hpp"
#include "bench/driver/fingerprint.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::ladder {

using nlohmann::ordered_json;
using report::counted;
using report::factor_words;
using report::number_words;
using report::percent_words;
using report::time_words;

namespace {

ordered_json step_json(const Step& step) {
  return {{"name", step.name},
          {"change", step.change},
          {"backend", step.backend.empty() ? ordered_json() : ordered_json(step.backend)},
          {"threads", step.threads},
          {"rows", step.rows},
          {"verified", true},
          {"median_ns", step.times.median},
          {"ci_low_ns", step.times.low},
          {"ci_high_ns", step.times.high},
          {"samples_ns", step.times.ns},
          {"flops_per_s", step.flops_per_s},
          {"percent_of_peak", step.percent_of_peak > 0 ? ordered_json(step.percent_of_peak) : ordered_json()},
          {"over_previous", step.over_previous > 0 ? ordered_json(step.over_previous) : ordered_json()},
          {"over_first", step.over_first}};
}

std::string peaks_text(const std::vector<Peak>& peaks) {
  std::vector<std::string> parts;
  for (const Peak& peak : peaks) {
    parts.push_back(
        fmt::format("{} GFLOP/s on {}", number_words(peak.flops_per_s / 1e9), counted(peak.threads, "core")));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

// What the table's figures rest on, a sentence each.
std::vector<std::string> notes(const Ladder& ladder) {
  const BuildInfo& build = build_info();
  std::vector<std::string> notes = {
      fmt::format("{}. Each rung verified by an oracle of its own, then timed in turns with the others: medians of so "
                  "many rounds.",
                  machine().cpu),
      fmt::format("Peak: fused multiply-adds on registers alone ({}), {}.", name(machine().isa),
                  peaks_text(ladder.peaks)),
      fmt::format("naive and reordered are plain C++ as {} {} makes it for any processor of this architecture.",
                  build.compiler, build.flags)};
  for (const Step& step : ladder.steps) {
    if (step.rows < ladder.n) {
      notes.push_back(fmt::format("{} was timed on {} of {} rows.", step.name, step.rows, ladder.n));
    }
  }
  std::vector<std::string> slower;
  for (const Step& step : ladder.slower) {
    slower.push_back(fmt::format("{} {}", step.backend, time_words(step.times.median)));
  }
  if (!slower.empty()) notes.push_back(fmt::format("The other models on all cores: {}.", fmt::join(slower, ", ")));
  return notes;
}

}  // namespace

ordered_json to_json(const Ladder& ladder, const std::string& started) {
  const auto n = static_cast<double>(ladder.n);
  ordered_json json = {{"schema", 1},
                       {"started", started},
                       {"machine", machine_fingerprint()},
                       {"build", build_fingerprint({})},
                       {"environment", measuring_environment()},
                       {"size", ladder.n},
                       {"flops", 2 * n * n * n},
                       {"rounds", ladder.rounds},
                       {"interrupted", ladder.signal != 0},
                       {"peaks", ordered_json::array()},
                       {"rungs", ordered_json::array()},
                       {"slower", ordered_json::array()},
                       {"refused", ordered_json::array()}};
  for (const Peak& peak : ladder.peaks) {
    json["peaks"].push_back({{"threads", peak.threads}, {"flops_per_s", peak.flops_per_s}});
  }
  for (const Step& step : ladder.steps) json["rungs"].push_back(step_json(step));
  for (const Step& step : ladder.slower) json["slower"].push_back(step_json(step));
  for (const Refused& refused : ladder.refused) {
    json["refused"].push_back({{"name", refused.name}, {"reason", refused.reason}});
  }
  return json;
}

std::string table(const Ladder& ladder, bool colours, int width) {
  const auto paint = [colours](const char* code, const std::string& text) {
    return colours ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  };
  constexpr int figures_width = 73;
  constexpr int change_width = 47;
  // The last column goes below each rung where it doesn't fit beside.
  const bool beside = width >= figures_width + change_width;
  const auto row = [&](const std::string& rung, const std::string& time, const std::string& rate,
                       const std::string& peak, const std::string& below, const std::string& first,
                       const std::string& rounds) {
    return fmt::format("{:<13}{:>9}{:>11}{:>10}{:>12}{:>10}{:>8}", rung, time, rate, peak, below, first, rounds);
  };
  std::string text = fmt::format("C = A B on {0} x {0} floats, {1:.3g} GFLOP\n\n", ladder.n,
                                 2e-9 * static_cast<double>(ladder.n * ladder.n) * static_cast<double>(ladder.n));
  text += paint("1", row("rung", "time", "GFLOP/s", "of peak", "× previous", "× first", "rounds") +
                         (beside ? "  what changed" : "")) +
          "\n";
  for (std::size_t i = 0; i < ladder.steps.size(); ++i) {
    const Step& step = ladder.steps[i];
    text +=
        row(fmt::format("{} {}", i + 1, step.name), time_words(step.times.median), number_words(step.flops_per_s / 1e9),
            step.percent_of_peak > 0 ? percent_words(step.percent_of_peak) : "–",
            i > 0 ? factor_words(step.over_previous) : "", i > 0 ? factor_words(step.over_first) : "",
            std::to_string(step.times.ns.size()));
    text += beside ? "  " + step.change + "\n" : paint("2", "\n  " + step.change) + "\n";
  }
  text += "\n";
  for (const std::string& note : notes(ladder)) {
    for (const std::string& line : report::wrapped(note, static_cast<std::size_t>(std::max(width, 40)))) {
      text += paint("2", line) + "\n";
    }
  }
  return text;
}

std::string to_csv(const Ladder& ladder) {
  std::string csv =
      "kind,rung,name,change,backend,threads,rows,rounds,time_ns,low_ns,high_ns,gflop_per_s,percent_of_peak,over_"
      "previous,"
      "over_first\n";
  const auto known = [](double value) { return value > 0 ? fmt::format("{:.7g}", value) : std::string(); };
  for (std::size_t i = 0; i < ladder.steps.size(); ++i) {
    const Step& step = ladder.steps[i];
    csv += fmt::format("rung,{},{},{},{},{},{},{},{:.7g},{:.7g},{:.7g},{:.7g},{},{},{:.7g}\n", i + 1,
                       report::csv(step.name), report::csv(step.change), step.backend, step.threads, step.rows,
                       step.times.ns.size(), step.times.median, step.times.low, step.times.high, step.flops_per_s / 1e9,
                       known(step.percent_of_peak), known(step.over_previous), step.over_first);
  }
  for (const Peak& peak : ladder.peaks) {
    csv += fmt::format("peak,,,,,{},,,,,,{:.7g},,,\n", peak.threads, peak.flops_per_s / 1e9);
  }
  return csv;
}

}  // namespace speedwell::bench::ladder
