// SPDX-License-Identifier: Apache-2.0
// Keys of every type as signed integers in the same order, so that two sorters do for six types.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace speedwell {

// An integer that may lie in memory that holds floats or unsigned integers.
template <class Int>
struct [[gnu::may_alias]] OrderedKey {
  Int value;

  friend bool operator<(OrderedKey a, OrderedKey b) { return a.value < b.value; }
};

template <class T>
using OrderedInt = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

template <class T>
using OrderedKeyOf = OrderedKey<OrderedInt<T>>;

// The bijection, as what happens to the key's bits. Unsigned integers: the sign bit is flipped. Floats: of negative
// ones all other bits are flipped, which is the order of their values, with the negative NaNs below everything; then
// `first`, what minus infinity has become, is moved to the lowest integer, so that those NaNs come round to the top.
template <class T>
struct KeyOrder {
  using Int = OrderedInt<T>;
  using Bits = std::make_unsigned_t<Int>;

  static constexpr Bits sign = Bits{1} << (8 * sizeof(T) - 1);
  static constexpr Bits first = sizeof(T) == 4 ? Bits{0x007FFFFF} : static_cast<Bits>(0x000FFFFFFFFFFFFF);

  static Int from_bits(Bits bits) {
    if constexpr (std::floating_point<T>) {
      const Bits negative = static_cast<Bits>(static_cast<Int>(bits) >> (8 * sizeof(T) - 1));
      return static_cast<Int>((bits ^ (negative & ~sign)) - first);
    } else {
      return static_cast<Int>(std::unsigned_integral<T> ? bits ^ sign : bits);
    }
  }

  static Bits to_bits(Int key) {
    if constexpr (std::floating_point<T>) {
      const Bits bits = static_cast<Bits>(key) + first;
      const Bits negative = static_cast<Bits>(static_cast<Int>(bits) >> (8 * sizeof(T) - 1));
      return bits ^ (negative & ~sign);
    } else {
      return std::unsigned_integral<T> ? static_cast<Bits>(key) ^ sign : static_cast<Bits>(key);
    }
  }

  static Int key(T value) {
    Bits bits;
    std::memcpy(&bits, &value, sizeof(T));
    return from_bits(bits);
  }

  static T value(Int key) {
    const Bits bits = to_bits(key);
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
  }
};

}  // namespace speedwell
