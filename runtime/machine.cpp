// SPDX-License-Identifier: Apache-2.0
#include <speedwell/machine.hpp>

#include <algorithm>
#include <cmath>

#include "runtime/cgroup.hpp"
#include "runtime/environment.hpp"
#include "runtime/isa.hpp"
#include "runtime/machine.hpp"
#include "runtime/once.hpp"
#include "runtime/topology.hpp"

namespace speedwell {

namespace runtime {

int threads_within(int cores, double quota_cpus) {
  if (quota_cpus > 0) cores = std::min(cores, static_cast<int>(std::ceil(std::min(quota_cpus, double{max_threads}))));
  return std::clamp(cores, 1, max_threads);
}

std::vector<int> group_ends(const std::vector<Core>& cores, int most_threads) {
  std::vector<int> ends;
  const int most = std::min(most_threads, static_cast<int>(cores.size()));
  if (most == 0) return ends;
  const auto count_like_first = [&](auto member) {
    int count = 0;
    while (count < most && cores[static_cast<std::size_t>(count)].*member == cores.front().*member) ++count;
    return count;
  };
  for (const auto member : {&Core::cache_group, &Core::package, &Core::kind}) ends.push_back(count_like_first(member));
  std::erase_if(ends, [&](int end) { return end < 2 || end >= most; });
  return ends;
}

}  // namespace runtime

namespace {

Machine read_machine() {
  Machine machine;
  machine.isas = runtime::available_isas();
  machine.isa = runtime::current_isa();
  machine.isa_source = runtime::environment_isa(machine.isas) ? "SPEEDWELL_ISA"
                       : machine.isa == machine.isas.back()   ? "the best this processor has (cpuid)"
                                                              : "the best of this processor's that tests have run on";

  machine.allowed_cpus = runtime::allowed_cpus();
  runtime::Topology topology = runtime::read_topology(machine.allowed_cpus);
  machine.cpu = std::move(topology.cpu);
  machine.core_cpus = std::move(topology.core_cpus);
  machine.sibling_cpus = std::move(topology.sibling_cpus);
  machine.cores = std::move(topology.cores);
  machine.caches = std::move(topology.caches);
  machine.numa_nodes = topology.numa_nodes;
  machine.cpus_source = "sched_getaffinity, " + runtime::topology_source();
  machine.caches_source = machine.caches.empty() ? "unknown" : runtime::topology_source();

  runtime::CpuQuota quota = runtime::read_cpu_quota();
  machine.quota_cpus = quota.cpus;
  machine.quota_source = std::move(quota.source);
  machine.default_threads = runtime::environment_threads().value_or(
      runtime::threads_within(static_cast<int>(machine.cores.size()), machine.quota_cpus));
  return machine;
}

}  // namespace

const Machine& machine() {
  constinit static runtime::Once<Machine> machine;
  return machine.get(read_machine);
}

}  // namespace speedwell
