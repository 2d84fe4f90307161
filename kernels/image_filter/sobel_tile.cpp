// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/sobel_tile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/sobel_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/image_filter/cover-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

template <class D>
HWY_INLINE hn::Vec<D> load(D d, const hn::TFromD<D>* from) {
  return hn::LoadU(d, from);
}

template <class D>
HWY_INLINE hn::Vec<D> load(D d, const std::uint8_t* from) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<std::uint8_t, D>(), from));
}

// From three samples, a line apart or a pixel apart.
struct Smooth {
  template <class V>
  HWY_INLINE V operator()(V first, V middle, V last) const {
    return hn::Add(hn::Add(middle, middle), hn::Add(first, last));
  }
};

struct Difference {
  template <class V>
  HWY_INLINE V operator()(V first, V, V last) const {
    return hn::Sub(last, first);
  }
};

template <class Combine, class In, class Out>
struct ThreeSamples {
  const In* first;
  const In* middle;
  const In* last;
  Out* out;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    hn::StoreU(Combine()(load(d, first + i), load(d, middle + i), load(d, last + i)), d, out + i);
  }
};

// Four lines from the six rows that they need.
constexpr std::ptrdiff_t rows_at_once = 4;

template <class Combine, class In, class Out>
struct FourLines {
  const In* const* rows;
  Out* line;
  std::ptrdiff_t pitch;
  std::ptrdiff_t first;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t at) const {
    const std::ptrdiff_t i = first + at;
    const auto above = load(d, rows[-1] + i);
    const auto row0 = load(d, rows[0] + i);
    const auto row1 = load(d, rows[1] + i);
    const auto row2 = load(d, rows[2] + i);
    const auto row3 = load(d, rows[3] + i);
    const auto below = load(d, rows[4] + i);
    const Combine combine;
    hn::StoreU(combine(above, row0, row1), d, line + i);
    hn::StoreU(combine(row0, row1, row2), d, line + i + pitch);
    hn::StoreU(combine(row1, row2, row3), d, line + i + 2 * pitch);
    hn::StoreU(combine(row2, row3, below), d, line + i + 3 * pitch);
  }
};

template <class Combine, class In, class Out>
void vertical(const In* const* rows, std::ptrdiff_t count, Out* line, std::ptrdiff_t pitch, std::ptrdiff_t first,
              std::ptrdiff_t n) {
  for (; count >= rows_at_once; count -= rows_at_once) {
    cover<Out>(n, FourLines<Combine, In, Out>{rows, line, pitch, first});
    rows += rows_at_once;
    line += rows_at_once * pitch;
  }
  for (; count > 0; --count) {
    cover<Out>(n, ThreeSamples<Combine, In, Out>{rows[-1] + first, rows[0] + first, rows[1] + first, line + first});
    ++rows;
    line += pitch;
  }
}

template <class Combine, class Out>
void horizontal(const Out* line, Out* out, std::ptrdiff_t n, std::ptrdiff_t channels) {
  cover<Out>(n, ThreeSamples<Combine, Out, Out>{line - channels, line, line + channels, out});
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct SobelTiles<HWY_TARGET> {
  template <class In, class Out>
  static constexpr SobelTile<In, Out> tile = {{HWY_NAMESPACE::vertical<HWY_NAMESPACE::Smooth, In, Out>,
                                               HWY_NAMESPACE::vertical<HWY_NAMESPACE::Difference, In, Out>},
                                              {HWY_NAMESPACE::horizontal<HWY_NAMESPACE::Smooth, Out>,
                                               HWY_NAMESPACE::horizontal<HWY_NAMESPACE::Difference, Out>},
                                              HWY_NAMESPACE::rows_at_once};
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

template <class In, class Out>
const SobelTile<In, Out>& sobel_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &SobelTiles<target>::template tile<In, Out>; });
}

template const SobelTile<std::uint8_t, std::int16_t>& sobel_tile();
template const SobelTile<float, float>& sobel_tile();

}  // namespace speedwell::image_filter
#endif
