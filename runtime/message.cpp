// SPDX-License-Identifier: Apache-2.0
#include "runtime/message.hpp"

#include <atomic>
#include <cstdio>

#include <speedwell/error.hpp>

#include "runtime/dispatch.hpp"
#include "runtime/environment.hpp"

namespace speedwell {

namespace {

constinit std::atomic<MessageHandler> handler = nullptr;

// The level of SPEEDWELL_VERBOSE. A bad value is an error of the calls that choose; a message isn't the place for it.
int verbose() noexcept {
  constexpr int unknown = -1;
  static constinit std::atomic<int> known = unknown;
  int level = known.load(std::memory_order_relaxed);
  if (level != unknown) return level;
  try {
    level = runtime::environment_verbose();
  } catch (...) {
    level = 0;
  }
  known.store(level, std::memory_order_relaxed);
  return level;
}

}  // namespace

void set_message_handler(MessageHandler new_handler) {
  handler = new_handler;
  if (new_handler != nullptr) runtime::unobserved = false;
}

namespace runtime {

bool wants_message(MessageLevel level) noexcept {
  return handler.load() != nullptr || verbose() >= static_cast<int>(level);
}

void message(MessageLevel level, std::string_view text) noexcept {
  if (const MessageHandler to = handler.load(std::memory_order_acquire); to != nullptr) to(level, text);
  if (verbose() >= static_cast<int>(level)) {
    std::fprintf(stderr, "speedwell: %.*s\n", static_cast<int>(text.size()), text.data());
  }
}

}  // namespace runtime
}  // namespace speedwell
