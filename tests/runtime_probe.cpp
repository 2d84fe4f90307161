// SPDX-License-Identifier: Apache-2.0
// Makes one choice, twice, and prints what came of it: runtime_dispatch_test runs it with variables set.
//
//   runtime_probe BACKEND THREADS FLOPS
#include <cstdio>
#include <cstdlib>
#include <string>

#include <speedwell/error.hpp>

#include "runtime/dispatch.hpp"
#include "runtime/isa.hpp"
#include "runtime/thread_pool.hpp"

namespace runtime = speedwell::runtime;

namespace {
constinit runtime::Kernel kernel("runtime_probe", "");
}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  for (int time = 0; time < 2; ++time) {
    try {
      const auto backend = speedwell::backend_from_name(argv[1], std::atoi(argv[2]));
      const runtime::Choice choice = runtime::choose(kernel, backend, {.flops = std::atof(argv[3])});
      const auto isa = name(runtime::current_isa());
      const runtime::Participants participants;
      runtime::run_on(choice, participants,
                      [&](auto) { runtime::thread_pool().parallel_for(choice.threads, 4, [](std::ptrdiff_t) {}); });
      const auto model = std::visit([](auto chosen) { return decltype(chosen)::name; }, choice.model);
      std::printf("%s %d %s: %s\n", std::string(model).c_str(), choice.threads, std::string(isa).c_str(),
                  std::string(choice.reason).c_str());
    } catch (const speedwell::InvalidArgument& error) {
      std::printf("error: %s\n", error.what());
    }
  }
}
