// SPDX-License-Identifier: Apache-2.0
// Sorts up to 16 vectors of keys in registers, compiled once a target.
//
// The keys stand in 16 rows, one vector each. First each column is sorted, by the network of 60 comparisons that Green
// found (Knuth, The Art of Computer Programming 3, 5.3.4). Then neighbouring columns are merged, to sequences 2, 4, 8,
// ... columns wide that run row by row, by Batcher's bitonic merge: as long as the keys compared stand in different
// rows a comparison is a minimum and a maximum of whole vectors.
#if defined(SPEEDWELL_NETWORK_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPEEDWELL_NETWORK_TOGGLE
#undef SPEEDWELL_NETWORK_TOGGLE
#else
#define SPEEDWELL_NETWORK_TOGGLE
#endif

#include <cstddef>
#include <cstring>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::ptrdiff_t network_rows = 16;

// Named, not an array: compilers keep these in registers.
template <class V>
struct Rows {
  V v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15;
};

template <class V>
HWY_INLINE void order(V& low, V& high) {
  const V smaller = hn::Min(low, high);
  high = hn::Max(low, high);
  low = smaller;
}

template <class V>
HWY_INLINE void sort_columns(Rows<V>& x) {
  order(x.v0, x.v1);
  order(x.v2, x.v3);
  order(x.v4, x.v5);
  order(x.v6, x.v7);
  order(x.v8, x.v9);
  order(x.v10, x.v11);
  order(x.v12, x.v13);
  order(x.v14, x.v15);
  order(x.v0, x.v2);
  order(x.v1, x.v3);
  order(x.v4, x.v6);
  order(x.v5, x.v7);
  order(x.v8, x.v10);
  order(x.v9, x.v11);
  order(x.v12, x.v14);
  order(x.v13, x.v15);
  order(x.v0, x.v4);
  order(x.v1, x.v5);
  order(x.v2, x.v6);
  order(x.v3, x.v7);
  order(x.v8, x.v12);
  order(x.v9, x.v13);
  order(x.v10, x.v14);
  order(x.v11, x.v15);
  order(x.v0, x.v8);
  order(x.v1, x.v9);
  order(x.v2, x.v10);
  order(x.v3, x.v11);
  order(x.v4, x.v12);
  order(x.v5, x.v13);
  order(x.v6, x.v14);
  order(x.v7, x.v15);
  order(x.v5, x.v10);
  order(x.v6, x.v9);
  order(x.v3, x.v12);
  order(x.v13, x.v14);
  order(x.v4, x.v8);
  order(x.v7, x.v11);
  order(x.v1, x.v2);
  order(x.v1, x.v4);
  order(x.v7, x.v13);
  order(x.v2, x.v8);
  order(x.v11, x.v14);
  order(x.v2, x.v4);
  order(x.v5, x.v6);
  order(x.v9, x.v10);
  order(x.v11, x.v13);
  order(x.v3, x.v8);
  order(x.v7, x.v12);
  order(x.v6, x.v8);
  order(x.v10, x.v12);
  order(x.v3, x.v5);
  order(x.v7, x.v9);
  order(x.v3, x.v4);
  order(x.v5, x.v6);
  order(x.v7, x.v8);
  order(x.v9, x.v10);
  order(x.v11, x.v12);
  order(x.v6, x.v7);
  order(x.v8, x.v9);
}

// Reverses the lanes in each group of so many. Functions that HWY_SCALAR lacks are called without their namespace, so
// that they are looked up only where this is used.
template <std::ptrdiff_t group, class D>
HWY_INLINE hn::Vec<D> reverse(D d, hn::Vec<D> v) {
  if constexpr (group == 2) return Reverse2(d, v);
  if constexpr (group == 4) return Reverse4(d, v);
  if constexpr (group == 8) return Reverse8(d, v);
  if constexpr (group == 16) return Reverse(d, v);
}

// Swaps the halves of each group of so many lanes.
template <std::ptrdiff_t group, class D>
HWY_INLINE hn::Vec<D> swap_halves(D d, hn::Vec<D> v) {
  constexpr std::size_t bytes = group * sizeof(hn::TFromD<D>);
  if constexpr (group == 2) return Reverse2(d, v);
  if constexpr (group == 4 && bytes == 16) return Shuffle1032(v);
  if constexpr (bytes == 32) return SwapAdjacentBlocks(v);
}

