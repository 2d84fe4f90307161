// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set: foreach_target.h includes this file again and again.
#include "kernels/sort/distribute_tile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sort/distribute_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// KeyOrder by vectors.
template <class T, class D>
HWY_INLINE hn::Vec<D> load_keys(D d, const T* keys) {
  using Order = KeyOrder<T>;
  using Int = OrderedInt<T>;
  const auto bits = hn::LoadU(d, reinterpret_cast<const Int*>(keys));
  if constexpr (hwy::IsFloat<T>()) {
    const auto flipped = hn::And(hn::BroadcastSignBit(bits), hn::Set(d, static_cast<Int>(~Order::sign)));
    return hn::Sub(hn::Xor(bits, flipped), hn::Set(d, static_cast<Int>(Order::first)));
  } else if constexpr (hwy::IsSigned<T>()) {
    return bits;
  } else {
    return hn::Xor(bits, hn::Set(d, static_cast<Int>(Order::sign)));
  }
}

template <class T, class D>
HWY_INLINE void store_values(D d, hn::Vec<D> keys, T* to) {
  using Order = KeyOrder<T>;
  using Int = OrderedInt<T>;
  if constexpr (hwy::IsFloat<T>()) {
    const auto bits = hn::Add(keys, hn::Set(d, static_cast<Int>(Order::first)));
    const auto flipped = hn::And(hn::BroadcastSignBit(bits), hn::Set(d, static_cast<Int>(~Order::sign)));
    keys = hn::Xor(bits, flipped);
  } else if constexpr (!hwy::IsSigned<T>()) {
    keys = hn::Xor(keys, hn::Set(d, static_cast<Int>(Order::sign)));
  }
  hn::StoreU(keys, d, reinterpret_cast<Int*>(to));
}

template <class T>
void enter(const T* from, std::ptrdiff_t n, OrderedKeyOf<T>* to) noexcept {
  const hn::ScalableTag<OrderedInt<T>> d;
  constexpr auto lanes = static_cast<std::ptrdiff_t>(hn::MaxLanes(d));
  std::ptrdiff_t i = 0;
  for (; i <= n - lanes; i += lanes) hn::StoreU(load_keys(d, from + i), d, &to[i].value);
  for (; i < n; ++i) to[i].value = KeyOrder<T>::key(from[i]);
}

template <class T>
void leave(const OrderedKeyOf<T>* from, std::ptrdiff_t n, T* to) noexcept {
  const hn::ScalableTag<OrderedInt<T>> d;
  constexpr auto lanes = static_cast<std::ptrdiff_t>(hn::MaxLanes(d));
  std::ptrdiff_t i = 0;
  for (; i <= n - lanes; i += lanes) store_values(d, hn::LoadU(d, &from[i].value), to + i);
  for (; i < n; ++i) to[i] = KeyOrder<T>::value(from[i].value);
}

template <class T, bool down>
bool is_run(const T* keys, std::ptrdiff_t n) noexcept {
  constexpr std::ptrdiff_t step = 64;  // between looks at what has been found
  for (std::ptrdiff_t first = 1; first < n; first += step) {
    const std::ptrdiff_t last = HWY_MIN(first + step, n);
    OrderedInt<T> broken = 0;
    for (std::ptrdiff_t i = first; i < last; ++i) {
      const OrderedInt<T> before = KeyOrder<T>::key(keys[i - 1]), here = KeyOrder<T>::key(keys[i]);
      broken |= down ? before < here : here < before;
    }
    if (broken != 0) return false;
  }
  return true;
}

// How many levels of the tree are looked up within registers: none, or as many as fit 16 to 20 vectors of 64 bytes.
template <class Int>
constexpr int levels_in_registers = hn::MaxLanes(hn::ScalableTag<Int>()) * sizeof(Int) == 64
                                        ? (sizeof(Int) == 4 ? 8 : 6)
                                        : 0;

// For each lane of `path`, node[path] of a level with `nodes` nodes.
template <std::ptrdiff_t nodes, class D>
HWY_INLINE hn::Vec<D> look_up(D d, const hn::TFromD<D>* node, hn::Vec<D> path) {
  constexpr auto lanes = static_cast<std::ptrdiff_t>(hn::MaxLanes(D()));
  if constexpr (nodes <= lanes) {
    const auto in_table = nodes < lanes ? path : hn::And(path, hn::Set(d, lanes - 1));
    return hn::TableLookupLanes(hn::LoadU(d, node), hn::IndicesFromVec(d, in_table));
  } else {
    const auto upper = hn::TestBit(path, hn::Set(d, nodes / 2));
    return hn::IfThenElse(upper, look_up<nodes / 2>(d, node + nodes / 2, path), look_up<nodes / 2>(d, node, path));
  }
}

