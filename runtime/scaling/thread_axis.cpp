// SPDX-License-Identifier: Apache-2.0
#include "runtime/scaling/thread_axis.hpp"

#include <bit>

namespace speedwell::scaling {

std::vector<int> thread_axis(int most) {
  std::vector<int> counts;
  // From 8 on each power of two, and half-way to the next.
  const auto step = [](int count) { return count < 8 ? 1 : static_cast<int>(std::bit_floor(unsigned(count)) / 2); };
  for (int count = 1; count < most; count += step(count)) counts.push_back(count);
  counts.push_back(most);
  return counts;
}

}  // namespace speedwell::scaling
