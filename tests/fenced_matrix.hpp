// SPDX-License-Identifier: Apache-2.0
// Matrices that end where a page begins that nobody may touch: a read or write outside them ends the test.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>
#include <vector>

#include <speedwell/view.hpp>

namespace tests {

// Pages between two that can't be accessed.
class FencedPages {
 public:
  explicit FencedPages(std::ptrdiff_t bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    inner_ = (static_cast<std::size_t>(bytes) + page - 1) / page * page;
    all_ = inner_ + 2 * page;
    void* const mapped = mmap(nullptr, all_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    first_ = static_cast<std::byte*>(mapped) + page;
    if (mprotect(first_, inner_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  }
  ~FencedPages() { munmap(first_ - (all_ - inner_) / 2, all_); }
  FencedPages(const FencedPages&) = delete;
  FencedPages& operator=(const FencedPages&) = delete;

  std::byte* begin() const { return first_; }
  std::byte* end() const { return first_ + inner_; }

 private:
  std::byte* first_;
  std::size_t inner_, all_;
};

enum class Fence { before, behind };

// Lays one matrix after the other against a fence.
template <class T>
class FencedMatrix {
 public:
  explicit FencedMatrix(std::ptrdiff_t most_elements)
      : pages_((most_elements + margin) * static_cast<std::ptrdiff_t>(sizeof(T))) {}

  // A matrix with such strides. Its elements, what lies between them and what surrounds it are NaN.
  speedwell::MatrixView<T> lay(std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t row_stride,
                               std::ptrdiff_t col_stride, Fence fence) {
    const std::ptrdiff_t down = (rows - 1) * row_stride, across = (cols - 1) * col_stride;
    const std::ptrdiff_t size = rows > 0 && cols > 0 ? std::abs(down) + std::abs(across) + 1 : 0;
    T* const pages_begin = reinterpret_cast<T*>(pages_.begin());
    T* const pages_end = reinterpret_cast<T*>(pages_.end());
    T* const first = fence == Fence::before ? pages_begin : pages_end - size;
    begin_ = fence == Fence::before ? first : first - margin;
    end_ = begin_ + size + margin;
    std::fill(begin_, end_, std::numeric_limits<T>::quiet_NaN());
    if (size == 0) return {first, rows, cols, row_stride, col_stride};
    T* const data = first - std::min<std::ptrdiff_t>(down, 0) - std::min<std::ptrdiff_t>(across, 0);
    return {data, rows, cols, row_stride, col_stride};
  }

  // The matrix as it was laid, and what surrounds it.
  T* begin() const { return begin_; }
  std::vector<T> memory() const { return {begin_, end_}; }

 private:
  static constexpr std::ptrdiff_t margin = 64;

  FencedPages pages_;
  T* begin_ = nullptr;
  T* end_ = nullptr;
};

}  // namespace tests
