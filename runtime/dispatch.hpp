// SPDX-License-Identifier: Apache-2.0
// From the backend a caller asked for to the model that runs, and the record of what ran.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <variant>

#include <speedwell/backend.hpp>
#include <speedwell/runtime.hpp>

#include "runtime/built.hpp"
#include "runtime/picker/kernel.hpp"
#include "runtime/picker/setting.hpp"
#include "runtime/process.hpp"
#include "runtime/reasons.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell::runtime {

struct Choice {
  Model model;
  int threads = 1;
  std::string_view reason;  // static storage
  bool exact = false;       // a number that the caller gave: used also beyond what other calls leave of the machine

  // Never more threads than there are blocks of work.
  void limit_threads(std::ptrdiff_t blocks);
};

// Resolves `backend`: for Automatic what the environment asks for, else the kernel's plan; machine and quota for
// threads = 0; sequential when called inside a parallel region, a task or a worker, or in a forked child. Throws
// InvalidArgument for a model that wasn't built or a thread count outside 0..1024. Costs nanoseconds and allocates
// nothing, but for the first call that asks for a kernel's plan.
Choice choose(Kernel& kernel, const Backend& backend, Work work);

// Set once a call has found that the environment asks for no other model and for no messages, and that nobody else
// listens to them: then a call on the caller's own thread needs nothing of the runtime but a record.
inline constinit std::atomic<bool> unobserved = false;

// What the thread's last call ran on: one of these, or what record_run() wrote.
inline constexpr LastRun no_run = {};
inline constexpr LastRun automatic_small_run = {Sequential::name, 1, too_small};
inline constexpr LastRun sequential_run = {Sequential::name, 1, as_asked};
// As near as a thread's own can be: otherwise a call finds it in a program of several modules, which costs a stack
// frame.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local const LastRun* latest_run = &no_run;

// For a call of a few nanoseconds, which is too small for threads on any machine: whether it may begin at once, without
// choose(). If so, it is on record. Costs a nanosecond.
[[gnu::always_inline]] inline bool begin_small_run(const Backend& backend) {
  static_assert(std::same_as<std::variant_alternative_t<0, Backend>, Automatic> &&
                std::same_as<std::variant_alternative_t<1, Backend>, Sequential>);
  if (backend.index() > 1 || !unobserved.load(std::memory_order_relaxed)) return false;
  latest_run = backend.index() == 0 ? &automatic_small_run : &sequential_run;
  return true;
}

// Counts the distinct threads that did some of a call's work. Every block function calls note() once, so the count
// can't be right by accident.
class Participants {
 public:
  Participants();
  void note() noexcept {
    if (last_call != call_) {
      last_call = call_;
      count_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  // After a block that called somebody else's code: that may have noted itself for a call of its own.
  void back() const noexcept { last_call = call_; }
  int count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  static inline constinit thread_local unsigned long long last_call = 0;
  unsigned long long call_;  // unique in the process
  std::atomic<int> count_ = 0;
};

// While it lives, the call's threads count against the process-wide budget; a call that left the number open gets what
// others leave of it.
class Admission {
 public:
  explicit Admission(const Choice& choice);
  const Choice& choice() const { return choice_; }

 private:
  Choice choice_;
  ThreadBudget budget_;
};

// For last_run(), on the calling thread: so many threads took part.
void record_run(const Choice& choice, int threads);
inline void record_run(const Choice& choice, const Participants& participants) {
  record_run(choice, participants.count());
}

// Calls `on(model)` with the chosen model as its own type, only for models that were built, and records what ran. The
// model may have fewer threads than the choice, or be Sequential, when other calls have the cores.
template <class On>
void run_on(const Choice& choice, const Participants& participants, On&& on) {
  // The caller's own thread needs no admission.
  if (std::holds_alternative<Sequential>(choice.model)) {
    on(Sequential{});
    return record_run(choice, participants);
  }
  const Admission admission(choice);
  // A number that the library chose is for speed, so nobody is waited for who only makes it slower.
  const LateThreads late(choice.exact ? Late::waited_for : Late::left_out);
  std::visit(
      [&](auto model) {
        if constexpr (built<decltype(model)>) on(model);
      },
      admission.choice().model);
  record_run(admission.choice(), participants);
}

}  // namespace speedwell::runtime
