// SPDX-License-Identifier: Apache-2.0
#include <speedwell/parallel_reduce.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>

#include <speedwell/error.hpp>

namespace speedwell::detail {

namespace {

// What a call of 0 has: enough that 64 threads can even out what blocks differ by, few enough that handing them out is
// some microseconds.
constexpr std::ptrdiff_t even_blocks = 256;

// At most 2^10 nodes are handed out and have room for a value.
constexpr int most_levels = 10;

void check(const char* what, std::ptrdiff_t value) {
  if (value >= 0) return;
  throw InvalidArgument(std::string("parallel_reduce: ") + what + " is " + std::to_string(value) +
                        ", expected 0 or more");
}

}  // namespace

ReductionTree::ReductionTree(std::ptrdiff_t count, std::ptrdiff_t grain)
    : count(count), grain(grain), blocks(0), levels(0) {
  check("count", count);
  check("grain", grain);
  if (count == 0) return;
  blocks = grain == 0 ? std::min(count, even_blocks) : (count - 1) / grain + 1;
  levels = std::min(most_levels, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(blocks))) - 1);
}

ReductionTree::Blocks ReductionTree::blocks_of(std::ptrdiff_t node) const {
  Blocks below = {0, blocks};
  for (int level = levels - 1; level >= 0; --level) {
    const std::ptrdiff_t lower = below.lower();
    if ((node >> level & 1) == 0) {
      below.number = lower;
    } else {
      below = {below.first + lower, below.number - lower};
    }
  }
  return below;
}

}  // namespace speedwell::detail
