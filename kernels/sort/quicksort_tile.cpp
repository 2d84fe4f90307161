// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set: foreach_target.h includes this file again and again.
#include "kernels/sort/quicksort_tile.hpp"

#include "kernels/sort/lane_order.hpp"
#include "kernels/sort/pivot_places.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sort/quicksort_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/sort/sorting_network-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell {
namespace HWY_NAMESPACE {
namespace {

template <class Int>
HWY_INLINE const Int* vectors_of(const OrderedKey<Int>* keys) {
  return reinterpret_cast<const Int*>(keys);
}

template <class Int>
HWY_INLINE Int* vectors_of(OrderedKey<Int>* keys) {
  return reinterpret_cast<Int*>(keys);
}

// `chosen` lanes of v at the front of a vector, and the others at the front of another.
template <class D>
struct Split {
  hn::Vec<D> chosen;
  hn::Vec<D> others;
};

// Highway's own compression is a load from a table, but g++ 12 makes a copy of that table each time.
template <class D>
HWY_INLINE Split<D> split(D d, hn::Vec<D> v, hn::Mask<D> chosen) {
  constexpr std::size_t bytes = hn::MaxLanes(D()) * sizeof(hn::TFromD<D>);
  const hn::Repartition<std::int32_t, D> d32;
  if constexpr (bytes == 32) {
    constexpr auto lanes = static_cast<int>(hn::MaxLanes(D()));
    const hn::RebindToUnsigned<decltype(d32)> du;
    std::uint8_t set[8];  // as many as StoreMaskBits may write
    hn::StoreMaskBits(d, chosen, set);
    const auto move = [d, d32, du, v](std::uint32_t order) HWY_ATTR {
      const auto lane = hn::Shr(hn::Set(du, order), hn::ShiftLeft<2>(hn::Iota(du, 0)));
      const auto indices = hn::IndicesFromVec(d32, hn::BitCast(d32, hn::And(lane, hn::Set(du, 7))));
      return hn::BitCast(d, hn::TableLookupLanes(hn::BitCast(d32, v), indices));
    };
    constexpr unsigned all = (1U << lanes) - 1;
    return {move(lane_order<lanes>.of[set[0]]), move(lane_order<lanes>.of[set[0] ^ all])};
  } else if constexpr (bytes == 64 && sizeof(hn::TFromD<D>) == 8) {
    const auto v32 = hn::BitCast(d32, v);
    const auto halves = hn::MaskFromVec(hn::BitCast(d32, hn::VecFromMask(d, chosen)));
    return {hn::BitCast(d, hn::Compress(v32, halves)), hn::BitCast(d, hn::CompressNot(v32, halves))};
  } else {
    return {hn::Compress(v, chosen), hn::CompressNot(v, chosen)};
  }
}

// Splits n keys into those <= pivot, which go to `low`, and the others, which go to `high`; returns how many are low.
// Both must have room for n. Either may be where the keys are: whole vectors are stored, but never beyond what has been
// read.
template <class Int>
HWY_NOINLINE std::ptrdiff_t partition(const OrderedKey<Int>* keys, std::ptrdiff_t n, Int pivot, OrderedKey<Int>* low,
                                      OrderedKey<Int>* high) {
  const hn::ScalableTag<Int> d;
  constexpr auto lanes = static_cast<std::ptrdiff_t>(hn::MaxLanes(d));
  const auto pivots = hn::Set(d, pivot);
  const OrderedKey<Int>* const low_begin = low;
  std::ptrdiff_t i = 0;
  for (; i <= n - lanes; i += lanes) {
    const auto v = hn::LoadU(d, vectors_of(keys + i));
    const auto is_high = hn::Gt(v, pivots);
    const auto highs = static_cast<std::ptrdiff_t>(hn::CountTrue(d, is_high));
    const auto parts = split(d, v, is_high);
    hn::StoreU(parts.others, d, vectors_of(low));
    hn::StoreU(parts.chosen, d, vectors_of(high));
    low += lanes - highs;
    high += highs;
  }
  for (; i < n; ++i) {
    const OrderedKey<Int> key = keys[i];
    *low = key;
    *high = key;
    const std::ptrdiff_t is_high = key.value > pivot;
    low += 1 - is_high;
    high += is_high;
  }
  return low - low_begin;
}

template <class Int>
class Quicksorter {
 public:
  using Key = OrderedKey<Int>;