// The lower half of each group of lanes from `lower`, the upper half from `upper`.
template <std::ptrdiff_t group, class D>
HWY_INLINE hn::Vec<D> combine_halves(D d, hn::Vec<D> lower, hn::Vec<D> upper) {
  constexpr std::size_t bytes = group * sizeof(hn::TFromD<D>);
  if constexpr (group == 2) return OddEven(upper, lower);
  if constexpr (group == 4 && bytes == 16) {
    const hn::RepartitionToWide<D> wide;
    return BitCast(d, OddEven(BitCast(wide, upper), BitCast(wide, lower)));
  }
  if constexpr (bytes == 32) return OddEvenBlocks(upper, lower);
  if constexpr (bytes == 64) return ConcatUpperLower(d, upper, lower);
}

// The two rows are `width` columns wide, and each key is compared with the one in the mirrored column.
template <std::ptrdiff_t width, class D>
HWY_INLINE void order_reversed(D d, hn::Vec<D>& low, hn::Vec<D>& high) {
  high = reverse<width>(d, high);
  order(low, high);
}

template <std::ptrdiff_t group, class D>
HWY_INLINE hn::Vec<D> order_halves(D d, hn::Vec<D> v, hn::Vec<D> partner) {
  return combine_halves<group>(d, hn::Min(v, partner), hn::Max(v, partner));
}

// Within a row: first each key with its mirror image, then with the one half a group away.
template <std::ptrdiff_t width, class D>
HWY_INLINE hn::Vec<D> order_row(D d, hn::Vec<D> v) {
  v = order_halves<width>(d, v, reverse<width>(d, v));
  if constexpr (width > 8) v = order_halves<8>(d, v, swap_halves<8>(d, v));
  if constexpr (width > 4) v = order_halves<4>(d, v, swap_halves<4>(d, v));
  if constexpr (width > 2) v = order_halves<2>(d, v, swap_halves<2>(d, v));
  return v;
}

// Merges neighbouring sequences of width / 2 columns.
template <std::ptrdiff_t width, class D>
HWY_INLINE void merge_columns(D d, Rows<hn::Vec<D>>& x) {
  order_reversed<width>(d, x.v0, x.v15);
  order_reversed<width>(d, x.v1, x.v14);
  order_reversed<width>(d, x.v2, x.v13);
  order_reversed<width>(d, x.v3, x.v12);
  order_reversed<width>(d, x.v4, x.v11);
  order_reversed<width>(d, x.v5, x.v10);
  order_reversed<width>(d, x.v6, x.v9);
  order_reversed<width>(d, x.v7, x.v8);
  order_reversed<width>(d, x.v0, x.v7);
  order_reversed<width>(d, x.v1, x.v6);
  order_reversed<width>(d, x.v2, x.v5);
  order_reversed<width>(d, x.v3, x.v4);
  order_reversed<width>(d, x.v8, x.v15);
  order_reversed<width>(d, x.v9, x.v14);
  order_reversed<width>(d, x.v10, x.v13);
  order_reversed<width>(d, x.v11, x.v12);
  order_reversed<width>(d, x.v0, x.v3);
  order_reversed<width>(d, x.v1, x.v2);
  order_reversed<width>(d, x.v4, x.v7);
  order_reversed<width>(d, x.v5, x.v6);
  order_reversed<width>(d, x.v8, x.v11);
  order_reversed<width>(d, x.v9, x.v10);
  order_reversed<width>(d, x.v12, x.v15);
  order_reversed<width>(d, x.v13, x.v14);
  order_reversed<width>(d, x.v0, x.v1);
  order_reversed<width>(d, x.v2, x.v3);
  order_reversed<width>(d, x.v4, x.v5);
  order_reversed<width>(d, x.v6, x.v7);
  order_reversed<width>(d, x.v8, x.v9);
  order_reversed<width>(d, x.v10, x.v11);
  order_reversed<width>(d, x.v12, x.v13);
  order_reversed<width>(d, x.v14, x.v15);
  x.v0 = order_row<width>(d, x.v0);
  x.v1 = order_row<width>(d, x.v1);
  x.v2 = order_row<width>(d, x.v2);
  x.v3 = order_row<width>(d, x.v3);
  x.v4 = order_row<width>(d, x.v4);
  x.v5 = order_row<width>(d, x.v5);
  x.v6 = order_row<width>(d, x.v6);
  x.v7 = order_row<width>(d, x.v7);
  x.v8 = order_row<width>(d, x.v8);
  x.v9 = order_row<width>(d, x.v9);
  x.v10 = order_row<width>(d, x.v10);
  x.v11 = order_row<width>(d, x.v11);
  x.v12 = order_row<width>(d, x.v12);
  x.v13 = order_row<width>(d, x.v13);
  x.v14 = order_row<width>(d, x.v14);
  x.v15 = order_row<width>(d, x.v15);
}

