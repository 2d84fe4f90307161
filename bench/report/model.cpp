// SPDX-License-Identifier: Apache-2.0
#include "bench/report/model.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string_view>

namespace speedwell::bench::report {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& where, std::string_view expected, const json& given) {
  std::string text = given.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  throw std::invalid_argument("analysis.json: " + where + ": expected " + std::string(expected) + ", got " + text);
}

const json& member(const json& object, const char* key) {
  static const json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

double number(const json& object, const char* key, double otherwise = unknown) {
  const json& value = member(object, key);
  if (value.is_null()) return otherwise;
  if (!value.is_number()) refuse(key, "a number or null", value);
  return value.get<double>();
}

int count(const json& object, const char* key) {
  const json& value = member(object, key);
  if (!value.is_number_integer() || value.get<double>() < 0 || value.get<double>() > 1e6)
    refuse(key, "an integer from 0 to 1000000", value);
  return value.get<int>();
}

int thread_count(const json& object) {
  const int threads = count(object, "threads");
  if (threads < 1) refuse("threads", "at least 1", member(object, "threads"));
  return threads;
}

std::string text(const json& object, const char* key) {
  const json& value = member(object, key);
  if (value.is_null()) return {};
  if (!value.is_string()) refuse(key, "a string or null", value);
  return value.get<std::string>();
}

const json& list(const json& object, const char* key) {
  static const json empty = json::array();
  const json& value = member(object, key);
  if (value.is_null()) return empty;
  if (!value.is_array()) refuse(key, "an array", value);
  return value;
}

Interval interval(const json& object, const char* key) {
  const json& pair = list(object, key);
  if (pair.empty()) return {};
  if (pair.size() != 2) refuse(key, "[low, high]", pair);
  const auto end = [&](const json& value) {
    if (value.is_null()) return unknown;
    if (!value.is_number()) refuse(key, "[low, high] of numbers", pair);
    return value.get<double>();
  };
  return {end(pair[0]), end(pair[1])};
}

std::vector<std::pair<int, double>> parse_rounds(const json& j) {
  std::vector<std::pair<int, double>> rounds;
  for (const json& round : list(j, "round_ns")) {
    if (!round.is_array() || round.size() != 2 || !round[0].is_number_integer() || !round[1].is_number())
      refuse("round_ns", "[round, ns]", round);
    rounds.emplace_back(round[0].get<int>(), round[1].get<double>());
  }
  return rounds;
}

double positive(const json& object, const char* key) {
  const double value = number(object, key);
  if (!(value > 0)) refuse(key, "a positive number", member(object, key));
  return value;
}

Point parse_point(const json& j, int threads) {
  Point p;
  p.threads = threads;
  p.samples = count(j, "samples");
  p.median_ns = positive(j, "median_ns");
  p.ns = {number(j, "ci_low_ns"), number(j, "ci_high_ns")};
  p.speedup = number(j, "speedup");
  p.speedup_ci = interval(j, "speedup_ci");
  p.self_speedup = number(j, "self_speedup");
  p.efficiency = number(j, "efficiency");
  p.karp_flatt = number(j, "karp_flatt");
  p.flops_per_s = number(j, "flops_per_s");
  p.bytes_per_s = number(j, "bytes_per_s");
  p.percent_of_roof = number(j, "percent_of_roof");
  p.roof_ns = number(j, "roof_ns");
  p.bound = text(j, "bound");
  if (!member(j, "tainted").is_null()) p.tainted = count(j, "tainted");
  for (const json& warning : list(j, "warnings"))
    if (warning.is_string()) p.warnings.push_back(warning.get<std::string>());
  p.rounds = parse_rounds(j);
  return p;
}

std::vector<WeakCurve> parse_weak_scaling(const json& curves) {
  std::vector<WeakCurve> out;
  for (const json& curve : curves) {
    WeakCurve parsed{text(curve, "backend"), text(curve, "rule"), {}};
    for (const json& j : list(curve, "points"))
      parsed.points.push_back({thread_count(j), count(j, "samples"), text(j, "size"), positive(j, "median_ns"),
                               Interval{number(j, "ci_low_ns"), number(j, "ci_high_ns")}, number(j, "scaled_speedup"),
                               interval(j, "scaled_speedup_ci"), number(j, "efficiency"), parse_rounds(j)});
    std::ranges::sort(parsed.points, {}, &WeakPoint::threads);
    if (!parsed.points.empty()) out.push_back(std::move(parsed));
  }
  return out;
}

Ceiling parse_ceiling(const json& j) {
  Ceiling ceiling{thread_count(j),
                  number(j, "fma_f32_flops_per_s"),
                  number(j, "fma_f64_flops_per_s"),
                  number(j, "load_bytes_per_s"),
                  number(j, "copy_bytes_per_s"),
                  number(j, "triad_bytes_per_s"),
                  {}};
  for (const json& cache : list(j, "caches"))
    ceiling.caches.push_back({count(cache, "level"), number(cache, "bytes_per_thread"),
                              number(cache, "load_bytes_per_s"), number(cache, "copy_bytes_per_s"),
                              number(cache, "triad_bytes_per_s")});
  std::ranges::sort(ceiling.caches, {}, &CacheCeiling::level);
  return ceiling;
}

Crossover parse_crossover(const json& j) {
  Crossover crossover{
      text(j, "kernel"), text(j, "variant"), {}, text(j, "smallest_paying"), text(j, "largest_not_paying")};
  for (const json& c : list(j, "cases")) {
    const json& pays = member(c, "pays");
    if (!pays.is_null() && !pays.is_boolean()) refuse("pays", "true, false or null", pays);
    crossover.cases.push_back({text(c, "case"), text(c, "size"), number(c, "sequential_ns"), number(c, "best_speedup"),
                               interval(c, "best_speedup_ci"),
                               pays.is_null() ? std::nullopt : std::optional(pays.get<bool>())});
  }
  return crossover;
}

Law parse_law(const json& j) {
  Law law;
  if (j.is_null()) return law;
  law.law = text(j, "law");
  law.reason = text(j, "reason");
  law.sigma = number(j, "sigma");
  law.kappa = number(j, "kappa");
  law.serial_fraction = number(j, "serial_fraction");
  law.peak_threads = number(j, "peak_threads");
  law.sigma_ci = interval(j, "sigma_ci");
  law.kappa_ci = interval(j, "kappa_ci");
  law.serial_fraction_ci = interval(j, "serial_fraction_ci");
  law.peak_threads_ci = interval(j, "peak_threads_ci");
  // What lies beyond the measured counts is the verdict's to say; the plots end where the measurements do.
  for (const json& p : list(j, "predicted"))
    if (member(p, "extrapolated") != json(true))
      law.predicted.push_back({thread_count(p), number(p, "speedup"), {number(p, "low"), number(p, "high")}});
  return law;
}

Case parse_case(const json& j) {
  Case c;
  c.name = text(j, "case");
  if (c.name.empty()) refuse("cases[].case", "a name", member(j, "case"));
  c.kernel = text(j, "kernel");
  c.variant = text(j, "variant");
  c.size = text(j, "size");
  c.precision = text(j, "precision");
  c.verdict = text(j, "verdict");
  c.flops = number(j, "flops", 0);
  c.bytes = number(j, "bytes", 0);
  c.intensity = number(j, "intensity");
  const json& sequential = member(j, "sequential");
  if (sequential.is_object()) {
    c.sequential = parse_point(sequential, 1);
    c.sequential.speedup = c.sequential.efficiency = 1;
    c.sequential.speedup_ci = {1, 1};
    c.curves.push_back({"sequential", {c.sequential}, {}});
  }
  for (const json& curve : list(j, "curves")) {
    Curve parsed{text(curve, "backend"), {}, parse_law(member(curve, "model"))};
    for (const json& point : list(curve, "points")) parsed.points.push_back(parse_point(point, thread_count(point)));
    std::ranges::sort(parsed.points, {}, &Point::threads);
    if (!parsed.points.empty() && !c.curve(parsed.backend)) c.curves.push_back(std::move(parsed));
  }
  const json& best = member(j, "best");
  if (best.is_object()) {
    c.best = {text(best, "backend"), thread_count(best)};
    c.best_point.threads = c.best.threads;
    c.best_point.speedup = number(best, "speedup");
    c.best_point.speedup_ci = interval(best, "speedup_ci");
    c.best_point.median_ns = number(best, "median_ns");
    for (const json& other : list(best, "tied_with"))
      c.tied_with.push_back({text(other, "backend"), thread_count(other)});
  }
  c.enough_threads = number(j, "enough_threads");
  for (const json& p : list(j, "peers"))
    c.peers.push_back({text(p, "name"), text(p, "version"), thread_count(p), number(p, "median_ns"),
                       Interval{number(p, "ci_low_ns"), number(p, "ci_high_ns")}, number(p, "ratio"), parse_rounds(p)});
  std::ranges::stable_sort(c.peers, [](const Peer& a, const Peer& b) {
    return std::pair(a.name, a.threads) < std::pair(b.name, b.threads);
  });
  c.weak_scaling = parse_weak_scaling(list(j, "weak_scaling"));
  c.rejected_samples = number(j, "rejected_samples", 0);
  for (const json& failed : list(j, "failed_cells"))
    c.failed_cells.emplace_back(text(failed, "cell"), text(failed, "reason"));
  return c;
}

// A value of any kind in words: lists are joined, objects become "name value" pairs.
std::string words(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "not known";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  std::string out;
  if (value.is_array() || value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      if (!out.empty()) out += ", ";
      out += value.is_object() ? key + " " + words(item) : words(item);
    }
    return out.empty() ? "none" : out;
  }
  return value.dump();
}

