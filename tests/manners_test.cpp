// SPDX-License-Identifier: Apache-2.0
// Kernels in programs that have threads, OpenMP, oneTBB and forks of their own: right results, and never more threads
// than there is room for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <speedwell/machine.hpp>
#include <speedwell/parallel_for.hpp>
#include <speedwell/runtime.hpp>

#include <unistd.h>

#include "tests/every_backend.hpp"
#include "tests/in_child.hpp"
#include "tests/kernel_calls.hpp"
#include "tests/models_at_work.hpp"

// ThreadSanitizer asks for it: without this it ends a forked child that makes threads.
extern "C" const char* __tsan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "die_after_fork=0";
}

namespace {

using speedwell::Automatic;
using speedwell::Backend;
using speedwell::is_built;
using speedwell::last_run;
using speedwell::machine;
using speedwell::OpenMp;
using speedwell::Sequential;
using speedwell::Tbb;
using speedwell::Threads;
using tests::KernelCall;

std::vector<Backend> backends() {
  std::vector<Backend> all{Automatic{}, Threads{0}, OpenMp{0}, Tbb{0}, Threads{2}, OpenMp{2}, Tbb{2}};
  std::erase_if(all, [](const Backend& backend) { return !is_built(backend); });
  return all;
}

// What the kernels give on one thread.
const std::vector<std::uint64_t>& expected() {
  static const std::vector<std::uint64_t> hashes = [] {
    std::vector<std::uint64_t> all;
    for (const KernelCall& call : tests::kernel_calls) all.push_back(call.run(Sequential{}));
    return all;
  }();
  return hashes;
}

// Whether one of the kernels gives something else on this backend.
bool is_wrong(int number, const Backend& backend) {
  const int kernel = number % tests::number_of_kernel_calls;
  return tests::kernel_calls[kernel].run(backend) != expected()[static_cast<std::size_t>(kernel)];
}

// How many do.
int wrong_results(const Backend& backend) {
  int wrong = 0;
  for (int i = 0; i < tests::number_of_kernel_calls; ++i) wrong += is_wrong(i, backend);
  return wrong;
}

// The same, and the most threads that any call took.
int wrong_results(const Backend& backend, int& most_threads) {
  int wrong = 0;
  most_threads = 0;
  for (int i = 0; i < tests::number_of_kernel_calls; ++i) {
    wrong += is_wrong(i, backend);
    most_threads = std::max(most_threads, last_run().threads);
  }
  return wrong;
}

// Calls body(i) in `count` threads that begin together.
template <class Body>
void in_threads(int count, const Body& body) {
  std::latch start(count);
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      body(i);
    });
  }
}

TEST(ManyCallers, AreAllRight) {
  expected();
  for (const Backend& backend : backends()) {
    std::atomic<int> wrong = 0;
    in_threads(64, [&](int i) { wrong += is_wrong(i, backend); });
    EXPECT_EQ(wrong, 0) << tests::text(backend);
  }
  std::atomic<int> wrong = 0;
  const std::vector<Backend> all = backends();
  in_threads(64, [&](int i) { wrong += is_wrong(i, all[static_cast<std::size_t>(i) % all.size()]); });
  EXPECT_EQ(wrong, 0) << "on all backends at once";
}

// Whether the calling thread is one of the test's own.
thread_local bool is_caller = false;

TEST(ManyCallers, LeaveNoMoreThreadsAtWorkThanThereIsRoomFor) {
  for (const Backend& backend : {Backend(Automatic{}), Backend(Threads{}), Backend(OpenMp{}), Backend(Tbb{})}) {
    if (!is_built(backend)) continue;
    std::atomic<int> busy = 0, worst = 0;
    in_threads(64, [&](int) {
      is_caller = true;
      for (int round = 0; round < 3; ++round) {
        speedwell::parallel_for(16,
                                [&](std::ptrdiff_t) {
                                  const bool counts = !is_caller;
                                  const int now = counts ? ++busy : 0;
                                  for (int seen = worst; seen < now && !worst.compare_exchange_weak(seen, now);) {
                                  }
                                  tests::busy_for(30);
                                  if (counts) --busy;
                                },
                                {.grain = 1, .backend = backend});
      }
    });
    EXPECT_LE(worst, machine().default_threads - 1) << tests::text(backend);
  }
}

std::set<std::string> tasks() {
  std::set<std::string> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) found.insert(task.path().filename());
  return found;
}

// Of the threads that aren't among `others`, those that run or wait for a CPU.
int running_beside(const std::set<std::string>& others) {
  int running = 0;
  for (const std::string& task : tasks()) {
    if (others.contains(task)) continue;
    std::string stat;
    std::ifstream file("/proc/self/task/" + task + "/stat");
    std::getline(file, stat);
    const std::size_t state = stat.rfind(") ");
    if (state != std::string::npos && stat[state + 2] == 'R') ++running;
  }
  return running;
}

