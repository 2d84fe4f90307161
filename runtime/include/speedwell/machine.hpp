// SPDX-License-Identifier: Apache-2.0
// What this machine offers to this process, and where each number came from.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace speedwell {

// Instruction sets that tiles are compiled for, in rising order on each architecture.
enum class Isa { baseline, sse4, avx2, avx512, neon };

std::string_view name(Isa isa);

struct Cache {
  int level = 0;               // 1 is nearest to the core
  std::size_t bytes = 0;       // of one instance
  std::size_t line_bytes = 0;  // 0: unknown
  int sharing_cores = 0;       // physical cores that share one instance
};

// A physical core that this process may use, and what it shares with others: cores share what has the same number, in
// the order in which `cores` come to it.
struct Core {
  std::vector<int> cpus;  // its allowed logical CPUs, ascending: several with SMT
  int kind = 0;           // 0: the fastest of this machine's ("P"), 1: the next ("E"), ...; all 0 where they are alike
  int package = 0;        // the socket
  int numa_node = 0;      // the memory next to it
  int cache_group = 0;    // the last-level cache; the package where no cache is known
};

struct Machine {
  std::string cpu;                // the processor's own model name
  std::vector<int> allowed_cpus;  // logical CPUs this process may run on, ascending
  std::vector<int> core_cpus;     // one logical CPU for each allowed physical core, in the order of `cores`
  std::vector<Cache> caches;      // data and unified caches of the first allowed core, by level
  int numa_nodes = 1;
  double quota_cpus = 0;    // CPU time a container's quota allows, in CPUs; 0: no quota
  int default_threads = 1;  // what `threads = 0` means: allowed physical cores, capped by the quota rounded up
  std::vector<Isa> isas;    // instruction sets that both this CPU and this build have, ascending
  Isa isa = Isa::baseline;  // the one in use: SPEEDWELL_ISA, or the best that is trusted

  // Where the numbers came from, in words fit for a report: "hwloc 2.9.0", "cgroup v1 /a/b: 150000/100000 us", ...
  std::string cpus_source;
  std::string caches_source;
  std::string quota_source;
  std::string isa_source;

  std::vector<int> sibling_cpus;  // the cores' other logical CPUs (SMT), in the same order; empty: there are none

  // In the order to fill them with a growing number of threads: fast cores before slower ones, then one last-level
  // cache's, the rest of its package's, other packages'. (And only then siblings: sibling_cpus.)
  std::vector<Core> cores;
};

// Read once, at the first call; later calls return the same object. Throws InvalidArgument if SPEEDWELL_ISA or
// SPEEDWELL_THREADS hold a value that isn't valid here, listing the valid ones.
const Machine& machine();

}  // namespace speedwell