// 0-7, 16: runs of three or more numbers are shortened.
std::string ranges(const json& numbers) {
  std::string out;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[i].is_number_integer() && numbers[end].is_number_integer() &&
           numbers[end].get<double>() == numbers[i].get<double>() + static_cast<double>(end - i))
      ++end;
    if (end - i < 3) end = i + 1;
    out += (out.empty() ? "" : ", ") + words(numbers[i]);
    if (end - i > 1) out += "\u2013" + words(numbers[end - 1]);
    i = end;
  }
  return out.empty() ? "none" : out;
}

std::string caches_in_words(const json& caches) {
  std::string out;
  if (!caches.is_array()) return words(caches);
  for (const json& cache : caches) {
    if (!out.empty()) out += ", ";
    const double kib = number(cache, "bytes", 0) / 1024;
    const double shown = kib >= 1024 ? kib / 1024 : kib;
    out += "L" + words(member(cache, "level")) + " " + json(std::round(shown * 10) / 10).dump();
    if (out.ends_with(".0")) out.resize(out.size() - 2);
    out += kib >= 1024 ? " MiB" : " KiB";
    const double sharing = number(cache, "sharing_cores", 0);
    if (sharing > 1) out += " shared by " + words(member(cache, "sharing_cores")) + " cores";
  }
  return out.empty() ? "not known" : out;
}

