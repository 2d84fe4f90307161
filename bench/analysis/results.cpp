// SPDX-License-Identifier: Apache-2.0
// The files that are made from an analysis.
#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/analysis/analysis.hpp"
#include "bench/files.hpp"
#include "bench/journal.hpp"
#include "runtime/scaling/statistics.hpp"

namespace speedwell::bench {

using nlohmann::json;
using nlohmann::ordered_json;

namespace stats = scaling;

namespace {

// Each measured cell of a case as (case, backend, its point, whether it is a peer library).
template <class Visit>
void for_each_cell(const json& analysis, const Visit& visit) {
  for (const json& study : analysis.at("cases")) {
    if (!study.at("sequential").is_null()) visit(study, "sequential", study.at("sequential"), false);
    for (const json& curve : study.at("curves")) {
      for (const json& point : curve.at("points")) visit(study, curve.at("backend").get<std::string>(), point, false);
    }
    for (const json& peer : study.at("peers")) visit(study, peer.at("name").get<std::string>(), peer, true);
  }
}

std::string text_of(const json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// RFC 4180.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string csv_line(std::vector<std::string> fields) {
  for (std::string& each : fields) each = field(each);
  return fmt::format("{}\n", fmt::join(fields, ","));
}

std::string summary(const json& analysis) {
  std::string text = csv_line({"case", "backend", "threads", "peer", "samples", "median_ns", "ci_low_ns", "ci_high_ns",
                               "speedup", "speedup_low", "speedup_high", "efficiency", "flops_per_s", "bytes_per_s",
                               "percent_of_roof", "bound", "warnings", "failed"});
  for_each_cell(analysis, [&](const json& study, const std::string& backend, const json& point, bool peer) {
    const json ci = point.value("speedup_ci", json());
    std::string warnings;
    for (const json& warning : point.at("warnings")) {
      warnings += (warnings.empty() ? "" : "; ") + warning.get<std::string>();
    }
    text += csv_line({text_of(study.at("case")), backend, text_of(point.at("threads")), peer ? "true" : "false",
                      text_of(point.at("samples")), text_of(point.at("median_ns")), text_of(point.at("ci_low_ns")),
                      text_of(point.at("ci_high_ns")), text_of(point.value("speedup", json())),
                      ci.is_array() ? text_of(ci.at(0)) : "", ci.is_array() ? text_of(ci.at(1)) : "",
                      text_of(point.value("efficiency", json())), text_of(point.at("flops_per_s")),
                      text_of(point.at("bytes_per_s")), text_of(point.at("percent_of_roof")),
                      text_of(point.at("bound")), warnings, ""});
  });
  for (const json& study : analysis.at("cases")) {
    for (const json& failed : study.at("failed_cells")) {
      // A cell is its case, a backend and a thread count.
      const std::string cell = failed.at("cell").get<std::string>();
      const std::size_t last = cell.rfind('/');
      const std::size_t before = last == std::string::npos || last == 0 ? std::string::npos : cell.rfind('/', last - 1);
      std::vector<std::string> fields(18);
      // Of weak scaling it is another case than the study's.
      fields[0] = before != std::string::npos ? cell.substr(0, before) : study.at("case").get<std::string>();
      if (before != std::string::npos) fields[1] = cell.substr(before + 1, last - before - 1);
      if (last != std::string::npos) fields[2] = cell.substr(last + 1);
      fields[17] = failed.at("reason").get<std::string>();
      text += csv_line(fields);
    }
  }
  return text;
}

struct Timings {
  std::vector<double> real, cpu, calls;
};

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) { return stats::relative_deviation(values) * mean(values); }

// What Google Benchmark says of the machine.
ordered_json context_of(const json& analysis) {
  const json& machine = analysis.at("machine");
  const auto from_machine = [&](const char* key, json otherwise) {
    return machine.is_object() ? machine.value(key, std::move(otherwise)) : otherwise;
  };
  ordered_json caches = ordered_json::array();
  for (const json& cache : from_machine("caches", json::array())) {
    if (!cache.is_object()) continue;
    caches.push_back({{"type", "Unified"},
                      {"level", cache.value("level", json())},
                      {"size", cache.value("bytes", json())},
                      {"num_sharing", cache.value("sharing_cores", json())}});
  }
  const json allowed = from_machine("allowed_cpus", json::array());
  const json cores = from_machine("physical_cores", 0);
  return {{"date", analysis.at("started")},
          {"host_name", ""},
          {"executable", "speedwell_bench"},
          {"num_cpus", allowed.is_array() && !allowed.empty() ? json(allowed.size()) : cores},
          {"mhz_per_cpu", 0},
          {"cpu_scaling_enabled", false},
          {"caches", std::move(caches)},
          {"load_avg", json::array()},
          {"library_build_type", "release"},
          {"speedwell_schema", 1},
          {"speedwell_run", analysis.at("run")},
          {"speedwell_label", analysis.at("label")}};
}

// https://github.com/google/benchmark/blob/main/docs/user_guide.md, "Output Formats": what its JSON reporter writes.
// One document has each sample and the aggregates, the other only the medians, as if each were the one sample.
struct GoogleBenchmark {
  ordered_json samples;
  ordered_json medians;
};

GoogleBenchmark google_benchmark(const Journal& journal, const json& analysis) {
  std::map<std::string, Timings> timings;
  for (const json& record : journal.records) {
    if (!record.is_object() || record.value("kind", json()) != "sample") continue;
    const json cell = record.value("cell", json());
    const json ns = record.value("ns", json());
    if (!cell.is_string() || !ns.is_number() || ns.get<double>() <= 0) continue;
    const json cpu = record.value("cpu_ns", json());
    const json calls = record.value("calls", json());
    Timings& each = timings[cell.get<std::string>()];
    each.real.push_back(ns.get<double>());
    each.cpu.push_back(cpu.is_number() ? cpu.get<double>() : 0);
    each.calls.push_back(calls.is_number() ? calls.get<double>() : 1);
  }

  ordered_json benchmarks = ordered_json::array();
  ordered_json medians = ordered_json::array();
  int family = 0;
  for_each_cell(analysis, [&](const json& study, const std::string& backend, const json& point, bool) {
    const std::string name =
        fmt::format("{}/{}/{}", study.at("case").get<std::string>(), backend, point.at("threads").get<int>());
    const auto found = timings.find(name);
    if (found == timings.end()) return;
    const Timings& each = found->second;
    const auto entry = [&](const std::string& shown, const char* type) {
      return ordered_json{{"name", shown},    {"family_index", family}, {"per_family_instance_index", 0},
                          {"run_name", name}, {"run_type", type},       {"repetitions", each.real.size()}};
    };
    const auto add_times = [&](ordered_json& to, double real, double cpu) {
      to["real_time"] = real;
      to["cpu_time"] = cpu;
      to["time_unit"] = "ns";
      const double flops = study.at("flops").get<double>();
      const double bytes = study.at("bytes").get<double>();
      if (flops > 0) to["flops_per_second"] = flops / (real * 1e-9);
      if (bytes > 0) to["bytes_per_second"] = bytes / (real * 1e-9);
    };
    for (std::size_t i = 0; i < each.real.size(); ++i) {
      ordered_json one = entry(name, "iteration");
      one["repetition_index"] = i;
      one["threads"] = 1;  // Google Benchmark's own threads, of which a cell uses one
      one["iterations"] = static_cast<long long>(each.calls[i]);
      add_times(one, each.real[i], each.cpu[i]);
      benchmarks.push_back(std::move(one));
    }
    ordered_json middle = entry(name, "iteration");
    middle["repetitions"] = 1;
    middle["repetition_index"] = 0;
    middle["threads"] = 1;
    middle["iterations"] = static_cast<long long>(stats::median(each.calls));
    add_times(middle, stats::median(each.real), stats::median(each.cpu));
    medians.push_back(std::move(middle));
    const auto aggregate = [&](const char* what, const char* unit, auto&& of) {
      ordered_json one = entry(name + "_" + what, "aggregate");
      one["threads"] = 1;
      one["aggregate_name"] = what;
      one["aggregate_unit"] = unit;
      one["iterations"] = each.real.size();
      one["real_time"] = of(each.real);
      one["cpu_time"] = of(each.cpu);
      one["time_unit"] = "ns";
      benchmarks.push_back(std::move(one));
    };
    aggregate("mean", "time", mean);
    aggregate("median", "time", stats::median);
    aggregate("stddev", "time", deviation);
    aggregate("cv", "percentage",
              [](const std::vector<double>& v) { return mean(v) > 0 ? stats::relative_deviation(v) : 0; });
    ++family;
  });
  const ordered_json context = context_of(analysis);
  return {.samples = {{"context", context}, {"benchmarks", std::move(benchmarks)}},
          .medians = {{"context", context}, {"benchmarks", std::move(medians)}}};
}

// Text from outside may not be UTF-8: replaced, not refused.
template <class Json>
std::string pretty(const Json& value) {
  return value.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

void write_results(const Journal& journal, const json& analysis, const std::filesystem::path& run) {
  write_file_atomically(run / "analysis.json", pretty(analysis));
  const GoogleBenchmark results = google_benchmark(journal, analysis);
  write_file_atomically(run / "results.json", pretty(results.samples));
  write_file_atomically(run / "medians.json", pretty(results.medians));
  write_file_atomically(run / "summary.csv", summary(analysis));
}

}  // namespace speedwell::bench
