// SPDX-License-Identifier: Apache-2.0
#include "bench/analysis/analysis.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "bench/journal.hpp"
#include "runtime/scaling/case_study.hpp"

namespace speedwell::bench {

using nlohmann::json;
using namespace scaling;

namespace {

// What a backend may be asked for.
constexpr int most_threads = 1024;

// A journal is data from a file: a member that is missing or of another kind counts as not known.

double number_in(const json& object, const char* key, double otherwise = 0) {
  if (!object.is_object()) return otherwise;
  const auto member = object.find(key);
  return member != object.end() && member->is_number() ? member->get<double>() : otherwise;
}

int count_in(const json& object, const char* key, int otherwise = 0) {
  const double value = number_in(object, key, otherwise);
  return std::abs(value) < 1e9 ? static_cast<int>(value) : otherwise;
}

std::string text_in(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto member = object.find(key);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

const json& member_of(const json& object, const char* key) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto member = object.find(key);
  return member != object.end() ? *member : nothing;
}

using Cells = std::map<std::string, Cell>;

// The cells in the header's order, by name.
struct Measured {
  Cells cells;
  std::vector<const Cell*> order;
  int rounds = 0;
};

Measured measured_cells(const Journal& journal) {
  Measured measured;
  const json& declared = member_of(journal.header, "cells");
  if (declared.is_array()) {
    for (const json& each : declared) {
      Cell cell{.name = text_in(each, "cell"),
                .case_name = text_in(each, "case"),
                .backend = text_in(each, "backend"),
                .version = text_in(each, "version"),
                .precision = text_in(each, "precision"),
                .twin_of = text_in(each, "twin_of"),
                .traffic = text_in(each, "traffic"),
                .weak_of = text_in(each, "weak_of"),
                .weak_rule = text_in(each, "weak_rule"),
                .weak_size = text_in(each, "weak_size"),
                .threads = count_in(each, "threads"),
                .peer = member_of(each, "peer") == json(true),
                .flops = number_in(each, "flops"),
                .bytes = number_in(each, "bytes")};
      if (each.contains("written_bytes")) cell.written_bytes = number_in(each, "written_bytes");
      cell.against = member_of(each, "against") == json(true);
      if (each.contains("largest_share")) cell.largest_share = number_in(each, "largest_share");
      if (cell.name.empty() || cell.case_name.empty() || cell.backend.empty() || cell.threads < 1 ||
          cell.threads > most_threads)
        continue;
      const auto [at, added] = measured.cells.emplace(cell.name, cell);
      if (added) measured.order.push_back(&at->second);
    }
  }
  for (const json& record : journal.records) {
    const auto found = measured.cells.find(text_in(record, "cell"));
    if (found == measured.cells.end()) continue;
    Cell& cell = found->second;
    const std::string kind = text_in(record, "kind");
    if (kind == "sample") {
      const double ns = number_in(record, "ns");
      const int round = count_in(record, "round");
      if (!std::isfinite(ns) || ns <= 0 || round < 1) continue;
      cell.rounds[round].push_back(ns);
      measured.rounds = std::max(measured.rounds, round);
      const double whole = ns * number_in(record, "calls");
      if (whole > 0) cell.shortest_ns = cell.shortest_ns > 0 ? std::min(cell.shortest_ns, whole) : whole;
      cell.steal_ticks += number_in(record, "steal_ticks");
      cell.tainted += member_of(record, "tainted") == json(true) ? 1 : 0;
      if (count_in(record, "threads_used", cell.threads) != cell.threads) ++cell.other_threads;
    } else if (kind == "rejected") {
      ++cell.rejected;
    } else if (kind == "failed") {
      const std::string reason = text_in(record, "reason");
      cell.failure = reason.empty() ? "no reason given" : reason;
    }
  }
  return measured;
}

// How far from 1 the ratio of two identical cells may lie, from how far the interval of each twin's ratio reaches. With
// three twins or more the widest is left out: one cell that the machine disturbed must not hide what all others show.
std::optional<double> floor_of(std::vector<double> reaches) {
  if (reaches.empty()) return std::nullopt;
  std::sort(reaches.begin(), reaches.end());
  return reaches[reaches.size() < 3 ? reaches.size() - 1 : reaches.size() - 2];
}

// Where the time of the sweep went; null where the journal doesn't say.
json cost_of(const Journal& journal) {
  const json& last = journal.records.empty() ? journal.header : journal.records.back();
  json cost = json::object();
  for (const char* const member : {"wall_s", "kernel_s", "planned_s", "instrument_s"}) {
    if (!member_of(last, member).is_number()) return nullptr;
    cost[member] = last[member];
  }
  const double wall_s = number_in(cost, "wall_s");
  cost["instrument_share"] = wall_s > 0 ? json(number_in(cost, "instrument_s") / wall_s) : json(nullptr);
  return cost;
}

// What was measured under a name such as ceiling/triad/l2 or ceiling/traffic/4096+4096.
void add_ceiling(Setting& setting, const Cell& cell) {
  const double seconds = median(cell.samples()) * 1e-9;
  std::string_view rest = cell.case_name;
  rest.remove_prefix(std::min(rest.size(), rest.find('/') + 1));
  const std::string_view variant = rest.substr(0, rest.find('/'));
  const std::string_view size = rest.substr(std::min(rest.size(), variant.size() + 1));
  if (variant == "traffic") {
    if (cell.bytes > 0) setting.traffic[cell.case_name][cell.threads] = &cell;
    return;
  }
  Ceiling& ceiling = setting.ceilings[cell.threads];
  const auto raise = [&](std::optional<double>& rate, double work) {
    if (work > 0) rate = std::max(rate.value_or(0), work / seconds);
  };
  if (variant == "fma_f32") raise(ceiling.fma_f32, cell.flops);
  if (variant == "fma_f64") raise(ceiling.fma_f64, cell.flops);
  const bool cached = size.size() == 2 && size[0] == 'l' && size[1] >= '1' && size[1] <= '9';
  if (!cached && size != "memory") return;
  StreamRates& rates = cached ? ceiling.caches[size[1] - '0'] : ceiling.memory;
  if (variant == "load") raise(rates.load, cell.bytes);
  if (variant == "copy") raise(rates.copy, cell.bytes);
  if (variant == "triad") raise(rates.triad, cell.bytes);
}

Setting setting_of(const Journal& journal, const Measured& measured) {
  Setting setting;
  const json& machine = member_of(journal.header, "machine");
  const json& core_cpus = member_of(machine, "core_cpus");
  const int listed = core_cpus.is_array() ? static_cast<int>(core_cpus.size()) : 0;
  setting.cores = std::max(1, listed > 0 ? listed : count_in(machine, "physical_cores", 1));
  setting.available = std::max(1, count_in(machine, "default_threads", setting.cores));

  const json& caches = member_of(machine, "caches");
  int deepest = 0;
  if (caches.is_array()) {
    for (const json& cache : caches) {
      const int level = count_in(cache, "level");
      if (level <= deepest || number_in(cache, "bytes") <= 0) continue;
      deepest = level;
      setting.caches.push_back({level, number_in(cache, "bytes"), count_in(cache, "sharing_cores", 1)});
    }
  }

  std::vector<double> reaches;
  for (const Cell* cell : measured.order) {
    if (!cell->measured() || cell->against) continue;
    if (!cell->twin_of.empty()) {
      const auto twin = measured.cells.find(cell->twin_of);
      if (twin == measured.cells.end() || !twin->second.measured()) continue;
      if (const auto noise = noise_between(*cell, twin->second)) reaches.push_back(*noise);
      continue;
    }
    if (cell->case_name.starts_with("ceiling/")) add_ceiling(setting, *cell);
  }
  setting.noise_floor = floor_of(std::move(reaches));
  return setting;
}

// JSON has no NaN and no infinity: what isn't known is null.
json known(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }
json known(std::optional<double> value) { return value ? known(*value) : json(nullptr); }
json pair_of(Interval interval) { return {known(interval.low), known(interval.high)}; }

json rounds_of(const Cell& cell) {
  json rounds = json::array();
  for (const auto& [round, values] : cell.rounds) {
    for (const double ns : values) rounds.push_back({round, ns});
  }
  return rounds;
}

json to_json(const Point& point, const CaseStudy& study) {
  const double seconds = point.median_ns * 1e-9;
  static constexpr const char* bounds[] = {nullptr, "compute", "cache", "memory", "imbalance", "overhead"};
  json bound;
  if (point.bound == Bound::cache) {
    bound = "l" + std::to_string(point.level);
  } else if (point.bound != Bound::unknown) {
    bound = bounds[static_cast<int>(point.bound)];
  }
  json part_of_roof;
  if (const auto& part = point.part_of_roof) part_of_roof = pair_of({100 * part->low, 100 * part->high});
  return {{"threads", point.threads},
          {"samples", point.samples},
          {"median_ns", point.median_ns},
          {"ci_low_ns", point.ci.low},
          {"ci_high_ns", point.ci.high},
          {"confidence", median_ranks(point.samples).confidence},
          {"flops_per_s", study.flops > 0 ? json(study.flops / seconds) : json(nullptr)},
          {"bytes_per_s", study.bytes > 0 ? json(study.bytes / seconds) : json(nullptr)},
          {"percent_of_roof", known(point.percent_of_roof())},
          {"percent_of_roof_ci", std::move(part_of_roof)},
          {"roof_ns", known(point.roof_ns)},
          {"bound", std::move(bound)},
          {"deviation", point.deviation},
          {"outliers", {{"mild", point.outliers.mild}, {"severe", point.outliers.severe}}},
          {"tainted", point.cell->tainted},
          {"warnings", point.warnings},
          {"round_ns", rounds_of(*point.cell)}};
}

void add_speedup(json& object, const std::optional<Ratio>& speedup) {
  object["speedup"] = speedup ? known(speedup->value) : json(nullptr);
  object["speedup_ci"] = speedup ? pair_of(speedup->ci) : json(nullptr);
}

json to_json(const LawFit& fit) {
  json predicted = json::array();
  for (const Prediction& each : fit.predicted) {
    predicted.push_back({{"threads", each.threads},
                         {"speedup", each.speedup},
                         {"low", each.band.low},
                         {"high", each.band.high},
                         {"extrapolated", each.extrapolated}});
  }
  const bool amdahl = fit.law == Law::amdahl;
  const bool usl = fit.law == Law::usl;
  return {{"law", name_of(fit.law)},
          {"reason", fit.reason},
          {"one_thread_cost", fit.law == Law::none ? json(nullptr) : json(fit.one_thread)},
          {"serial_fraction", amdahl ? json(fit.sigma) : json(nullptr)},
          {"serial_fraction_ci", amdahl ? pair_of(fit.sigma_ci) : json(nullptr)},
          {"sigma", usl ? json(fit.sigma) : json(nullptr)},
          {"sigma_ci", usl ? pair_of(fit.sigma_ci) : json(nullptr)},
          {"kappa", usl ? json(fit.kappa) : json(nullptr)},
          {"kappa_ci", usl ? pair_of(fit.kappa_ci) : json(nullptr)},
          {"peak_threads", known(fit.peak)},
          {"peak_threads_ci", fit.peak ? pair_of(fit.peak_ci) : json(nullptr)},
          {"superlinear", fit.superlinear},
          {"worst_residual", fit.worst_residual},
          {"predicted", std::move(predicted)}};
}

json to_json(const WeakCurve& curve) {
  json points = json::array();
  for (const WeakPoint& each : curve.points) {
    const Point& point = each.point;
    points.push_back({{"threads", point.threads},
                      {"size", each.size},
                      {"samples", point.samples},
                      {"median_ns", point.median_ns},
                      {"ci_low_ns", point.ci.low},
                      {"ci_high_ns", point.ci.high},
                      {"scaled_speedup", each.scaled ? known(each.scaled->value) : json(nullptr)},
                      {"scaled_speedup_ci", each.scaled ? pair_of(each.scaled->ci) : json(nullptr)},
                      {"efficiency", each.scaled ? known(each.scaled->value / point.threads) : json(nullptr)},
                      {"warnings", point.warnings},
                      {"round_ns", rounds_of(*point.cell)}});
  }
  return {{"backend", curve.backend}, {"rule", curve.rule}, {"points", std::move(points)}};
}

json to_json(const Crossover& crossover) {
  json sizes = json::array();
  for (const Crossover::Size& size : crossover.sizes) {
    sizes.push_back({{"case", size.study->name},
                     {"size", size.study->size},
                     {"sequential_ns", size.study->sequential->median_ns},
                     {"best_speedup", size.best ? known(size.best->value) : json(nullptr)},
                     {"best_speedup_ci", size.best ? pair_of(size.best->ci) : json(nullptr)},
                     {"pays", size.pays ? json(*size.pays) : json(nullptr)}});
  }
  const auto name = [](const Crossover::Size* size) {
    return size != nullptr ? json(size->study->name) : json(nullptr);
  };
  return {{"kernel", crossover.kernel},
          {"variant", crossover.variant},
          {"cases", std::move(sizes)},
          {"smallest_paying", name(crossover.smallest_paying)},
          {"largest_not_paying", name(crossover.largest_not_paying)}};
}

json to_json(const Setting& setting, int threads, const Ceiling& ceiling) {
  json caches = json::array();
  for (const auto& [level, rates] : ceiling.caches) {
    double bytes = 0;
    for (const Cache& cache : setting.caches) {
      if (cache.level == level) bytes = cache.bytes / std::clamp(threads, 1, std::max(1, cache.sharing_cores));
    }
    caches.push_back({{"level", level},
                      {"bytes_per_thread", bytes > 0 ? json(bytes) : json(nullptr)},
                      {"load_bytes_per_s", known(rates.load)},
                      {"copy_bytes_per_s", known(rates.copy)},
                      {"triad_bytes_per_s", known(rates.triad)}});
  }
  return {{"threads", threads},
          {"fma_f32_flops_per_s", known(ceiling.fma_f32)},
          {"fma_f64_flops_per_s", known(ceiling.fma_f64)},
          {"load_bytes_per_s", known(ceiling.memory.load)},
          {"copy_bytes_per_s", known(ceiling.memory.copy)},
          {"triad_bytes_per_s", known(ceiling.memory.triad)},
          {"caches", std::move(caches)}};
}

json to_json(const CaseStudy& study, const Setting& setting) {
  json curves = json::array();
  for (const Curve& curve : study.curves) {
    json points = json::array();
    for (const Point& point : curve.points) {
      json each = to_json(point, study);
      add_speedup(each, point.speedup);
      each["self_speedup"] = known(point.self_speedup);
      each["efficiency"] = nullptr;
      each["karp_flatt"] = nullptr;
      if (point.speedup) {
        each["efficiency"] = known(point.speedup->value / point.threads);
        if (point.threads > 1) each["karp_flatt"] = known(karp_flatt(point.speedup->value, point.threads));
      }
      points.push_back(std::move(each));
    }
    curves.push_back({{"backend", curve.backend},
                      {"points", std::move(points)},
                      {"enough_threads", curve.enough_threads},
                      {"model", to_json(curve.fit)}});
  }

  const auto backend_of = [](const Choice& choice) { return choice.curve ? choice.curve->backend : "sequential"; };
  json best;
  if (study.best) {
    json tied = json::array();
    for (const Choice& choice : study.tied) {
      tied.push_back({{"backend", backend_of(choice)}, {"threads", choice.point->threads}});
    }
    best = {{"backend", backend_of(*study.best)},
            {"threads", study.best->point->threads},
            {"median_ns", study.best->point->median_ns},
            {"tied_with", std::move(tied)}};
    add_speedup(best, study.best->point->speedup);
  }

  json peers = json::array();
  for (const Peer& peer : study.peers) {
    json each = to_json(peer.point, study);
    add_speedup(each, peer.point.speedup);
    each["name"] = peer.point.cell->backend;
    each["version"] = peer.point.cell->version;
    each["ratio"] = peer.ratio && peer.ratio->rounds > 0 ? known(peer.ratio->value) : json(nullptr);
    each["ratio_ci"] = peer.ratio && peer.ratio->rounds > 0 ? pair_of(peer.ratio->ci) : json(nullptr);
    peers.push_back(std::move(each));
  }
  json weak = json::array();
  for (const WeakCurve& curve : study.weak) weak.push_back(to_json(curve));
  json failed = json::array();
  for (const Cell* cell : study.failed) failed.push_back({{"cell", cell->name}, {"reason", *cell->failure}});

  return {{"case", study.name},
          {"kernel", study.kernel},
          {"variant", study.variant},
          {"size", study.size},
          {"precision", study.precision},
          {"flops", study.flops},
          {"bytes", study.bytes},
          {"bytes_with_write_allocate",
           known(study.written_bytes ? std::optional(study.bytes + *study.written_bytes) : std::nullopt)},
          {"intensity", study.flops > 0 && study.bytes > 0 ? json(study.flops / study.bytes) : json(nullptr)},
          {"sequential", study.sequential ? to_json(*study.sequential, study) : json(nullptr)},
          {"curves", std::move(curves)},
          {"best", std::move(best)},
          {"enough_threads", study.enough_threads ? json(*study.enough_threads) : json(nullptr)},
          {"peers", std::move(peers)},
          {"weak_scaling", std::move(weak)},
          {"rejected_samples", study.rejected},
          {"failed_cells", std::move(failed)},
          {"verdict", verdict(study, setting)}};
}

}  // namespace

json analyse(const Journal& journal) {
  const Measured measured = measured_cells(journal);
  const Setting setting = setting_of(journal, measured);

  std::vector<std::string> order;
  std::map<std::string, std::vector<const Cell*>> cases;
  for (const Cell* cell : measured.order) {
    if (!cell->twin_of.empty() || cell->against || cell->case_name.starts_with("ceiling/")) continue;
    const std::string& name = cell->weak_of.empty() ? cell->case_name : cell->weak_of;
    std::vector<const Cell*>& cells = cases[name];
    if (cells.empty()) order.push_back(name);
    cells.push_back(cell);
  }
  std::vector<CaseStudy> studies;
  for (const std::string& name : order) studies.push_back(study_of(name, cases[name], setting));
  json crossovers = json::array();
  for (const Crossover& each : find_crossovers(studies, setting)) crossovers.push_back(to_json(each));
  json studied = json::array();
  for (const CaseStudy& study : studies) studied.push_back(to_json(study, setting));
  json ceilings = json::array();
  for (const auto& [threads, ceiling] : setting.ceilings) ceilings.push_back(to_json(setting, threads, ceiling));
  return {{"schema", 1},
          {"run", text_in(journal.header, "run")},
          {"label", text_in(journal.header, "label")},
          {"started", text_in(journal.header, "started")},
          {"finished", journal.finished},
          {"rounds", measured.rounds},
          {"machine", member_of(journal.header, "machine")},
          {"build", member_of(journal.header, "build")},
          {"config", member_of(journal.header, "config")},
          {"cost", cost_of(journal)},
          {"noise_floor", known(setting.noise_floor)},
          {"ceilings", std::move(ceilings)},
          {"crossovers", std::move(crossovers)},
          {"cases", std::move(studied)}};
}

}  // namespace speedwell::bench
