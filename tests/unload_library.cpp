// SPDX-License-Identifier: Apache-2.0
// A plugin that has the library within it: unload_test loads it and unloads it.
#include <speedwell/runtime.hpp>

#include "tests/kernel_calls.hpp"

namespace {

using speedwell::Backend;

// How many kernels are wrong, on all backends.
int call_all() {
  int wrong = 0;
  for (const tests::KernelCall& call : tests::kernel_calls) {
    const std::uint64_t expected = call.run(speedwell::Sequential{});
    for (const speedwell::Backend& backend : {Backend(speedwell::Automatic{}), Backend(speedwell::Threads{3}),
                                              Backend(speedwell::OpenMp{3}), Backend(speedwell::Tbb{3})}) {
      if (speedwell::is_built(backend)) wrong += call.run(backend) != expected;
    }
  }
  return wrong;
}

}  // namespace

extern "C" {
[[gnu::visibility("default")]] int plugin_call() { return call_all(); }
[[gnu::visibility("default")]] void plugin_shutdown() { speedwell::shutdown(); }
}
