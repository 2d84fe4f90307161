// SPDX-License-Identifier: Apache-2.0
// Memory that kernels pack into: aligned, kept between calls, so that a warm call allocates nothing.
#pragma once

#include <cstddef>
#include <memory>

namespace speedwell::runtime {

// At least `bytes` of the calling thread's own scratch, aligned to 64 bytes and valid until this thread's next call of
// it. What it holds is unspecified. Grows, and is freed when the thread ends. May throw std::bad_alloc: where no
// exception can get out (an OpenMP region, a noexcept block), lease one buffer for all threads before the fork instead.
std::byte* thread_workspace(std::size_t bytes);

// A buffer for one call that its threads share, aligned to 64 bytes; what it holds is unspecified. Leased from a list
// of kept buffers, one for each call that runs at the same time; shutdown() frees them. Throws std::bad_alloc.
class LeasedBuffer {
 public:
  explicit LeasedBuffer(std::size_t bytes);
  ~LeasedBuffer();
  LeasedBuffer(const LeasedBuffer&) = delete;
  LeasedBuffer& operator=(const LeasedBuffer&) = delete;

  std::byte* data() const;

  struct Kept;  // a buffer and its place in the list

 private:
  Kept* kept_;
};

// Frees the kept buffers and the calling thread's scratch, for shutdown().
void free_workspaces();

}  // namespace speedwell::runtime
