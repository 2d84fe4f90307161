// SPDX-License-Identifier: Apache-2.0
// Counts what a test binary that uses it allocates: allocations.cpp is linked where it is asked for.
#pragma once

namespace tests {

// Calls of operator new so far, in all threads.
long allocations();

}  // namespace tests
