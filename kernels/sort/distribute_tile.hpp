// SPDX-License-Identifier: Apache-2.0
// What sample sort does to a range of keys before the quicksort, and the ways between keys and ordered integers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/sort/ordered_key.hpp"

namespace speedwell {

// There are 16 or 256 buckets, so that a bucket's number is a byte.
inline constexpr int few_bucket_bits = 4;
inline constexpr int most_bucket_bits = 8;
inline constexpr std::ptrdiff_t most_buckets = std::ptrdiff_t{1} << most_bucket_bits;

// The splitters as a search tree: node i has its children at 2 i and 2 i + 1, the root is at 1.
template <class Int>
struct SplitterTree {
  alignas(64) Int node[most_buckets];
};

template <class T>
struct DistributeTile {
  using Int = OrderedInt<T>;
  using Key = OrderedKey<Int>;

  // To ordered integers and back. `from` and `to` are the same or apart.
  void (*enter)(const T* from, std::ptrdiff_t n, Key* to) noexcept;
  void (*leave)(const Key* from, std::ptrdiff_t n, T* to) noexcept;

  // Writes the bucket of each key, the number of splitters below it, and adds to the buckets' counts. The tree has
  // 2^bits - 1 nodes, bits as above. n is less than 2^32.
  void (*classify)(const T* keys, std::ptrdiff_t n, const SplitterTree<Int>& tree, int bits, std::uint8_t* bucket,
                   std::ptrdiff_t* counts) noexcept;

  // Writes each key, as an ordered integer, to the place next[bucket], and moves that on.
  void (*scatter)(const T* keys, const std::uint8_t* bucket, std::ptrdiff_t n, Key** next) noexcept;

  // Whether no key is less, or greater, than the one before. Stops soon after the first that is.
  bool (*ascends)(const T* keys, std::ptrdiff_t n) noexcept;
  bool (*descends)(const T* keys, std::ptrdiff_t n) noexcept;
};

// What was compiled for each of Highway's targets.
template <std::int64_t target>
struct DistributeTiles;

// For the instruction set in use.
template <class T>
const DistributeTile<T>& distribute_tile();

}  // namespace speedwell
