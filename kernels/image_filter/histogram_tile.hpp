// SPDX-License-Identifier: Apache-2.0
// The histogram of some rows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell::image_filter {

inline constexpr int byte_values = 256;

// Adds to counts[channel * byte_values + value], for `rows` rows of `samples` samples with 1, 3 or 4 channels.
void count_rows(const std::uint8_t* from, std::ptrdiff_t row_stride, std::ptrdiff_t rows, std::ptrdiff_t samples,
                std::ptrdiff_t channels, std::uint64_t* counts);

}  // namespace speedwell::image_filter
