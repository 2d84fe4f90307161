// SPDX-License-Identifier: Apache-2.0
// Counts what a test binary that is built with allocations.cpp allocates.
#pragma once

namespace tests {

// Calls of operator new so far, in all threads.
long allocations();

}  // namespace tests
