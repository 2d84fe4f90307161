// SPDX-License-Identifier: Apache-2.0
// A copy that goes past the caches. Where source and result don't fit in them together, the result would be evicted
// before anyone reads it, and fetching its lines in order to write them would cost a third of the memory traffic.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell::image_filter {

// Copies `bytes` bytes, the whole cache lines among them past the caches. hwy::FlushStream() makes them visible to
// other threads.
using StreamRow = void (*)(const std::uint8_t* from, std::uint8_t* to, std::size_t bytes);

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct StreamRowTiles;

// For the instruction set in use.
StreamRow stream_row_tile();

// That copy if source and result, `bytes` together, don't fit in the last cache; else nullptr.
StreamRow stream_row_for(double bytes);

}  // namespace speedwell::image_filter
