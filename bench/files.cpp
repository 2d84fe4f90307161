// SPDX-License-Identifier: Apache-2.0
#include "bench/files.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

namespace speedwell::bench {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(std::string_view doing, const fs::path& path) {
  throw std::system_error(errno, std::generic_category(), "cannot " + std::string(doing) + " " + path.string());
}

// Where the file itself is, through symbolic links, also if it isn't there yet.
fs::path behind_links(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_symlink(fs::symlink_status(path, ignored))) return path;
  return fs::weakly_canonical(path);
}

// The process's number keeps two writers of one file apart.
fs::path temporary_beside(const fs::path& path) {
  fs::path temporary = path;
  temporary += ".tmp" + std::to_string(::getpid());
  return temporary;
}

// A file without a name can't take one that is there, such as that of an earlier process with this one's number.
bool give_name(const OpenFile& file, const fs::path& path) {
  ::unlink(path.c_str());
  const std::string open_file = "/proc/self/fd/" + std::to_string(file.get());
  return ::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

}  // namespace

OpenFile::OpenFile(const fs::path& path, int flags, unsigned mode)
    : file_(::open(path.c_str(), flags | O_CLOEXEC, static_cast<mode_t>(mode))) {}

OpenFile::~OpenFile() {
  if (file_ >= 0) ::close(file_);
}

OpenFile& OpenFile::operator=(OpenFile&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

bool OpenFile::close() { return ::close(std::exchange(file_, -1)) == 0; }

void write_all(int file, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void sync_folder(const fs::path& folder) {
  const OpenFile file(folder, O_RDONLY | O_DIRECTORY);
  // Some file systems can't sync a folder (EINVAL); there is nothing better to do then.
  if (file.get() < 0 || (::fsync(file.get()) != 0 && errno != EINVAL)) fail("sync the folder", folder);
}

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  const fs::path real = behind_links(path);
  struct stat status = {};
  const bool exists = ::stat(real.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    fail("write", path);
  }
  if (exists && !S_ISREG(status.st_mode)) {
    const OpenFile file(real, O_WRONLY);
    if (file.get() < 0) fail("write", path);
    write_all(file.get(), bytes, path);
    return;
  }
  const fs::path temporary = temporary_beside(real);
  // Without a name where the file system can, and /proc is there to give it one: a writer that is killed in the middle
  // leaves nothing behind.
  OpenFile file(folder_of(real), O_WRONLY | O_TMPFILE);
  const bool nameless = file.get() >= 0 && ::access("/proc/self/fd", X_OK) == 0;
  if (!nameless) file = OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.get() < 0) fail("write", path);
  try {
    if (exists) ::fchmod(file.get(), status.st_mode & 07777);  // a best effort: the bytes matter more than the mode
    write_all(file.get(), bytes, path);
    if (::fsync(file.get()) != 0 || (nameless && !give_name(file, temporary)) || !file.close() ||
        ::rename(temporary.c_str(), real.c_str()) != 0) {
      fail("write", path);
    }
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(folder_of(real));
}

void link_atomically(const fs::path& link, const fs::path& target) {
  const fs::path temporary = temporary_beside(link);
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) fail("make the link", link);
  if (::rename(temporary.c_str(), link.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    errno = error;
    fail("make the link", link);
  }
}

std::string read_file(const fs::path& path, std::size_t most_bytes) {
  const OpenFile file(path, O_RDONLY);
  struct stat status = {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) fail("read", path);
  std::string bytes;
  if (S_ISREG(status.st_mode)) bytes.reserve(std::min(static_cast<std::size_t>(status.st_size), most_bytes));
  char buffer[65536];
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", path);
    if (got == 0) return bytes;
    if (bytes.size() + static_cast<std::size_t>(got) > most_bytes) {
      throw std::system_error(
          EFBIG, std::generic_category(),
          "cannot read " + path.string() + ": expected at most " + std::to_string(most_bytes) + " bytes");
    }
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
}

ScratchFolder::ScratchFolder(const std::filesystem::path& parent) {
  std::string name = (parent / ".making-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "cannot make a folder in " + parent.string());
  }
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

void ScratchFolder::become(const std::filesystem::path& folder) {
  // mkdtemp lets nobody else in; a folder that stays is like any other.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::chmod(path_.c_str(), 0777 & ~mask);
  sync_folder(path_);
  if (::rename(path_.c_str(), folder.c_str()) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot write " + folder.string());
  }
  path_.clear();
}

}  // namespace speedwell::bench
