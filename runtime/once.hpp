// SPDX-License-Identifier: Apache-2.0
// A value that is made when it is first asked for and then kept for ever.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>

#include "runtime/process.hpp"

namespace speedwell::runtime {

// Of static storage, declared constinit. Not a static local: a child forked while another thread was making one would
// wait for that thread, which it doesn't have. Never destroyed: other threads may still call the library while the
// process exits. If making it throws, the next caller tries again.
template <class T>
class Once {
 public:
  constexpr Once() = default;
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;

  template <class Make>
  T& get(const Make& make) {
    if (!made_.load(std::memory_order_acquire)) [[unlikely]] {
      const FirstTime now;
      if (!made_.load(std::memory_order_relaxed)) {
        ::new (static_cast<void*>(memory_)) T(make());
        made_.store(true, std::memory_order_release);
      }
    }
    return *std::launder(reinterpret_cast<T*>(memory_));
  }

  // nullptr before it was made. For who can do without: making it takes a stack frame.
  const T* find() const {
    return made_.load(std::memory_order_acquire) ? std::launder(reinterpret_cast<const T*>(memory_)) : nullptr;
  }

 private:
  alignas(T) std::byte memory_[sizeof(T)] = {};
  std::atomic<bool> made_ = false;
};

}  // namespace speedwell::runtime
