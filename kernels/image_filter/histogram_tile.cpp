// SPDX-License-Identifier: Apache-2.0
// Not compiled for each instruction set: what takes the time is one load, one addition and one store a sample, of which
// none is a vector's. (AVX-512 could scatter, but does so at a lane a cycle at best.)
#include "kernels/image_filter/histogram_tile.hpp"

#include <algorithm>

namespace speedwell::image_filter {
namespace {

// Sample i is counted in table i % tables: a counter's next increment waits some cycles for the one before, and
// neighbours are often equal. More tables cost more of the first-level cache than they gain.
template <int tables>
void count(const std::uint8_t* from, std::ptrdiff_t row_stride, std::ptrdiff_t rows, std::ptrdiff_t samples,
           std::ptrdiff_t channels, std::uint64_t* counts) {
  std::uint32_t table[tables][byte_values] = {};
  for (std::ptrdiff_t y = 0; y < rows; ++y) {
    const std::uint8_t* const row = from + y * row_stride;
    std::ptrdiff_t i = 0;
    for (; i + tables <= samples; i += tables) {
      for (int t = 0; t < tables; ++t) ++table[t][row[i + t]];
    }
    for (int t = 0; i < samples; ++i, ++t) ++table[t][row[i]];
  }
  for (int t = 0; t < tables; ++t) {
    std::uint64_t* const channel = counts + t % channels * byte_values;
    for (int value = 0; value < byte_values; ++value) channel[value] += table[t][value];
  }
}

}  // namespace

void count_rows(const std::uint8_t* from, std::ptrdiff_t row_stride, std::ptrdiff_t rows, std::ptrdiff_t samples,
                std::ptrdiff_t channels, std::uint64_t* counts) {
  // A multiple of the number of channels each.
  const auto count_in_tables = channels == 3 ? count<6> : count<4>;
  // So many samples fit in 32 bits, end with the last table, and take a thousand times as long as adding tables up.
  constexpr std::ptrdiff_t at_once = 3 << 20;
  const std::ptrdiff_t rows_at_once = std::max<std::ptrdiff_t>(1, at_once / samples);
  for (std::ptrdiff_t y = 0; y < rows; y += rows_at_once) {
    for (std::ptrdiff_t i = 0; i < samples; i += at_once) {
      count_in_tables(from + y * row_stride + i, row_stride, std::min(rows_at_once, rows - y),
                      std::min(at_once, samples - i), channels, counts);
    }
  }
}

}  // namespace speedwell::image_filter
