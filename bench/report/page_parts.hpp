// SPDX-License-Identifier: Apache-2.0
// page.html, page.css and page.js, put into the program at build time so that it needs no files beside it.
#pragma once

#include <string_view>

namespace speedwell::bench::report {

extern const std::string_view page_html, page_css, page_js;

}  // namespace speedwell::bench::report
