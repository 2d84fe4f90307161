// SPDX-License-Identifier: Apache-2.0
// The histogram as a pass of a call that goes on with it.
#pragma once

#include <speedwell/image_filter.hpp>

#include "runtime/dispatch.hpp"

namespace speedwell::image_filter {

Histogram count_values(const runtime::Choice& choice, runtime::Participants& participants,
                       ImageView<const std::uint8_t> src);

}  // namespace speedwell::image_filter
