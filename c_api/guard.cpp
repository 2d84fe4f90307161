// SPDX-License-Identifier: Apache-2.0
#include "c_api/guard.hpp"

#include <algorithm>
#include <array>

namespace speedwell::c_api {

namespace {

constinit thread_local std::array<char, 512> last_error{};

}  // namespace

void keep_error(std::string_view text) noexcept {
  text = text.substr(0, last_error.size() - 1);
  *std::copy(text.begin(), text.end(), last_error.begin()) = '\0';
}

}  // namespace speedwell::c_api

extern "C" const char* speedwell_last_error(void) { return speedwell::c_api::last_error.data(); }