// As the system sees them, so those that spin count too.
TEST(ManyCallers, DontKeepThreadsSpinning) {
  for (const Backend& backend : {Backend(Automatic{}), Backend(Threads{}), Backend(Tbb{})}) {
    if (!is_built(backend)) continue;
    speedwell::shutdown();
    constexpr int callers = 64;
    std::latch begun(callers + 1), counted(1);
    std::atomic<bool> stop = false;
    std::vector<std::jthread> threads;
    for (int i = 0; i < callers; ++i) {
      threads.emplace_back([&, i] {
        begun.arrive_and_wait();
        counted.wait();
        while (!stop) tests::kernel_calls[i % tests::number_of_kernel_calls].run(backend);
      });
    }
    begun.arrive_and_wait();
    const std::set<std::string> own = tasks();
    counted.count_down();
    std::vector<int> running;
    for (int i = 0; i < 15; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(4));
      running.push_back(running_beside(own));
    }
    stop = true;
    threads.clear();
    std::ranges::sort(running);
    // The states aren't read at one moment, so now and then a thread counts that took over from another.
    EXPECT_LE(running[running.size() / 2], static_cast<int>(machine().allowed_cpus.size())) << tests::text(backend);
  }
}

TEST(Nesting, IsRightOnOneThreadInsideAParallelRegion) {
  expected();
  for (const Backend& backend : backends()) {
    std::atomic<int> wrong = 0, most = 0;
    const auto call = [&] {
      int threads;
      wrong += wrong_results(backend, threads);
      if (threads > 1) most = threads;
    };
    if (is_built(OpenMp{})) tests::in_openmp_region(3, call);
    if (is_built(Tbb{})) tests::in_tbb_tasks(6, call);
    for (const Backend& outer : backends()) {
      // Loops that may have got one thread only are no region.
      if (!tests::text(outer).ends_with("/2")) continue;
      speedwell::parallel_for(3, [&](std::ptrdiff_t) { call(); }, {.grain = 1, .backend = outer});
    }
    EXPECT_EQ(wrong, 0) << tests::text(backend);
    EXPECT_EQ(most, 0) << tests::text(backend);
  }
}

TEST(Nesting, KeepsToTheThreadsOfAnArena) {
  if (!is_built(Tbb{})) GTEST_SKIP() << "no oneTBB in this build";
  expected();
  std::vector<Backend> all = backends();
  for (const Backend& more : {Backend(Threads{4}), Backend(Tbb{4}), Backend(OpenMp{4})}) {
    if (is_built(more)) all.push_back(more);
  }
  for (const int slots : {1, 2, 3}) {
    for (const Backend& backend : all) {
      // An arena as large as oneTBB's own says nothing of a limit.
      const bool open = tests::text(backend).ends_with("/0") || std::holds_alternative<Automatic>(backend);
      if (!open && slots >= tests::tbb_concurrency()) continue;
      int wrong = 0, most = 0;
      tests::in_tbb_arena(slots, [&] { wrong = wrong_results(backend, most); });
      EXPECT_EQ(wrong, 0);
      EXPECT_LE(most, slots) << tests::text(backend) << " in an arena of " << slots;
      EXPECT_GE(most, 1);
    }
  }
}

TEST(Nesting, AnAsynchronousCallIsAnyOther) {
  expected();
  for (const Backend& backend : backends()) {
    std::vector<std::future<int>> calls;
    for (int i = 0; i < 8; ++i) {
      calls.push_back(std::async(std::launch::async, [&] { return wrong_results(backend); }));
    }
    for (std::future<int>& call : calls) EXPECT_EQ(call.get(), 0) << tests::text(backend);
  }
}

TEST(Fork, ParentAndChildAreRight) {
  expected();
  const std::vector<Backend> all = backends();
  wrong_results(Threads{2});  // from then on children are alone
  for (const Backend& before : all) {
    EXPECT_EQ(wrong_results(before), 0);
    EXPECT_EQ(tests::status_in_child([&] {
                int wrong = 0, most = 0;
                for (const Backend& after : all) {
                  wrong += wrong_results(after, most);
                  if (most > 1) ++wrong;
                }
                speedwell::shutdown();
                return wrong + wrong_results(before);
              }),
              0)
        << "after " << tests::text(before);
    EXPECT_EQ(wrong_results(before), 0) << tests::text(before) << " after a fork";
  }
}

TEST(Fork, TwoThreadsForkWhileOthersCall) {
  if (!tests::may_fork_amid_allocations) GTEST_SKIP() << "the sanitizer's allocator isn't made for it";
  expected();
  const std::vector<Backend> all = backends();
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 3; ++i) {
      callers.emplace_back([&, i] {
        for (auto round = static_cast<std::size_t>(i); !stop; ++round) wrong += wrong_results(all[round % all.size()]);
      });
    }
    in_threads(2, [&](int i) {
      for (const Backend& backend : all) {
        wrong += wrong_results(backend);
        wrong += tests::status_in_child([&] { return wrong_results(all[i == 0 ? 0 : all.size() - 1]); });
        wrong += wrong_results(backend);
      }
    });
    stop = true;
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
