// SPDX-License-Identifier: Apache-2.0
#include "runtime/topology.hpp"

#include <hwloc.h>
#include <hwloc/cpukinds.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>

namespace speedwell::runtime {

namespace {

struct DestroyTopology {
  void operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }
};
using TopologyHandle = std::unique_ptr<hwloc_topology, DestroyTopology>;

struct FreeBitmap {
  void operator()(hwloc_bitmap_s* bitmap) const { hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, FreeBitmap>;

TopologyHandle new_topology() {
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) return nullptr;
  return TopologyHandle(topology);
}

Bitmap bitmap_of(const std::vector<int>& cpus) {
  Bitmap bitmap(hwloc_bitmap_alloc());
  if (!bitmap) return nullptr;
  for (const int cpu : cpus) {
    if (hwloc_bitmap_set(bitmap.get(), static_cast<unsigned>(cpu)) != 0) return nullptr;
  }
  return bitmap;
}

// Drops what isn't among `cpus`. False if nothing would be left.
bool restrict_to(hwloc_topology_t topology, const std::vector<int>& cpus) {
  const Bitmap allowed = bitmap_of(cpus);
  return allowed && hwloc_topology_restrict(topology, allowed.get(), HWLOC_RESTRICT_FLAG_REMOVE_CPULESS) == 0;
}

// Numbers things in the order in which they are first asked for.
template <class Thing>
class Numbers {
 public:
  int of(Thing thing) {
    const auto found = std::find(seen_.begin(), seen_.end(), thing);
    if (found != seen_.end()) return static_cast<int>(found - seen_.begin());
    seen_.push_back(thing);
    return static_cast<int>(seen_.size()) - 1;
  }

 private:
  std::vector<Thing> seen_;
};

// Where hwloc ranks kinds of cores, that of `core`: the higher the faster. All the same where it doesn't.
int rank_of(hwloc_topology_t topology, hwloc_obj_t core) {
  const int kind = hwloc_cpukinds_get_by_cpuset(topology, core->cpuset, 0);
  int efficiency = -1;
  if (kind < 0 ||
      hwloc_cpukinds_get_info(topology, static_cast<unsigned>(kind), nullptr, &efficiency, nullptr, nullptr, 0) != 0) {
    return -1;
  }
  return efficiency;
}

hwloc_obj_t package_of(hwloc_obj_t core) {
  hwloc_obj_t found = nullptr;
  for (hwloc_obj_t object = core; object != nullptr; object = object->parent) {
    if (object->type == HWLOC_OBJ_PACKAGE) found = object;
  }
  return found;
}

// The last cache on the way to the memory; the package, or nothing, where none is known.
hwloc_obj_t last_cache_of(hwloc_obj_t core) {
  hwloc_obj_t found = package_of(core);
  for (hwloc_obj_t object = core; object != nullptr; object = object->parent) {
    if (hwloc_obj_type_is_dcache(object->type)) found = object;
  }
  return found;
}

// hwloc numbers cores as they hang in the tree, so those that share the first one's last-level cache come first, then
// the rest of its package, then others. What is left to do is to put fast cores before slower ones.
void read_cores(hwloc_topology_t topology, Topology& found) {
  // Some virtual machines report no cores: each PU counts as one then.
  const int core_depth = hwloc_get_type_or_below_depth(topology, HWLOC_OBJ_CORE);
  std::vector<hwloc_obj_t> cores(hwloc_get_nbobjs_by_depth(topology, core_depth));
  for (unsigned i = 0; i < cores.size(); ++i) cores[i] = hwloc_get_obj_by_depth(topology, core_depth, i);
  std::stable_sort(cores.begin(), cores.end(),
                   [&](hwloc_obj_t a, hwloc_obj_t b) { return rank_of(topology, a) > rank_of(topology, b); });
  Numbers<int> kinds;
  Numbers<hwloc_obj_t> packages, caches;
  Numbers<unsigned> nodes;
  std::size_t most_cpus = 0;
  for (const hwloc_obj_t object : cores) {
    Core core = {.cpus = {},
                 .kind = kinds.of(rank_of(topology, object)),
                 .package = packages.of(package_of(object)),
                 .numa_node = nodes.of(static_cast<unsigned>(hwloc_bitmap_first(object->nodeset))),
                 .cache_group = caches.of(last_cache_of(object))};
    for (int cpu = hwloc_bitmap_first(object->cpuset); cpu >= 0; cpu = hwloc_bitmap_next(object->cpuset, cpu)) {
      core.cpus.push_back(cpu);
    }
    most_cpus = std::max(most_cpus, core.cpus.size());
    found.core_cpus.push_back(core.cpus.front());
    found.cores.push_back(std::move(core));
  }
  // All second ones, then all third ones.
  for (std::size_t i = 1; i < most_cpus; ++i) {
    for (const Core& core : found.cores) {
      if (i < core.cpus.size()) found.sibling_cpus.push_back(core.cpus[i]);
    }
  }
}

Cache read_cache(hwloc_topology_t topology, hwloc_obj_t cache) {
  const int cores = hwloc_get_nbobjs_inside_cpuset_by_type(topology, cache->cpuset, HWLOC_OBJ_CORE);
  const int pus = hwloc_get_nbobjs_inside_cpuset_by_type(topology, cache->cpuset, HWLOC_OBJ_PU);
  return {static_cast<int>(cache->attr->cache.depth), static_cast<std::size_t>(cache->attr->cache.size),
          cache->attr->cache.linesize, cores > 0 ? cores : pus};
}

Topology describe(hwloc_topology_t topology) {
  Topology found;
  const hwloc_obj_t first_pu = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PU, 0);
  if (first_pu == nullptr) return found;
  hwloc_obj_t package = nullptr;
  for (hwloc_obj_t object = first_pu->parent; object != nullptr; object = object->parent) {
    if (object->type == HWLOC_OBJ_PACKAGE) package = object;
    if (hwloc_obj_type_is_dcache(object->type)) found.caches.push_back(read_cache(topology, object));
  }
  if (package != nullptr) {
    if (const char* model = hwloc_obj_get_info_by_name(package, "CPUModel")) found.cpu = model;
  }
  read_cores(topology, found);
  found.numa_nodes = std::max(1, hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE));
  return found;
}