void add_words(std::vector<std::pair<std::string, std::string>>& out, const json& object,
               std::initializer_list<std::pair<const char*, const char*>> rows) {
  for (const auto& [key, title] : rows) {
    const json& value = member(object, key);
    if (value.is_null() || (value.is_string() && value.get<std::string>().empty())) continue;
    const std::string_view name = key;
    const bool cpus = value.is_array() && name.ends_with("_cpus");
    out.emplace_back(title, name == "caches" ? caches_in_words(value) : cpus ? ranges(value) : words(value));
  }
}

}  // namespace

const Curve* Case::curve(const std::string& backend) const {
  const auto found = std::ranges::find(curves, backend, &Curve::backend);
  return found == curves.end() ? nullptr : &*found;
}

Run parse(const json& analysis) {
  if (!analysis.is_object()) refuse("the document", "an object", analysis);
  if (number(analysis, "schema") != 1) refuse("schema", "1", member(analysis, "schema"));
  Run run;
  run.name = text(analysis, "run");
  run.label = text(analysis, "label");
  run.started = text(analysis, "started");
  run.rounds = number(analysis, "rounds");
  run.noise_floor = number(analysis, "noise_floor");

  const json& machine = member(analysis, "machine");
  run.cpu = text(machine, "cpu");
  run.physical_cores = number(machine, "physical_cores");
  run.default_threads = number(machine, "default_threads");
  run.quota_cpus = number(machine, "quota_cpus");
  if (run.quota_cpus == 0) run.quota_cpus = unknown;
  add_words(run.machine, machine,
            {{"allowed_cpus", "Allowed CPUs"},
             {"core_cpus", "One CPU a core"},
             {"cpus_source", "Cores, from"},
             {"quota_source", "Quota, from"},
             {"caches", "Caches"},
             {"numa_nodes", "NUMA nodes"},
             {"isa", "Instruction set"},
             {"kernel_release", "Kernel"},
             {"virtualization", "Virtualisation"},
             {"governor", "Frequency governor"}});
  add_words(run.build, member(analysis, "build"),
            {{"version", "Speedwell"},
             {"commit", "Commit"},
             {"dirty", "Uncommitted changes"},
             {"compiler", "Compiler"},
             {"flags", "Flags"},
             {"libraries", "Libraries"}});
  add_words(run.config, member(analysis, "config"),
            {{"threads", "Thread counts"},
             {"rounds", "Rounds asked for"},
             {"budget_s", "Budget (s)"},
             {"seed", "Seed"},
             {"wait_policy", "Wait policy"},
             {"pinned", "Pinned"}});

  for (const json& ceiling : list(analysis, "ceilings")) run.ceilings.push_back(parse_ceiling(ceiling));
  std::ranges::sort(run.ceilings, {}, &Ceiling::threads);
  if (!member(analysis, "cases").is_array()) refuse("cases", "an array", member(analysis, "cases"));
  for (const json& c : list(analysis, "cases")) run.cases.push_back(parse_case(c));
  for (const json& each : list(analysis, "crossovers")) run.crossovers.push_back(parse_crossover(each));
  const json& cost = member(analysis, "cost");
  run.cost = {number(cost, "wall_s"), number(cost, "kernel_s"), number(cost, "planned_s"), number(cost, "instrument_s"),
              number(cost, "instrument_share")};
  return run;
}

const Point* at(const Curve& curve, int threads) {
  const auto found = std::ranges::find(curve.points, threads, &Point::threads);
  return found == curve.points.end() ? nullptr : &*found;
}

bool has_speedups(const Curve& curve) {
  return std::ranges::any_of(curve.points,
                             [](const Point& point) { return known(point.speedup) && point.speedup > 0; });
}

bool has_speedups(const Case& c) {
  return std::ranges::any_of(c.curves, [](const Curve& curve) { return has_speedups(curve); });
}

std::vector<int> thread_counts(const Case& c) {
  std::set<int> counts;
  for (const Curve& curve : c.curves)
    for (const Point& point : curve.points) counts.insert(point.threads);
  for (const Peer& peer : c.peers) counts.insert(peer.threads);
  if (counts.empty()) counts.insert(1);
  return {counts.begin(), counts.end()};
}

Roof roof(const Case& c, int threads) {
  for (const Curve& curve : c.curves) {
    const Point* point = at(curve, threads);
    if (point && point->percent_of_roof > 0)
      return {c.sequential.median_ns / point->median_ns * 100 / point->percent_of_roof, point->bound};
  }
  return {};
}

}  // namespace speedwell::bench::report
