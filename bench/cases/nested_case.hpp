// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "bench/case.hpp"

namespace speedwell::bench {

// Loops whose bodies call a kernel: with the loop in parallel, where the kernel finds itself nested and stays on its
// thread ("outer"), and with each call in parallel instead ("inner"), which pays a fork-join a call. Made of one of the
// kernels' cases.
std::vector<Case> nested_cases(const std::vector<Case>& kernels);

}  // namespace speedwell::bench
