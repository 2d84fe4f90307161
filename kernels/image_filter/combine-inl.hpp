// SPDX-License-Identifier: Apache-2.0
// A few lines combined to one, sample by sample, compiled once a target.
#if defined(SPEEDWELL_COMBINE_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPEEDWELL_COMBINE_TOGGLE
#undef SPEEDWELL_COMBINE_TOGGLE
#else
#define SPEEDWELL_COMBINE_TOGGLE
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter::HWY_NAMESPACE {

// Calls run.operator()<count>(), count being from `least` to `most`.
template <int least, int most, class Run>
HWY_INLINE void with_count(int count, const Run& run) {
  if constexpr (least < most) {
    if (count != least) return with_count<least + 1, most>(count, run);
  }
  run.template operator()<least>();
}

// So many pointers, in registers where they are used in a loop.
template <class T, int count>
struct Pointers {
  const T* at[count];

  HWY_INLINE explicit Pointers(const T* const* from) {
    for (int i = 0; i < count; ++i) at[i] = from[i];
  }
};

// load(0) combined with load(1), and so on.
template <int count, class Combine, class Load>
HWY_INLINE auto fold(const Load& load) {
  if constexpr (count == 1) {
    return load(0);
  } else {
    return Combine()(fold<count - 1, Combine>(load), load(count - 1));
  }
}

}  // namespace speedwell::image_filter::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
