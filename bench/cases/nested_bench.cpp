// SPDX-License-Identifier: Apache-2.0
#include "bench/cases/nested_case.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <variant>

#include "bench/cases/buffer.hpp"
#include "bench/cases/nested_loop.hpp"
#include "runtime/built.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell::bench {

void nested_loop(Sequential, std::ptrdiff_t count, const LoopBody& body) {
  for (std::ptrdiff_t i = 0; i < count; ++i) body(i);
}

void nested_loop(Threads model, std::ptrdiff_t count, const LoopBody& body) {
  runtime::thread_pool().parallel_for(model.threads, count, body);
}

namespace {

enum class Parallel { outer, inner };

// So many instances of a case, one for each turn of the loop.
class Nested final : public Workload {
 public:
  Nested(Parallel parallel, const Case& of, int count, int threads) : parallel_(parallel) {
    for (int i = 0; i < count; ++i) turns_.push_back(of.make(threads));
  }

  void run(const Backend& backend) override {
    const auto count = static_cast<std::ptrdiff_t>(turns_.size());
    const auto turn = [&](std::ptrdiff_t i) -> Workload& { return *turns_[static_cast<std::size_t>(i)]; };
    if (parallel_ == Parallel::inner) {
      used_ = 0;
      nested_loop(Sequential{}, count, [&](std::ptrdiff_t i) {
        turn(i).run(backend);
        used_ = std::max(used_, turn(i).threads_used());
      });
      return;
    }
    // Not runtime::Participants, which each call inside has its own of.
    std::mutex lock;
    std::set<std::thread::id> seen;
    const LoopBody body = [&](std::ptrdiff_t i) {
      {
        const std::lock_guard guard(lock);
        seen.insert(std::this_thread::get_id());
      }
      turn(i).run(backend);
    };
    std::visit(
        [&](auto model) {
          // Cells name their model, so Automatic doesn't come here.
          if constexpr (!std::is_same_v<decltype(model), Automatic>) {
            if constexpr (runtime::built<decltype(model)>) nested_loop(model, count, body);
          }
        },
        backend);
    used_ = static_cast<int>(seen.size());
  }

  int threads_used() const override { return used_; }

  void spoil(std::size_t first, std::size_t step) override {
    for (const auto& each : turns_) each->spoil(first, step);
  }

  std::string verify() const override {
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      if (const std::string wrong = turns_[i]->verify(); !wrong.empty()) {
        return "turn " + std::to_string(i) + ": " + wrong;
      }
    }
    return {};
  }

  std::uint64_t output_hash() const override {
    std::vector<std::uint64_t> hashes;
    for (const auto& each : turns_) hashes.push_back(each->output_hash());
    return hash_bytes(std::as_bytes(std::span<const std::uint64_t>(hashes)));
  }

  std::size_t bytes() const override {
    std::size_t sum = 0;
    for (const auto& each : turns_) sum += each->bytes();
    return sum;
  }

 private:
  Parallel parallel_;
  std::vector<std::unique_ptr<Workload>> turns_;
  int used_ = 0;
};

Case nested(Parallel parallel, Case of, int count) {
  Case case_of_all = of;
  case_of_all.kernel = "nested";
  case_of_all.variant = (parallel == Parallel::outer ? "outer_" : "inner_") + of.kernel + "_" + of.variant;
  case_of_all.size = std::to_string(count) + "x" + of.size;
  case_of_all.flops *= count;
  case_of_all.bytes *= count;
  case_of_all.written_bytes *= count;
  case_of_all.quick = false;
  case_of_all.of_size = {};
  case_of_all.size_at = {};
  case_of_all.make = [parallel, of = std::move(of), count](int threads) {
    return std::make_unique<Nested>(parallel, of, count, threads);
  };
  return case_of_all;
}

}  // namespace

std::vector<Case> nested_cases(const std::vector<Case>& kernels) {
  const auto product = std::find_if(kernels.begin(), kernels.end(),
                                    [](const Case& each) { return each.name() == "matmul/f32/128x128x128"; });
  if (product == kernels.end()) return {};
  // 64 products of some 40 us.
  std::vector<Case> cases = {nested(Parallel::outer, *product, 64), nested(Parallel::inner, *product, 64)};
  for (Case& each : cases) each.quick = true;
  return cases;
}

}  // namespace speedwell::bench
