// SPDX-License-Identifier: Apache-2.0
// Counts what a test binary that uses it allocates: allocations.cpp is linked where it is asked for.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include <speedwell/backend.hpp>

#include "tests/every_backend.hpp"

namespace tests {

// Calls of operator new so far, in all threads.
long allocations();

// That call(backend) allocates nothing once warm, for each backend that this build has. Warm means: called by one
// thread, by two and by all, as Automatic may take any of them, and another one every time, by how long waking threads
// took last.
template <class Call>
void expect_warm_calls_allocate_nothing(const std::vector<speedwell::Backend>& backends, Call call) {
  namespace sw = speedwell;
  std::vector<sw::Backend> to_warm = {sw::Sequential{}, sw::Threads{2}, sw::Threads{}};
  to_warm.insert(to_warm.end(), backends.begin(), backends.end());
  for (const sw::Backend& backend : to_warm) {
    for (int i = 0; i < 3 && sw::is_built(backend); ++i) call(backend);
  }
  for (const sw::Backend& backend : backends) {
    if (!sw::is_built(backend)) continue;
    const long before = allocations();
    for (int i = 0; i < 20; ++i) call(backend);
    EXPECT_EQ(allocations(), before) << text(backend);
  }
}

}  // namespace tests
