// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace speedwell::scaling {

// The thread counts to measure up to `most`: each up to 8, then 12, 16, 24, 32, 48, ..., and `most` itself.
std::vector<int> thread_axis(int most);

}  // namespace speedwell::scaling
