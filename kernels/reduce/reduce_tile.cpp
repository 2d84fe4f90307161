// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set: foreach_target.h includes this file again and again.
#include "kernels/reduce/reduce_tile.hpp"

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/reduce/reduce_tile.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell {

template <std::int64_t target, class T>
struct ReduceTiles;

namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using std::ptrdiff_t;

template <class T>
using Vec = hn::Vec<hn::ScalableTag<T>>;

template <class T>
constexpr ptrdiff_t vector_lanes = static_cast<ptrdiff_t>(hn::MaxLanes(hn::ScalableTag<T>()));

// Elements that are one to each lane of the header's order.
template <class T>
constexpr ptrdiff_t row = 512 / sizeof(T);

// As many chains at a time as hide an addition's latency: up to 4 cycles, and 2 begin in each. Where a row has more
// vectors, a chunk is gone through several times: each time another part of the row, so that no cache line comes twice.
constexpr ptrdiff_t chains = 8;

template <class T>
constexpr ptrdiff_t pass_elements = chains* vector_lanes<T>;

template <class T>
constexpr ptrdiff_t passes = row<T> / pass_elements<T>;

// The first `count` elements at p, fewer than a vector has; what the other lanes hold is unspecified.
template <class T>
HWY_INLINE Vec<T> load_first(const T* p, ptrdiff_t count) {
  const hn::ScalableTag<T> d;
  if constexpr (HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3) {
    return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(count)), d, p);
  } else {
    alignas(64) T copy[vector_lanes<T>] = {};
    for (ptrdiff_t i = 0; i < count; ++i) copy[i] = p[i];
    return hn::Load(d, copy);
  }
}

template <class T>
struct SumTerms {
  using Element = T;
  const T* x;

  SumTerms(const T* x, const T*) : x(x) {}
  SumTerms from(ptrdiff_t i) const { return {x + i, nullptr}; }
  HWY_INLINE Vec<T> add_to(Vec<T> c) const { return hn::Add(c, hn::LoadU(hn::ScalableTag<T>(), x)); }
  HWY_INLINE Vec<T> add_first_to(Vec<T> c, ptrdiff_t count) const { return hn::Add(c, load_first(x, count)); }
};

template <class T>
struct DotTerms {
  using Element = T;
  const T* x;
  const T* y;

  DotTerms(const T* x, const T* y) : x(x), y(y) {}
  DotTerms from(ptrdiff_t i) const { return {x + i, y + i}; }
  HWY_INLINE Vec<T> add_to(Vec<T> c) const {
    const hn::ScalableTag<T> d;
    return hn::MulAdd(hn::LoadU(d, x), hn::LoadU(d, y), c);
  }
  HWY_INLINE Vec<T> add_first_to(Vec<T> c, ptrdiff_t count) const {
    return hn::MulAdd(load_first(x, count), load_first(y, count), c);
  }
};

// Vectors of lanes in a recursive struct and not in an array: compilers keep its members in registers without fail.
template <class T, ptrdiff_t count>
struct Lanes {
  Lanes<T, count / 2> lower, upper;
  static constexpr ptrdiff_t half = count / 2 * vector_lanes<T>;

  HWY_INLINE void set_zero() {
    lower.set_zero();
    upper.set_zero();
  }
  template <class Terms>
  HWY_INLINE void add(Terms terms) {
    lower.add(terms);
    upper.add(terms.from(half));
  }
  // Those of the `left` elements of a row's rest that fall to these lanes; the other lanes stay as they are.
  template <class Terms>
  HWY_INLINE void add_first(Terms terms, ptrdiff_t left) {
    lower.add_first(terms, left);
    if (left > half) upper.add_first(terms.from(half), left - half);
  }
  HWY_INLINE void add(const Lanes& other) {
    lower.add(other.lower);
    upper.add(other.upper);
  }
  HWY_INLINE Vec<T> by_halves() {
    lower.add(upper);
    return lower.by_halves();
  }
};

template <class T>
struct Lanes<T, 1> {
  Vec<T> c;

  HWY_INLINE void set_zero() { c = hn::Zero(hn::ScalableTag<T>()); }
  template <class Terms>
  HWY_INLINE void add(Terms terms) {
    c = terms.add_to(c);
  }
  template <class Terms>
  HWY_INLINE void add_first(Terms terms, ptrdiff_t left) {
    if (left >= vector_lanes<T>) {
      c = terms.add_to(c);
    } else {
      const auto reached = hn::FirstN(hn::ScalableTag<T>(), static_cast<std::size_t>(left));
      c = hn::IfThenElse(reached, terms.add_first_to(c, left), c);
    }
  }
  HWY_INLINE void add(const Lanes& other) { c = hn::Add(c, other.c); }
  HWY_INLINE Vec<T> by_halves() { return c; }
};

