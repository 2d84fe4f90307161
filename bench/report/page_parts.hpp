// SPDX-License-Identifier: Apache-2.0
// The page's files, put into the program at build time so that it needs none beside it.
#pragma once

#include <string_view>

namespace speedwell::bench::report {

// page.html, run.html, page.css, charts.js, page.js and timelines.js.
extern const std::string_view page_html, run_html, page_css, charts_js, page_js, timelines_js;

}  // namespace speedwell::bench::report
