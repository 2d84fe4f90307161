// SPDX-License-Identifier: Apache-2.0
// What every page of ours is: one file that fetches nothing, with its styles, scripts and data inside.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/report/model.hpp"

namespace speedwell::bench::report {

// A page that mails and opens well.
inline constexpr std::size_t most_bytes_of_page = 1'500'000;

using Parts = std::vector<std::pair<std::string_view, std::string>>;

// Replaces each {{name}} once; what is put in is not looked at again, so data can't name a part.
std::string filled(std::string_view frame, const Parts& parts);

// All of these are HTML but the title, which is text, and Chart.js' source, which may be empty.
struct PageContent {
  std::string title, label, nav, lead, content;
  nlohmann::json data;
};
std::string framed(const PageContent& page, const std::string& chart_library);

// A case's name, which may be broken after each slash.
std::string name_html(std::string_view name);

// " [low, high]", small; nothing where the interval isn't known.
std::string bracket(Interval interval, std::string (*words)(double));

// A table that scrolls in itself where the page is narrow. `head` are the titles of its columns, `rows` whole rows.
std::string table_html(std::string_view caption, const std::vector<std::string_view>& head, const std::string& rows);

// The field that leaves only the cases whose names hold its words.
std::string filter_field();

// A part that opens: `id` may be empty, `summary` is text and `body` HTML.
std::string folded(std::string_view id, std::string_view summary, const std::string& body, bool open = false);

// The ids of the cases' articles: "case-" and the name as far as an address holds it, each once.
std::vector<std::string> case_ids(const std::vector<std::string>& names);

// As few digits as an eye can see; whole numbers without a point.
nlohmann::json number_json(double value, int digits = 5);

}  // namespace speedwell::bench::report