// One part of the rows of a chunk of `count` elements.
template <class Terms>
HWY_INLINE auto pass(Terms terms, ptrdiff_t part, ptrdiff_t count) {
  using T = typename Terms::Element;
  const ptrdiff_t offset = part * pass_elements<T>;
  Lanes<T, chains> sums;
  sums.set_zero();
  for (; count >= row<T>; count -= row<T>) {
    sums.add(terms.from(offset));
    terms = terms.from(row<T>);
  }
  if (count > offset) sums.add_first(terms.from(offset), count - offset);
  return sums;
}

// The parts first, first + step, ... added by halves.
template <ptrdiff_t first, ptrdiff_t step, class Terms>
HWY_INLINE auto parts(Terms terms, ptrdiff_t count) {
  if constexpr (step >= passes<typename Terms::Element>) {
    return pass(terms, first, count);
  } else {
    auto sums = parts<first, 2 * step>(terms, count);
    sums.add(parts<first + step, 2 * step>(terms, count));
    return sums;
  }
}

// A vector's lanes added by halves.
template <class D>
HWY_INLINE hn::TFromD<D> by_halves(hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    return hn::GetLane(v);
  } else {
    const hn::Half<D> half;
    return by_halves<hn::Half<D>>(hn::Add(LowerHalf(half, v), UpperHalf(half, v)));
  }
}

// The sum of a chunk's lanes down to a vector of them.
template <class Terms>
HWY_INLINE auto chunk_vector(Terms terms, ptrdiff_t count) {
  using T = typename Terms::Element;
  if constexpr (HWY_TARGET == HWY_SCALAR) {
    // The lanes in memory, where the compiler finds vectors for them in whatever the build allows.
    const hn::ScalableTag<T> d;
    T lanes[row<T>] = {};
    for (ptrdiff_t i = 0; i < count; i += row<T>) {
      const ptrdiff_t reached = HWY_MIN(count - i, row<T>);
      for (ptrdiff_t l = 0; l < reached; ++l) {
        lanes[l] = hn::GetLane(terms.from(i + l).add_to(hn::Set(d, lanes[l])));
      }
    }
    for (ptrdiff_t half = row<T> / 2; half > 0; half /= 2) {
      for (ptrdiff_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    }
    return hn::Set(d, lanes[0]);
  } else {
    return parts<0, 1>(terms, count).by_halves();
  }
}

// The tree over chunks, from a vector of each.
template <class T>
T add_chunks(const T* vectors, ptrdiff_t chunks) noexcept {
  if (chunks == 1) {
    using D = hn::ScalableTag<T>;
    return by_halves<D>(hn::Load(D(), vectors));
  }
  const T first = add_chunks(vectors, chunks / 2);
  return first + add_chunks(vectors + chunks / 2 * vector_lanes<T>, chunks - chunks / 2);
}

// So many chunks are reduced to vectors one after the other before the vectors are: each of those is a string of
// operations that wait for one another, behind which the next chunk's loads would stand.
constexpr ptrdiff_t group = 16;

template <class Terms, class T>
HWY_NOINLINE T reduce_group(const T* x, const T* y, ptrdiff_t count) noexcept {
  alignas(64) T vectors[group * vector_lanes<T>];
  ptrdiff_t chunks = 0;
  for (ptrdiff_t i = 0; i < count; i += reduce_chunk<T>, ++chunks) {
    hn::Store(chunk_vector(Terms(x, y).from(i), HWY_MIN(count - i, reduce_chunk<T>)), hn::ScalableTag<T>(),
              vectors + chunks * vector_lanes<T>);
  }
  return add_chunks(vectors, chunks);
}

// The pointers by themselves and not in a struct, which g++ would build in memory at each call.
template <class Terms, class T>
T reduce(const T* x, const T* y, ptrdiff_t count) noexcept {
  if (count <= reduce_chunk<T>) return by_halves<hn::ScalableTag<T>>(chunk_vector(Terms(x, y), count));
  const ptrdiff_t chunks = (count + reduce_chunk<T> - 1) / reduce_chunk<T>;
  if (chunks <= group) return reduce_group<Terms>(x, y, count);
  const ptrdiff_t half = chunks / 2 * reduce_chunk<T>;
  const T first = reduce<Terms>(x, y, half);
  return first + reduce<Terms>(x + half, y + half, count - half);
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <class T>
struct ReduceTiles<HWY_TARGET, T> {
  static constexpr ReduceTile<T> tile = {HWY_NAMESPACE::reduce<HWY_NAMESPACE::SumTerms<T>, T>,
                                         HWY_NAMESPACE::reduce<HWY_NAMESPACE::DotTerms<T>, T>};
};

}  // namespace speedwell
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell {

template <class T>
const ReduceTile<T>& reduce_tile() {
  return *runtime::select_target([]<std::int64_t target> { return &ReduceTiles<target, T>::tile; });
}

template const ReduceTile<float>& reduce_tile();
template const ReduceTile<double>& reduce_tile();

}  // namespace speedwell
#endif
