// SPDX-License-Identifier: Apache-2.0
// Which samples the machine disturbed. It looks at what the system says around a sample and never at whether the
// sample's own time is a usual one: no outlier is dropped for being one.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/driver/children.hpp"

namespace speedwell::bench {

// What a child says of one sample beside its time.
struct Surroundings {
  double wall_ns = 0;  // of all its calls
  int threads = 1;
  double spin_ns = 0;  // the calibration spins just before and after
  double spin_after_ns = 0;
  double stolen_ns = 0;       // CPU time that the hypervisor gave to others
  double others_running = 0;  // threads of other processes that wanted a CPU
  double voluntary_switches = 0;
  double involuntary_switches = 0;
};

// From the answer to "sample"; what a child doesn't say counts as undisturbed.
Surroundings surroundings_of(const nlohmann::json& answer, double wall_ns, int threads);

class Sentinel {
 public:
  // `cpus`: that the machine has, whoever may use them; `usable`: that this process may.
  Sentinel(int cpus, int usable) : cpus_(cpus), usable_(usable) {}

  // Why the sample counts as disturbed, in words; empty: it doesn't. Later spins of the child are held against these.
  std::string judge(const Children::Key& child, const Surroundings& around);

 private:
  int cpus_;
  int usable_;
  std::map<Children::Key, std::vector<double>> spins_;
};

// The sentinel of this machine.
Sentinel sentinel_here();

}  // namespace speedwell::bench
