// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/convolve_separable_tile.hpp"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/convolve_separable_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/image_filter/weighted_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

// Columns of a piece: with what reaches beyond them, six lines of them take 12 to 18 KiB of the first-level cache.
constexpr std::ptrdiff_t piece = 512;
constexpr std::ptrdiff_t most_channels = 4;
constexpr std::ptrdiff_t vector = 16;  // floats that may be read beyond the end, and not used

template <class T>
void load(const T* in, float* line, std::ptrdiff_t n) {
  load_line(in, line, n);
}

template <class T>
void window(const float* const* lines, T* const* out, std::ptrdiff_t count, std::ptrdiff_t n, std::ptrdiff_t channels,
            const SeparableKernel& kernel) {
  alignas(64) float columns[convolve_rows][piece + 2 * most_reach * most_channels + vector];
  const float* above[convolve_rows + 2 * most_reach];
  float* to[convolve_rows];
  const float* from[convolve_rows];
  T* result[convolve_rows];
  const std::ptrdiff_t reach = kernel.width / 2 * channels;
  const Weights along_columns = {kernel.column, 1, kernel.height, 0, 0.0F};
  const Weights along_rows = {kernel.row, kernel.width, 1, channels, kernel.bias};

  // The sums of columns first - reach .. first + `done` - reach - 1 are there.
  std::ptrdiff_t done = 0;
  for (std::ptrdiff_t first = 0; first < n; first += piece) {
    const std::ptrdiff_t count_here = n - first < piece ? n - first : piece;
    for (std::ptrdiff_t line = 0; line < count + kernel.height - 1; ++line) {
      above[line] = lines[line] + first - reach + done;
    }
    for (std::ptrdiff_t row = 0; row < count; ++row) {
      to[row] = columns[row] + done;
      from[row] = columns[row] + reach;
      result[row] = out[row] + first;
    }
    weighted_rows<true>(above, to, count, count_here + 2 * reach - done, along_columns);
    weighted_rows<false>(from, result, count, count_here, along_rows);
    done = 2 * reach;
    for (std::ptrdiff_t row = 0; row < count; ++row) {
      std::memmove(columns[row], columns[row] + piece, static_cast<std::size_t>(done) * sizeof(float));
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct ConvolveSeparableTiles<HWY_TARGET> {
  template <class T>
  static constexpr ConvolveTile<T, SeparableKernel> tile = {HWY_NAMESPACE::load<T>, HWY_NAMESPACE::window<T>};
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

template <class T>
const ConvolveTile<T, SeparableKernel>& convolve_separable_tile() {
  return *runtime::select_target(
      []<std::int64_t target>() { return &ConvolveSeparableTiles<target>::template tile<T>; });
}

template const ConvolveTile<std::uint8_t, SeparableKernel>& convolve_separable_tile();
template const ConvolveTile<float, SeparableKernel>& convolve_separable_tile();

}  // namespace speedwell::image_filter
#endif
