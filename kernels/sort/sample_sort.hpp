// SPDX-License-Identifier: Apache-2.0
// Sample sort: splitters from a sample cut the keys into buckets, which are then sorted each by itself. A splitter that
// the sample holds often has a bucket for itself, whose keys are all equal and need no sorting.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>

#include "kernels/sort/distribute_tile.hpp"
#include "kernels/sort/pivot_places.hpp"
#include "kernels/sort/quicksort_tile.hpp"
#include "kernels/sort/sort_passes.hpp"
#include "runtime/dispatch.hpp"

namespace speedwell {

// Into what n keys of so many bytes are cut. `at_once` is how many bytes a bucket should have at most.
struct SampleSortShape {
  static constexpr std::ptrdiff_t least_keys = 1024;  // that a thread should have
  static constexpr std::ptrdiff_t oversampling = 16;  // the largest bucket then is about twice the mean

  std::ptrdiff_t n;
  std::ptrdiff_t key_bytes;
  std::ptrdiff_t blocks;
  int bucket_bits = few_bucket_bits;

  SampleSortShape(std::ptrdiff_t n, std::ptrdiff_t key_bytes, std::ptrdiff_t at_once, int threads)
      : n(n), key_bytes(key_bytes) {
    constexpr std::ptrdiff_t largest_block = std::ptrdiff_t{1} << 31;
    constexpr std::ptrdiff_t good_block = std::ptrdiff_t{1} << 16;
    const std::ptrdiff_t wanted = threads > 1 ? std::clamp<std::ptrdiff_t>(n / good_block, threads, 4 * threads) : 1;
    blocks = std::max(wanted, n / largest_block + 1);
    // A few buckets cost least, in the search of the tree and in streams to write. At least 64 keys each, four times
    // what the sample takes of them.
    const bool too_few = buckets() < 4 * threads || n * key_bytes / buckets() > at_once;
    if (too_few && n >> most_bucket_bits >= 64) bucket_bits = most_bucket_bits;
  }

  std::ptrdiff_t buckets() const { return std::ptrdiff_t{1} << bucket_bits; }
  std::ptrdiff_t samples() const { return oversampling * buckets(); }

  // The memory: the keys while they are in buckets, each key's bucket, and a count and a place for each block's part of
  // each bucket.
  std::size_t keys_bytes() const { return padded(n * key_bytes); }
  std::size_t numbers_bytes() const { return padded(n); }
  std::size_t counts_bytes() const { return padded(blocks * buckets() * std::ptrdiff_t{sizeof(std::ptrdiff_t)}); }
  std::size_t bytes() const { return keys_bytes() + numbers_bytes() + 2 * counts_bytes(); }

 private:
  static std::size_t padded(std::ptrdiff_t bytes) { return (static_cast<std::size_t>(bytes) + 63) / 64 * 64; }
};

struct SortRange {
  std::ptrdiff_t first;
  std::ptrdiff_t size;
};

// The ith of `parts` almost equal parts of 0..n-1.
inline SortRange part_of(std::ptrdiff_t n, std::ptrdiff_t parts, std::ptrdiff_t i) {
  return {n / parts * i + std::min(i, n % parts), n / parts + (i < n % parts ? 1 : 0)};
}

// Some of the keys, evenly spread, from the first to the last.
template <class T>
class KeySample {
 public:
  static constexpr std::ptrdiff_t size = 32;

  // n is at least 32.
  KeySample(const T* keys, std::ptrdiff_t n) {
    for (std::ptrdiff_t i = 0; i < size; ++i) key_[i] = keys[(n - 1) * i / (size - 1)];
  }

  // Whether these ascend or descend, so that it's worth looking if all do.
  bool is_a_run() const {
    const DistributeTile<T>& tile = distribute_tile<T>();
    return tile.ascends(key_, size) || tile.descends(key_, size);
  }

