// SPDX-License-Identifier: Apache-2.0
// From the samples of a case's cells to what is known of it.
#include "runtime/scaling/case_study.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "runtime/scaling/words.hpp"

namespace speedwell::scaling {

namespace {

// More cores that gain less than this aren't worth having.
constexpr double worthwhile_gain = 0.02;

// A curve is called flat beyond a count if the intervals leave no larger one a gain above this.
constexpr double flat_gain = 0.05;

// pyperf's limits for a warning.
constexpr double extreme_distance = 0.50;
constexpr double shortest_sample_ns = 1e6;

std::vector<std::string> warnings_of(const Point& point, const std::vector<double>& samples) {
  std::vector<std::string> warnings;
  const Cell& cell = *point.cell;
  if (point.samples < fewest_for_95_percent) {
    warnings.push_back(fmt::format("few rounds: {}, so the interval is not 95 %", point.samples));
  }
  if (point.deviation >= unstable_deviation) {
    warnings.push_back(fmt::format("unstable: the standard deviation is {:.0f} % of the mean", 100 * point.deviation));
  }
  double farthest = 0;
  for (const double sample : samples) farthest = std::max(farthest, std::abs(sample / point.median_ns - 1));
  if (farthest >= extreme_distance) {
    warnings.push_back(fmt::format("extremes: up to {:.0f} % off the median", 100 * farthest));
  }
  if (cell.shortest_ns > 0 && cell.shortest_ns < shortest_sample_ns) {
    warnings.push_back(fmt::format("short: a sample lasts {}", duration(cell.shortest_ns)));
  }
  if (cell.steal_ticks > 0) {
    warnings.push_back(fmt::format("disturbed: {:.0f} ticks were stolen by other guests", cell.steal_ticks));
  }
  if (cell.other_threads > 0) {
    warnings.push_back(fmt::format("threads: {} of {} samples didn't use the {} asked for", cell.other_threads,
                                   point.samples, cell.threads));
  }
  return warnings;
}

Point point_of(const Cell& cell) {
  const std::vector<double> samples = cell.samples();
  Point point{.cell = &cell,
              .threads = cell.threads,
              .samples = static_cast<int>(samples.size()),
              .median_ns = median(samples),
              .ci = median_interval(samples),
              .deviation = relative_deviation(samples),
              .outliers = tukey_outliers(samples)};
  point.warnings = warnings_of(point, samples);
  return point;
}

// Ceilings bound a call from below: the time that its arithmetic takes at the peak, and what its compulsory traffic
// takes. The roof is whichever takes longer.
void set_roof(Point& point, const CaseStudy& study, const Setting& setting) {
  const auto found = setting.ceilings.find(point.threads);
  if (found == setting.ceilings.end()) return;
  const Ceiling& ceiling = found->second;

  // Integer arithmetic has no measured peak.
  const bool has_peak = study.precision == "f32" || study.precision == "f64";
  const std::optional<double>& measured_peak = study.precision == "f64" ? ceiling.fma_f64 : ceiling.fma_f32;
  const double peak = has_peak ? measured_peak.value_or(0) : 0;
  if (has_peak && study.flops > 0 && peak <= 0) return;

  const int level = study.bytes > 0 ? setting.level_of(study.bytes, point.threads) : 0;
  const Bandwidth measured = study.bandwidth(setting, point.threads);
  const std::optional<double> bandwidth = measured.bytes_per_s;
  if (study.bytes > 0 && !bandwidth) {
    // Older runs have no bandwidth of caches. Arithmetic alone bounds what works in registers, as matrix products do; a
    // filter may as well be held by a cache.
    const bool in_registers = study.kernel == "matmul" && level > 0;
    if (!in_registers && study.flops < far_above_the_ridge * study.bytes) return;
  }
  const double compute_s = peak > 0 ? study.flops / peak : 0;
  const double traffic_s = bandwidth && study.bytes > 0 ? study.bytes / *bandwidth : 0;
  if (compute_s <= 0 && traffic_s <= 0) return;
  point.bound = compute_s >= traffic_s ? Bound::compute : level > 0 ? Bound::cache : Bound::memory;
  if (point.bound == Bound::cache) point.level = level;
  point.roof_ns = std::max(compute_s, traffic_s) * 1e9;
  if (point.bound == Bound::compute || measured.cell == nullptr) return;
  // A machine's bandwidth changes from one minute to the next, so what is held against it is of the same rounds.
  const Ratio part = compare(*measured.cell, *point.cell);
  if (part.rounds < fewest_for_95_percent) return;
  const double scale = study.bytes / measured.cell->bytes;
  point.roof_ns = scale * part.value * point.median_ns;
  point.part_of_roof = Interval{scale * part.ci.low, scale * part.ci.high};
}

// What holds a parallel point that no ceiling does. Needs its speedup.
void set_parallel_bound(Point& point, const CaseStudy& study, const Setting& setting) {
  if (point.threads < 2 || !point.speedup) return;
  // A division whose busiest thread has a share s of the work can't be faster than s of the sequential time.
  constexpr double uneven = 1.1, near_cap = 0.85;
  if (point.cell->largest_share && *point.cell->largest_share * point.threads > uneven) {
    const double cap = 1 / *point.cell->largest_share;
    if (point.speedup->value > near_cap * cap &&
        (point.bound == Bound::unknown || !(point.percent_of_roof() >= near_roof_percent))) {
      point.bound = Bound::imbalance;
      point.roof_ns = study.sequential->median_ns / cap;
      point.part_of_roof.reset();
      return;
    }
  }
  if (study.sequential->median_ns < too_short_ns && point.speedup->below_one(setting.noise())) {
    point.bound = Bound::overhead;
    point.roof_ns.reset();
    point.part_of_roof.reset();
  }
}

// "matmul/f32/64x64x64": what stands between the slashes; a name with fewer parts leaves the later ones empty.
void split_name(CaseStudy& study) {
  std::string_view rest = study.name;
  for (std::string* part : {&study.kernel, &study.variant}) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    *part = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  study.size = rest;
  for (const char* precision : {"f32", "f64", "u8", "u16"}) {
    if (study.variant.starts_with(precision)) study.precision = precision;
  }
}

LawFit law_of(const Curve& curve, const Cell& sequential, const Setting& setting) {
  std::vector<CurvePoint> points;
  for (const Point& point : curve.points) {
    CurvePoint& added = points.emplace_back();
    added.threads = point.threads;
    for (const auto& [round, base] : sequential.rounds) {
      const auto found = point.cell->rounds.find(round);
      added.relative_times.push_back(found != point.cell->rounds.end() ? median(found->second) / median(base)
                                                                       : std::numeric_limits<double>::quiet_NaN());
    }
  }
  return choose_law(points, setting.cores, seed_of(curve.points.front().cell->name));
}

double rank_of(const Point& point) { return point.speedup ? point.speedup->value : 1 / point.median_ns; }

void choose_best(CaseStudy& study, const Setting& setting) {
  std::vector<Choice> choices;
  for (const Curve& curve : study.curves) {
    const auto by_rank = [](const Point& a, const Point& b) { return rank_of(a) < rank_of(b); };
    choices.push_back(
        {.curve = &curve, .point = &*std::max_element(curve.points.begin(), curve.points.end(), by_rank)});
  }
  std::stable_sort(choices.begin(), choices.end(),
                   [](const Choice& a, const Choice& b) { return rank_of(*a.point) > rank_of(*b.point); });
  // The sequential version wins unless a parallel one is surely faster: it takes one core and no fork-join.
  const bool sequential_wins =
      study.sequential && std::none_of(choices.begin(), choices.end(), [&](const Choice& choice) {
        return choice.point->speedup && choice.point->speedup->above_one(setting.noise());
      });
  if (sequential_wins) choices.insert(choices.begin(), {.point = &*study.sequential});
  if (choices.empty()) return;
  // Then a parallel model on one thread is no alternative.
  if (sequential_wins)
    std::erase_if(choices, [](const Choice& c) { return c.curve != nullptr && c.point->threads == 1; });

  study.best = choices.front();
  for (std::size_t i = 1; i < choices.size(); ++i) {
    Choice& choice = choices[i];
    choice.behind = compare(*choice.point->cell, *study.best->point->cell);
    (choice.behind->above_one(setting.noise()) ? study.slower : study.tied).push_back(choice);
  }

  study.enough_threads = study.best->curve != nullptr ? study.best->curve->enough_threads : 1;
}

void find_enough(Curve& curve, const Setting& setting) {
  const auto& points = curve.points;
  for (std::size_t i = 0; i < points.size(); ++i) {
    bool enough = true;
    curve.flat_beyond = true;
    for (std::size_t more = i + 1; more < points.size() && enough; ++more) {
      const Ratio gain = compare(*points[i].cell, *points[more].cell);
      enough = !gain.above_one(std::max(worthwhile_gain, setting.noise()));
      curve.flat_beyond = curve.flat_beyond && gain.rounds > 1 && gain.ci.high < 1 + flat_gain;
    }
    curve.enough_threads = points[i].threads;
    if (enough) return;
  }
}

void race_peers(CaseStudy& study) {
  const Peer* fastest = nullptr;
  for (Peer& peer : study.peers) {
    const Point* ours = peer.point.threads == 1 && study.sequential ? &*study.sequential : nullptr;
    for (const Curve& curve : study.curves) {
      const Point* point = curve.at(peer.point.threads);
      if (point != nullptr && (ours == nullptr || point->median_ns < ours->median_ns)) ours = point;
    }
    if (ours != nullptr) peer.ratio = compare(*ours->cell, *peer.point.cell);
    if (fastest == nullptr || peer.point.median_ns < fastest->point.median_ns) fastest = &peer;
  }
  study.fastest_peer = fastest;
  if (fastest != nullptr && study.best) {
    study.fastest_peer_ratio = compare(*study.best->point->cell, *fastest->point.cell);
  }
}

double work_of(const Cell& cell) { return cell.flops > 0 ? cell.flops : cell.bytes; }

// Begins with the backend's own one thread at the size that all grow from.
void add_weak_scaling(CaseStudy& study, const std::vector<const Cell*>& cells) {
  std::map<std::string, std::map<int, const Cell*>> backends;
  for (const Cell* cell : cells) {
    if (cell->measured() && !cell->weak_of.empty()) backends[cell->backend][cell->threads] = cell;
  }
  for (auto& [backend, points] : backends) {
    WeakCurve& curve = study.weak.emplace_back();
    curve.backend = backend;
    curve.rule = points.begin()->second->weak_rule;
    for (const Curve& strong : study.curves) {
      const Point* first = strong.backend == backend ? strong.at(1) : nullptr;
      if (first != nullptr) points.emplace(1, first->cell);
    }
    for (const auto& [threads, cell] : points) {
      WeakPoint& added = curve.points.emplace_back();
      added.point = point_of(*cell);
      added.size = cell->weak_size.empty() ? study.size : cell->weak_size;
      if (!study.sequential) continue;
      const Cell& base = *study.sequential->cell;
      const double growth = work_of(*cell) / work_of(base);
      const Ratio faster = compare(base, *cell);
      if (faster.rounds == 0 || !std::isfinite(growth)) continue;
      added.scaled = Ratio{.rounds = faster.rounds,
                           .value = growth * faster.value,
                           .ci = {growth * faster.ci.low, growth * faster.ci.high}};
    }
  }
}

Crossover::Size size_of(const CaseStudy& study, const Setting& setting) {
  Crossover::Size size{.study = &study};
  bool all_slower = true;
  for (const Curve& curve : study.curves) {
    for (const Point& point : curve.points) {
      if (point.threads < 2 || !point.speedup) continue;
      if (!size.best || point.speedup->value > size.best->value) size.best = point.speedup;
      all_slower = all_slower && point.speedup->below_one(setting.noise());
    }
  }
  if (!size.best || size.best->rounds < fewest_for_95_percent) return size;
  if (size.best->above_one(setting.noise())) {
    size.pays = true;
  } else if (all_slower) {
    size.pays = false;
  }
  return size;
}

// Of the cases of one kernel, by rising time.
Crossover crossover_of(const std::vector<CaseStudy*>& members, const Setting& setting) {
  Crossover crossover;
  for (const CaseStudy* member : members) {
    crossover.sizes.push_back(size_of(*member, setting));
    if (!crossover.kernel.empty() && member->kernel == tiny_kernel) continue;
    crossover.kernel = member->kernel;
    crossover.variant = member->variant;
  }
  bool all_pay = true;
  for (auto size = crossover.sizes.rbegin(); size != crossover.sizes.rend(); ++size) {
    all_pay = all_pay && size->pays == true;
    if (all_pay) crossover.smallest_paying = &*size;
    if (size->pays == false && crossover.largest_not_paying == nullptr) crossover.largest_not_paying = &*size;
  }
  Crossing crossing{.sizes = static_cast<int>(members.size()), .at_each = all_pay};
  if (const auto* from = crossover.smallest_paying; from != nullptr) {
    crossing.size = from->study->size;
    crossing.sequential_ns = from->study->sequential->median_ns;
  }
  if (const auto* not_at = crossover.largest_not_paying; not_at != nullptr) {
    crossing.not_at = not_at->study->size;
    crossing.not_at_ns = not_at->study->sequential->median_ns;
  }
  // Nothing to say where one size pays, or doesn't, and the others don't tell.
  const bool known = std::all_of(crossover.sizes.begin(), crossover.sizes.end(),
                                 [](const Crossover::Size& size) { return size.pays == false; });
  if (crossover.smallest_paying != nullptr || known) {
    for (CaseStudy* member : members) member->crossing = crossing;
  }
  return crossover;
}

}  // namespace

std::vector<double> Cell::samples() const {
  std::vector<double> all;
  for (const auto& [round, values] : rounds) all.insert(all.end(), values.begin(), values.end());
  return all;
}

const Point* Curve::at(int threads) const {
  const auto found =
      std::find_if(points.begin(), points.end(), [=](const Point& point) { return point.threads == threads; });
  return found == points.end() ? nullptr : &*found;
}

int CaseStudy::largest_count() const {
  int largest = 1;
  for (const Curve& curve : curves) largest = std::max(largest, curve.points.back().threads);
  return largest;
}

Bandwidth CaseStudy::bandwidth(const Setting& setting, int threads) const {
  if (const auto same = setting.traffic.find(traffic); same != setting.traffic.end()) {
    if (const auto there = same->second.find(threads); there != same->second.end()) {
      const Cell& copy = *there->second;
      return {"bandwidth of the same buffers", copy.bytes / (median(copy.samples()) * 1e-9), &copy};
    }
  }
  const auto ceiling = setting.ceilings.find(threads);
  if (ceiling == setting.ceilings.end()) return {};
  StreamRates rates = ceiling->second.memory;
  const int level = setting.level_of(bytes, threads);
  if (level > 0) {
    const auto of_level = ceiling->second.caches.find(level);
    if (of_level == ceiling->second.caches.end()) return {};
    rates = of_level->second;
  }
  // A load writes nothing, a triad a third of its traffic, a copy a half. Runs of older versions don't say.
  const double written = written_bytes && bytes > 0 ? *written_bytes / bytes : 1.0 / 3;
  if (written < 1.0 / 6 && rates.load) return {"load bandwidth", rates.load};
  if (written > 5.0 / 12 && rates.copy) return {"copy bandwidth", rates.copy};
  return {"triad bandwidth", rates.triad};
}

int Setting::level_of(double bytes, int threads) const {
  for (const Cache& cache : caches) {
    const double instances = std::ceil(static_cast<double>(threads) / std::max(1, cache.sharing_cores));
    if (bytes <= cache.bytes * instances) return cache.level;
  }
  return 0;
}

Ratio compare(const Cell& numerator, const Cell& denominator) {
  std::vector<double> ratios;
  for (const auto& [round, ns] : numerator.rounds) {
    const auto other = denominator.rounds.find(round);
    if (other != denominator.rounds.end()) ratios.push_back(median(ns) / median(other->second));
  }
  if (ratios.empty()) return {};
  return {.rounds = static_cast<int>(ratios.size()),
          .value = median(ratios),
          .ci = bootstrap_median(ratios, seed_of(numerator.name + " / " + denominator.name))};
}

std::optional<double> noise_between(const Cell& cell, const Cell& twin) {
  const Ratio ratio = compare(cell, twin);
  if (ratio.rounds < 2) return std::nullopt;
  return std::max(std::abs(ratio.ci.high - 1), std::abs(1 - ratio.ci.low));
}

CaseStudy study_of(const std::string& name, const std::vector<const Cell*>& cells, const Setting& setting) {
  CaseStudy study;
  study.name = name;
  split_name(study);

  std::map<std::string, std::map<int, const Cell*>> backends;
  std::vector<std::string> order;
  for (const Cell* cell : cells) {
    study.rejected += cell->rejected;
    if (cell->failure) study.failed.push_back(cell);
    if (!cell->weak_of.empty()) continue;  // its work is another
    if (cell->flops > 0) study.flops = cell->flops;
    if (cell->bytes > 0) study.bytes = cell->bytes;
    if (cell->written_bytes) study.written_bytes = cell->written_bytes;
    if (!cell->precision.empty()) study.precision = cell->precision;
    if (!cell->traffic.empty()) study.traffic = cell->traffic;
  }
  for (const Cell* cell : cells) {
    if (!cell->measured() || !cell->weak_of.empty()) continue;
    if (cell->peer) {
      study.peers.push_back({.point = point_of(*cell)});
    } else if (cell->backend == "sequential") {
      study.sequential = std::make_unique<Point>(point_of(*cell));
    } else {
      if (!backends.contains(cell->backend)) order.push_back(cell->backend);
      backends[cell->backend][cell->threads] = cell;
    }
  }
  for (const std::string& backend : order) {
    Curve& curve = study.curves.emplace_back();
    curve.backend = backend;
    for (const auto& [threads, cell] : backends[backend]) curve.points.push_back(point_of(*cell));
  }

  const auto complete = [&](Point& point) {
    set_roof(point, study, setting);
    if (!study.sequential) return;
    const Ratio speedup = compare(*study.sequential->cell, *point.cell);
    if (speedup.rounds > 0) point.speedup = speedup;
    set_parallel_bound(point, study, setting);
  };
  if (study.sequential) complete(*study.sequential);
  for (Peer& peer : study.peers) complete(peer.point);
  for (Curve& curve : study.curves) {
    const Point& first = curve.points.front();
    for (Point& point : curve.points) {
      complete(point);
      if (point.threads > setting.cores) {
        point.warnings.push_back(fmt::format("beyond the {} cores that this process may use", setting.cores));
      }
      if (first.threads != 1) continue;
      const Ratio own = compare(*first.cell, *point.cell);
      if (own.rounds > 0) point.self_speedup = own.value;
    }
    if (study.sequential) {
      curve.fit = law_of(curve, *study.sequential->cell, setting);
    } else {
      curve.fit.reason = "no sequential version was measured";
    }
  }
  for (Curve& curve : study.curves) find_enough(curve, setting);
  choose_best(study, setting);
  race_peers(study);
  add_weak_scaling(study, cells);
  return study;
}

std::vector<Crossover> find_crossovers(std::span<CaseStudy> studies, const Setting& setting) {
  // A tiny case's variant begins with its kernel's name.
  const auto family = [](const CaseStudy& study) {
    return study.kernel == tiny_kernel ? study.variant : study.kernel + "_" + study.variant;
  };
  std::vector<std::string> order;
  std::map<std::string, std::vector<CaseStudy*>> families;
  for (CaseStudy& study : studies) {
    if (!study.sequential || study.largest_count() < 2) continue;
    std::vector<CaseStudy*>& members = families[family(study)];
    if (members.empty()) order.push_back(family(study));
    members.push_back(&study);
  }
  std::vector<Crossover> crossovers;
  for (const std::string& name : order) {
    std::vector<CaseStudy*>& members = families[name];
    if (members.size() < 2) continue;
    std::stable_sort(members.begin(), members.end(), [](const CaseStudy* a, const CaseStudy* b) {
      return a->sequential->median_ns < b->sequential->median_ns;
    });
    crossovers.push_back(crossover_of(members, setting));
  }
  return crossovers;
}

}  // namespace speedwell::scaling
