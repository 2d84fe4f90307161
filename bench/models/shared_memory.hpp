// SPDX-License-Identifier: Apache-2.0
// Memory that worker processes share: without a name, so that nothing of it is left when the last of them ends.
#pragma once

#include <cstddef>

namespace speedwell::bench::models {

class SharedMemory {
 public:
  // Zeroed. All its pages are reserved: where /dev/shm or a memory limit allows too little, this throws
  // std::system_error, instead of a signal when the memory is written to.
  explicit SharedMemory(std::size_t bytes);
  // What another process made and left open under this number. Throws std::system_error.
  static SharedMemory of(int file) { return SharedMemory(file, 0); }
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  std::byte* data() const { return data_; }
  int file() const { return file_; }

 private:
  SharedMemory(int file, std::size_t bytes);

  int file_;
  std::size_t bytes_;
  std::byte* data_ = nullptr;
};

}  // namespace speedwell::bench::models