  static constexpr std::ptrdiff_t most_in_network =
      network_rows * HWY_MIN(static_cast<std::ptrdiff_t>(hn::MaxLanes(hn::ScalableTag<Int>())), 16);

  void sort(Key* home, Key* scratch, std::ptrdiff_t n, bool in_scratch, int depth) {
    Key* const keys = in_scratch ? scratch : home;
    if (n <= most_in_network) return sort_by_network(vectors_of(keys), n, vectors_of(home));
    if (depth == 0) {
      if (in_scratch) std::memcpy(home, scratch, static_cast<std::size_t>(n) * sizeof(Key));
      return sort_without_vectors(home, n);
    }
    Int pivot = choose_pivot(keys, n);
    std::ptrdiff_t low = partition(keys, n, pivot, home, scratch);
    if (low == n) {
      // The pivot is the largest key. All that equal it are in their place once those below are sorted.
      if (pivot == hwy::LimitsMin<Int>()) return;
      low = partition(home, n, static_cast<Int>(pivot - 1), home, scratch);
      for (std::ptrdiff_t i = low; i < n; ++i) home[i].value = pivot;
    } else {
      sort(home + low, scratch, n - low, true, depth - 1);
    }
    sort(home, scratch + (n - low), low, false, depth - 1);
  }

 private:
  Int choose_pivot(const Key* keys, std::ptrdiff_t n) {
    if (n >= PivotPlaces::large) {
      alignas(64) Int sample[PivotPlaces::samples];
      for (Int& each : sample) each = keys[places_.next(n)].value;
      sort_by_network(sample, PivotPlaces::samples, sample);
      return sample[PivotPlaces::samples / 2];
    }
    Int medians[3];
    for (Int& each : medians) {
      const Int a = keys[places_.next(n)].value, b = keys[places_.next(n)].value, c = keys[places_.next(n)].value;
      each = median(a, b, c);
    }
    return median(medians[0], medians[1], medians[2]);
  }

  static Int median(Int a, Int b, Int c) {
    const Int low = a < b ? a : b;
    const Int high = a < b ? b : a;
    const Int rest = high < c ? high : c;
    return low < rest ? rest : low;
  }

  PivotPlaces places_;
};

template <class Int>
void quicksort(OrderedKey<Int>* home, OrderedKey<Int>* scratch, std::ptrdiff_t n, bool in_scratch) noexcept {
  if constexpr (HWY_TARGET == HWY_SCALAR) {
    if (in_scratch) std::memcpy(home, scratch, static_cast<std::size_t>(n) * sizeof(Int));
    sort_without_vectors(home, n);
  } else {
    Quicksorter<Int>().sort(home, scratch, n, in_scratch, PivotPlaces::depth(n));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct QuicksortTiles<HWY_TARGET> {
  template <class Int>
  static constexpr Quicksort<Int> sort = HWY_NAMESPACE::quicksort<Int>;
};

}  // namespace speedwell
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "runtime/select_target.hpp"

namespace speedwell {

template <class Int>
void sort_without_vectors(OrderedKey<Int>* keys, std::ptrdiff_t n) noexcept {
  std::sort(keys, keys + n);
}

template void sort_without_vectors(OrderedKey<std::int32_t>*, std::ptrdiff_t) noexcept;
template void sort_without_vectors(OrderedKey<std::int64_t>*, std::ptrdiff_t) noexcept;

template <class Int>
Quicksort<Int> quicksort_tile() {
  return runtime::select_target([]<std::int64_t target> { return QuicksortTiles<target>::template sort<Int>; });
}

template Quicksort<std::int32_t> quicksort_tile();
template Quicksort<std::int64_t> quicksort_tile();

}  // namespace speedwell
#endif
