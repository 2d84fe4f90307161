// SPDX-License-Identifier: Apache-2.0
#include "bench/models/slices.hpp"

#include <algorithm>

namespace speedwell::bench::models {

int most_at_once(const std::vector<std::pair<std::int64_t, std::int64_t>>& spans) {
  // An end comes before a begin at the same time.
  std::vector<std::pair<std::int64_t, int>> changes;
  for (const auto& [begin, end] : spans) {
    changes.emplace_back(begin, 1);
    changes.emplace_back(end, -1);
  }
  std::sort(changes.begin(), changes.end());
  int now = 0, most = 0;
  for (const auto& [when, change] : changes) most = std::max(most, now += change);
  return most;
}

}  // namespace speedwell::bench::models
