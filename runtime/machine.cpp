// SPDX-License-Identifier: Apache-2.0
#include <speedwell/machine.hpp>

#include <algorithm>
#include <cmath>

#include "runtime/cgroup.hpp"
#include "runtime/environment.hpp"
#include "runtime/isa.hpp"
#include "runtime/once.hpp"
#include "runtime/topology.hpp"

namespace speedwell {

namespace {

int default_threads(int cores, double quota_cpus) {
  if (const auto threads = runtime::environment_threads()) return *threads;
  if (quota_cpus > 0) cores = std::min(cores, static_cast<int>(std::ceil(std::min(quota_cpus, double{max_threads}))));
  return std::clamp(cores, 1, max_threads);
}

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
  machine.caches = std::move(topology.caches);
  machine.numa_nodes = topology.numa_nodes;
  machine.cpus_source = "sched_getaffinity, " + runtime::topology_source();
  machine.caches_source = machine.caches.empty() ? "unknown" : runtime::topology_source();

  runtime::CpuQuota quota = runtime::read_cpu_quota();
  machine.quota_cpus = quota.cpus;
  machine.quota_source = std::move(quota.source);
  machine.default_threads = default_threads(static_cast<int>(machine.core_cpus.size()), machine.quota_cpus);
  return machine;
}

}  // namespace

const Machine& machine() {
  constinit static runtime::Once<Machine> machine;
  return machine.get(read_machine);
}

}  // namespace speedwell
