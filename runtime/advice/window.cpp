// SPDX-License-Identifier: Apache-2.0
#include "runtime/advice/window.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <latch>
#include <optional>
#include <thread>

#include "runtime/advice/misses.hpp"

namespace speedwell::advice {

namespace {

struct Copy {
  double calls_in_window = 0;
  double calls = 0;
  double wall_ns = 0;
  double process_cpu_ns = 0;
  double misses = -1;
  Usage usage{};
  std::exception_ptr thrown{};
};

void run_copy(const std::function<void()>& task, const Window& window, Copy& copy) {
  std::optional<MissCounter> misses;
  if (window.count_misses) misses.emplace();
  const Usage before = usage_of_this_thread();
  const double process_before = process_cpu_ns(), begin = now_ns();
  const double opens = begin + window.settle_ns, closes = opens + window.length_ns;
  double last = begin;
  while (last < closes) {
    for (int i = 0; i < window.batch; ++i) task();
    const double now = now_ns();
    copy.calls += window.batch;
    // Calls count by the part of them that lies in the window: one that stands at a lock for all of it, little.
    const double inside = std::min(now, closes) - std::max(last, opens);
    if (inside > 0) copy.calls_in_window += window.batch * inside / (now - last);
    last = now;
  }
  copy.wall_ns = last - begin;
  copy.process_cpu_ns = process_cpu_ns() - process_before;
  copy.usage = usage_of_this_thread() - before;
  if (misses) copy.misses = misses->count();
}

}  // namespace

Outcome run_window(const std::vector<std::function<void()>>& tasks, const Window& window) {
  std::vector<Copy> copies(tasks.size());
  std::latch all_are_there(static_cast<std::ptrdiff_t>(tasks.size()));
  const auto run = [&](std::size_t i) {
    all_are_there.arrive_and_wait();
    try {
      run_copy(tasks[i], window, copies[i]);
    } catch (...) {
      copies[i].thrown = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(tasks.size());
  try {
    for (std::size_t i = 0; i < tasks.size(); ++i) threads.emplace_back(run, i);
  } catch (...) {
    // Those that are there must not wait for the others.
    all_are_there.count_down(static_cast<std::ptrdiff_t>(tasks.size() - threads.size()));
    for (std::thread& thread : threads) thread.join();
    throw;
  }
  for (std::thread& thread : threads) thread.join();

  Outcome outcome;
  outcome.process_cpu_ns = copies.front().process_cpu_ns;
  outcome.process_wall_ns = copies.front().wall_ns;
  for (const Copy& copy : copies) {
    if (copy.thrown) {
      outcome.thrown = copy.thrown;
      return outcome;
    }
    outcome.calls_per_s += copy.calls_in_window / (window.length_ns * 1e-9);
    outcome.calls += copy.calls;
    outcome.wall_ns += copy.wall_ns;
    outcome.cpu_ns += copy.usage.cpu_ns;
    outcome.queue_ns += copy.usage.queue_ns;
    outcome.voluntary_switches += copy.usage.voluntary_switches;
    outcome.involuntary_switches += copy.usage.involuntary_switches;
    outcome.misses = copy.misses;
  }
  return outcome;
}

}  // namespace speedwell::advice
