// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace speedwell::bench::report {

// SHA-256 (FIPS 180-4), as sha256sum prints it.
std::string sha256_hex(std::string_view text);

// The same in base64, as a Content-Security-Policy names the scripts and styles that it lets run.
std::string sha256_base64(std::string_view text);

}  // namespace speedwell::bench::report
