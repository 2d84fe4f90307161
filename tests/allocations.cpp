// SPDX-License-Identifier: Apache-2.0
// In a file of its own: where new is inlined and delete isn't, GCC takes the pair for a mistake.
#include "tests/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace tests {
namespace {

constinit std::atomic<long> count = 0;

void* counted(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  count.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

}  // namespace

long allocations() { return count.load(std::memory_order_relaxed); }

}  // namespace tests

void* operator new(std::size_t bytes) { return tests::counted(std::malloc(bytes > 0 ? bytes : 1)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto unit = static_cast<std::size_t>(alignment);
  return tests::counted(std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit));
}
// The standard library's own would call the one above, but a sanitizer has one of its own in its place.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  void* const memory = std::malloc(bytes > 0 ? bytes : 1);
  if (memory != nullptr) tests::counted(memory);
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
