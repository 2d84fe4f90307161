// SPDX-License-Identifier: Apache-2.0
// Automatic's choice: forced by the environment, else by wisdom, else by the estimate.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/picker/kernel.hpp"
#include "runtime/picker/wisdom.hpp"

namespace speedwell::runtime {

// What is to be picked for one kernel; never changes once others see it.
struct Plan {
  struct Curve {
    std::vector<Step> steps;
    std::string_view alone;  // why one thread, where it is one
    bool tuned = false;

    const Step& at(double extent_s) const {
      std::size_t i = 0;
      while (!(extent_s < steps[i].below_s) && i + 1 < steps.size()) ++i;
      return steps[i];
    }
  };
  unsigned generation = 0;  // of the wisdom that it is made from
  Curve curves[bounds];

  const Curve& curve(Bound bound) const { return curves[static_cast<int>(bound)]; }
};

namespace detail {
inline constinit std::atomic<unsigned> wisdom_generation = 1;
const Plan& make_plan(Kernel& kernel);
}  // namespace detail

// The kernel's plan: two loads once it is made. Making it reads the wisdom file the first time, and takes some 10 to
// 100 us a kernel.
inline const Plan& plan_of(Kernel& kernel) {
  const Plan* const plan = kernel.plan_.load(std::memory_order_acquire);
  if (plan != nullptr && plan->generation == detail::wisdom_generation.load(std::memory_order_relaxed)) [[likely]] {
    return *plan;
  }
  return detail::make_plan(kernel);
}

// The process's wisdom from now on, for all kernels: for the tuner and for tests. What was read is forgotten.
void set_wisdom(const Wisdom& wisdom);

// A copy of what is in use; reads the file if that hasn't happened yet.
Wisdom current_wisdom();

// How this machine bounds the choices, and what may be picked here.
Limits machine_limits();
std::vector<Setting> machine_candidates();

// With no call running: forgets the plans, and the wisdom too, so that the next call reads the file again.
void forget_plans();

// A call's key and work, found out without making the call: while one of these lives, choose() on this thread notes
// what it was asked and throws CallNoted instead of choosing.
struct CallNoted {};
class CallProbe {
 public:
  CallProbe();
  ~CallProbe();
  CallProbe(const CallProbe&) = delete;
  CallProbe& operator=(const CallProbe&) = delete;

  Kernel* kernel = nullptr;  // nullptr: the call didn't ask, as it is too small for threads anywhere
  Work work;

  static CallProbe* current();

 private:
  CallProbe* outer_;
};

}  // namespace speedwell::runtime
