// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <exception>

#include "runtime/parallel_for/parallel_for_blocks.hpp"

namespace speedwell::runtime {

namespace {

// An exception must not leave a parallel region, so the first one waits here for its end.
class Blocks {
 public:
  Blocks(const ParallelForBlocks& blocks, std::ptrdiff_t number) : blocks_(blocks), number_(number) {}

  void run(std::ptrdiff_t block) noexcept {
    if (failed_.load(std::memory_order_relaxed)) return;
    try {
      blocks_.run(block, number_);
    } catch (...) {
      if (!failed_.exchange(true)) first_ = std::current_exception();
    }
  }

  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  const ParallelForBlocks& blocks_;
  std::ptrdiff_t number_;
  std::atomic<bool> failed_ = false;
  std::exception_ptr first_;
};

}  // namespace

void parallel_for_on(OpenMp model, const ParallelForBlocks& all) {
  const std::ptrdiff_t number = all.number(model.threads);
  Blocks blocks(all, number);
  if (all.even_shares()) {
#pragma omp parallel for num_threads(model.threads) schedule(static)
    for (std::ptrdiff_t block = 0; block < number; ++block) blocks.run(block);
  } else {
#pragma omp parallel for num_threads(model.threads) schedule(dynamic)
    for (std::ptrdiff_t block = 0; block < number; ++block) blocks.run(block);
  }
  blocks.rethrow();
}

}  // namespace speedwell::runtime
