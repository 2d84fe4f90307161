// SPDX-License-Identifier: Apache-2.0
// A program's own parallel loop, as it would be written in each model, round calls of kernels.
#pragma once

#include <cstddef>
#include <functional>

#include <speedwell/backend.hpp>

namespace speedwell::bench {

// Calls body(i) for 0 .. count - 1 in any order.
using LoopBody = std::function<void(std::ptrdiff_t)>;
void nested_loop(Sequential model, std::ptrdiff_t count, const LoopBody& body);
void nested_loop(Threads model, std::ptrdiff_t count, const LoopBody& body);
void nested_loop(OpenMp model, std::ptrdiff_t count, const LoopBody& body);  // in a file that is built with its model
void nested_loop(Tbb model, std::ptrdiff_t count, const LoopBody& body);     // likewise

}  // namespace speedwell::bench
