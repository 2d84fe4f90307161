// SPDX-License-Identifier: Apache-2.0
#include "bench/cases/overhead_case.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <speedwell/matmul.hpp>
#include <speedwell/parallel_for.hpp>
#include <speedwell/runtime.hpp>

#include "bench/cases/fork_join.hpp"
#include "runtime/built.hpp"
#include "runtime/thread_pool.hpp"
#include "runtime/topology.hpp"

namespace speedwell::bench {

void ThreadsAtWork::arrive_and_wait(std::ptrdiff_t i) {
  arrive(i);
  constexpr int looks = 2000;
  for (int look = 0; look < looks; ++look) {
    if (arrived() >= threads_) return;
  }
  const auto begin = std::chrono::steady_clock::now();
  while (arrived() < threads_ && std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(100)) {
    std::this_thread::yield();
  }
}

void fork_join(Sequential, ThreadsAtWork& at_work) { at_work.arrive(0); }

void fork_join(Threads model, ThreadsAtWork& at_work) {
  runtime::thread_pool().parallel_for(model.threads, model.threads, [&](std::ptrdiff_t i) { at_work.arrive(i); });
}

namespace {

using Clock = std::chrono::steady_clock;

// Threads that never stop while calls are measured, each on a CPU of its own. Between samples they sleep, as they would
// disturb those of other cells.
class Load {
 public:
  explicit Load(std::size_t threads) {
    const std::vector<int> cpus = runtime::allowed_cpus();
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this](const std::stop_token& stop) { spin(stop); });
      cpu_set_t set;
      CPU_ZERO(&set);
      CPU_SET(static_cast<std::size_t>(cpus[i % cpus.size()]), &set);
      pthread_setaffinity_np(threads_.back().native_handle(), sizeof(set), &set);
    }
  }

  ~Load() {
    for (std::jthread& thread : threads_) thread.request_stop();
    wanted_.fetch_add(1);
    wanted_.notify_all();
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Returns with all of them running, which they will for long enough to measure a call.
  void go_on() {
    constexpr auto enough = std::chrono::milliseconds(30), stretch = std::chrono::milliseconds(200);
    const Clock::duration left = until_.load(std::memory_order_relaxed) - Clock::now().time_since_epoch();
    if (left > enough) return;
    until_.store(Clock::now().time_since_epoch() + stretch, std::memory_order_relaxed);
    wanted_.fetch_add(1);
    wanted_.notify_all();
    while (running_.load() < static_cast<int>(threads_.size())) std::this_thread::yield();
  }

 private:
  void spin(const std::stop_token& stop) {
    for (int seen = 0; !stop.stop_requested();) {
      wanted_.wait(seen);
      seen = wanted_.load();
      running_.fetch_add(1);
      while (!stop.stop_requested() && Clock::now().time_since_epoch() < until_.load(std::memory_order_relaxed)) {
      }
      running_.fetch_sub(1);
    }
  }

  std::atomic<int> wanted_ = 0;
  std::atomic<int> running_ = 0;
  std::atomic<Clock::duration> until_ = Clock::duration::zero();
  std::vector<std::jthread> threads_;
};

// What happens before each call.
struct Before {
  std::chrono::milliseconds pause{0};
  double busy_cpus = 0;  // the part of them that others use
};

class ForkJoin : public Workload {
 public:
  ForkJoin(int most_threads, Before before) : at_work_(most_threads), before_(before) {
    if (before.busy_cpus <= 0) return;
    const auto cpus = static_cast<double>(runtime::allowed_cpus().size());
    load_.emplace(static_cast<std::size_t>(std::max(1.0, before.busy_cpus * cpus)));
  }

  void run(const Backend& backend) override {
    at_work_.begin(std::visit(
        [&](auto model) {
          if constexpr (requires { model.threads; }) {
            return model.threads > 0 ? std::min(model.threads, at_work_.most()) : at_work_.most();
          }
          return 1;
        },
        backend));
    fork_and_join(backend);
  }

  bool needs_reset() const override { return before_.pause.count() > 0 || load_; }

  void reset() override {
    if (before_.pause.count() > 0) std::this_thread::sleep_for(before_.pause);
    if (load_) load_->go_on();
  }

  void spoil(std::size_t first, std::size_t step) override {
    for (auto i = static_cast<int>(first); i < at_work_.threads(); i += static_cast<int>(step)) at_work_.set(i, 0);
  }

  std::string verify() const override {
    for (int i = 0; i < at_work_.threads(); ++i) {
      if (at_work_.value(i) != ThreadsAtWork::written) return "index " + std::to_string(i) + " was left out";
    }
    return {};
  }

