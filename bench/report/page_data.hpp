// SPDX-License-Identifier: Apache-2.0
// What a page's scripts draw from, and its raw samples.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/report/model.hpp"

namespace speedwell::bench::report {

// [threads, samples, ns, low, high, speedup, low, high, Karp-Flatt]: what isn't known is null.
nlohmann::json point_json(const Point& point);

nlohmann::json run_data(const Run& run, const std::vector<std::string>& ids, bool with_samples);

}  // namespace speedwell::bench::report
