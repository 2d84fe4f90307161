// SPDX-License-Identifier: Apache-2.0
// Cores, caches and NUMA nodes, from hwloc.
#pragma once

#include <string>
#include <vector>

#include <speedwell/machine.hpp>

namespace speedwell::runtime {

struct Topology {
  std::string cpu;                // the processor's model name; empty: unknown
  std::vector<int> core_cpus;     // as in Machine
  std::vector<int> sibling_cpus;  // as in Machine
  std::vector<Core> cores;        // as in Machine
  std::vector<Cache> caches;      // as in Machine
  int numa_nodes = 1;
};

// The logical CPUs that the calling thread may run on, ascending.
std::vector<int> allowed_cpus();

// This machine, restricted to `cpus`. If hwloc can't say, each CPU counts as a core, and no cache is known.
Topology read_topology(const std::vector<int>& cpus);

// hwloc's made-up machine, "package:2 l3:2 core:4 pu:2", restricted to `cpus` (all if empty): for tests. With the
// logical CPUs of each kind of core, slowest first, where there are several.
Topology synthetic_topology(const std::string& description, const std::vector<int>& cpus,
                            const std::vector<std::vector<int>>& kinds = {});

// "hwloc 2.9.0": the version in use.
std::string topology_source();

}  // namespace speedwell::runtime
