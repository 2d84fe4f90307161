// SPDX-License-Identifier: Apache-2.0
// Calls of the library's kernels, for tests of what surrounds them: each on an input of its own that three threads can
// share, small enough to be made hundreds of times under a sanitizer. One of each way to divide work, but for sort's:
// with ThreadSanitizer and no vectors, Highway's checks need its library, which isn't linked.
#pragma once

#include <cstdint>
#include <string_view>

#include <speedwell/backend.hpp>

namespace tests {

struct KernelCall {
  std::string_view name;
  std::uint64_t (*run)(const speedwell::Backend& backend);  // a hash of all that the call wrote
};

inline constexpr int number_of_kernel_calls = 5;
extern const KernelCall kernel_calls[number_of_kernel_calls];

}  // namespace tests
