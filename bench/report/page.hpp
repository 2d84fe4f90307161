// SPDX-License-Identifier: Apache-2.0
// The report as one HTML page that needs nothing else.
#pragma once

#include <string>
#include <vector>

#include "bench/report/model.hpp"
#include "bench/report/plots.hpp"

namespace speedwell::bench::report {

// `svgs` are the drawn plots, in the order of `plots`, empty where one couldn't be drawn; they stand in for the
// interactive charts when `chart_library` (the source of Chart.js) is empty.
std::string make_page(const Run& run, const std::vector<Plot>& plots, const std::vector<std::string>& svgs,
                      const std::string& chart_library);

}  // namespace speedwell::bench::report
