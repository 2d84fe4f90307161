// SPDX-License-Identifier: Apache-2.0
// A study as JSON, as a table for a terminal, and in words.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "bench/models/study.hpp"

namespace speedwell::bench::models {

// models.json, as docs/run-folder.md describes it.
nlohmann::ordered_json to_json(const Study& study, const std::string& started);

// One block a nature, one line a technique. `width` in columns.
std::string table(const Study& study, bool colours, int width);

// What the table says, in a paragraph: each sentence from the numbers, exceptions included.
std::string reading(const Study& study);

// A line a cell.
std::string to_csv(const Study& study);

// "coroutines", "Python: asyncio": a technique as people write it.
std::string proper_name(std::string_view technique);
// "requests (I/O-bound)".
std::string proper_name(Nature nature);

}  // namespace speedwell::bench::models
