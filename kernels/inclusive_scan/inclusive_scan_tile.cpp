// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set: foreach_target.h includes this file again and again.
#include "kernels/inclusive_scan/inclusive_scan_tile.hpp"

#include <hwy/cache_control.h>

#include <cstdint>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/inclusive_scan/inclusive_scan_tile.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell {

template <std::int64_t target, class T>
struct InclusiveScanTiles;

namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using std::ptrdiff_t;

constexpr ptrdiff_t row = 16;  // elements

template <class T>
constexpr ptrdiff_t cache_line = 64 / sizeof(T);  // in elements

template <class D>
constexpr ptrdiff_t lanes = static_cast<ptrdiff_t>(hn::MaxLanes(D()));

template <class D>
using Signed = hn::RebindToSigned<D>;

template <class D>
using Indices = decltype(hn::IndicesFromVec(D(), hn::Zero(Signed<D>())));

// Vectors of so many lanes are one block, within which shuffles are cheap and need no table.
template <class D>
constexpr ptrdiff_t block_lanes = 16 / sizeof(hn::TFromD<D>);

// One level of Sklansky's order inside a vector: in each group of 2 * half lanes, the upper half gets the lower half's
// last lane added, and the lower half a zero.
template <class D, ptrdiff_t half, bool within_vector = (2 * half <= lanes<D>)>
struct Level {
  hn::Mask<D> upper;
  Indices<D> lower_last;

  HWY_INLINE Level() {
    const Signed<D> d;
    const auto lane = hn::Iota(d, 0);
    upper = hn::RebindMask(D(), hn::TestBit(lane, hn::Set(d, half)));
    const auto group = hn::AndNot(hn::Set(d, 2 * half - 1), lane);
    lower_last = hn::IndicesFromVec(D(), hn::Or(group, hn::Set(d, half - 1)));
  }

  HWY_INLINE hn::Vec<D> operator()(hn::Vec<D> v) const {
    if constexpr (half == 1 && block_lanes<D> == 4) {
      const hn::Repartition<std::uint64_t, D> pairs;
      return hn::Add(v, hn::BitCast(D(), hn::ShiftLeft<32>(hn::BitCast(pairs, v))));
    } else if constexpr (half == 1) {
      return hn::Add(v, ShiftLeftLanes<1>(D(), v));
    } else if constexpr (2 * half <= block_lanes<D>) {
      return hn::Add(v, hn::IfThenElseZero(upper, hn::Broadcast<half - 1>(v)));
    } else {
      return hn::Add(v, hn::IfThenElseZero(upper, hn::TableLookupLanes(v, lower_last)));
    }
  }
};

template <class D, ptrdiff_t half>
struct Level<D, half, false> {
  HWY_INLINE hn::Vec<D> operator()(hn::Vec<D> v) const { return v; }
};

// The last lane, in every lane.
template <class D, bool one_block = (lanes<D> <= block_lanes<D>)>
struct Last {
  HWY_INLINE hn::Vec<D> operator()(hn::Vec<D> v) const { return hn::Broadcast<lanes<D> - 1>(v); }
};

template <class D>
struct Last<D, false> {
  Indices<D> lane;

  HWY_INLINE Last() : lane(hn::IndicesFromVec(D(), hn::Set(Signed<D>(), lanes<D> - 1))) {}
  HWY_INLINE hn::Vec<D> operator()(hn::Vec<D> v) const { return hn::TableLookupLanes(v, lane); }
};

// All that a vector of a row needs, made once for a chunk.
template <class D>
struct Levels {
  Level<D, 1> pairs;
  Level<D, 2> quads;
  Level<D, 4> eights;
  Level<D, 8> sixteen;
  Last<D> last;

  HWY_INLINE Levels() {}  // an implicit one isn't compiled for the target
  HWY_INLINE hn::Vec<D> prefix(hn::Vec<D> v) const { return sixteen(eights(quads(pairs(v)))); }
};

