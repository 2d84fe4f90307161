// SPDX-License-Identifier: Apache-2.0
#include "runtime/scaling/measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include <speedwell/backend.hpp>
#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>

#include "runtime/process.hpp"
#include "runtime/scaling/case_study.hpp"
#include "runtime/scaling/thread_axis.hpp"

namespace speedwell {

namespace scaling {

namespace {

// As the instrument's own: long against a tick of the kernel and a switch of threads.
constexpr double usual_sample_ns = 50e6;
// Below this one interruption is more than what is to be seen.
constexpr double shortest_sample_ns = 1e6;
// Of the budget, what samples of the usual length may take: the rest is for warm-up and long calls.
constexpr double part_for_samples = 0.5;
// Enough to tell two counts apart.
constexpr double narrow_enough = 0.02;
// Of a sample; more are only asked for by a body that does nothing.
constexpr long long most_calls = 1LL << 24;
// The word by which studies know the baseline.
constexpr const char* baseline = "sequential";

void expect(bool valid, const char* option, double given, const char* expected) {
  if (valid) return;
  throw InvalidArgument(fmt::format("measure_scaling: {} is {}, expected {}", option, given, expected));
}

void check(const std::function<void(int)>& body, const ScalingOptions& options) {
  if (!body) throw InvalidArgument("measure_scaling: body is empty, expected a function of a thread count");
  if (options.name.empty() || options.name == baseline) {
    throw InvalidArgument(fmt::format("measure_scaling: name is '{}', expected a word other than '{}' for what body is",
                                      options.name, baseline));
  }
  for (const int threads : options.threads) {
    if (threads >= 1 && threads <= max_threads) continue;
    throw InvalidArgument(
        fmt::format("measure_scaling: threads holds {}, expected numbers from 1 to {}", threads, max_threads));
  }
  constexpr int fewest = 9, most = 1000;
  expect(options.rounds >= fewest && options.rounds <= most, "rounds", options.rounds, "9 to 1000");
  expect(options.most_rounds >= options.rounds && options.most_rounds <= most, "most_rounds", options.most_rounds,
         "rounds to 1000");
  expect(options.budget_s > 0 && options.budget_s <= 1e7, "budget_s", options.budget_s, "more than 0, up to 1e7");
  expect(options.warm_up_s >= 0 && options.warm_up_s <= 60, "warm_up_s", options.warm_up_s, "0 to 60");
  expect(options.flops >= 0 && std::isfinite(options.flops), "flops", options.flops, "a finite number, 0 or more");
  expect(options.bytes >= 0 && std::isfinite(options.bytes), "bytes", options.bytes, "a finite number, 0 or more");
}

std::vector<int> counts_of(const ScalingOptions& options, const Surroundings& here) {
  std::vector<int> counts = options.threads.empty() ? thread_axis(here.available) : options.threads;
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

// A cell, and how to take its samples.
struct Subject {
  Cell cell;
  std::function<void()> call;
  long long calls = 1;  // of a sample

  bool narrow() const {
    const std::vector<double> samples = cell.samples();
    const double middle = median(samples);
    const Interval interval = median_interval(samples);
    return std::max(middle - interval.low, interval.high - middle) <= narrow_enough * middle;
  }
};

class Measurement {
 public:
  Measurement(const std::function<void(int)>& body, const ScalingOptions& options, const Surroundings& here)
      : options_(options), here_(here), counts_(counts_of(options, here)), began_ns_(here.now_ns()) {
    const std::function<void()> alone = [&body] { body(1); };
    const std::function<void()>& sequential = options.sequential ? options.sequential : alone;
    add(baseline, 1, "", sequential);
    // Without a version of its own the sequential one is body(1), and then so is its twin.
    if (options.sequential || counts_.front() != 1) add(baseline, 1, "/twin", sequential);
    for (const int threads : counts_) add(options.name, threads, "", [&body, threads] { body(threads); });
  }

  Scaling run() {
    for (Subject& subject : subjects_) find_calls(subject);
    while (wants_another_round()) {
      const double began = here_.now_ns();
      take_round(++rounds_);
      round_ns_ = here_.now_ns() - began;
    }
    return result();
  }

 private:
  void add(const std::string& model, int threads, const char* suffix, std::function<void()> call) {
    subjects_.push_back({{.name = fmt::format("{}/{}/{}{}", options_.name, model, threads, suffix),
                          .case_name = options_.name,
                          .backend = model,
                          .threads = threads,
                          .flops = options_.flops,
                          .bytes = options_.bytes},
                         std::move(call)});
  }

  double time_ns(const Subject& subject, long long calls) const {
    const double began = here_.now_ns();
    for (long long i = 0; i < calls; ++i) subject.call();
    return std::max(here_.now_ns() - began, 1.0);
  }

  // How many calls make a sample: twice as many until they take a quarter of one, as short calls speed up as they
  // repeat.
  void find_calls(Subject& subject) const {
    const double samples = static_cast<double>(subjects_.size()) * options_.rounds;
    const double target =
        std::clamp(part_for_samples * options_.budget_s * 1e9 / samples, shortest_sample_ns, usual_sample_ns);
    subject.call();
    double call_ns = 0;
    for (long long calls = 1; calls <= most_calls; calls *= 2) {
      const double ns = time_ns(subject, calls);
      call_ns = ns / static_cast<double>(calls);
      if (ns > target / 4) break;
    }
    subject.calls = static_cast<long long>(std::clamp(std::round(target / call_ns), 1.0, double{most_calls}));
  }

  bool wants_another_round() const {
    if (rounds_ == 0) return true;
    if (here_.now_ns() - began_ns_ + round_ns_ > options_.budget_s * 1e9) return false;
    if (rounds_ < options_.rounds) return true;
    return rounds_ < options_.most_rounds &&
           !std::all_of(subjects_.begin(), subjects_.end(), [](const Subject& each) { return each.narrow(); });
  }

  void take_round(int round) {
    std::vector<Subject*> order;
    for (Subject& subject : subjects_) order.push_back(&subject);
    Random random(options_.seed * 1'000'003 + static_cast<std::uint64_t>(round));
    for (int i = static_cast<int>(order.size()); i > 1; --i) {
      std::swap(order[static_cast<std::size_t>(i - 1)], order[static_cast<std::size_t>(random.below(i))]);
    }
    for (Subject* const subject : order) take_sample(*subject, round);
  }

  void take_sample(Subject& subject, int round) {
    busy_ = busy_ || !here_.settle();
    const double began = here_.now_ns();
    do subject.call();
    while (here_.now_ns() - began < options_.warm_up_s * 1e9);
    const double ns = time_ns(subject, subject.calls);
    Cell& cell = subject.cell;
    cell.rounds[round].push_back(ns / static_cast<double>(subject.calls));
    cell.shortest_ns = cell.shortest_ns > 0 ? std::min(cell.shortest_ns, ns) : ns;
  }

  Scaling result() const;
  ScalingPoint to_point(const Point& point) const;

  const ScalingOptions& options_;
  const Surroundings& here_;
  std::vector<int> counts_;
  std::vector<Subject> subjects_;  // the sequential version, its twin, then by rising thread count
  int rounds_ = 0;
  double began_ns_;
  double round_ns_ = 0;  // that the last round took
  bool busy_ = false;    // other threads don't stop
};

ScalingInterval to_interval(Interval interval) { return {interval.low, interval.high}; }

ScalingPoint Measurement::to_point(const Point& point) const {
  ScalingPoint to = {.threads = point.threads,
                     .median_ns = point.median_ns,
                     .ci_ns = to_interval(point.ci),
                     .confidence = median_ranks(point.samples).confidence,
                     .speedup = point.speedup->value,
                     .speedup_ci = to_interval(point.speedup->ci),
                     .self_speedup = point.self_speedup,
                     .efficiency = point.speedup->value / point.threads,
                     .deviation = point.deviation,
                     .mild_outliers = point.outliers.mild,
                     .severe_outliers = point.outliers.severe,
                     .warnings = point.warnings};
  if (point.threads > 1) to.karp_flatt = karp_flatt(point.speedup->value, point.threads);
  if (options_.flops > 0) to.flops_per_s = options_.flops / (point.median_ns * 1e-9);
  if (options_.bytes > 0) to.bytes_per_s = options_.bytes / (point.median_ns * 1e-9);
  if (busy_) to.warnings.push_back("busy: other threads of this process kept running");
  for (const auto& [round, values] : point.cell->rounds) to.samples.push_back({round, values.front()});
  return to;
}

ScalingLaw to_law(const LawFit& fit) {
  ScalingLaw law = {.name = name_of(fit.law), .reason = fit.reason};
  law.superlinear = fit.superlinear;
  law.worst_residual = fit.worst_residual;
  if (fit.law == Law::none) return law;
  law.one_thread_cost = fit.one_thread;
  if (fit.law == Law::amdahl) {
    law.serial_fraction = fit.sigma;
    law.serial_fraction_ci = to_interval(fit.sigma_ci);
  } else {
    law.sigma = fit.sigma;
    law.sigma_ci = to_interval(fit.sigma_ci);
    law.kappa = fit.kappa;
    law.kappa_ci = to_interval(fit.kappa_ci);
  }
  if (fit.peak) {
    law.peak_threads = fit.peak;
    law.peak_threads_ci = to_interval(fit.peak_ci);
  }
  for (const Prediction& each : fit.predicted) {
    law.predicted.push_back({each.threads, each.speedup, to_interval(each.band), each.extrapolated});
  }
  return law;
}

Scaling Measurement::result() const {
  std::vector<const Cell*> cells;
  for (const Subject& subject : subjects_) {
    if (!subject.cell.name.ends_with("/twin")) cells.push_back(&subject.cell);
  }
  Setting setting;
  setting.cores = here_.cores;
  setting.available = here_.available;
  setting.noise_floor = noise_between(subjects_[1].cell, subjects_[0].cell);
  const CaseStudy study = study_of(options_.name, cells, setting);

  const Curve& curve = study.curves.front();
  Scaling scaling = {.name = options_.name,
                     .seed = options_.seed,
                     .rounds = rounds_,
                     .sequential = to_point(*study.sequential),
                     .law = to_law(curve.fit),
                     .noise_floor = setting.noise_floor,
                     .best_threads = study.best->point->threads,
                     .pays = study.best->curve != nullptr,
                     .enough_threads = *study.enough_threads,
                     .verdict = verdict(study, setting)};
  for (const Point& point : curve.points) scaling.points.push_back(to_point(point));
  return scaling;
}

double steady_ns() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// libgomp's threads spin for some milliseconds after a region, libomp's for 200.
bool wait_until_alone() {
  constexpr double longest_ns = 250e6;
  const double began = steady_ns();
  while (runtime::running_threads() > 1) {
    if (steady_ns() - began > longest_ns) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

}  // namespace

Scaling measure(const std::function<void(int)>& body, const ScalingOptions& options, const Surroundings& here) {
  check(body, options);
  return Measurement(body, options, here).run();
}

}  // namespace scaling

Scaling measure_scaling(const std::function<void(int)>& body, const ScalingOptions& options) {
  const Machine& machine = speedwell::machine();
  return scaling::measure(body, options,
                          {.now_ns = scaling::steady_ns,
                           .settle = scaling::wait_until_alone,
                           .cores = static_cast<int>(machine.core_cpus.size()),
                           .available = machine.default_threads});
}

}  // namespace speedwell