// What Linux itself calls the processor, where hwloc doesn't know.
std::string cpu_from_proc() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, 10, "model name") != 0) continue;
    const std::size_t begin = line.find_first_not_of(" \t", line.find(':') + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

}  // namespace

std::vector<int> allowed_cpus() {
  // The kernel refuses a mask that is shorter than its own; grow until it fits.
  std::vector<int> cpus;
  for (int size = CPU_SETSIZE; size <= 1 << 20; size *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(static_cast<std::size_t>(size)),
                                                               [](cpu_set_t* mask) { CPU_FREE(mask); });
    if (!set) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(size));
    if (sched_getaffinity(0, bytes, set.get()) == 0) {
      for (int cpu = 0; cpu < size; ++cpu) {
        if (CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, set.get())) cpus.push_back(cpu);
      }
      break;
    }
    if (errno != EINVAL) break;
  }
  if (cpus.empty()) {
    const int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    for (int cpu = 0; cpu < count; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

Topology read_topology(const std::vector<int>& cpus) {
  Topology found;
  const TopologyHandle topology = new_topology();
  // hwloc reads what the system says of all CPUs, without moving the calling thread about.
  if (topology &&
      hwloc_topology_set_flags(topology.get(),
                               HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM | HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING) == 0 &&
      hwloc_topology_load(topology.get()) == 0 && restrict_to(topology.get(), cpus)) {
    found = describe(topology.get());
  }
  if (found.cores.empty()) {
    for (const int cpu : cpus) found.cores.push_back({.cpus = {cpu}});
    found.core_cpus = cpus;
  }
  if (found.cpu.empty()) found.cpu = cpu_from_proc();
  return found;
}

Topology synthetic_topology(const std::string& description, const std::vector<int>& cpus,
                            const std::vector<std::vector<int>>& kinds) {
  const TopologyHandle topology = new_topology();
  if (!topology || hwloc_topology_set_synthetic(topology.get(), description.c_str()) != 0 ||
      hwloc_topology_load(topology.get()) != 0) {
    return {};
  }
  for (std::size_t rank = 0; rank < kinds.size(); ++rank) {
    const Bitmap of_kind = bitmap_of(kinds[rank]);
    if (!of_kind ||
        hwloc_cpukinds_register(topology.get(), of_kind.get(), static_cast<int>(rank), 0, nullptr, 0) != 0) {
      return {};
    }
  }
  if (!cpus.empty() && !restrict_to(topology.get(), cpus)) return {};
  return describe(topology.get());
}

std::string topology_source() {
  const unsigned version = hwloc_get_api_version();
  return "hwloc " + std::to_string(version >> 16) + "." + std::to_string(version >> 8 & 0xff) + "." +
         std::to_string(version & 0xff);
}

}  // namespace speedwell::runtime
