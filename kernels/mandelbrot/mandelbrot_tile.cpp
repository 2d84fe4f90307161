// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set: foreach_target.h includes this file again and again.
#include "kernels/mandelbrot/mandelbrot_tile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/mandelbrot/mandelbrot_tile.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell {

template <std::int64_t target, class T>
struct MandelbrotTiles;

namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using std::ptrdiff_t;

// Vectors of points side by side, so many that a step of all takes the units at least as long as the longest chain of
// operations in it, three of 3 to 4 cycles. A vector takes two FP units 5 cycles with AVX-512 (two halves each on Zen
// 4) and with AVX2 half of that. Four vectors of orbits don't fit into 16 registers, but loads and stores are what the
// units have to spare: three are 8% to 10% slower.
constexpr ptrdiff_t group_vectors = HWY_TARGET == HWY_AVX3 ? 3 : 4;

// Between two looks at whether all points of a group have escaped.
constexpr std::uint32_t steps = 8;

// A number as wide as T, so that it is counted in lanes.
template <class T>
using Count = hn::TFromD<hn::RebindToUnsigned<hn::ScalableTag<T>>>;

template <class T>
constexpr ptrdiff_t lanes = static_cast<ptrdiff_t>(hn::MaxLanes(hn::ScalableTag<T>()));

// The orbits of `count` vectors of points with one y. In a recursive struct and not in an array: compilers keep its
// members in registers without fail.
template <class T, ptrdiff_t count>
struct Orbits {
  using D = hn::ScalableTag<T>;
  using DC = hn::RebindToUnsigned<D>;

  Orbits<T, count - 1> before;
  hn::Vec<D> cx, x, y;
  hn::Vec<DC> steps_inside;
  hn::Mask<D> inside;  // and has been at every step so far

  HWY_INLINE void start(const T* first) {
    before.start(first);
    cx = hn::LoadU(D(), first + (count - 1) * lanes<T>);
    x = y = hn::Zero(D());
    steps_inside = hn::Zero(DC());
    inside = hn::Eq(x, y);
  }

  HWY_INLINE void step(hn::Vec<D> cy, hn::Vec<D> four) {
    before.step(cy, four);
    const auto x2 = hn::Mul(x, x);
    const auto y2 = hn::Mul(y, y);
    // An orbit that has left grows to infinity and NaN, and neither compares as inside. Close to the circle nothing
    // says that rounding can't bring it back, so it is out once for all.
    inside = hn::And(inside, hn::Le(hn::Add(x2, y2), four));
    const auto inside_count = hn::RebindMask(DC(), inside);
    if constexpr (HWY_TARGET == HWY_AVX3) {
      // One masked instruction.
      steps_inside = hn::IfThenElse(inside_count, hn::Add(steps_inside, hn::Set(DC(), 1)), steps_inside);
    } else {
      // A mask is -1 in each lane that is set.
      steps_inside = hn::Sub(steps_inside, hn::VecFromMask(DC(), inside_count));
    }
    y = hn::Add(hn::Mul(hn::Add(x, x), y), cy);
    x = hn::Add(hn::Sub(x2, y2), cx);
  }

  HWY_INLINE hn::Mask<D> any_inside() const { return hn::Or(before.any_inside(), inside); }

  HWY_INLINE void store(Count<T>* counts) const {
    before.store(counts);
    hn::StoreU(steps_inside, DC(), counts + (count - 1) * lanes<T>);
  }
};

template <class T>
struct Orbits<T, 0> {
  using D = hn::ScalableTag<T>;
  HWY_INLINE void start(const T*) {}
  HWY_INLINE void step(hn::Vec<D>, hn::Vec<D>) {}
  HWY_INLINE hn::Mask<D> any_inside() const { return hn::Lt(hn::Zero(D()), hn::Zero(D())); }
  HWY_INLINE void store(Count<T>*) const {}
};

template <class T>
void row(const T* HWY_RESTRICT x, T y, ptrdiff_t n, std::int32_t max_iterations, std::int32_t* HWY_RESTRICT counts,
         ptrdiff_t stride) noexcept {
  constexpr ptrdiff_t group = group_vectors * lanes<T>;
  const hn::ScalableTag<T> d;
  const auto cy = hn::Set(d, y);
  const auto four = hn::Set(d, T{4});
  const auto most = static_cast<std::uint32_t>(max_iterations);
  for (ptrdiff_t j = 0; j < n; j += group) {
    Orbits<T, group_vectors> orbits;
    orbits.start(x + j);
    // The last steps may be some too many: nothing but the count sees them, and it is cut off.
    for (std::uint32_t done = 0; done < most; done += steps) {
      for (std::uint32_t step = 0; step < steps; ++step) orbits.step(cy, four);
      if (hn::AllFalse(d, orbits.any_inside())) break;
    }
    alignas(64) Count<T> done[group];
    orbits.store(done);
    const ptrdiff_t filled = HWY_MIN(n - j, group);
    std::int32_t* const to = counts + j * stride;
    for (ptrdiff_t k = 0; k < filled; ++k) to[k * stride] = static_cast<std::int32_t>(HWY_MIN(done[k], Count<T>{most}));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <class T>
struct MandelbrotTiles<HWY_TARGET, T> {
  static constexpr MandelbrotTile<T> tile = {HWY_NAMESPACE::group_vectors * HWY_NAMESPACE::lanes<T>,
                                             HWY_NAMESPACE::row<T>};
};

}  // namespace speedwell
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell {

template <class T>
const MandelbrotTile<T>& mandelbrot_tile() {
  return *runtime::select_target([]<std::int64_t target> { return &MandelbrotTiles<target, T>::tile; });
}

template const MandelbrotTile<float>& mandelbrot_tile();
template const MandelbrotTile<double>& mandelbrot_tile();

}  // namespace speedwell
#endif