// How results are written: into the caches, or past them.
struct Stored {
  template <class D, class T>
  HWY_INLINE void operator()(D d, hn::Vec<D> v, T* p) const {
    hn::StoreU(v, d, p);
  }
};

// By 16 bytes: what malloc gives is aligned to that, but rarely to a whole vector. The processor gathers cache lines.
struct Streamed {
  template <class D, class T>
  HWY_INLINE void operator()(D d, hn::Vec<D> v, T* p) const {
    if constexpr (lanes<D> <= block_lanes<D>) {
      hn::Stream(v, d, p);
    } else {
      const hn::Half<D> half;
      (*this)(half, LowerHalf(half, v), p);
      (*this)(half, UpperHalf(half, v), p + lanes<D> / 2);
    }
  }
};

// `count` vectors, a power of two, as two halves of so many. Named and not in an array: compilers keep them in
// registers without fail.
template <class D, ptrdiff_t count>
struct Vectors {
  using T = hn::TFromD<D>;
  static constexpr ptrdiff_t half = count / 2 * lanes<D>;

  Vectors<D, count / 2> lower, upper;

  HWY_INLINE void load(const T* p) {
    lower.load(p);
    upper.load(p + half);
  }
  template <class Way>
  HWY_INLINE void put(Way way, T* p) const {
    lower.put(way, p);
    upper.put(way, p + half);
  }
  HWY_INLINE void add(const T* p) {
    lower.add(p);
    upper.add(p + half);
  }
  HWY_INLINE void add(hn::Vec<D> v) {
    lower.add(v);
    upper.add(v);
  }
  HWY_INLINE void prefix(const Levels<D>& levels) {
    lower.prefix(levels);
    upper.prefix(levels);
    upper.add(lower.last(levels));
  }
  HWY_INLINE hn::Vec<D> last(const Levels<D>& levels) const { return upper.last(levels); }
};

template <class D>
struct Vectors<D, 1> {
  using T = hn::TFromD<D>;

  hn::Vec<D> v;

  HWY_INLINE void load(const T* p) { v = hn::LoadU(D(), p); }
  template <class Way>
  HWY_INLINE void put(Way way, T* p) const {
    way(D(), v, p);
  }
  HWY_INLINE void add(const T* p) { v = hn::Add(v, hn::LoadU(D(), p)); }
  HWY_INLINE void add(hn::Vec<D> x) { v = hn::Add(v, x); }
  HWY_INLINE void prefix(const Levels<D>& levels) { v = levels.prefix(v); }
  HWY_INLINE hn::Vec<D> last(const Levels<D>& levels) const { return levels.last(v); }
};

// `count` rows that follow each other. All are loaded before the first is stored: a load waits for an earlier store to
// an address whose last 12 bits are the same, which one row at a time would make a chain of the whole arithmetic.
template <class D, ptrdiff_t count>
struct Rows {
  using T = hn::TFromD<D>;

  Rows<D, count / 2> first, second;

  HWY_INLINE void load(const T* in) {
    first.load(in);
    second.load(in + count / 2 * row);
  }
  HWY_INLINE void prefix(const Levels<D>& levels) {
    first.prefix(levels);
    second.prefix(levels);
  }
  HWY_INLINE void add_carry(hn::Vec<D>& carry, const Levels<D>& levels) {
    first.add_carry(carry, levels);
    second.add_carry(carry, levels);
  }
  template <class Way>
  HWY_INLINE void put(Way way, T* out) const {
    first.put(way, out);
    second.put(way, out + count / 2 * row);
  }
};

template <class D>
struct Rows<D, 1> : Vectors<D, row / lanes<D>> {
  HWY_INLINE void add_carry(hn::Vec<D>& carry, const Levels<D>& levels) {
    const auto total = this->last(levels);
    this->add(carry);
    carry = hn::Add(carry, total);  // all that the next row waits for
  }
};

