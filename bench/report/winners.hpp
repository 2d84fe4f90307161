// SPDX-License-Identifier: Apache-2.0
// Who is fastest at each thread count, by the rule that the verdicts go by: docs/run-folder.md, "Surely faster".
#pragma once

#include <vector>

#include "bench/report/model.hpp"

namespace speedwell::bench::report {

// One field of the winner map.
struct Winner {
  std::vector<const Curve*> fastest;  // first the fastest, then those that it isn't surely faster than
  double speedup = unknown;           // of the first
  // No parallel model is surely faster than the best sequential version, which then is what to use.
  bool none = false;

  bool measured() const { return !fastest.empty(); }
  bool tie() const { return fastest.size() > 1; }
};

// `noise` is the run's noise floor; unknown counts as 0.
Winner winner(const Case& c, int threads, double noise);

}  // namespace speedwell::bench::report
