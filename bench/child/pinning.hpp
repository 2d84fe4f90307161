// SPDX-License-Identifier: Apache-2.0
// Each thread of this process on a CPU of its own, whatever library made it.
#pragma once

#include <sys/types.h>
#include <vector>

#include "bench/child/protocol.hpp"

namespace speedwell::bench {

class Pinning {
 public:
  // The calling thread gets the first of the CPUs, the others get the next ones in the order in which they were made.
  // With fewer CPUs than threads, or where the options say so, nothing is pinned: then all share all of them.
  explicit Pinning(const ChildOptions& options);

  // The CPU of each thread; none if nothing is pinned.
  const std::vector<int>& places() const { return places_; }

  // Lets the calling thread run on all the CPUs. Libraries size themselves by its mask when they are first used, and
  // the threads that fill memory spread over it.
  void widen() const;
  // Puts the calling thread and all others in place.
  void pin() const;

 private:
  std::vector<int> places_;
};

// The threads of this process, the oldest first.
std::vector<pid_t> threads_of_process();

// The CPUs that each of these may run on.
std::vector<std::vector<int>> cpus_of_threads();

}  // namespace speedwell::bench