  // As many slots as threads, but the same from all.
  std::uint64_t output_hash() const override { return verify().empty() ? ThreadsAtWork::written : 0; }

  std::size_t bytes() const override { return sizeof(ForkJoin); }

 protected:
  virtual void fork_and_join(const Backend& backend) = 0;

  ThreadsAtWork at_work_;

 private:
  Before before_;
  std::optional<Load> load_;
};

class LibraryForkJoin final : public ForkJoin {
 public:
  using ForkJoin::ForkJoin;

  int threads_used() const override { return last_run().threads; }

 private:
  void fork_and_join(const Backend& backend) override {
    const bool waits = std::holds_alternative<Tbb>(backend);
    parallel_for(at_work_.threads(),
                 [&](std::ptrdiff_t i) { waits ? at_work_.arrive_and_wait(i) : at_work_.arrive(i); },
                 {.backend = backend});
  }
};

class BareForkJoin final : public ForkJoin {
 public:
  using ForkJoin::ForkJoin;

  // An index each.
  int threads_used() const override { return at_work_.arrived(); }

 private:
  void fork_and_join(const Backend& backend) override {
    std::visit(
        [&](auto model) {
          if constexpr (std::same_as<decltype(model), Automatic>) {
            fork_join(Sequential{}, at_work_);
          } else if constexpr (runtime::built<decltype(model)>) {
            if constexpr (requires { model.threads; }) model.threads = at_work_.threads();
            fork_join(model, at_work_);
          }
        },
        backend);
  }
};

// What a program that calls once in a while pays for threads: a product that several do in half the time, if they are
// awake.
class ShortCall final : public Workload {
 public:
  static constexpr std::ptrdiff_t n = 192;

  explicit ShortCall(std::chrono::milliseconds pause) : pause_(pause) {}

  void run(const Backend& backend) override {
    matmul(MatrixView<const float>(ones_.data(), n, n), MatrixView<const float>(ones_.data(), n, n),
           MatrixView<float>(product_.data(), n, n), {.backend = backend});
  }
  bool needs_reset() const override { return pause_.count() > 0; }
  void reset() override { std::this_thread::sleep_for(pause_); }
  int threads_used() const override { return last_run().threads; }

  void spoil(std::size_t first, std::size_t step) override {
    for (std::size_t i = first; i < product_.size(); i += step) product_[i] = -1;
  }
  std::string verify() const override {
    const auto wrong = std::find_if(product_.begin(), product_.end(), [](float value) { return value != n; });
    if (wrong == product_.end()) return {};
    return fmt::format("element {} is {}, expected {}", wrong - product_.begin(), *wrong, n);
  }
  std::uint64_t output_hash() const override { return verify().empty() ? 1 : 0; }
  std::size_t bytes() const override { return 2 * n * n * sizeof(float); }

 private:
  std::chrono::milliseconds pause_;
  std::vector<float> ones_ = std::vector<float>(n * n, 1.0F);
  std::vector<float> product_ = std::vector<float>(n * n);
};

Case short_call_case(std::string size, std::chrono::milliseconds pause) {
  constexpr double n = ShortCall::n;
  return {.kernel = "overhead",
          .variant = "short_call",
          .size = std::move(size),
          .flops = 2 * n * n * n,
          .bytes = 3 * n * n * sizeof(float),
          .written_bytes = n * n * sizeof(float),
          .precision = "f32",
          .make = [pause](int) { return std::make_unique<ShortCall>(pause); }};
}

template <class Kind>
Case fork_join_case(std::string variant, std::string size, Before before) {
  return {.kernel = "overhead",
          .variant = std::move(variant),
          .size = std::move(size),
          .precision = "u64",
          .loaded = before.busy_cpus > 0,
          .make = [before](int threads) { return std::make_unique<Kind>(threads, before); }};
}

}  // namespace

std::vector<Case> overhead_cases() {
  using std::chrono::milliseconds;
  return {fork_join_case<LibraryForkJoin>("fork_join", "back_to_back", {}),
          fork_join_case<BareForkJoin>("fork_join_bare", "back_to_back", {}),
          fork_join_case<BareForkJoin>("fork_join_bare", "every_1ms", {.pause = milliseconds(1)}),
          fork_join_case<BareForkJoin>("fork_join_bare", "every_10ms", {.pause = milliseconds(10)}),
          fork_join_case<BareForkJoin>("fork_join_loaded", "half", {.busy_cpus = 0.5}),
          fork_join_case<BareForkJoin>("fork_join_loaded", "all", {.busy_cpus = 1}),
          short_call_case("back_to_back", milliseconds(0)),
          short_call_case("every_1ms", milliseconds(1)),
          short_call_case("every_10ms", milliseconds(10))};
}

}  // namespace speedwell::bench
