// SPDX-License-Identifier: Apache-2.0
// Where the time of a sweep went.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace speedwell::bench {

struct Cost {
  double wall_s = 0;
  double kernel_s = 0;   // timed calls, those of rejected samples too
  double planned_s = 0;  // children started, cases made, touched, warmed, put back and verified, calibration spins

  // All the rest: waiting for threads to stop, talking to children, the journal, planning, results on the way.
  double instrument_s() const { return wall_s - kernel_s - planned_s; }

  // A child was asked to prepare a case and answered after so long.
  void add_preparation(const nlohmann::json& answer, double seconds);
  // A child was asked for a sample.
  void add_sample(const nlohmann::json& answer, double kernel_s);
};

// "81 % in kernels, 16 % preparing, 3 % the instrument's own"
std::string in_words(const Cost& cost);

}  // namespace speedwell::bench
