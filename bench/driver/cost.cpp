// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/cost.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/driver/answers.hpp"

namespace speedwell::bench {

void Cost::add_preparation(const nlohmann::json& answer, double seconds) {
  planned_s += seconds - number_or(answer, "park_ns", 0) / 1e9;
}

void Cost::add_sample(const nlohmann::json& answer, double kernel) {
  kernel_s += kernel;
  for (const char* const member : {"make_ns", "warm_ns", "restore_ns", "check_ns", "spin_ns", "spin_after_ns"}) {
    planned_s += number_or(answer, member, 0) / 1e9;
  }
}

std::string in_words(const Cost& cost) {
  const auto percent = [&](double seconds) { return cost.wall_s > 0 ? 100 * seconds / cost.wall_s : 0; };
  return fmt::format("{:.0f} % in kernels, {:.0f} % preparing, {:.1f} % the instrument's own", percent(cost.kernel_s),
                     percent(cost.planned_s), percent(cost.instrument_s()));
}

}  // namespace speedwell::bench
