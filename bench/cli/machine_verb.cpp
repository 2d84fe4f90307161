// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include <speedwell/machine.hpp>

#include "bench/case.hpp"
#include "bench/cli/verbs.hpp"
#include "bench/driver/children.hpp"
#include "bench/driver/fingerprint.hpp"
#include "bench/driver/plan.hpp"
#include "bench/driver/progress.hpp"

namespace speedwell::bench {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

// The members of analysis.json's `ceilings`, and how they are shown.
struct Column {
  const char* case_name;
  const char* member;
  const char* title;
  bool of_bytes;
};
constexpr Column columns[] = {{"ceiling/fma_f32/registers", "fma_f32_flops_per_s", "FMA f32 GFLOP/s", false},
                              {"ceiling/fma_f64/registers", "fma_f64_flops_per_s", "FMA f64 GFLOP/s", false},
                              {"ceiling/load/memory", "load_bytes_per_s", "load GB/s", true},
                              {"ceiling/copy/memory", "copy_bytes_per_s", "copy GB/s", true},
                              {"ceiling/triad/memory", "triad_bytes_per_s", "triad GB/s", true}};

// An odd number, so that the median is one of them; a ceiling is steady, so few are enough.
constexpr int samples_each = 5;
constexpr double sample_ns = 50e6;

json ask(Children& children, const Children::Key& child, const json& question) {
  json answer = children.ask(child, question, 0);
  if (!answer["ok"].get<bool>()) throw ChildError(answer.value("error", "a ceiling could not be measured"));
  return answer;
}

// Median time of one call, in ns.
double median_ns(Children& children, const Children::Key& child, const std::string& case_name) {
  const json ready = ask(children, child, {{"do", "prepare"}, {"case", case_name}, {"target_ns", sample_ns}});
  std::vector<double> times;
  for (int i = 0; i < samples_each; ++i) {
    const json sample = ask(children, child, {{"do", "sample"}, {"case", case_name}, {"calls", ready.at("calls")}});
    times.push_back(sample.at("ns").get<double>());
  }
  ask(children, child, {{"do", "release"}, {"case", case_name}});
  std::nth_element(times.begin(), times.begin() + samples_each / 2, times.end());
  return times[samples_each / 2];
}

ordered_json measure_ceilings(double timeout_s) {
  Progress progress;
  ordered_json ceilings = ordered_json::array();
  for (const int threads : thread_axis(most_useful_threads(machine()))) {
    // One child at a time: each holds arrays that are far larger than the caches.
    Children children(programs_folder(), timeout_s);
    const Children::Key child = {threads == 1 ? "sequential" : "threads", threads};
    ordered_json row = {{"threads", threads}};
    for (const Column& column : columns) {
      const Case* const ceiling = find_case(column.case_name);
      if (ceiling == nullptr) continue;
      progress.show(fmt::format("measuring {} on {} thread{}", column.case_name, threads, threads == 1 ? "" : "s"));
      const double work = column.of_bytes ? ceiling->bytes : ceiling->flops;
      row[column.member] = work / median_ns(children, child, column.case_name) * 1e9;
    }
    ceilings.push_back(std::move(row));
  }
  return ceilings;
}

std::string bytes_text(std::size_t bytes) {
  if (bytes >= std::size_t{1} << 20) return fmt::format("{:.4g} MiB", static_cast<double>(bytes) / (1 << 20));
  return fmt::format("{:.4g} KiB", static_cast<double>(bytes) / 1024);
}

void line(std::string_view what, std::string_view value, std::string_view source) {
  fmt::print("{:<18}{:<44}{}\n", what, value, source);
}

// "2: 4 + 8 cores each".
std::string counts_of(const Machine& here, int Core::*group, std::string_view what) {
  std::map<int, int> cores;
  for (const Core& core : here.cores) ++cores[core.*group];
  std::vector<int> counts;
  for (const auto& [number, count] : cores) counts.push_back(count);
  if (counts.size() == 1) return "1";
  return fmt::format("{}: {} {}", counts.size(), fmt::join(counts, " + "), what);
}

// One logical CPU a core, with a bar where the next core shares no cache with the one before.
std::string filling_order(const Machine& here) {
  std::string order;
  for (std::size_t i = 0; i < here.cores.size(); ++i) {
    if (i > 0) order += here.cores[i].cache_group == here.cores[i - 1].cache_group ? " " : " | ";
    order += std::to_string(here.core_cpus[i]);
  }
  return order;
}

ordered_json cores_of(const Machine& here) {
  ordered_json cores = ordered_json::array();
  for (const Core& core : here.cores) {
    cores.push_back({{"cpus", core.cpus},
                     {"kind", core.kind},
                     {"package", core.package},
                     {"numa_node", core.numa_node},
                     {"cache_group", core.cache_group}});
  }
  return cores;
}

void print_machine(const json& fingerprint) {
  const Machine& here = machine();
  const auto text = [&](const char* member) { return fingerprint.at(member).get<std::string>(); };
  std::vector<std::string_view> isas;
  for (const Isa isa : here.isas) isas.push_back(name(isa));
  line("processor", here.cpu, "");
  line("physical cores", fmt::format("{} allowed", here.core_cpus.size()), here.cpus_source);
  line("logical CPUs", fmt::format("{} allowed: {}", here.allowed_cpus.size(), fmt::join(here.allowed_cpus, " ")), "");
  line("filled in order", filling_order(here), "");
  line("SMT siblings",
       here.sibling_cpus.empty() ? "none" : fmt::format("{}, filled last", fmt::join(here.sibling_cpus, " ")), "");
  line("kinds of cores", counts_of(here, &Core::kind, "fastest first"), "");
  line("sockets", counts_of(here, &Core::package, "cores each"), "");
  line("last-level caches", counts_of(here, &Core::cache_group, "cores each"), "");
  line("NUMA nodes", fmt::format("{}", here.numa_nodes), "");
  for (const Cache& cache : here.caches) {
    line(fmt::format("L{} cache", cache.level),
         fmt::format("{}, shared by {} core{}", bytes_text(cache.bytes), cache.sharing_cores,
                     cache.sharing_cores == 1 ? "" : "s"),
         here.caches_source);
  }
  line("quota", here.quota_cpus > 0 ? fmt::format("{:.4g} CPUs", here.quota_cpus) : "none", here.quota_source);
  line("threads = 0", fmt::format("{}", here.default_threads), "cores, capped by the quota rounded up");
  line("instruction set", fmt::format("{} (of {})", name(here.isa), fmt::join(isas, " ")), here.isa_source);
  line("kernel", text("kernel_release"), "uname");
  line("virtualization", text("virtualization"), "/proc/cpuinfo, DMI");
  line("governor", text("governor"), "cpufreq of CPU 0");
}

void print_ceilings(const json& ceilings) {
  fmt::print("\n{:>7}", "threads");
  for (const Column& column : columns) fmt::print("{:>18}", column.title);
  fmt::print("\n");
  for (const json& row : ceilings) {
    fmt::print("{:>7}", row.at("threads").get<int>());
    for (const Column& column : columns) {
      const auto found = row.find(column.member);
      fmt::print("{:>18}", found == row.end() ? "-" : fmt::format("{:.1f}", found->get<double>() / 1e9));
    }
    fmt::print("\n");
  }
  fmt::print(
      "Medians of {} samples, one process a row. Bytes that the loops name; what they write goes past the caches,\n"
      "so no line is read in order to be overwritten.\n",
      samples_each);
}

}  // namespace

int run_machine(const MachineOptions& options) {
  const Machine& here = machine();
  ordered_json fingerprint = machine_fingerprint();
  fingerprint["cores"] = cores_of(here);
  fingerprint["caches_source"] = here.caches_source;
  fingerprint["isa_source"] = here.isa_source;
  if (!options.json) print_machine(fingerprint);
  // What is known is on the screen while the rest is measured.
  std::fflush(stdout);
  ordered_json ceilings = nullptr;
  if (!options.no_ceilings) ceilings = measure_ceilings(options.timeout_s);
  if (options.json) {
    fmt::print("{}\n", ordered_json{{"machine", fingerprint}, {"ceilings", ceilings}}.dump(2));
  } else if (!options.no_ceilings) {
    print_ceilings(ceilings);
  }
  return exit_ok;
}

}  // namespace speedwell::bench
