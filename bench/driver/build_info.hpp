// SPDX-License-Identifier: Apache-2.0
// What this program was built from. Its values are written by the build, see bench/driver/build_info.cmake.
#pragma once

#include <span>
#include <string_view>

namespace speedwell::bench {

struct LibraryVersion {
  std::string_view name;
  std::string_view version;
};

struct BuildInfo {
  std::string_view commit;  // "unknown" outside a git checkout
  bool dirty;               // tracked files differed from the commit
  std::string_view compiler;
  std::string_view flags;
  std::span<const LibraryVersion> libraries;
};

const BuildInfo& build_info();

}  // namespace speedwell::bench
