// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/median_blur_tile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/median_blur_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/image_filter/cover-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

template <class V>
HWY_INLINE V median_of_three(V a, V b, V c) {
  return hn::Max(hn::Min(a, b), hn::Min(hn::Max(a, b), c));
}

template <class T>
struct SortColumns {
  const T* above;
  const T* here;
  const T* below;
  T* lowest;
  T* middle;
  T* highest;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const auto a = hn::LoadU(d, above + i);
    const auto b = hn::LoadU(d, here + i);
    const auto c = hn::LoadU(d, below + i);
    const auto low = hn::Min(a, b);
    const auto high = hn::Max(a, b);
    const auto rest = hn::Min(high, c);
    hn::StoreU(hn::Min(low, rest), d, lowest + i);
    hn::StoreU(hn::Max(low, rest), d, middle + i);
    hn::StoreU(hn::Max(high, c), d, highest + i);
  }
};

template <class T>
struct MedianOfColumns {
  const T* lowest;
  const T* middle;
  const T* highest;
  T* out;
  std::ptrdiff_t channels;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const auto left = [this, d, i](const T* line) HWY_ATTR { return hn::LoadU(d, line + i - channels); };
    const auto here = [d, i](const T* line) HWY_ATTR { return hn::LoadU(d, line + i); };
    const auto right = [this, d, i](const T* line) HWY_ATTR { return hn::LoadU(d, line + i + channels); };
    const auto low = hn::Max(hn::Max(left(lowest), here(lowest)), right(lowest));
    const auto high = hn::Min(hn::Min(left(highest), here(highest)), right(highest));
    hn::StoreU(median_of_three(low, median_of_three(left(middle), here(middle), right(middle)), high), d, out + i);
  }
};

template <class T>
void vertical(const T* const* rows, T* line, std::ptrdiff_t plane, std::ptrdiff_t first, std::ptrdiff_t n) {
  T* const out = line + first;
  cover<T>(n, SortColumns<T>{rows[-1] + first, rows[0] + first, rows[1] + first, out, out + plane, out + 2 * plane});
}

template <class T>
void horizontal(const T* line, std::ptrdiff_t plane, T* out, std::ptrdiff_t n, std::ptrdiff_t channels) {
  cover<T>(n, MedianOfColumns<T>{line, line + plane, line + 2 * plane, out, channels});
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct MedianBlurTiles<HWY_TARGET> {
  template <class T>
  static constexpr MedianBlurTile<T> tile = {HWY_NAMESPACE::vertical<T>, HWY_NAMESPACE::horizontal<T>};
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

template <class T>
const MedianBlurTile<T>& median_blur_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &MedianBlurTiles<target>::template tile<T>; });
}

template const MedianBlurTile<std::uint8_t>& median_blur_tile();
template const MedianBlurTile<float>& median_blur_tile();

}  // namespace speedwell::image_filter
#endif
