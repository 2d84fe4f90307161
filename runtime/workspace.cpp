// SPDX-License-Identifier: Apache-2.0
#include "runtime/workspace.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <mutex>
#include <new>

#include "runtime/process.hpp"

namespace speedwell::runtime {

namespace {

constexpr std::size_t line = 64;             // alignment of every buffer: a cache line, and the widest vector
constexpr std::size_t page = 4096;           // what sizes are rounded to, so that growing by a little keeps the buffer
constexpr std::size_t huge_page = 2u << 20;  // x86-64's and, with 4 KiB pages, 64-bit ARM's
constexpr std::size_t huge_from = 4u << 20;  // below two huge pages, rounding up would waste too much

// Aligned memory that it owns. With huge pages where they pay: packed panels are walked across many 4 KiB pages.
class Memory {
 public:
  Memory() = default;
  ~Memory() { release(); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  std::byte* at_least(std::size_t bytes) {
    if (bytes > bytes_) {
      release();  // first: the old contents aren't needed, and both may not fit
      const std::size_t alignment = bytes >= huge_from ? huge_page : line;
      const std::size_t unit = bytes >= huge_from ? huge_page : page;
      if (bytes > PTRDIFF_MAX - unit) throw std::bad_alloc();
      const std::size_t rounded = (bytes + unit - 1) / unit * unit;
      data_ = static_cast<std::byte*>(::operator new (rounded, std::align_val_t{alignment}));
      bytes_ = rounded;
      alignment_ = alignment;
      // Only advice: without huge pages it runs a little slower.
      if (bytes >= huge_from) static_cast<void>(madvise(data_, rounded, MADV_HUGEPAGE));
    }
    return data_;
  }

  void release() {
    if (data_ != nullptr) ::operator delete (data_, std::align_val_t{alignment_});
    data_ = nullptr;
    bytes_ = 0;
  }

  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t alignment_ = line;
};

thread_local Memory scratch;

}  // namespace

std::byte* thread_workspace(std::size_t bytes) { return scratch.at_least(bytes); }

struct LeasedBuffer::Kept {
  Memory memory;
  Kept* next = nullptr;
};

namespace {

constinit LeasedBuffer::Kept* kept_buffers = nullptr;  // guarded by process_lock()

}  // namespace

LeasedBuffer::LeasedBuffer(std::size_t bytes) : kept_(nullptr) {
  {
    const std::lock_guard lock(process_lock());
    if (kept_buffers != nullptr) {
      kept_ = kept_buffers;
      kept_buffers = kept_->next;
    }
  }
  if (kept_ == nullptr) kept_ = new Kept;
  try {
    kept_->memory.at_least(bytes);
  } catch (...) {
    delete kept_;
    throw;
  }
}

LeasedBuffer::~LeasedBuffer() {
  const std::lock_guard lock(process_lock());
  kept_->next = kept_buffers;
  kept_buffers = kept_;
}

std::byte* LeasedBuffer::data() const { return kept_->memory.data(); }

void free_workspaces() {
  scratch.release();
  LeasedBuffer::Kept* kept;
  {
    const std::lock_guard lock(process_lock());
    kept = kept_buffers;
    kept_buffers = nullptr;
  }
  while (kept != nullptr) {
    LeasedBuffer::Kept* const next = kept->next;
    delete kept;
    kept = next;
  }
}

}  // namespace speedwell::runtime
