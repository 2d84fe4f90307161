// SPDX-License-Identifier: Apache-2.0
#include "runtime/dispatch.hpp"

#include <algorithm>
#include <climits>
#include <string>

#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include "runtime/environment.hpp"
#include "runtime/message.hpp"
#include "runtime/models.hpp"
#include "runtime/picker/picker.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell {

namespace runtime {

namespace {

constexpr std::string_view large_enough = "large enough for several cores";

thread_local constinit LastRun own_run;

// Why a call that could be parallel mustn't be; empty if it may.
std::string_view reason_against_threads() {
  if (in_forked_child()) return "sequential in a forked child";
  // Even asking wakes these libraries up, and a child that is forked meanwhile must not wait for their locks.
  note_parallel_use();
  if (inside_thread_pool()) return "sequential inside a thread of Speedwell's pool";
  if constexpr (built<OpenMp>) {
    if (inside_openmp_region()) return "sequential inside an OpenMP parallel region";
  }
  if constexpr (built<Tbb>) {
    if (inside_tbb_task()) return "sequential inside a oneTBB task";
  }
  return {};
}

[[noreturn]] void reject_threads(std::string_view model, int threads) {
  throw InvalidArgument("backend " + std::string(model) + ": threads is " + std::to_string(threads) +
                        ", expected 1 to " + std::to_string(max_threads) + ", or 0 for every allowed core");
}

[[noreturn, maybe_unused]] void reject_unbuilt(std::string_view model) {
  throw InvalidArgument("backend " + std::string(model) + " is not in this build, expected " + built_names());
}

void set_threads(Choice& choice, int threads, std::string_view reason) {
  choice.threads = threads;
  choice.reason = reason;
  std::visit(
      [&](auto& model) {
        if constexpr (requires { model.threads; }) model.threads = threads;
      },
      choice.model);
}

// What is left of a choice of several threads where the calling thread stands.
Choice within_surroundings(Choice choice) {
  if (const std::string_view against = reason_against_threads(); !against.empty()) return {Sequential{}, 1, against};
  if constexpr (built<Tbb>) {
    const int slots = tbb_arena_slots();
    if (slots <= 1) return {Sequential{}, 1, "sequential inside a oneTBB arena for one thread"};
    if (slots < choice.threads) set_threads(choice, slots, "as many threads as the oneTBB arena has that called");
  }
  return choice;
}

struct Resolve {
  std::string_view reason;          // for the model
  std::string_view threads_reason;  // for a number of threads that the caller left open

  Choice operator()(Automatic) const { return {Sequential{}, 1, reason}; }
  Choice operator()(Sequential) const { return {Sequential{}, 1, reason}; }

  template <class Parallel>
  Choice operator()(Parallel model) const {
    if constexpr (!built<Parallel>) {
      reject_unbuilt(Parallel::name);
    } else {
      if (model.threads < 0 || model.threads > max_threads) reject_threads(Parallel::name, model.threads);
      const bool exact = model.threads > 0;
      if (!exact) model.threads = machine().default_threads;
      return within_surroundings({model, model.threads, exact ? reason : threads_reason, exact});
    }
  }
};

// By the kernel's plan.
Choice pick(Kernel& kernel, Work work) {
  const Extent extent = extent_of(work);
  const Plan::Curve& curve = plan_of(kernel).curve(extent.bound);
  const Step& step = curve.at(extent.seconds);
  if (step.setting.kind == Setting::sequential) return {Sequential{}, 1, curve.alone};
  const Choice choice =
      within_surroundings({model_of(step.setting), step.setting.count, curve.tuned ? tuned_parallel : large_enough});
  if (std::holds_alternative<Threads>(choice.model) && !thread_pool().pays(extent.seconds * step.slowness)) {
    return {Sequential{}, 1, too_short_to_wake};
  }
  return choice;
}

Choice choose_automatically(Kernel& kernel, Work work) {
  if (const auto backend = environment_backend(); backend && !std::holds_alternative<Automatic>(*backend)) {
    return std::visit(Resolve{"as SPEEDWELL_BACKEND says", "as SPEEDWELL_BACKEND says"}, *backend);
  }
  return pick(kernel, work);
}

bool environment_leaves_backend_open() noexcept {
  try {
    return std::holds_alternative<Automatic>(environment_backend().value_or(Automatic{}));
  } catch (...) {
    return false;  // an error of the calls that would follow it
  }
}

void look_for_observers() noexcept {
  if (!environment_leaves_backend_open() || wants_message(MessageLevel::choice)) return;
  unobserved = true;
  // A handler that came in between.
  if (wants_message(MessageLevel::choice)) unobserved = false;
}

}  // namespace

void Choice::limit_threads(std::ptrdiff_t blocks) {
  if (threads > blocks && threads > 1) {
    set_threads(*this, static_cast<int>(std::max<std::ptrdiff_t>(blocks, 1)), too_few_blocks);
  }
}

Choice choose(Kernel& kernel, const Backend& backend, Work work) {
  if (std::holds_alternative<Automatic>(backend) && unobserved.load(std::memory_order_relaxed)) {
    return pick(kernel, work);
  }
  if (CallProbe* const probe = CallProbe::current(); probe != nullptr) [[unlikely]] {
    probe->kernel = &kernel;
    probe->work = work;
    throw CallNoted();
  }
  const int verbose = environment_verbose();  // an invalid value is an error of every call
  if (verbose == 0 && !unobserved.load(std::memory_order_relaxed)) look_for_observers();
  if (std::holds_alternative<Automatic>(backend)) return choose_automatically(kernel, work);
  return std::visit(Resolve{as_asked, "every allowed core"}, backend);
}

Admission::Admission(const Choice& choice)
    : choice_(choice),
      budget_(choice.threads - 1, choice.exact || choice.threads == 1 ? INT_MAX : machine().default_threads - 1) {
  if (budget_.taken() < choice.threads - 1) {
    if (budget_.taken() == 0) choice_.model = Sequential{};
    set_threads(choice_, budget_.taken() + 1, "other calls of this process are using the cores");
  }
  if (choice_.threads > 1) note_parallel_use();
  if constexpr (built<OpenMp>) {
    if (std::holds_alternative<OpenMp>(choice_.model)) note_openmp_team();
  }
}

namespace {

// Ids from blocks of 2^32, one block a thread, so that making one touches nothing shared.
unsigned long long next_call() {
  static constinit std::atomic<unsigned long long> threads = 0;
  thread_local unsigned long long id = (threads.fetch_add(1, std::memory_order_relaxed) + 1) << 32;
  return ++id;
}

}  // namespace

Participants::Participants() : call_(next_call()) {}

void record_run(const Choice& choice, int threads) {
  own_run = {std::visit([](auto model) { return decltype(model)::name; }, choice.model), threads,
             threads < choice.threads ? "fewer threads came than were called" : choice.reason};
  latest_run = &own_run;
  if (wants_message(MessageLevel::choice)) {
    message(MessageLevel::choice, std::string(own_run.backend) + ", threads: " + std::to_string(own_run.threads) +
                                      " (" + std::string(own_run.reason) + ")");
  }
}

}  // namespace runtime

LastRun last_run() { return *runtime::latest_run; }

}  // namespace speedwell
