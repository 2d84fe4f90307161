// SPDX-License-Identifier: Apache-2.0
#include "tests/models_at_work.hpp"

#include <chrono>

#include "runtime/thread_pool.hpp"

namespace tests {

namespace runtime = speedwell::runtime;

namespace {

void run_blocks_on(speedwell::Sequential, std::ptrdiff_t blocks, const Block& body) {
  for (std::ptrdiff_t i = 0; i < blocks; ++i) body(i);
}

void run_blocks_on(speedwell::Threads model, std::ptrdiff_t blocks, const Block& body) {
  runtime::thread_pool().parallel_for(model.threads, blocks, body);
}

}  // namespace

void busy_for(int microseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
  while (std::chrono::steady_clock::now() < end) continue;
}

void run_model_on(const runtime::Choice& choice, runtime::Participants& participants, std::ptrdiff_t blocks,
                  const Block& body) {
  runtime::run_on(choice, participants, [&](auto model) { run_blocks_on(model, blocks, body); });
}

}  // namespace tests
