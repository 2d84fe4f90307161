// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace speedwell::bench::models {

// How many of the spans, each from its begin to before its end, there are at most at one time.
int most_at_once(const std::vector<std::pair<std::int64_t, std::int64_t>>& spans);

}  // namespace speedwell::bench::models