template <ptrdiff_t count, class D, class Way, class T>
HWY_INLINE void scan_rows(const Levels<D>& levels, hn::Vec<D>& carry, Way way, const T* in, T* out, const T* ahead) {
  Rows<D, count> rows;
  rows.load(in);
  for (ptrdiff_t i = 0; i < count * row; i += cache_line<T>) hwy::Prefetch(ahead + i);
  rows.prefix(levels);
  rows.add_carry(carry, levels);
  rows.put(way, out);
}

template <class Way, class T>
HWY_INLINE void scan_chunk(Way way, const T* in, T* out, ptrdiff_t count, T offset, const T* ahead) {
  using D = hn::CappedTag<T, row>;
  // 8 vectors, or 4 rows: half of 16 registers.
  constexpr ptrdiff_t at_once = lanes<D> == 1 ? 1 : HWY_MIN(8 * lanes<D> / row, 4);
  const Levels<D> levels;
  auto carry = hn::Set(D(), offset);
  ptrdiff_t i = 0;
  for (; i + at_once * row <= count; i += at_once * row) {
    scan_rows<at_once>(levels, carry, way, in + i, out + i, ahead + i);
  }
  for (; i + row <= count; i += row) scan_rows<1>(levels, carry, way, in + i, out + i, ahead + i);
  if (i == count) return;
  T padded[row] = {};
  const std::size_t bytes = static_cast<std::size_t>(count - i) * sizeof(T);
  std::memcpy(padded, in + i, bytes);
  scan_rows<1>(levels, carry, Stored(), padded, padded, padded);
  std::memcpy(out + i, padded, bytes);
}

template <class T>
void scan(const T* in, T* out, ptrdiff_t count, T offset, const T* ahead) noexcept {
  scan_chunk(Stored(), in, out, count, offset, ahead);
}

template <class T>
void scan_streamed(const T* in, T* out, ptrdiff_t count, T offset, const T* ahead) noexcept {
  scan_chunk(Streamed(), in, out, count, offset, ahead);
  hwy::FlushStream();
}

// 256 bytes of accumulators side by side, which are 4 to 16 chains of additions; then halves onto each other.
template <class T>
T total(const T* in) noexcept {
  constexpr ptrdiff_t width = 256 / sizeof(T);
  using D = hn::CappedTag<T, row>;
  // No more than 8 at once, or some of 16 registers' would be spilled.
  constexpr ptrdiff_t at_once = HWY_MIN(width / lanes<D>, 8);
  alignas(64) T sums[width];
  for (ptrdiff_t first = 0; first < width; first += at_once * lanes<D>) {
    Vectors<D, at_once> lane_sums;
    lane_sums.load(in + first);
    for (ptrdiff_t i = width; i < InclusiveScanTile<T>::chunk; i += width) lane_sums.add(in + first + i);
    lane_sums.put(Stored(), sums + first);
  }
  for (ptrdiff_t half = width / 2; half > 0; half /= 2) {
    for (ptrdiff_t i = 0; i < half; ++i) sums[i] += sums[half + i];
  }
  return sums[0];
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <class T>
struct InclusiveScanTiles<HWY_TARGET, T> {
  static constexpr InclusiveScanTile<T> tile = {HWY_NAMESPACE::total<T>, HWY_NAMESPACE::scan<T>,
                                                HWY_NAMESPACE::scan_streamed<T>};
};

}  // namespace speedwell
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell {

template <class T>
const InclusiveScanTile<T>& inclusive_scan_tile() {
  return *runtime::select_target([]<std::int64_t target> { return &InclusiveScanTiles<target, T>::tile; });
}

template const InclusiveScanTile<float>& inclusive_scan_tile();
template const InclusiveScanTile<double>& inclusive_scan_tile();
template const InclusiveScanTile<std::uint32_t>& inclusive_scan_tile();
template const InclusiveScanTile<std::uint64_t>& inclusive_scan_tile();

}  // namespace speedwell
#endif
