// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/sentinel.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

#include <speedwell/machine.hpp>

#include <unistd.h>

#include "bench/driver/answers.hpp"
#include "runtime/scaling/statistics.hpp"

namespace speedwell::bench {

namespace {

// Stolen time that is more than this part of a sample's CPU time is a disturbed sample.
constexpr double most_stolen = 0.05;
// A spin this much longer than usual means a slower clock, or somebody else on the core.
constexpr double slow_spin = 1.10;
// So many spins make a median to go by.
constexpr std::size_t enough_spins = 6;
// Of each thread. Where all CPUs are in use, what else a quiet system does takes one from them some 70 times a second,
// for microseconds; a thread that shares its CPU loses it at every end of its slice, 80 to 300 times a second. Fewer
// than the second number are no rate yet.
constexpr double most_switches_a_second = 150;
constexpr double fewest_switches = 4;

}  // namespace

Surroundings surroundings_of(const nlohmann::json& answer, double wall_ns, int threads) {
  const double spin_ns = number_or(answer, "spin_ns", 0);
  return {.wall_ns = wall_ns,
          .threads = threads,
          .spin_ns = spin_ns,
          .spin_after_ns = number_or(answer, "spin_after_ns", spin_ns),
          .stolen_ns = number_or(answer, "steal_ticks", 0) * 1e9 / static_cast<double>(::sysconf(_SC_CLK_TCK)),
          .others_running = number_or(answer, "others_running", 0),
          .voluntary_switches = number_or(answer, "voluntary_switches", 0),
          .involuntary_switches = number_or(answer, "involuntary_switches", 0)};
}

std::string Sentinel::judge(const Children::Key& child, const Surroundings& around) {
  std::vector<double>& spins = spins_[child];
  const double usual_ns = spins.size() < enough_spins ? 0 : scaling::median(spins);
  const double spin_ns = std::max(around.spin_ns, around.spin_after_ns);
  spins.push_back(around.spin_ns);
  spins.push_back(around.spin_after_ns);

  if (around.stolen_ns > most_stolen * around.wall_ns * around.threads) {
    return fmt::format("another guest of this host took {:.0f} ms of CPU time", around.stolen_ns / 1e6);
  }
  if (usual_ns > 0 && spin_ns > slow_spin * usual_ns) {
    return fmt::format("the calibration spin took {:.0f} us, its median is {:.0f} us", spin_ns / 1e3, usual_ns / 1e3);
  }
  // More threads than CPUs take turns by themselves.
  if (around.threads > usable_) return {};
  if (around.others_running > cpus_ - around.threads) {
    return fmt::format("{:.0f} threads of other processes wanted the {} CPUs beside its {}", around.others_running,
                       cpus_, around.threads);
  }
  const double seconds = around.wall_ns / 1e9 * around.threads;
  if (around.involuntary_switches >= fewest_switches &&
      around.involuntary_switches > most_switches_a_second * seconds) {
    return fmt::format("its threads lost their CPUs {:.0f} times in {:.0f} ms", around.involuntary_switches,
                       around.wall_ns / 1e6);
  }
  return {};
}

Sentinel sentinel_here() {
  return {static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)), static_cast<int>(machine().allowed_cpus.size())};
}

}  // namespace speedwell::bench
