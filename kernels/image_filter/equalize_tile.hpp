// SPDX-License-Identifier: Apache-2.0
// A table of 256 bytes, applied to a row.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell::image_filter {

struct ByteTable {
  std::uint8_t entry[256];
  // Entry i differs by so much (exclusive or) from entry i - 16; the first 16 of either half of the table from zero.
  alignas(64) std::uint8_t step[256];
};

ByteTable byte_table(const std::uint8_t* entries);

// to[i] = table.entry[from[i]]; `to` may be `from`.
using LookUpRow = void (*)(const ByteTable& table, const std::uint8_t* from, std::uint8_t* to, std::ptrdiff_t n);

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct LookUpRowTiles;

// For the instruction set in use.
LookUpRow look_up_row_tile();

}  // namespace speedwell::image_filter
