// SPDX-License-Identifier: Apache-2.0
#include "bench/models/shared_memory.hpp"

#include <cerrno>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace speedwell::bench::models {

SharedMemory::SharedMemory(std::size_t bytes) : SharedMemory(::memfd_create("speedwell", MFD_CLOEXEC), bytes) {}

SharedMemory::SharedMemory(int file, std::size_t bytes) : file_(file), bytes_(bytes) {
  int error = file_ < 0 ? errno : 0;
  if (error == 0 && bytes_ > 0) error = ::posix_fallocate(file_, 0, static_cast<off_t>(bytes_));
  if (error == 0 && bytes_ == 0) {
    struct stat status = {};
    error = ::fstat(file_, &status) == 0 ? 0 : errno;
    bytes_ = static_cast<std::size_t>(status.st_size);
  }
  void* const data = error == 0 ? ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0) : MAP_FAILED;
  if (error == 0 && data == MAP_FAILED) error = errno;
  if (error != 0) {
    if (file_ >= 0) ::close(file_);
    throw std::system_error(error, std::generic_category(),
                            "cannot get " + std::to_string(bytes_ >> 20) + " MiB of shared memory");
  }
  data_ = static_cast<std::byte*>(data);
}

SharedMemory::~SharedMemory() {
  ::munmap(data_, bytes_);
  ::close(file_);
}

}  // namespace speedwell::bench::models
