// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/morphology_tile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/morphology_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/image_filter/combine-inl.hpp"
#include "kernels/image_filter/cover-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

template <Extremum extremum>
struct Choose {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    if constexpr (extremum == Extremum::least) {
      return hn::Min(a, b);
    } else {
      return hn::Max(a, b);
    }
  }
};

template <Extremum extremum, class T, int count>
struct ChooseAmong {
  Pointers<T, count> terms;
  T* out;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const auto load = [this, d, i](int k) HWY_ATTR { return hn::LoadU(d, terms.at[k] + i); };
    hn::StoreU(fold<count, Choose<extremum>>(load), d, out + i);
  }
};

template <Extremum extremum, class T>
void choose(const T* const* from, int count, T* out, std::ptrdiff_t n) {
  with_count<1, WindowStep::most_terms>(count, [&]<int terms>() HWY_ATTR {
    cover<T>(n, ChooseAmong<extremum, T, terms>{Pointers<T, terms>(from), out});
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct MorphologyTiles<HWY_TARGET> {
  template <Extremum extremum, class T>
  static constexpr Combine<T> choose = HWY_NAMESPACE::choose<extremum, T>;
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

template <Extremum extremum, class T>
Combine<T> extremum_tile() {
  return runtime::select_target(
      []<std::int64_t target>() { return MorphologyTiles<target>::template choose<extremum, T>; });
}

template Combine<std::uint8_t> extremum_tile<Extremum::least>();
template Combine<std::uint8_t> extremum_tile<Extremum::greatest>();
template Combine<float> extremum_tile<Extremum::least>();
template Combine<float> extremum_tile<Extremum::greatest>();

}  // namespace speedwell::image_filter
#endif
