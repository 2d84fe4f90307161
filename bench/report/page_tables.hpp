// SPDX-License-Identifier: Apache-2.0
// The tables of a run's page, as HTML.
#pragma once

#include <string>
#include <vector>

#include "bench/report/model.hpp"

namespace speedwell::bench::report {

// How many rows a page holds: the shorter one leaves out thread counts between the powers of two.
enum class Rows { all, few };

// Every case with its winners, one column a thread count, and its verdict.
std::string winner_map(const Run& run, const std::vector<std::string>& ids);

// What is behind a case's charts; `id` is that of its article, and begins those of the tables.
std::string case_tables(const Case& c, std::size_t index, const std::string& id, Rows detail);

// What is behind the charts of the whole run; empty where there is nothing.
std::string crossover_table(const Run& run);
std::string roofline_table(const Run& run);
std::string ceilings_table(const Run& run);

std::string failures(const Run& run);

}  // namespace speedwell::bench::report