  // About how many different values these have, never more than they do: in how many of 64 places a hash puts them.
  // Some 20 where all differ, since some meet by chance.
  int values() const {
    constexpr std::uint64_t odd = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
    std::uint64_t places = 0;
    for (const T key : key_) {
      typename KeyOrder<T>::Bits bits;
      std::memcpy(&bits, &key, sizeof(T));
      places |= std::uint64_t{1} << ((bits * odd) >> 58);
    }
    return std::popcount(places);
  }

 private:
  T key_[size];
};

template <class T>
bool looks_like_a_run(const T* keys, std::ptrdiff_t n) {
  return n >= KeySample<T>::size && KeySample<T>(keys, n).is_a_run();
}

template <class T>
class SampleSort final : public SortPasses {
 public:
  using Int = OrderedInt<T>;
  using Key = OrderedKey<Int>;

  // `memory` has shape.bytes() bytes, aligned to 64.
  SampleSort(const T* in, T* out, const SampleSortShape& shape, std::byte* memory, runtime::Participants& participants)
      : in_(in),
        out_(out),
        shape_(shape),
        participants_(participants),
        tile_(distribute_tile<T>()),
        quicksort_(quicksort_tile<Int>()),
        keys_(reinterpret_cast<Key*>(memory)),
        number_(reinterpret_cast<std::uint8_t*>(memory + shape.keys_bytes())),
        counts_(reinterpret_cast<std::ptrdiff_t*>(memory + shape.keys_bytes() + shape.numbers_bytes())),
        next_(reinterpret_cast<Key**>(memory + shape.keys_bytes() + shape.numbers_bytes() + shape.counts_bytes())) {
    blocks_ = shape.blocks;
    buckets_ = shape.buckets();
    may_be_a_run_ = looks_like_a_run(in, shape.n);
  }

  void examine_block(std::ptrdiff_t i) noexcept override {
    participants_.note();
    SortRange block = this->block(i);
    if (block.first > 0) block = {block.first - 1, block.size + 1};  // with the last key of the block before
    // One pass: keys that ascend also descend only if they are all equal, and then the last is no greater than the
    // first.
    const T* const keys = in_ + block.first;
    const bool ascends = tile_.ascends(keys, block.size);
    const bool descends = ascends ? !(KeyOrder<T>::key(keys[0]) < KeyOrder<T>::key(keys[block.size - 1]))
                                  : tile_.descends(keys, block.size);
    if (!ascends) ascends_.store(false, std::memory_order_relaxed);
    if (!descends) descends_.store(false, std::memory_order_relaxed);
  }

  bool is_a_run() const noexcept override { return ascends_ || descends_; }

  void copy_block(std::ptrdiff_t i) noexcept override {
    participants_.note();
    if (ascends_) {
      const auto [first, size] = block(i);
      if (in_ != out_) std::copy_n(in_ + first, size, out_ + first);
    } else if (in_ == out_) {
      const auto [first, size] = part_of(shape_.n / 2, blocks_, i);
      std::swap_ranges(out_ + first, out_ + first + size, std::make_reverse_iterator(out_ + shape_.n - first));
    } else {
      const auto [first, size] = block(i);
      std::reverse_copy(in_ + shape_.n - first - size, in_ + shape_.n - first, out_ + first);
    }
  }

  void choose_splitters() noexcept override;

  void classify_block(std::ptrdiff_t i) noexcept override {
    participants_.note();
    const auto [first, size] = block(i);
    std::ptrdiff_t* const counts = counts_ + i * buckets_;
    std::fill_n(counts, buckets_, 0);
    tile_.classify(in_ + first, size, tree_, shape_.bucket_bits, number_ + first, counts);
  }

  void place_buckets() noexcept override {
    std::ptrdiff_t place = 0;
    for (std::ptrdiff_t b = 0; b < buckets_; ++b) {
      bucket_[at(b)].first = place;
      for (std::ptrdiff_t i = 0; i < blocks_; ++i) {
        next_[i * buckets_ + b] = keys_ + place;
        place += counts_[i * buckets_ + b];
      }
      bucket_[at(b)].size = place - bucket_[at(b)].first;
    }
    std::sort(bucket_.begin(), bucket_.begin() + buckets_,
              [](const Bucket& a, const Bucket& b) { return a.size > b.size; });
  }

