// SPDX-License-Identifier: Apache-2.0
// Where one kind of work ends and the next begins. The public header says why.
#pragma once

namespace speedwell::advice {

// Shares of CPU time in wall time.
inline constexpr double waits_below = 0.3;
inline constexpr double as_good_as_computing = 0.9;
inline constexpr double parallel_above = 1.2;

// What each further core gains at least, of a core, where copies run beside each other.
inline constexpr double least_gain_per_core = 0.25;
// How much more often a call gives its core away beside copies, from where on they wait for each other.
inline constexpr double telling_switches = 0.1;
// The part of the cores that copies which gain nothing keep busy, from where on they spin.
inline constexpr double spinning = 0.8;
// A bandwidth share from here on, and a gain below this part of the cores: the memory is what ends it.
inline constexpr double memory_share = 0.5;
inline constexpr double full_gain = 0.85;
// Within this of the best, fewer cores are as good.
inline constexpr double as_good = 0.05;

// A call shorter than this isn't worth handing over by itself.
inline constexpr double shortest_task_ns = 20e3;

}  // namespace speedwell::advice
