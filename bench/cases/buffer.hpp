// SPDX-License-Identifier: Apache-2.0
// Memory for a case's inputs and outputs: pages that nobody has touched yet, and threads to touch them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>

namespace speedwell::bench {

struct Unmap {
  std::size_t bytes = 0;
  void operator()(std::byte* pages) const;
};

// Untouched pages, on huge ones where the system has them. Throws std::bad_alloc.
std::unique_ptr<std::byte, Unmap> map_pages(std::size_t bytes);

template <class T>
class Buffer {
  static_assert(std::is_trivial_v<T>);

 public:
  explicit Buffer(std::ptrdiff_t count)
      : count_(static_cast<std::size_t>(count)), pages_(map_pages(count_ * sizeof(T))) {}

  T* data() { return reinterpret_cast<T*>(pages_.get()); }
  const T* data() const { return reinterpret_cast<const T*>(pages_.get()); }
  std::size_t size() const { return count_; }
  std::size_t bytes() const { return count_ * sizeof(T); }
  std::span<T> span() { return {data(), count_}; }
  std::span<const T> span() const { return {data(), count_}; }

 private:
  std::size_t count_;
  std::unique_ptr<std::byte, Unmap> pages_;
};

// Calls body(first, last) for `threads` contiguous shares of 0..count-1, each on a new thread bound to a CPU of its own
// among those allowed. Where a thread can't be had, the caller does its share.
void in_shares(int threads, std::ptrdiff_t count, const std::function<void(std::ptrdiff_t, std::ptrdiff_t)>& body);

// Of the bytes, at about the speed of memory. Any change of one byte changes it.
std::uint64_t hash_bytes(std::span<const std::byte> bytes);

}  // namespace speedwell::bench
