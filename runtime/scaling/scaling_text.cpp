// SPDX-License-Identifier: Apache-2.0
// A Scaling as people read it on a terminal.
#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include <speedwell/scaling.hpp>

#include "runtime/scaling/words.hpp"

namespace speedwell {

namespace {

using scaling::number;

scaling::Interval interval(ScalingInterval of) { return {of.low, of.high}; }

std::string percent(double share) { return number(100 * share) + " %"; }

std::string percent(double share, ScalingInterval ci) {
  return fmt::format("{} ({} %)", percent(share), scaling::range({100 * ci.low, 100 * ci.high}));
}

std::string rate(double per_s) { return number(per_s / 1e9); }

std::string table_line(const ScalingPoint& point, const std::string& threads) {
  std::string line = fmt::format("{:>10}  {:<28}", threads, scaling::duration(point.median_ns, interval(point.ci_ns)));
  line += fmt::format("  {:<19}", scaling::times(point.speedup, interval(point.speedup_ci)));
  line += fmt::format("{:>11}", fmt::format("{:.0f} %", 100 * point.efficiency));
  line += fmt::format("{:>12}", point.karp_flatt ? number(*point.karp_flatt) : "");
  if (point.flops_per_s) line += fmt::format("{:>10}", rate(*point.flops_per_s));
  if (point.bytes_per_s) line += fmt::format("{:>10}", rate(*point.bytes_per_s));
  return line;
}

std::string table(const Scaling& of) {
  std::string header = fmt::format("{:>10}  {:<28}  {:<19}{:>11}{:>12}", "threads", "time of a call (95 %)", "speedup",
                                   "efficiency", "Karp-Flatt");
  if (of.sequential.flops_per_s) header += fmt::format("{:>10}", "GFLOP/s");
  if (of.sequential.bytes_per_s) header += fmt::format("{:>10}", "GB/s");
  std::string text = header + "\n" + table_line(of.sequential, "sequential") + "\n";
  for (const ScalingPoint& point : of.points) text += table_line(point, std::to_string(point.threads)) + "\n";
  return text;
}

// A bar a count; a stroke where the ideal line would be.
std::string plot(const Scaling& of) {
  constexpr double columns = 60;
  double most = 1;
  for (const ScalingPoint& point : of.points) most = std::max({most, point.speedup, double(point.threads)});
  std::string text;
  for (const ScalingPoint& point : of.points) {
    const auto place = [&](double speedup) { return static_cast<int>(std::lround(columns * speedup / most)); };
    const int ideal = place(point.threads);
    const int length = place(point.speedup);
    text += fmt::format("{:>10}  ", point.threads);
    for (int column = 1; column <= std::max(ideal, length); ++column) {
      text += column == ideal ? "│" : column <= length ? "█" : " ";
    }
    text += fmt::format("  {}×\n", number(point.speedup));
  }
  return text;
}

std::string law_lines(const ScalingLaw& law) {
  std::string text = "law: " + law.reason;
  if (law.serial_fraction) text += "; serial " + percent(*law.serial_fraction, law.serial_fraction_ci);
  if (law.sigma) text += "; contention " + percent(*law.sigma, law.sigma_ci);
  if (law.kappa) text += "; coherence " + percent(*law.kappa, law.kappa_ci);
  text += "\n";
  const auto last = std::find_if(law.predicted.rbegin(), law.predicted.rend(),
                                 [](const ScalingPrediction& each) { return each.extrapolated; });
  if (last != law.predicted.rend()) {
    text += fmt::format("extrapolated, not measured: {} on {} threads\n",
                        scaling::times(last->speedup, interval(last->band)), last->threads);
  }
  return text;
}

std::string warning_lines(const Scaling& of) {
  std::string text;
  const auto add = [&](const ScalingPoint& point, const std::string& who) {
    for (const std::string& warning : point.warnings) text += fmt::format("warning: {}: {}\n", who, warning);
  };
  add(of.sequential, "sequential");
  for (const ScalingPoint& point : of.points) add(point, fmt::format("{} on {}", of.name, point.threads));
  return text;
}

}  // namespace

std::string to_text(const Scaling& of) {
  return fmt::format("{}: {} round{}, noise floor {}\n\n{}\n{}\n{}{}{}\n", of.name, of.rounds,
                     of.rounds == 1 ? "" : "s", of.noise_floor ? percent(*of.noise_floor) : "not known", table(of),
                     plot(of), law_lines(of.law), warning_lines(of), of.verdict);
}

}  // namespace speedwell
