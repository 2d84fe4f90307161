// SPDX-License-Identifier: Apache-2.0
// Cells that are measured a second time in another process: in one more process of the same build, to see how far two
// measurements of one thing lie apart, or in a process of another build, to compare the two in one sweep.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/driver/plan.hpp"

namespace speedwell::bench {

// At most five twins and at most one in ten cells, but one: of a short and a long case, on one thread and on the most
// threads that have a core each, of a different parallel model each time.
std::vector<Cell> twins_of(const std::vector<Cell>& cells, int cores);

// The program that measures for the build that `given` means: its speedwell_bench, its speedwell, or a folder that
// holds either. Throws ChildError, with what was expected, if there is none.
std::filesystem::path program_of_build(const std::string& given);

// The header's `config.against`: `path`, `crc32` and `version` of the other build. Starts a child of it.
nlohmann::ordered_json describe_other_build(Children& children);

// Of each of our own cells the same in the other build. What that build lacks is said and left out.
std::vector<Cell> against_of(const std::vector<Cell>& cells, Children& children, Progress& progress);

}  // namespace speedwell::bench
