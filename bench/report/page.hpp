// SPDX-License-Identifier: Apache-2.0
// The page of a run: one file that fetches nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/report/model.hpp"
#include "bench/report/plots.hpp"
#include "bench/report/timelines.hpp"

namespace speedwell::bench::report {

// `svgs` are the drawn plots, empty where one couldn't be drawn. With the source of Chart.js the page draws its charts
// itself; without (empty), it holds the SVGs. What `speedwell models` measured is a section of its own.
std::string make_page(const Run& run, const std::vector<Plot>& plots, const std::vector<std::string>& svgs,
                      const std::string& chart_library, const std::optional<Models>& models = {});

}  // namespace speedwell::bench::report