  void scatter_block(std::ptrdiff_t i) noexcept override {
    participants_.note();
    const auto [first, size] = block(i);
    tile_.scatter(in_ + first, number_ + first, size, next_ + i * buckets_);
  }

  void sort_bucket(std::ptrdiff_t i) noexcept override {
    participants_.note();
    const Bucket& bucket = bucket_[at(i)];
    Key* const keys = keys_ + bucket.first;
    T* const out = out_ + bucket.first;
    if (bucket.equal) return tile_.leave(keys, bucket.size, out);
    Key* const home = reinterpret_cast<Key*>(out);
    quicksort_(home, keys, bucket.size, true);
    tile_.leave(home, bucket.size, out);
  }

 private:
  struct Bucket {
    std::ptrdiff_t first;
    std::ptrdiff_t size;
    bool equal;
  };

  static std::size_t at(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }
  SortRange block(std::ptrdiff_t i) const { return part_of(shape_.n, blocks_, i); }

  const T* in_;
  T* out_;
  SampleSortShape shape_;
  runtime::Participants& participants_;
  const DistributeTile<T>& tile_;
  Quicksort<Int> quicksort_;
  Key* keys_;
  std::uint8_t* number_;
  std::ptrdiff_t* counts_;
  Key** next_;
  std::atomic<bool> ascends_ = true;
  std::atomic<bool> descends_ = true;
  std::array<Bucket, most_buckets> bucket_;
  SplitterTree<Int> tree_;
};

template <class T>
void SampleSort<T>::choose_splitters() noexcept {
  constexpr Int lowest = std::numeric_limits<Int>::min(), highest = std::numeric_limits<Int>::max();
  const std::ptrdiff_t samples = shape_.samples();
  Key* const sample = keys_;  // no key is there yet
  // One from each of as many parts, at a place in it that no regular input is likely to agree with.
  PivotPlaces places;
  for (std::ptrdiff_t i = 0; i < samples; ++i) {
    const SortRange part = part_of(shape_.n, samples, i);
    sample[i].value = KeyOrder<T>::key(in_[part.first + places.next(part.size)]);
  }
  quicksort_(sample, sample + samples, samples, false);

  // Every 16th key of the sample. One that comes more than once also has what is just below it as a splitter: the two
  // take no more places than the repetitions would.
  std::array<Int, most_buckets> splitter;
  std::ptrdiff_t splitters = 0;
  const auto candidate = [&](std::ptrdiff_t b) { return sample[(b + 1) * SampleSortShape::oversampling - 1].value; };
  for (std::ptrdiff_t b = 0; b < buckets_ - 1;) {
    const Int key = candidate(b);
    const std::ptrdiff_t before = b;
    while (b < buckets_ - 1 && candidate(b) == key) ++b;
    const bool often = b - before > 1;
    if (often && key > lowest && (splitters == 0 || splitter[at(splitters - 1)] < key - 1))
      splitter[at(splitters++)] = key - 1;
    splitter[at(splitters++)] = key;
  }
  // The buckets beyond remain empty.
  std::fill(splitter.begin() + splitters, splitter.begin() + buckets_, highest);

  for (std::ptrdiff_t b = 0; b < buckets_; ++b) {
    const bool first = b == 0;
    const Int below = first ? lowest : splitter[at(b - 1)];
    bucket_[at(b)].equal = first ? splitter[0] == lowest : below == highest || splitter[at(b)] == below + 1;
  }
  for (std::ptrdiff_t level = 0; level < shape_.bucket_bits; ++level) {
    const std::ptrdiff_t nodes = std::ptrdiff_t{1} << level;
    for (std::ptrdiff_t i = 0; i < nodes; ++i) {
      tree_.node[nodes + i] = splitter[at((2 * i + 1) * (buckets_ >> (level + 1)) - 1)];
    }
  }
  tree_.node[0] = 0;
}

}  // namespace speedwell
