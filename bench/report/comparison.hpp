// SPDX-License-Identifier: Apache-2.0
// One page of several runs: each case with every run's best curve.
#pragma once

#include <string>
#include <vector>

#include "bench/report/model.hpp"

namespace speedwell::bench::report {

// Chart.js' source may be empty: the page then has tables only.
std::string make_comparison(const std::vector<Run>& runs, const std::string& chart_library);

}  // namespace speedwell::bench::report
