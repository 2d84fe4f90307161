// SPDX-License-Identifier: Apache-2.0
// What measure_scaling() needs of the world, so that a test can bring a world of its own.
#pragma once

#include <functional>

#include <speedwell/scaling.hpp>

namespace speedwell::scaling {

struct Surroundings {
  std::function<double()> now_ns;
  // Waits until no other thread of the process runs; false: it gave up.
  std::function<bool()> settle;
  int cores = 1;      // that the process may use
  int available = 1;  // the same, capped by the quota
};

// measure_scaling() there.
Scaling measure(const std::function<void(int)>& body, const ScalingOptions& options, const Surroundings& here);

}  // namespace speedwell::scaling
