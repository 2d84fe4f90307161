// SPDX-License-Identifier: Apache-2.0
// Our models against the peer libraries, case by case: what a caller has from us with so many cores, over what the best
// of them gives with as many.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "runtime/scaling/case_study.hpp"

namespace speedwell::bench {

// The best that one model, or one peer, does on so many threads or fewer.
struct Runner {
  std::string name;
  std::string version;  // a peer's
  int threads = 1;
  double median_ns = 0;
  std::optional<double> percent_of_roof;
  std::string bound;   // "compute", "l2", "memory", ...; empty: not known
  scaling::Cell cell;  // its samples by round
};

struct RacedCase {
  std::string name, kernel, variant, size;
  int threads = 1;  // that all may use
  double flops = 0;
  std::vector<Runner> models;       // ours, in the order of the run
  std::vector<Runner> peers;        // in the order of the run
  std::optional<Runner> automatic;  // the library's own choice, where it was measured
  const Runner* ours() const;       // the fastest model
  const Runner* peer() const;       // the fastest peer
  scaling::Ratio ratio;             // the fastest peer's time over the fastest model's: above 1, we are faster
  std::optional<scaling::Ratio> automatic_ratio;    // the same of the library's own choice
  std::optional<scaling::Ratio> automatic_to_ours;  // its time over the fastest model's
};

// Below this a case is lost, if its whole interval lies below.
inline constexpr double lost_below = 0.97;

bool is_lost(const scaling::Ratio& ratio);

// Each case of the analyses that has a peer, at each thread count that was measured, in their order.
std::vector<RacedCase> race_of(std::span<const nlohmann::json> analyses);

double geometric_mean(std::span<const RacedCase> cases);

// For people, with a summary; and a line a case, with everything.
std::string race_markdown(std::span<const RacedCase> cases, std::span<const nlohmann::json> analyses);
std::string race_csv(std::span<const RacedCase> cases);

}  // namespace speedwell::bench
