// SPDX-License-Identifier: Apache-2.0
// Reasons of last_run() that others act on, or give too.
#pragma once

#include <string_view>

namespace speedwell::runtime {

// The reason of a call that names its model, and with a parallel one its threads.
inline constexpr std::string_view as_asked = "as asked";

// The reason of a call that has fewer blocks of work than threads.
inline constexpr std::string_view too_few_blocks = "as many threads as blocks of work";

// The reason of a call that is left to Automatic and over before other threads would have begun.
inline constexpr std::string_view too_small = "too small to pay for a fork-join";

// That of one which would pay if the library's threads were awake.
inline constexpr std::string_view too_short_to_wake = "too short to wake sleeping threads for";

inline constexpr std::string_view one_core = "one core allowed";

// Those of a call that is left to Automatic where the kernel was tuned on this machine.
inline constexpr std::string_view tuned_alone = "no faster on more threads, as tuned on this machine";
inline constexpr std::string_view tuned_parallel = "fastest, as tuned on this machine";

}  // namespace speedwell::runtime
