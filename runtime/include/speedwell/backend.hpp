// SPDX-License-Identifier: Apache-2.0
// The parallel models a kernel can run on, as small values.
#pragma once

#include <string_view>
#include <variant>

namespace speedwell {

// The runtime chooses the model and the number of threads for each call.
struct Automatic {
  static constexpr std::string_view name = "automatic";
};

// One thread: the caller's.
struct Sequential {
  static constexpr std::string_view name = "sequential";
};

// In the three parallel models, `threads = 0` means every physical core this process may use, capped by the container's
// CPU quota rounded up. A number from 1 to 1024 is used exactly, also beyond the cores of the machine, unless there are
// fewer blocks of work than threads. Any other number is an InvalidArgument. Where the number is left open, a thread of
// Speedwell's own pool that is still asleep when everything else is done is left out.

// Speedwell's own pool of std::threads; the caller works too.
struct Threads {
  static constexpr std::string_view name = "threads";
  int threads = 0;
};

// OpenMP, as the compiler provides it.
struct OpenMp {
  static constexpr std::string_view name = "openmp";
  int threads = 0;
};

// oneTBB, in an arena of its own.
struct Tbb {
  static constexpr std::string_view name = "tbb";
  int threads = 0;
};

using Backend = std::variant<Automatic, Sequential, Threads, OpenMp, Tbb>;

inline constexpr int max_threads = 1024;

// The backend's word, as used in names of files, tests, benchmarks, options and environment variables.
std::string_view name(const Backend& backend);

// The backend that `name` stands for, with `threads` threads where the model is parallel; "automatic" and "sequential"
// ignore it. Throws InvalidArgument, listing the valid names, if there is none.
Backend backend_from_name(std::string_view name, int threads = 0);

// Whether this build of the library has the model. Automatic, Sequential and Threads are always built.
bool is_built(const Backend& backend);

}  // namespace speedwell
