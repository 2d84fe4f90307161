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
      // A second build's cells are for the comparison alone.
      if (member_of(each, "against") == json(true)) continue;
      Cell cell{.name = text_in(each, "cell"),
                .case_name = text_in(each, "case"),
                .backend = text_in(each, "backend"),
                .version = text_in(each, "version"),
                .precision = text_in(each, "precision"),
                .twin_of = text_in(each, "twin_of"),
                .threads = count_in(each, "threads"),
                .peer = member_of(each, "peer") == json(true),
                .flops = number_in(each, "flops"),
                .bytes = number_in(each, "bytes")};
      if (each.contains("written_bytes")) cell.written_bytes = number_in(each, "written_bytes");
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
      setting.last_cache = Cache{number_in(cache, "bytes"), count_in(cache, "sharing_cores", 1)};
    }
  }

  for (const Cell* cell : measured.order) {
    if (!cell->measured()) continue;
    if (!cell->twin_of.empty()) {
      const auto twin = measured.cells.find(cell->twin_of);
      if (twin == measured.cells.end() || !twin->second.measured()) continue;
      const Ratio ratio = compare(*cell, twin->second);
      if (ratio.rounds < 2) continue;
      const double half = std::max(std::abs(ratio.ci.high - 1), std::abs(1 - ratio.ci.low));
      setting.noise_floor = std::max(setting.noise(), half);
      continue;
    }
    if (!cell->case_name.starts_with("ceiling/")) continue;
    const double seconds = median(cell->samples()) * 1e-9;
    Ceiling& ceiling = setting.ceilings[cell->threads];
    const auto raise = [&](std::optional<double>& rate, double work) {
      if (work > 0) rate = std::max(rate.value_or(0), work / seconds);
    };
    if (cell->case_name.starts_with("ceiling/fma_f32/")) raise(ceiling.fma_f32, cell->flops);
    if (cell->case_name.starts_with("ceiling/fma_f64/")) raise(ceiling.fma_f64, cell->flops);
    if (cell->case_name.starts_with("ceiling/load/")) raise(ceiling.load, cell->bytes);
    if (cell->case_name.starts_with("ceiling/copy/")) raise(ceiling.copy, cell->bytes);
    if (cell->case_name.starts_with("ceiling/triad/")) raise(ceiling.triad, cell->bytes);
  }
  return setting;
}

// JSON has no NaN and no infinity: what isn't known is null.
json known(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }
json known(std::optional<double> value) { return value ? known(*value) : json(nullptr); }
json pair_of(Interval interval) { return {known(interval.low), known(interval.high)}; }

json to_json(const Point& point, const CaseStudy& study) {
  const double seconds = point.median_ns * 1e-9;
  json rounds = json::array();
  for (const auto& [round, values] : point.cell->rounds) {
    for (const double ns : values) rounds.push_back({round, ns});
  }
  static constexpr const char* bounds[] = {nullptr, "compute", "memory", "imbalance", "overhead"};
  const char* bound = bounds[static_cast<int>(point.bound)];
  return {{"threads", point.threads},
          {"samples", point.samples},
          {"median_ns", point.median_ns},
          {"ci_low_ns", point.ci.low},
          {"ci_high_ns", point.ci.high},
          {"confidence", median_ranks(point.samples).confidence},
          {"flops_per_s", study.flops > 0 ? json(study.flops / seconds) : json(nullptr)},
          {"bytes_per_s", study.bytes > 0 ? json(study.bytes / seconds) : json(nullptr)},
          {"percent_of_roof", known(point.percent_of_roof)},
          {"bound", bound != nullptr ? json(bound) : json(nullptr)},
          {"deviation", point.deviation},
          {"outliers", {{"mild", point.outliers.mild}, {"severe", point.outliers.severe}}},
          {"warnings", point.warnings},
          {"round_ns", std::move(rounds)}};
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
          {"weak_scaling", json::array()},
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
    if (!cell->twin_of.empty() || cell->case_name.starts_with("ceiling/")) continue;
    std::vector<const Cell*>& cells = cases[cell->case_name];
    if (cells.empty()) order.push_back(cell->case_name);
    cells.push_back(cell);
  }
  json studied = json::array();
  for (const std::string& name : order) {
    studied.push_back(to_json(study_of(name, cases[name], setting), setting));
  }

  json ceilings = json::array();
  for (const auto& [threads, ceiling] : setting.ceilings) {
    ceilings.push_back({{"threads", threads},
                        {"fma_f32_flops_per_s", known(ceiling.fma_f32)},
                        {"fma_f64_flops_per_s", known(ceiling.fma_f64)},
                        {"load_bytes_per_s", known(ceiling.load)},
                        {"copy_bytes_per_s", known(ceiling.copy)},
                        {"triad_bytes_per_s", known(ceiling.triad)}});
  }
  return {{"schema", 1},
          {"run", text_in(journal.header, "run")},
          {"label", text_in(journal.header, "label")},
          {"started", text_in(journal.header, "started")},
          {"finished", journal.finished},
          {"rounds", measured.rounds},
          {"machine", member_of(journal.header, "machine")},
          {"build", member_of(journal.header, "build")},
          {"config", member_of(journal.header, "config")},
          {"noise_floor", known(setting.noise_floor)},
          {"ceilings", std::move(ceilings)},
          {"cases", std::move(studied)}};
}

}  // namespace speedwell::bench
