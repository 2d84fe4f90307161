// SPDX-License-Identifier: Apache-2.0
// Files that are there whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace speedwell::bench {

// Replaces `path` by `bytes`: writes a temporary file beside it, makes it durable, and renames it. On failure throws
// std::system_error that names the path, and what was there before is untouched; so it is by a kill. A symbolic link is
// followed; what isn't a regular file (a pipe, a device) is written straight to.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

// Makes `link` a symbolic link to `target`, replacing one that is there. Throws std::system_error.
void link_atomically(const std::filesystem::path& link, const std::filesystem::path& target);

// The file's bytes. Throws std::system_error that names the path, also when it is longer than `most_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t most_bytes);

// An open file, closed at the end.
class OpenFile {
 public:
  OpenFile(const std::filesystem::path& path, int flags, unsigned mode = 0666);
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(OpenFile&& other) noexcept;
  ~OpenFile();
  // Negative if it couldn't be opened; errno says why.
  int get() const { return file_; }
  // Some file systems report a failed write only here.
  bool close();

 private:
  int file_;
};

// Writes all of `bytes` to an open file. Throws std::system_error that names `path`.
void write_all(int file, std::string_view bytes, const std::filesystem::path& path);

// A folder in the making, removed with all that is in it at the end unless it has become another.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::filesystem::path& parent);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

  // Turns it into `folder`, whole, on the same file system; one that is there must be empty. Throws std::system_error.
  void become(const std::filesystem::path& folder);

 private:
  std::filesystem::path path_;
};

// Makes the names in the folder durable.
void sync_folder(const std::filesystem::path& folder);

}  // namespace speedwell::bench
