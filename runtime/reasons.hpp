// SPDX-License-Identifier: Apache-2.0
// Reasons of last_run() that others act on.
#pragma once

#include <string_view>

namespace speedwell::runtime {

// The reason of a call that has fewer blocks of work than threads.
inline constexpr std::string_view too_few_blocks = "as many threads as blocks of work";

}  // namespace speedwell::runtime
