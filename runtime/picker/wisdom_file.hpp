// SPDX-License-Identifier: Apache-2.0
// Wisdom on disk: one JSON file for each machine, which many processes may read and write at the same time.
#pragma once

#include <string>

#include "runtime/picker/wisdom.hpp"

namespace speedwell::runtime {

// What a wisdom is true of, in words: processor, CPUs that may be used, caches, quota, instruction set, compiler,
// versions of the library and of what it runs on, and how idle OpenMP threads wait.
std::string machine_fingerprint();

// SPEEDWELL_WISDOM; else speedwell/wisdom-<hash of the fingerprint>.json in XDG_CACHE_HOME, or in ~/.cache. Empty where
// there is no such folder, and always in a process with more rights than its user. Never relative to the current
// folder: throws InvalidArgument if SPEEDWELL_WISDOM isn't an absolute path.
std::string wisdom_path();

struct ReadWisdom {
  Wisdom wisdom;
  std::string complaint;  // why the file isn't used; empty: it is, or there is none
};

// Takes next to no time where there is no file. A file that no version of this library can have written (cut off, not
// JSON, numbers out of range, too large, no regular file) is renamed to `path`.bad, so that it is complained of once;
// one of another machine or a later version is left alone.
ReadWisdom read_wisdom(const std::string& path, const std::string& fingerprint);

// Adds to what the file holds by then, under a lock, so that processes which tune at the same time lose nothing; the
// file is replaced as a whole, so that a crash loses nothing either. Returns why it couldn't: empty if it could.
std::string save_wisdom(const std::string& path, const std::string& fingerprint, const Wisdom& newer);

}  // namespace speedwell::runtime
