// SPDX-License-Identifier: Apache-2.0
// Vectors of a row, as all tiles of matmul hold them, compiled once a target.
#if defined(SPEEDWELL_ROW_VECTORS_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPEEDWELL_ROW_VECTORS_TOGGLE
#undef SPEEDWELL_ROW_VECTORS_TOGGLE
#else
#define SPEEDWELL_ROW_VECTORS_TOGGLE
#endif

#include <cstddef>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using std::ptrdiff_t;

template <class T>
constexpr ptrdiff_t lanes = static_cast<ptrdiff_t>(hn::MaxLanes(hn::ScalableTag<T>()));

// Whether a masked load leaves alone the memory of the lanes that it masks out, and costs no more than a whole one.
constexpr bool has_masks = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2;

// Whether masked stores cost no more either: then a tile for ragged vectors does for whole ones, and half of all tiles
// needn't be compiled.
constexpr bool always_ragged = HWY_TARGET == HWY_AVX3;

// So that GCC doesn't read it from memory again for each use, which it takes to be no dearer than a register as long as
// there are two or three.
template <class V>
HWY_INLINE void keep_in_register(V& vector) {
  if constexpr (HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2) asm("" : "+x"(vector.raw));
}

// Vectors in a recursive struct and not in an array: compilers keep its members in registers without fail. Of a ragged
// one the last vector is in memory only where `mask` is set.
template <class T, ptrdiff_t count, bool ragged>
struct Vectors {
  using D = hn::ScalableTag<T>;
  using Mask = hn::Mask<D>;
  Vectors<T, count - 1, false> before;
  hn::Vec<D> last;

  HWY_INLINE void set_zero() {
    before.set_zero();
    last = hn::Zero(D());
  }
  HWY_INLINE void load(const T* p, Mask mask) {
    before.load(p, mask);
    if constexpr (ragged) {
      last = hn::MaskedLoad(mask, D(), p + (count - 1) * lanes<T>);
    } else {
      last = hn::LoadU(D(), p + (count - 1) * lanes<T>);
    }
  }
  HWY_INLINE void keep_in_registers() {
    before.keep_in_registers();
    keep_in_register(last);
  }
  HWY_INLINE void store(T* p, Mask mask) const {
    before.store(p, mask);
    if constexpr (ragged) {
      hn::BlendedStore(last, mask, D(), p + (count - 1) * lanes<T>);
    } else {
      hn::StoreU(last, D(), p + (count - 1) * lanes<T>);
    }
  }
  HWY_INLINE void multiply(hn::Vec<D> factor) {
    before.multiply(factor);
    last = hn::Mul(last, factor);
  }
  template <class B>
  HWY_INLINE void multiply_add(hn::Vec<D> a, const B& b) {
    before.multiply_add(a, b.before);
    last = hn::MulAdd(a, b.last, last);
  }
};

template <class T>
struct Vectors<T, 0, false> {
  HWY_INLINE void set_zero() {}
  template <class Mask>
  HWY_INLINE void load(const T*, Mask) {}
  HWY_INLINE void keep_in_registers() {}
  template <class Mask>
  HWY_INLINE void store(T*, Mask) const {}
  template <class V>
  HWY_INLINE void multiply(V) {}
  template <class V, class B>
  HWY_INLINE void multiply_add(V, const B&) {}
};

}  // namespace
}  // namespace speedwell::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