// Sorts 16 x `columns` keys, aligned.
template <std::ptrdiff_t columns, class Int>
HWY_NOINLINE void sort_rows(Int* HWY_RESTRICT keys) {
  const hn::CappedTag<Int, columns> d;
  constexpr std::ptrdiff_t lanes = columns;
  Rows<hn::Vec<decltype(d)>> x;
  x.v0 = hn::Load(d, keys + 0 * lanes);
  x.v1 = hn::Load(d, keys + 1 * lanes);
  x.v2 = hn::Load(d, keys + 2 * lanes);
  x.v3 = hn::Load(d, keys + 3 * lanes);
  x.v4 = hn::Load(d, keys + 4 * lanes);
  x.v5 = hn::Load(d, keys + 5 * lanes);
  x.v6 = hn::Load(d, keys + 6 * lanes);
  x.v7 = hn::Load(d, keys + 7 * lanes);
  x.v8 = hn::Load(d, keys + 8 * lanes);
  x.v9 = hn::Load(d, keys + 9 * lanes);
  x.v10 = hn::Load(d, keys + 10 * lanes);
  x.v11 = hn::Load(d, keys + 11 * lanes);
  x.v12 = hn::Load(d, keys + 12 * lanes);
  x.v13 = hn::Load(d, keys + 13 * lanes);
  x.v14 = hn::Load(d, keys + 14 * lanes);
  x.v15 = hn::Load(d, keys + 15 * lanes);
  sort_columns(x);
  merge_columns<2>(d, x);
  if constexpr (columns >= 4) merge_columns<4>(d, x);
  if constexpr (columns >= 8) merge_columns<8>(d, x);
  if constexpr (columns >= 16) merge_columns<16>(d, x);
  hn::Store(x.v0, d, keys + 0 * lanes);
  hn::Store(x.v1, d, keys + 1 * lanes);
  hn::Store(x.v2, d, keys + 2 * lanes);
  hn::Store(x.v3, d, keys + 3 * lanes);
  hn::Store(x.v4, d, keys + 4 * lanes);
  hn::Store(x.v5, d, keys + 5 * lanes);
  hn::Store(x.v6, d, keys + 6 * lanes);
  hn::Store(x.v7, d, keys + 7 * lanes);
  hn::Store(x.v8, d, keys + 8 * lanes);
  hn::Store(x.v9, d, keys + 9 * lanes);
  hn::Store(x.v10, d, keys + 10 * lanes);
  hn::Store(x.v11, d, keys + 11 * lanes);
  hn::Store(x.v12, d, keys + 12 * lanes);
  hn::Store(x.v13, d, keys + 13 * lanes);
  hn::Store(x.v14, d, keys + 14 * lanes);
  hn::Store(x.v15, d, keys + 15 * lanes);
}

// Sorts up to 16 vectors of keys from `keys` to `sorted`, which may be the same, in no more columns than they need.
template <class Int>
void sort_by_network(const Int* keys, std::ptrdiff_t n, Int* sorted) {
  constexpr auto lanes = static_cast<std::ptrdiff_t>(hn::MaxLanes(hn::ScalableTag<Int>()));
  constexpr std::ptrdiff_t least = HWY_MIN(lanes, 16 / std::ptrdiff_t{sizeof(Int)});
  alignas(64) Int block[network_rows * lanes];
  std::memcpy(block, keys, static_cast<std::size_t>(n) * sizeof(Int));
  std::ptrdiff_t columns = least;
  while (columns * network_rows < n) columns *= 2;
  for (std::ptrdiff_t i = n; i < columns * network_rows; ++i) block[i] = hwy::LimitsMax<Int>();
  if (columns == least) sort_rows<least>(block);
  if constexpr (lanes >= 2 * least) {
    if (columns == 2 * least) sort_rows<2 * least>(block);
  }
  if constexpr (lanes >= 4 * least) {
    if (columns == 4 * least) sort_rows<4 * least>(block);
  }
  std::memcpy(sorted, block, static_cast<std::size_t>(n) * sizeof(Int));
}

}  // namespace speedwell::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
