// SPDX-License-Identifier: Apache-2.0
// What the machine is said to be: quotas from laid-out cgroup trees, cores and caches from made-up topologies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <speedwell/machine.hpp>

#include "runtime/cgroup.hpp"
#include "runtime/isa.hpp"
#include "runtime/machine.hpp"
#include "runtime/picker/setting.hpp"
#include "runtime/topology.hpp"

namespace {

using speedwell::Core;
using speedwell::Isa;
using speedwell::runtime::allowed_cpus;
using speedwell::runtime::CpuQuota;
using speedwell::runtime::group_ends;
using speedwell::runtime::read_cpu_quota;
using speedwell::runtime::Setting;
using speedwell::runtime::synthetic_topology;
using speedwell::runtime::threads_within;
using speedwell::runtime::Topology;
using testing::ElementsAre;
using testing::HasSubstr;

// The quota in a tree of these files; removed afterwards.
CpuQuota quota_of(const std::map<std::string, std::string>& files) {
  std::string root = std::filesystem::temp_directory_path() / "speedwell-cgroup-XXXXXX";
  if (mkdtemp(root.data()) == nullptr) throw std::runtime_error("no temporary directory");
  for (const auto& [path, text] : files) {
    const std::filesystem::path file = root + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  const CpuQuota quota = read_cpu_quota(root);
  std::filesystem::remove_all(root);
  return quota;
}

constexpr const char* v1_mount =
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct\n";
constexpr const char* v2_mount = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(Quota, IsNoneWithoutCgroups) {
  const CpuQuota quota = quota_of({});
  EXPECT_EQ(quota.cpus, 0);
  EXPECT_THAT(quota.source, HasSubstr("no cgroup"));
}

TEST(Quota, OfVersion2) {
  const CpuQuota quota = quota_of({{"/proc/self/cgroup", "0::/a/b\n"},
                                   {"/proc/self/mountinfo", v2_mount},
                                   {"/sys/fs/cgroup/a/cpu.max", "max 100000\n"},
                                   {"/sys/fs/cgroup/a/b/cpu.max", "150000 100000\n"}});
  EXPECT_DOUBLE_EQ(quota.cpus, 1.5);
  EXPECT_EQ(quota.source, "cgroup v2 /a/b: 150000/100000 us");
}

TEST(Quota, OfAnAncestorIfItIsTighter) {
  std::map<std::string, std::string> files = {{"/proc/self/cgroup", "0::/a/b/c\n"},
                                              {"/proc/self/mountinfo", v2_mount},
                                              {"/sys/fs/cgroup/a/cpu.max", "200000 100000\n"},
                                              {"/sys/fs/cgroup/a/b/c/cpu.max", "350000 100000\n"}};
  EXPECT_DOUBLE_EQ(quota_of(files).cpus, 2.0);
  EXPECT_EQ(quota_of(files).source, "cgroup v2 /a: 200000/100000 us");
  // The root of a cgroup namespace has a file of its own.
  files["/sys/fs/cgroup/cpu.max"] = "50000 100000\n";
  EXPECT_DOUBLE_EQ(quota_of(files).cpus, 0.5);
  EXPECT_EQ(quota_of(files).source, "cgroup v2 /: 50000/100000 us");
}

TEST(Quota, OfVersion1) {
  const CpuQuota quota = quota_of({{"/proc/self/cgroup", "12:pids:/x\n4:cpu,cpuacct:/a/b\n"},
                                   {"/proc/self/mountinfo", v1_mount},
                                   {"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "250000\n"},
                                   {"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"},
                                   {"/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1\n"},
                                   {"/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n"}});
  EXPECT_DOUBLE_EQ(quota.cpus, 2.5);
  EXPECT_EQ(quota.source, "cgroup v1 /a: 250000/100000 us");
}

TEST(Quota, OfBothVersionsTheSmaller) {
  const std::string mounts = std::string(v1_mount) + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  std::map<std::string, std::string> files = {{"/proc/self/cgroup", "1:cpu:/\n0::/svc\n"},
                                              {"/proc/self/mountinfo", mounts},
                                              {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000"},
                                              {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000"}};
  EXPECT_DOUBLE_EQ(quota_of(files).cpus, 3);
  files["/sys/fs/cgroup/unified/svc/cpu.max"] = "100000 50000";
  EXPECT_DOUBLE_EQ(quota_of(files).cpus, 2);
}

TEST(Quota, WhereOnlyPartOfTheHierarchyIsMounted) {
  // A container that sees its host's paths: its own group is the mount's root.
  std::map<std::string, std::string> files = {
      {"/proc/self/cgroup", "0::/docker/123/inner\n"},
      {"/proc/self/mountinfo", "30 23 0:26 /docker/123 /sys/fs/cgroup ro - cgroup2 cgroup rw\n"},
      {"/sys/fs/cgroup/cpu.max", "400000 100000\n"},
      {"/sys/fs/cgroup/inner/cpu.max", "300000 100000\n"}};
  EXPECT_EQ(quota_of(files).source, "cgroup v2 /inner: 300000/100000 us");
  // A group with the mount's name as a prefix isn't below it, nor is one outside the namespace.
  for (const char* outside : {"0::/docker/1234\n", "0::/../../other\n", "0::/elsewhere\n"}) {
    files["/proc/self/cgroup"] = outside;
    EXPECT_EQ(quota_of(files).source, "cgroup v2 /: 400000/100000 us") << outside;
  }
}

TEST(Quota, OfPathsWithSpacesAndColons) {
  const CpuQuota quota =
      quota_of({{"/proc/self/cgroup", "0::/a:b c\n"},
                {"/proc/self/mountinfo", "30 23 0:26 / /sys/fs/c\\040group rw - cgroup2 cgroup2 rw\n"},
                {"/sys/fs/c group/a:b c/cpu.max", "70000 100000\n"}});
  EXPECT_DOUBLE_EQ(quota.cpus, 0.7);
}

TEST(Quota, IsNoneWhereTheFilesMakeNoSense) {
  for (const char* text : {"", "\n", "max 100000\n", "max", "100000", "-1 100000\n", "100000 0\n", "0 100000",
                           "1e5 100000", "99999999999999999999999 100000", "100000 100000 100000", "banana 3"}) {
    const CpuQuota quota = quota_of({{"/proc/self/cgroup", "0::/a\n"},
                                     {"/proc/self/mountinfo", std::string("garbage\n - \n1 - cgroup2\n") + v2_mount},
                                     {"/sys/fs/cgroup/a/cpu.max", text}});
    EXPECT_EQ(quota.cpus, 0) << text;
    EXPECT_THAT(quota.source, HasSubstr("no quota in cgroup v2 /a")) << text;
  }
  EXPECT_EQ(quota_of({{"/proc/self/cgroup", "nonsense\n::\n"}, {"/proc/self/mountinfo", v2_mount}}).cpus, 0);
}

TEST(Topology, TakesOneCpuOfEachCore) {
  const Topology topology = synthetic_topology("package:1 l3:1 l2:4 core:1 pu:2", {});
  EXPECT_THAT(topology.core_cpus, ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(topology.sibling_cpus, ElementsAre(1, 3, 5, 7));
  // Of a core whose first sibling isn't allowed, the other.
  const Topology part = synthetic_topology("package:1 l3:1 l2:4 core:1 pu:2", {1, 2, 3, 7});
  EXPECT_THAT(part.core_cpus, ElementsAre(1, 2, 7));
  EXPECT_THAT(part.sibling_cpus, ElementsAre(3));
  // All second ones, then all third ones.
  EXPECT_THAT(synthetic_topology("package:1 core:2 pu:3", {}).sibling_cpus, ElementsAre(1, 4, 2, 5));
  EXPECT_THAT(synthetic_topology("package:1 core:4 pu:1", {}).sibling_cpus, testing::IsEmpty());
}

TEST(Topology, FillsTheFirstCacheThenItsPackage) {
  // CPU numbers go round: packages first, then caches, as on many servers.
  const Topology topology = synthetic_topology("package:2 l3:2 core:2 pu:1(indexes=package:l3:core)", {});
  const Topology plain = synthetic_topology("package:2 l3:2 core:2 pu:1", {});
  EXPECT_THAT(plain.core_cpus, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(topology.core_cpus, ElementsAre(0, 4, 2, 6, 1, 5, 3, 7));
}

TEST(Topology, CountsTheCoresThatShareACache) {
  const Topology topology =
      synthetic_topology("numa:2 package:1 l3:2(size=33554432) l2:4(size=1048576) l1:1(size=32768) core:1 pu:2", {});
  EXPECT_EQ(topology.numa_nodes, 2);
  ASSERT_EQ(topology.caches.size(), 3u);
  EXPECT_EQ(topology.caches[0].level, 1);
  EXPECT_EQ(topology.caches[0].bytes, 32u << 10);
  EXPECT_EQ(topology.caches[0].sharing_cores, 1);
  EXPECT_EQ(topology.caches[2].level, 3);
  EXPECT_EQ(topology.caches[2].bytes, 32u << 20);
  EXPECT_EQ(topology.caches[2].sharing_cores, 4);
  // Of those allowed only.
  EXPECT_EQ(synthetic_topology("numa:2 package:1 l3:2 l2:4 l1:1 core:1 pu:2", {0, 1, 4}).caches[2].sharing_cores, 2);
}

std::vector<int> numbers_of(const Topology& topology, int Core::*member) {
  std::vector<int> numbers;
  for (const Core& core : topology.cores) numbers.push_back(core.*member);
  return numbers;
}

TEST(Topology, OfAServerWithTwoSockets) {
  // Two sockets of two nodes each, CPU numbers as Linux has them: first threads of all cores, then second threads.
  const Topology server =
      synthetic_topology("package:2 numa:2 l3:1 l2:4 core:1 pu:2(indexes=package:numa:l3:l2:core:pu)", {});
  const Topology plain = synthetic_topology("package:2 numa:2 l3:1 l2:4 core:1 pu:2", {});
  ASSERT_EQ(plain.cores.size(), 16u);
  EXPECT_THAT(numbers_of(plain, &Core::package), ElementsAre(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
  EXPECT_THAT(numbers_of(plain, &Core::numa_node), ElementsAre(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3));
  EXPECT_EQ(numbers_of(plain, &Core::cache_group), numbers_of(plain, &Core::numa_node));
  EXPECT_THAT(numbers_of(plain, &Core::kind), testing::Each(0));
  EXPECT_THAT(plain.cores[5].cpus, ElementsAre(10, 11));
  EXPECT_THAT(plain.core_cpus, ElementsAre(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30));
  EXPECT_EQ(plain.sibling_cpus.size(), 16u);
  EXPECT_EQ(plain.numa_nodes, 4);
  // Numbered another way, the order is the same: a cache's cores, its socket's, the other socket's, siblings last.
  for (std::size_t i = 0; i < server.cores.size(); ++i) {
    EXPECT_EQ(server.core_cpus[i], server.cores[i].cpus.front());
    EXPECT_EQ(server.cores[i].cache_group, plain.cores[i].cache_group);
  }
  EXPECT_THAT(group_ends(plain.cores, 16), ElementsAre(4, 8));
  EXPECT_THAT(group_ends(plain.cores, 6), ElementsAre(4));
  EXPECT_THAT(group_ends(plain.cores, 4), testing::IsEmpty());
}

TEST(Topology, OfAHybridLaptop) {
  // Four efficient cores first, two to a second-level cache, then two fast ones with siblings.
  const std::string laptop = "package:1 l3:1(size=12582912) l2:4 core:2 pu:1";
  const Topology found = synthetic_topology(laptop, {}, {{0, 1, 2, 3, 4, 5}, {6, 7}});
  EXPECT_THAT(found.core_cpus, ElementsAre(6, 7, 0, 1, 2, 3, 4, 5));
  EXPECT_THAT(numbers_of(found, &Core::kind), ElementsAre(0, 0, 1, 1, 1, 1, 1, 1));
  EXPECT_THAT(numbers_of(found, &Core::cache_group), testing::Each(0));
  EXPECT_THAT(group_ends(found.cores, 8), ElementsAre(2));
  // Only efficient ones are allowed: they are the fastest there are.
  const Topology part = synthetic_topology(laptop, {1, 2, 3}, {{0, 1, 2, 3, 4, 5}, {6, 7}});
  EXPECT_THAT(part.core_cpus, ElementsAre(1, 2, 3));
  EXPECT_THAT(numbers_of(part, &Core::kind), testing::Each(0));
  // Three kinds, as on many phones; siblings come after the slowest core.
  const Topology phone = synthetic_topology("package:1 core:4 pu:2", {}, {{0, 1}, {2, 3}, {4, 5, 6, 7}});
  EXPECT_THAT(phone.core_cpus, ElementsAre(4, 6, 2, 0));
  EXPECT_THAT(phone.sibling_cpus, ElementsAre(5, 7, 3, 1));
  EXPECT_THAT(numbers_of(phone, &Core::kind), ElementsAre(0, 0, 1, 2));
}

TEST(Topology, OfAProcessorOfChiplets) {
  const Topology found = synthetic_topology("package:1 l3:4(size=33554432) l2:4 core:1 pu:2", {});
  EXPECT_THAT(numbers_of(found, &Core::cache_group), ElementsAre(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3));
  EXPECT_THAT(numbers_of(found, &Core::package), testing::Each(0));
  EXPECT_THAT(group_ends(found.cores, 16), ElementsAre(4));
  EXPECT_THAT(speedwell::runtime::candidates(16, group_ends(found.cores, 16)),
              testing::Contains(Setting{Setting::threads, 4}));
  // Of six cores a chiplet, as some have: a number that no power of two reaches.
  const Topology six = synthetic_topology("package:1 l3:2 core:6 pu:1", {});
  EXPECT_THAT(group_ends(six.cores, 12), ElementsAre(6));
  std::set<int> counts;
  for (const Setting setting : speedwell::runtime::candidates(12, group_ends(six.cores, 12)))
    counts.insert(setting.count);
  EXPECT_THAT(counts, ElementsAre(1, 2, 4, 6, 8, 12));
}

TEST(Topology, OfAContainerWithAQuota) {
  // 2.5 CPUs' time of a server, on three of its cores and a sibling.
  const Topology found = synthetic_topology("package:2 l3:2 core:2 pu:2", {2, 3, 4, 12});
  ASSERT_EQ(found.cores.size(), 3u);
  EXPECT_THAT(found.cores[0].cpus, ElementsAre(2, 3));
  EXPECT_THAT(numbers_of(found, &Core::package), ElementsAre(0, 0, 1));
  EXPECT_THAT(numbers_of(found, &Core::cache_group), ElementsAre(0, 1, 2));
  EXPECT_EQ(threads_within(static_cast<int>(found.cores.size()), 0), 3);
  EXPECT_EQ(threads_within(static_cast<int>(found.cores.size()), 2.5), 3);
  EXPECT_EQ(threads_within(static_cast<int>(found.cores.size()), 1.2), 2);
  EXPECT_EQ(threads_within(static_cast<int>(found.cores.size()), 0.1), 1);
  EXPECT_EQ(threads_within(static_cast<int>(found.cores.size()), 1e18), 3);
  EXPECT_THAT(group_ends(found.cores, 2), testing::IsEmpty());
}

TEST(Topology, WithoutCoresOrCaches) {
  // As small virtual machines show themselves.
  const Topology found = synthetic_topology("pu:3", {});
  EXPECT_THAT(found.core_cpus, ElementsAre(0, 1, 2));
  EXPECT_THAT(numbers_of(found, &Core::cache_group), testing::Each(0));
  EXPECT_THAT(numbers_of(found, &Core::package), testing::Each(0));
}

TEST(Machine, IsThisOne) {
  const speedwell::Machine& machine = speedwell::machine();
  EXPECT_EQ(&machine, &speedwell::machine());
  EXPECT_EQ(machine.allowed_cpus, allowed_cpus());
  EXPECT_TRUE(std::ranges::is_sorted(machine.allowed_cpus));
  EXPECT_FALSE(machine.core_cpus.empty());
  EXPECT_LE(machine.core_cpus.size(), machine.allowed_cpus.size());
  ASSERT_EQ(machine.cores.size(), machine.core_cpus.size());
  std::vector<int> cpus;
  for (std::size_t i = 0; i < machine.cores.size(); ++i) {
    EXPECT_EQ(machine.cores[i].cpus.front(), machine.core_cpus[i]);
    cpus.insert(cpus.end(), machine.cores[i].cpus.begin(), machine.cores[i].cpus.end());
  }
  EXPECT_THAT(cpus, testing::UnorderedElementsAreArray(machine.allowed_cpus));
  for (const int cpu : machine.core_cpus) EXPECT_THAT(machine.allowed_cpus, testing::Contains(cpu));
  EXPECT_GE(machine.default_threads, 1);
  EXPECT_LE(machine.default_threads, static_cast<int>(machine.core_cpus.size()));
  EXPECT_FALSE(machine.cpu.empty());
  EXPECT_FALSE(machine.quota_source.empty());
  EXPECT_FALSE(machine.isa_source.empty());
  for (const auto& cache : machine.caches) {
    EXPECT_GE(cache.level, 1);
    EXPECT_GE(cache.bytes, 1024u);
    EXPECT_GE(cache.sharing_cores, 1);
  }
}

TEST(Machine, KnowsItsInstructionSets) {
  const speedwell::Machine& machine = speedwell::machine();
  ASSERT_FALSE(machine.isas.empty());
  EXPECT_EQ(machine.isas.front(), Isa::baseline);
  EXPECT_TRUE(std::ranges::is_sorted(machine.isas));
  EXPECT_THAT(machine.isas, testing::Contains(machine.isa));
  EXPECT_EQ(machine.isa, speedwell::runtime::current_isa());

  // Linux's own list, which shares no code with our probe; it writes one on x86 only.
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && line.compare(0, 5, "flags") != 0) continue;
  if (!file) GTEST_SKIP() << "no flags in /proc/cpuinfo";
  line += ' ';
  const auto has = [&](const char* flag) { return line.find(" " + std::string(flag) + " ") != std::string::npos; };
  const auto is_built = [](Isa isa) {
    return std::string(BUILT_ISAS).find(" " + std::string(name(isa)) + " ") != std::string::npos;
  };
  const auto expect = [&](Isa isa, bool there) {
    EXPECT_EQ(std::ranges::count(machine.isas, isa), there && is_built(isa)) << name(isa);
  };
  expect(Isa::sse4, has("sse4_2") && has("aes") && has("pclmulqdq"));
  expect(Isa::avx2, has("avx2") && has("fma") && has("bmi2") && has("f16c"));
  expect(Isa::avx512, has("avx512f") && has("avx512bw") && has("avx512vl") && has("avx512dq") && has("avx512cd"));
}

}  // namespace
