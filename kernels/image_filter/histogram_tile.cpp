// SPDX-License-Identifier: Apache-2.0
// Not compiled for each instruction set: what takes the time is one load, one addition and one store a sample, of which
// none is a vector's. (AVX-512 could scatter, but does so at a lane a cycle at best.)
#include "kernels/image_filter/histogram_tile.hpp"

#include <cstring>

namespace speedwell::image_filter {
namespace {

// Sample i is counted in table i % tables. A counter's next increment waits some cycles for the one before, and
// neighbours are often equal.
template <int tables>
void count(const std::uint8_t* from, std::ptrdiff_t row_stride, std::ptrdiff_t rows, std::ptrdiff_t samples,
           std::ptrdiff_t channels, std::uint64_t* counts) {
  std::uint64_t table[tables][byte_values] = {};
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
  // Multiples of the number of channels, whose tables fit in a first-level cache of 32 KB.
  const auto count_in_tables = channels == 3 ? count<12> : count<8>;
  count_in_tables(from, row_stride, rows, samples, channels, counts);
}

}  // namespace speedwell::image_filter
