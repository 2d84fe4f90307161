// SPDX-License-Identifier: Apache-2.0
// The page of a run: one file that fetches nothing.
#pragma once

#include <string>
#include <vector>

#include "bench/report/model.hpp"
#include "bench/report/plots.hpp"

namespace speedwell::bench::report {

// `svgs` are the drawn plots, empty where one couldn't be drawn. With the source of Chart.js the page draws its charts
// itself; without (empty), it holds the SVGs.
std::string make_page(const Run& run, const std::vector<Plot>& plots, const std::vector<std::string>& svgs,
                      const std::string& chart_library);

}  // namespace speedwell::bench::report
