// SPDX-License-Identifier: Apache-2.0
#include "bench/cases/overhead_case.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

#include <speedwell/parallel_for.hpp>
#include <speedwell/runtime.hpp>

namespace speedwell::bench {
namespace {

// Threads write on lines of their own: sharing one would be measured too.
struct alignas(128) Slot {
  std::uint64_t value = 0;
};

// Each step waits for the one before: a multiplication and an addition, 4 cycles or more of any processor.
constexpr int steps = 8000;
std::uint64_t chain(std::uint64_t value) {
  for (int i = 0; i < steps; ++i) value = value * 6364136223846793005U + 1442695040888963407U;
  return value;
}

std::uint64_t written() {
  static const std::uint64_t value = chain(1);
  return value;
}

class ForkJoin final : public Workload {
 public:
  explicit ForkJoin(int threads) : slots_(static_cast<std::size_t>(threads)) {}

  void run(const Backend& backend) override {
    parallel_for(std::ssize(slots_),
                 [this](std::ptrdiff_t i) { slots_[static_cast<std::size_t>(i)].value = chain(seed_); },
                 {.backend = backend});
  }

  int threads_used() const override { return last_run().threads; }

  void spoil(std::size_t first, std::size_t step) override {
    for (std::size_t i = first; i < slots_.size(); i += step) slots_[i].value = 0;
  }

  std::string verify() const override {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].value != written()) return "index " + std::to_string(i) + " was left out";
    }
    return {};
  }

  // As many slots as threads, but the same from all.
  std::uint64_t output_hash() const override { return verify().empty() ? written() : 0; }

  std::size_t bytes() const override { return slots_.size() * sizeof(Slot); }

 private:
  std::vector<Slot> slots_;
  volatile std::uint64_t seed_ = 1;  // so that no compiler computes the chain
};

}  // namespace

std::vector<Case> overhead_cases() {
  return {{.kernel = "overhead", .variant = "fork_join", .size = "1", .precision = "u64", .make = [](int threads) {
             return std::make_unique<ForkJoin>(threads);
           }}};
}

}  // namespace speedwell::bench
