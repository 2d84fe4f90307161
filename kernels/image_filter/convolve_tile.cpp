// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/convolve_tile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/convolve_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/image_filter/weighted_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

template <class T>
void load(const T* in, float* line, std::ptrdiff_t n) {
  load_line(in, line, n);
}

template <class T>
void window(const float* const* lines, T* const* out, std::ptrdiff_t count, std::ptrdiff_t n, std::ptrdiff_t channels,
            const ConvolveKernel& kernel) {
  weighted_rows<false>(lines, out, count, n, {kernel.weights, kernel.width, kernel.height, channels, kernel.bias});
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct ConvolveTiles<HWY_TARGET> {
  template <class T>
  static constexpr ConvolveTile<T, ConvolveKernel> tile = {HWY_NAMESPACE::load<T>, HWY_NAMESPACE::window<T>};
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

template <class T>
const ConvolveTile<T, ConvolveKernel>& convolve_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &ConvolveTiles<target>::template tile<T>; });
}

template const ConvolveTile<std::uint8_t, ConvolveKernel>& convolve_tile();
template const ConvolveTile<float, ConvolveKernel>& convolve_tile();

}  // namespace speedwell::image_filter
#endif
