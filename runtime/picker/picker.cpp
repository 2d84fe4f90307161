// SPDX-License-Identifier: Apache-2.0
#include "runtime/picker/picker.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <speedwell/machine.hpp>

#include "runtime/dispatch.hpp"
#include "runtime/machine.hpp"
#include "runtime/message.hpp"
#include "runtime/once.hpp"
#include "runtime/picker/wisdom_file.hpp"
#include "runtime/process.hpp"

namespace speedwell::runtime {

namespace {

// Why a call of this curve that is left to itself stays on one core.
std::string_view alone(const Predictor& predictor, Limits limits) {
  if (limits.most_threads == 1) return one_core;
  return predictor.tuned() ? tuned_alone : too_small;
}

}  // namespace

// Guarded by process_lock(): plans are made a few times in a process's life.
class Picker {
 public:
  const Plan& make_plan(Kernel& kernel) {
    // Outside the lock: it reads files, and tells a handler of what is wrong with them.
    load_wisdom();
    const Limits limits = machine_limits();
    const std::string name = kernel.name();
    const std::lock_guard lock(process_lock());
    const unsigned generation = detail::wisdom_generation.load(std::memory_order_relaxed);
    const Plan* const old = kernel.plan_.load(std::memory_order_relaxed);
    if (old != nullptr && old->generation == generation) return *old;
    auto plan = std::make_unique<Plan>();
    plan->generation = generation;
    for (int bound = 0; bound < bounds; ++bound) {
      const Predictor predictor(*wisdom_, name, static_cast<Bound>(bound), limits);
      plan->curves[bound] = {steps(predictor), alone(predictor, limits), predictor.tuned()};
    }
    plans_.push_back(std::move(plan));
    if (old == nullptr) {
      kernel.next_ = kernels_;
      kernels_ = &kernel;
    }
    kernel.plan_.store(plans_.back().get(), std::memory_order_release);
    return *plans_.back();
  }

  void set_wisdom(const Wisdom& wisdom) {
    Wisdom copy = wisdom;  // which may throw: the old one stays whole then
    const std::lock_guard lock(process_lock());
    wisdom_ = std::move(copy);
    detail::wisdom_generation.fetch_add(1, std::memory_order_relaxed);
  }

  Wisdom wisdom() {
    load_wisdom();
    const std::lock_guard lock(process_lock());
    return *wisdom_;
  }

  void forget() {
    const std::lock_guard lock(process_lock());
    for (; kernels_ != nullptr; kernels_ = kernels_->next_) kernels_->plan_.store(nullptr, std::memory_order_relaxed);
    plans_.clear();
    wisdom_.reset();
    complained_ = false;
  }

 private:
  void load_wisdom() {
    {
      const std::lock_guard lock(process_lock());
      if (wisdom_) return;
    }
    const std::string path = wisdom_path();
    ReadWisdom read;
    if (!path.empty()) read = read_wisdom(path, machine_fingerprint());
    {
      const std::lock_guard lock(process_lock());
      if (!wisdom_) wisdom_ = std::move(read.wisdom);
    }
    if (read.complaint.empty() || complained_.exchange(true, std::memory_order_relaxed)) return;
    message(MessageLevel::warning, read.complaint);
  }

  std::optional<Wisdom> wisdom_;  // empty: not read yet
  std::atomic<bool> complained_ = false;
  std::vector<std::unique_ptr<const Plan>> plans_;  // older ones too, as calls may still be reading them
  Kernel* kernels_ = nullptr;
};

namespace {

Picker& picker() {
  constinit static Once<Picker> the_picker;
  return the_picker.get([] { return Picker(); });
}

thread_local constinit CallProbe* probe = nullptr;

}  // namespace

const Plan& detail::make_plan(Kernel& kernel) { return picker().make_plan(kernel); }

void set_wisdom(const Wisdom& wisdom) { picker().set_wisdom(wisdom); }

Wisdom current_wisdom() { return picker().wisdom(); }

Limits machine_limits() {
  double last_level = 0;
  for (const Cache& cache : machine().caches) last_level = static_cast<double>(cache.bytes);
  return {machine().default_threads, last_level, group_ends(machine().cores, machine().default_threads)};
}

std::vector<Setting> machine_candidates() {
  const Limits limits = machine_limits();
  return candidates(limits.most_threads, limits.beside);
}

void forget_plans() { picker().forget(); }

CallProbe::CallProbe() : outer_(std::exchange(probe, this)) {
  // So that calls which would begin at once ask too.
  unobserved = false;
}

CallProbe::~CallProbe() { probe = outer_; }

CallProbe* CallProbe::current() { return probe; }

}  // namespace speedwell::runtime