// One level down, to the left where the key isn't greater than the node.
template <int bits, int level, class D>
HWY_INLINE hn::Vec<D> descend(D d, const hn::TFromD<D>* node, hn::Vec<D> keys, hn::Vec<D> path) {
  if constexpr (level == bits) {
    return path;
  } else {
    constexpr std::ptrdiff_t nodes = std::ptrdiff_t{1} << level;
    const auto greater = hn::Gt(keys, look_up<nodes>(d, node + nodes, path));
    const auto left = hn::Add(path, path);
    return descend<bits, level + 1>(d, node, keys, hn::IfThenElse(greater, hn::Add(left, hn::Set(d, 1)), left));
  }
}

// From a place on level `level`, 0 .. 2^level - 1, to the bucket.
template <int bits, class Int>
HWY_INLINE std::uint8_t bucket_below(int level, std::size_t place, Int key, const Int* node) {
  std::size_t i = (std::size_t{1} << level) + place;
  for (; level < bits; ++level) i = 2 * i + (key > node[i]);
  return static_cast<std::uint8_t>(i - (std::size_t{1} << bits));
}

template <int bits, class T>
HWY_INLINE void find_buckets(const T* keys, std::ptrdiff_t n, const OrderedInt<T>* node, std::uint8_t* bucket) {
  using Int = OrderedInt<T>;
  std::ptrdiff_t i = 0;
  if constexpr (levels_in_registers < Int >> 0) {
    constexpr int levels = HWY_MIN(bits, levels_in_registers<Int>);
    const hn::ScalableTag<Int> d;
    const hn::Rebind<std::uint8_t, decltype(d)> d8;
    const hn::RebindToUnsigned<decltype(d)> du;
    constexpr auto lanes = static_cast<std::ptrdiff_t>(hn::MaxLanes(d));
    for (; i <= n - lanes; i += lanes) {
      const auto path = descend<levels, 0>(d, node, load_keys(d, keys + i), hn::Zero(d));
      hn::StoreU(hn::TruncateTo(d8, hn::BitCast(du, path)), d8, bucket + i);
    }
    if constexpr (bits > levels) {
      for (std::ptrdiff_t k = 0; k < i; ++k) {
        bucket[k] = bucket_below<bits>(levels, bucket[k], KeyOrder<T>::key(keys[k]), node);
      }
    }
  }
  for (; i < n; ++i) bucket[i] = bucket_below<bits>(0, 0, KeyOrder<T>::key(keys[i]), node);
}

template <class T>
void classify(const T* keys, std::ptrdiff_t n, const SplitterTree<OrderedInt<T>>& tree, int bits, std::uint8_t* bucket,
              std::ptrdiff_t* counts) noexcept {
  // Four tables: where one bucket gets many keys in a row, an increment would wait for the one before.
  std::uint32_t count[4][most_buckets] = {};
  constexpr std::ptrdiff_t step = 1024;  // keys at a time, so that their buckets are still in the first-level cache
  for (std::ptrdiff_t first = 0; first < n; first += step) {
    const std::ptrdiff_t size = HWY_MIN(step, n - first);
    std::uint8_t* const of = bucket + first;
    if (bits == few_bucket_bits) {
      find_buckets<few_bucket_bits>(keys + first, size, tree.node, of);
    } else {
      find_buckets<most_bucket_bits>(keys + first, size, tree.node, of);
    }
    std::ptrdiff_t i = 0;
    for (; i <= size - 4; i += 4) {
      ++count[0][of[i]];
      ++count[1][of[i + 1]];
      ++count[2][of[i + 2]];
      ++count[3][of[i + 3]];
    }
    for (; i < size; ++i) ++count[0][of[i]];
  }
  for (std::ptrdiff_t b = 0; b < std::ptrdiff_t{1} << bits; ++b) {
    counts[b] += std::ptrdiff_t{count[0][b]} + count[1][b] + count[2][b] + count[3][b];
  }
}

template <class T>
void scatter(const T* keys, const std::uint8_t* bucket, std::ptrdiff_t n, OrderedKeyOf<T>** next) noexcept {
  for (std::ptrdiff_t i = 0; i < n; ++i) next[bucket[i]]++->value = KeyOrder<T>::key(keys[i]);
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct DistributeTiles<HWY_TARGET> {
  template <class T>
  static constexpr DistributeTile<T> tile = {HWY_NAMESPACE::enter<T>,         HWY_NAMESPACE::leave<T>,
                                             HWY_NAMESPACE::classify<T>,      HWY_NAMESPACE::scatter<T>,
                                             HWY_NAMESPACE::is_run<T, false>, HWY_NAMESPACE::is_run<T, true>};
};

}  // namespace speedwell
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell {

template <class T>
const DistributeTile<T>& distribute_tile() {
  return *runtime::select_target([]<std::int64_t target> { return &DistributeTiles<target>::template tile<T>; });
}

template const DistributeTile<float>& distribute_tile();
template const DistributeTile<double>& distribute_tile();
template const DistributeTile<std::int32_t>& distribute_tile();
template const DistributeTile<std::uint32_t>& distribute_tile();
template const DistributeTile<std::int64_t>& distribute_tile();
template const DistributeTile<std::uint64_t>& distribute_tile();

}  // namespace speedwell
#endif
