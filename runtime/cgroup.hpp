// SPDX-License-Identifier: Apache-2.0
// The CPU quota that control groups put on this process.
#pragma once

#include <string>

namespace speedwell::runtime {

struct CpuQuota {
  double cpus = 0;     // CPU time per time, in CPUs; 0: no quota
  std::string source;  // where it stands, or what was looked at in vain, in words
};

// The smallest quota of this process's groups and of all their ancestors that can be seen, in cgroup v1 and v2: the
// kernel enforces every level, and a parent's may be tighter than its child's. All files are read below `root`, so that
// tests can lay out a tree of their own; "" is the real machine.
CpuQuota read_cpu_quota(const std::string& root = "");

}  // namespace speedwell::runtime
