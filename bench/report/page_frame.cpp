// SPDX-License-Identifier: Apache-2.0
#include "bench/report/page_frame.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "bench/report/page_parts.hpp"
#include "bench/report/sha256.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

using nlohmann::json;

// Chart.js and the colour library inside it are both under this licence (Expat, also called MIT).
constexpr std::string_view chart_licence =
    R"(Chart.js, Copyright (c) 2014-2022 Chart.js Contributors
@kurkle/color (part of Chart.js), Copyright (c) 2022 Jukka Kurkela

The MIT License (MIT)

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.)";

// JSON that can stand inside a script element: no text in it can end the element or open a comment.
std::string for_script(const json& value) {
  std::string out;
  for (const char c : value.dump(-1, ' ', false, json::error_handler_t::replace)) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

std::string hash_source(std::string_view text) { return "'sha256-" + sha256_base64(text) + "'"; }

std::string notices() {
  return "<section id=\"notices\" aria-labelledby=\"notices-title\"><h2 id=\"notices-title\">Third-party notices</h2>"
         "<p>The charts on this page are drawn by Chart.js, which this page contains.</p><pre>" +
         html(chart_licence) + "</pre></section>";
}

}  // namespace

std::string filled(std::string_view frame, const Parts& parts) {
  std::string out;
  while (true) {
    const std::size_t open = frame.find("{{");
    out += frame.substr(0, open);
    if (open == std::string_view::npos) return out;
    const std::size_t close = frame.find("}}", open);
    const std::string_view name = frame.substr(open + 2, close - open - 2);
    out += std::ranges::find(parts, name, &Parts::value_type::first)->second;
    frame.remove_prefix(close + 2);
  }
}

std::string framed(const PageContent& page, const std::string& chart_library) {
  const bool interactive = !chart_library.empty();
  const std::string script = std::string(charts_js) + std::string(page_js) + std::string(timelines_js);
  // Nothing is fetched, and only these very scripts and styles count, whatever a name in the data may hold. gnuplot's
  // pictures carry style attributes.
  std::string policy = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src " +
                       hash_source(page_css) + "; style-src-attr 'unsafe-inline'; script-src " + hash_source(script);
  if (interactive) policy += " " + hash_source(chart_library);
  return filled(page_html, {{"policy", policy},
                            {"title", html(page.title)},
                            {"style", std::string(page_css)},
                            {"label", page.label.empty() ? "" : "<span class=\"tag\">" + html(page.label) + "</span>"},
                            {"nav", page.nav},
                            {"lead", page.lead},
                            {"content", page.content},
                            {"notices", interactive ? notices() : ""},
                            {"data", for_script(page.data)},
                            {"chart_library", interactive ? "<script>" + chart_library + "</script>" : ""},
                            {"script", script}});
}

std::string name_html(std::string_view name) {
  std::string out;
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t slash = name.find('/', begin);
    const std::size_t end = slash == std::string_view::npos ? name.size() : slash + 1;
    out += html(name.substr(begin, end - begin));
    if (end < name.size()) out += "<wbr>";
    begin = end;
  }
  return out;
}

std::string bracket(Interval interval, std::string (*words)(double)) {
  return known(interval)
             ? fmt::format(" <small>[{}, {}]</small>", html(words(interval.low)), html(words(interval.high)))
             : "";
}

std::string table_html(std::string_view caption, const std::vector<std::string_view>& head, const std::string& rows) {
  std::string titles;
  for (const std::string_view title : head) titles += fmt::format("<th scope=\"col\">{}</th>", html(title));
  return fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table><caption>{0}</caption>"
      "<thead><tr>{1}</tr></thead><tbody>\n{2}</tbody></table></div>\n",
      html(caption), titles, rows);
}

std::string filter_field() {
  return "<p class=\"filter\" hidden><label for=\"filter\">Show cases with</label><input id=\"filter\" type=\"search\" "
         "autocomplete=\"off\" placeholder=\"words, such as matmul 1024\"><span id=\"filtered\" "
         "aria-live=\"polite\"></span></p>";
}

std::string folded(std::string_view id, std::string_view summary, const std::string& body, bool open) {
  return fmt::format("<details{}{}><summary>{}</summary>{}</details>\n",
                     id.empty() ? "" : fmt::format(" id=\"{}\"", html(id)), open ? " open" : "", html(summary), body);
}

std::vector<std::string> case_ids(const std::vector<std::string>& names) {
  std::set<std::string> taken;
  std::vector<std::string> ids;
  for (const std::string& name : names) {
    const std::string stem = "case-" + file_stem(name);
    std::string id = stem;
    for (int i = 2; !taken.insert(id).second; ++i) id = fmt::format("{}-{}", stem, i);
    ids.push_back(id);
  }
  return ids;
}

json number_json(double value, int digits) {
  if (!known(value)) return nullptr;
  const double shown = std::stod(fmt::format("{:.{}g}", value, digits));
  if (shown == std::floor(shown) && std::fabs(shown) < 1e15) return static_cast<std::int64_t>(shown);
  return shown;
}

}  // namespace speedwell::bench::report
