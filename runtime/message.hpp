// SPDX-License-Identifier: Apache-2.0
// Messages on their way to the handler and to stderr.
#pragma once

#include <string_view>

#include <speedwell/runtime.hpp>

namespace speedwell::runtime {

// Whether anyone listens at this level, so that no text is put together for nobody.
bool wants_message(MessageLevel level) noexcept;

void message(MessageLevel level, std::string_view text) noexcept;

}  // namespace speedwell::runtime
