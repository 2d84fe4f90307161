// SPDX-License-Identifier: Apache-2.0
// The loop over a row that all tiles share, compiled once a target.
#if defined(SPEEDWELL_COVER_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPEEDWELL_COVER_TOGGLE
#undef SPEEDWELL_COVER_TOGGLE
#else
#define SPEEDWELL_COVER_TOGGLE
#endif

#include <cstddef>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Calls step(d, i) for vectors of T with the tag d, beginning at element i, that cover 0..n-1 exactly. The last one
// ends at n, so some elements are done twice: a step must not read what it writes. Rows shorter than a vector are
// covered by vectors of 16 bytes, and those shorter still one element at a time.
template <class T, class Step>
HWY_INLINE void cover(std::ptrdiff_t n, const Step& step) {
  const hn::ScalableTag<T> whole;
  const hn::CappedTag<T, 16 / sizeof(T)> small;
  const hn::CappedTag<T, 1> one;
  const auto whole_lanes = static_cast<std::ptrdiff_t>(hn::Lanes(whole));
  const auto small_lanes = static_cast<std::ptrdiff_t>(hn::Lanes(small));
  if (n >= whole_lanes) {
    for (std::ptrdiff_t i = 0; i < n - whole_lanes; i += whole_lanes) step(whole, i);
    step(whole, n - whole_lanes);
  } else if (n >= small_lanes) {
    for (std::ptrdiff_t i = 0; i < n - small_lanes; i += small_lanes) step(small, i);
    step(small, n - small_lanes);
  } else {
    for (std::ptrdiff_t i = 0; i < n; ++i) step(one, i);
  }
}

}  // namespace speedwell::image_filter::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
