// SPDX-License-Identifier: Apache-2.0
#include "bench/report/page_data.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "bench/report/page_frame.hpp"

namespace speedwell::bench::report {
namespace {

using nlohmann::json;
using Samples = std::vector<std::pair<int, double>>;

// The rounds of a case, ascending, each as often as a cell of it has samples in it: once, but for resumed runs.
std::vector<int> rounds_of(const Case& c) {
  std::map<int, std::ptrdiff_t> most;
  const auto add = [&](const Samples& samples) {
    for (const auto& [round, ns] : samples)
      most[round] = std::max(most[round], std::ranges::count(samples, round, &Samples::value_type::first));
  };
  for (const Curve& curve : c.curves)
    for (const Point& point : curve.points) add(point.rounds);
  for (const Peer& peer : c.peers) add(peer.rounds);
  for (const WeakCurve& curve : c.weak_scaling)
    for (const WeakPoint& point : curve.points) add(point.rounds);
  std::vector<int> rounds;
  for (const auto& [round, times] : most) rounds.insert(rounds.end(), static_cast<std::size_t>(times), round);
  return rounds;
}

// Nine digits: more than any clock gives.
json samples_json(const Samples& samples, const std::vector<int>& rounds) {
  std::multimap<int, double> left(samples.begin(), samples.end());
  json out = json::array();
  for (const int round : rounds) {
    const auto found = left.find(round);
    out.push_back(found == left.end() ? json(nullptr) : number_json(found->second, 9));
    if (found != left.end()) left.erase(found);
  }
  while (!out.empty() && out.back().is_null()) out.erase(out.size() - 1);
  return out;
}

json curve_json(const Curve& curve, const std::vector<int>& rounds, bool with_samples) {
  json points = json::array(), samples = json::array(), law = json::array();
  for (const Point& p : curve.points) {
    points.push_back(point_json(p));
    if (with_samples) samples.push_back(samples_json(p.rounds, rounds));
  }
  if (curve.law.law != "none")
    for (const Prediction& p : curve.law.predicted)
      if (known(p.band))
        law.push_back({p.threads, number_json(p.speedup), number_json(p.band.low), number_json(p.band.high)});
  return {
      {"name", curve.backend}, {"points", std::move(points)}, {"samples", std::move(samples)}, {"law", std::move(law)}};
}

json weak_json(const WeakCurve& curve, const std::vector<int>& rounds, bool with_samples) {
  json points = json::array(), samples = json::array();
  for (const WeakPoint& p : curve.points) {
    points.push_back({p.threads, p.samples, number_json(p.median_ns), number_json(p.ns.low), number_json(p.ns.high),
                      number_json(p.scaled_speedup), number_json(p.scaled_speedup_ci.low),
                      number_json(p.scaled_speedup_ci.high), nullptr, p.size});
    if (with_samples) samples.push_back(samples_json(p.rounds, rounds));
  }
  return {
      {"name", curve.backend}, {"rule", curve.rule}, {"points", std::move(points)}, {"samples", std::move(samples)}};
}

json peers_json(const Case& c, const std::vector<int>& rounds, bool with_samples) {
  json peers = json::array();
  for (const Peer& peer : c.peers) {
    if (!(peer.median_ns > 0) || !known(peer.median_ns)) continue;
    if (peers.empty() || peers.back()["name"] != peer.name)
      peers.push_back({{"name", peer.name}, {"points", json::array()}, {"samples", json::array()}});
    peers.back()["points"].push_back(
        {peer.threads, number_json(peer.median_ns), number_json(peer.ns.low), number_json(peer.ns.high)});
    if (with_samples) peers.back()["samples"].push_back(samples_json(peer.rounds, rounds));
  }
  return peers;
}

json case_json(const Case& c, const std::string& id, bool with_samples) {
  const std::vector<int> rounds = rounds_of(c);
  json curves = json::array(), weak = json::array(), roofs = json::array();
  for (const Curve& curve : c.curves) curves.push_back(curve_json(curve, rounds, with_samples));
  for (const WeakCurve& curve : c.weak_scaling) weak.push_back(weak_json(curve, rounds, with_samples));
  for (const int threads : thread_counts(c))
    if (const Roof r = roof(c, threads); known(r.speedup)) roofs.push_back({threads, number_json(r.speedup), r.bound});
  return {{"name", c.name},
          {"id", id},
          {"precision", c.precision},
          {"flops", number_json(c.flops, 9)},
          {"bytes", number_json(c.bytes, 9)},
          {"intensity", number_json(c.intensity)},
          {"sequential", number_json(c.sequential.median_ns)},
          {"best", c.best.backend},
          {"bestThreads", c.best.threads},
          {"bestNs", number_json(c.best_point.median_ns)},
          {"rounds", with_samples ? json(rounds) : json::array()},
          {"curves", std::move(curves)},
          {"peers", peers_json(c, rounds, with_samples)},
          {"roof", std::move(roofs)},
          {"weak", std::move(weak)}};
}

json ceiling_json(const Ceiling& ceiling) {
  json caches = json::array();
  for (const CacheCeiling& cache : ceiling.caches)
    caches.push_back({{"level", cache.level}, {"bandwidth", number_json(cache.triad)}});
  return {{"threads", ceiling.threads},
          {"f32", number_json(ceiling.fma_f32)},
          {"f64", number_json(ceiling.fma_f64)},
          {"triad", number_json(ceiling.triad)},
          {"caches", std::move(caches)}};
}

json crossover_json(const Crossover& crossover) {
  json points = json::array();
  for (const CrossoverCase& c : crossover.cases)
    points.push_back({c.name, c.size, number_json(c.sequential_ns), number_json(c.best_speedup),
                      number_json(c.best_speedup_ci.low), number_json(c.best_speedup_ci.high),
                      c.pays ? json(*c.pays) : json(nullptr)});
  return {{"name", crossover.kernel + (crossover.variant.empty() ? "" : "/" + crossover.variant)},
          {"points", std::move(points)}};
}

// Where the machine ends, with words for the line.
json limits_json(const Run& run) {
  json limits = json::array();
  const bool same = run.physical_cores == run.quota_cpus;
  if (known(run.physical_cores)) limits.push_back({run.physical_cores, same ? "cores and quota" : "physical cores"});
  if (known(run.quota_cpus) && !same) limits.push_back({run.quota_cpus, "quota"});
  return limits;
}

}  // namespace

json point_json(const Point& p) {
  return {p.threads,
          p.samples,
          number_json(p.median_ns),
          number_json(p.ns.low),
          number_json(p.ns.high),
          number_json(p.speedup),
          number_json(p.speedup_ci.low),
          number_json(p.speedup_ci.high),
          number_json(p.karp_flatt)};
}

json run_data(const Run& run, const std::vector<std::string>& ids, bool with_samples) {
  json cases = json::array(), ceilings = json::array(), crossovers = json::array();
  for (std::size_t i = 0; i < run.cases.size(); ++i) cases.push_back(case_json(run.cases[i], ids[i], with_samples));
  for (const Ceiling& ceiling : run.ceilings) ceilings.push_back(ceiling_json(ceiling));
  for (const Crossover& crossover : run.crossovers) crossovers.push_back(crossover_json(crossover));
  return {{"limits", limits_json(run)},
          {"noise", number_json(run.noise_floor)},
          {"cases", std::move(cases)},
          {"ceilings", std::move(ceilings)},
          {"crossovers", std::move(crossovers)}};
}

}  // namespace speedwell::bench::report
