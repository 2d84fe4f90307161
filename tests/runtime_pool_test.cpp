// SPDX-License-Identifier: Apache-2.0
// The thread pool: every index once, on as many threads as asked, from many callers, through exceptions and forks.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <latch>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <speedwell/machine.hpp>

#include "runtime/thread_pool.hpp"
#include "tests/in_child.hpp"

// ThreadSanitizer asks for it: without this it ends a forked child that makes threads, which some of these tests do.
extern "C" const char* __tsan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "die_after_fork=0";
}

namespace {

using speedwell::runtime::inside_thread_pool;
using speedwell::runtime::Late;
using speedwell::runtime::LateThreads;
using speedwell::runtime::thread_pool;

// Waits until `done`, but not for ever: a broken pool must fail the test, not hang it.
bool eventually(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

int threads_of_this_process() {
  int count = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

// How many threads take part in `count` indices.
std::size_t participants(int threads, int count) {
  std::mutex lock;
  std::set<std::thread::id> seen;
  thread_pool().parallel_for(threads, count, [&](std::ptrdiff_t) {
    const std::lock_guard guard(lock);
    seen.insert(std::this_thread::get_id());
  });
  return seen.size();
}

void expect_each_index_once(int threads, int count) {
  std::vector<std::atomic<int>> times(static_cast<std::size_t>(count));
  thread_pool().parallel_for(threads, count, [&](std::ptrdiff_t i) { ++times[static_cast<std::size_t>(i)]; });
  for (int i = 0; i < count; ++i) ASSERT_EQ(times[static_cast<std::size_t>(i)], 1) << "index " << i << " of " << count;
}

TEST(ThreadPool, RunsEachIndexOnce) {
  for (const int threads : {0, 1, 2, 3, 7, 64}) {
    for (const int count : {0, 1, 2, 3, 6, 7, 8, 63, 64, 65, 1009}) {
      SCOPED_TRACE(std::to_string(threads) + " threads");
      expect_each_index_once(threads, count);
    }
  }
}

TEST(ThreadPool, RunsMoreIndicesThanARangeHolds) {
  // Stopped by the first index, as all of them would take seconds; the count is what matters.
  std::atomic<std::ptrdiff_t> largest = 0;
  const std::ptrdiff_t count = (std::ptrdiff_t{1} << 40) + 3;
  EXPECT_THROW(thread_pool().parallel_for(2, count,
                                          [&](std::ptrdiff_t i) {
                                            if (i >= count / 2) {
                                              largest = i;
                                              throw std::runtime_error("enough");
                                            }
                                          }),
               std::runtime_error);
  EXPECT_GE(largest, count / 2);
  EXPECT_LT(largest, count);
}

TEST(ThreadPool, UsesExactlyTheThreadsAskedFor) {
  for (int round = 0; round < 50; ++round) {
    for (const int threads : {1, 2, 3, 5, 16, 64}) {
      ASSERT_EQ(participants(threads, threads), static_cast<std::size_t>(threads));
      ASSERT_EQ(participants(threads, 10 * threads + 1), static_cast<std::size_t>(threads));
    }
  }
  EXPECT_EQ(participants(8, 3), 3u);
}

TEST(ThreadPool, LeavesOutWhoComesLate) {
  // A worker that has slept for milliseconds comes long after an empty index is done.
  EXPECT_EQ(participants(2, 2), 2u);
  const LateThreads late(Late::left_out);
  EXPECT_TRUE(eventually([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return participants(2, 2) == 1;
  }));
  {
    const LateThreads waited_for(Late::waited_for);
    EXPECT_EQ(participants(4, 4), 4u);
  }
  for (int round = 0; round < 300; ++round) {
    for (const int threads : {2, 3, 5, 16}) {
      for (const int count : {2, 5, 16, 100}) expect_each_index_once(threads, count);
    }
    EXPECT_LE(participants(3, 7), 3u);
    if (round % 30 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_THROW(thread_pool().parallel_for(3, 3, [](std::ptrdiff_t) { throw std::out_of_range("all"); }),
               std::out_of_range);
  EXPECT_FALSE(inside_thread_pool());
}

TEST(ThreadPool, ManyCallersLeaveOutWhoComesLate) {
  std::vector<std::jthread> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([] {
      const LateThreads late(Late::left_out);
      for (int round = 0; round < 200; ++round) expect_each_index_once(2 + round % 3, 1 + round % 9);
    });
  }
}

TEST(ThreadPool, PaysForShortCallsWhileItIsAwakeOnly) {
  thread_pool().shutdown();
  EXPECT_FALSE(thread_pool().pays(1e-9));
  EXPECT_TRUE(thread_pool().pays(1));
  // One after the other they add up.
  EXPECT_TRUE(eventually([] { return thread_pool().pays(1e-6); }));
  if (speedwell::machine().default_threads > 1) {  // else a worker never stays awake
    EXPECT_TRUE(eventually([] {
      participants(2, 2);
      return thread_pool().pays(1e-9);
    }));
  }
  EXPECT_TRUE(eventually([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return !thread_pool().pays(1e-9);
  }));
}

TEST(ThreadPool, UsesAThousandThreads) { EXPECT_EQ(participants(1024, 2048), 1024u); }

TEST(ThreadPool, StealsFromASlowThread) {
  // Each index of the slow thread's share waits for all of the rest: only others can do them.
  constexpr int count = 64;
  std::atomic<int> done = 0;
  std::atomic<bool> waited = true;
  thread_pool().parallel_for(2, count, [&](std::ptrdiff_t i) {
    if (i == 0) waited = eventually([&] { return done == count - 1; });
    ++done;
  });
  EXPECT_TRUE(waited);
  EXPECT_EQ(done, count);
}

TEST(ThreadPool, KeepsItsThreads) {
  participants(4, 4);
  const int before = threads_of_this_process();
  for (int i = 0; i < 20; ++i) participants(4, 4);
  EXPECT_EQ(threads_of_this_process(), before);
}

TEST(ThreadPool, ShutdownEndsThemAndALaterCallStartsAfresh) {
  thread_pool().shutdown();
  const int before = threads_of_this_process();
  EXPECT_EQ(participants(4, 4), 4u);
  EXPECT_EQ(threads_of_this_process(), before + 3);
  thread_pool().shutdown();
  EXPECT_TRUE(eventually([&] { return threads_of_this_process() == before; }));
  thread_pool().shutdown();
  EXPECT_EQ(participants(3, 3), 3u);
}

// The first worker, still awake from a call of two threads, may begin with the next call before the caller has come to
// the workers that the first one is to wake. A pool that loses one of them then does so in some of a second's rounds.
TEST(ThreadPool, NoWorkerSleepsThroughACallThatAnAwakeOnePassesOn) {
  tests::expect_in_child([] {
    std::atomic<int> ran = 0;
    int expected = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (std::chrono::steady_clock::now() < end) {
      thread_pool().parallel_for(2, 2, [&](std::ptrdiff_t) { ++ran; });
      thread_pool().parallel_for(7, 7, [&](std::ptrdiff_t) { ++ran; });
      expected += 2 + 7;
    }
    return ran == expected;
  });
}

TEST(ThreadPool, RethrowsTheFirstExceptionAndStops) {
  std::atomic<int> ran = 0;
  const auto fails = [&](std::ptrdiff_t i) {
    ++ran;
    if (i == 0) throw std::out_of_range("index 0");
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  };
  for (const int threads : {1, 2, 4}) {
    ran = 0;
    EXPECT_THROW(thread_pool().parallel_for(threads, 100000, fails), std::out_of_range);
    EXPECT_LT(ran, 100000);
    EXPECT_FALSE(inside_thread_pool());
    expect_each_index_once(threads, 100);
  }
}

TEST(ThreadPool, SurvivesAnExceptionFromEveryThread) {
  for (int round = 0; round < 50; ++round) {
    EXPECT_THROW(thread_pool().parallel_for(8, 64, [](std::ptrdiff_t i) { throw std::to_string(i); }), std::string);
  }
  expect_each_index_once(8, 64);
}

TEST(ThreadPool, IsALoopInsideItself) {
  EXPECT_FALSE(inside_thread_pool());
  std::atomic<int> ran = 0, outside = 0, elsewhere = 0;
  thread_pool().parallel_for(4, 8, [&](std::ptrdiff_t) {
    const auto here = std::this_thread::get_id();
    if (!inside_thread_pool()) ++outside;
    thread_pool().parallel_for(4, 5, [&](std::ptrdiff_t) {
      ++ran;
      if (std::this_thread::get_id() != here) ++elsewhere;
    });
  });
  EXPECT_EQ(ran, 40);
  EXPECT_EQ(outside, 0);
  EXPECT_EQ(elsewhere, 0);
  EXPECT_FALSE(inside_thread_pool());
}

TEST(ThreadPool, ServesManyCallersAtOnce) {
  constexpr int callers = 16;
  std::atomic<int> wrong = 0;
  std::latch start(callers);
  std::vector<std::jthread> threads;
  for (int caller = 0; caller < callers; ++caller) {
    threads.emplace_back([&, caller] {
      start.arrive_and_wait();
      for (int round = 0; round < 100; ++round) {
        const int count = 1 + (caller * 37 + round * 11) % 200;
        std::atomic<long> sum = 0;
        thread_pool().parallel_for(1 + caller % 5, count, [&](std::ptrdiff_t i) { sum += i + 1; });
        if (sum != static_cast<long>(count) * (count + 1) / 2) ++wrong;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

TEST(ThreadPool, CallersDontWaitForEachOther) {
  // The first call can't end before the second has.
  std::atomic<bool> second_done = false;
  std::atomic<bool> waited = true;
  std::jthread first([&] {
    thread_pool().parallel_for(3, 3, [&](std::ptrdiff_t) {
      if (!eventually([&] { return second_done.load(); })) waited = false;
    });
  });
  expect_each_index_once(3, 100);
  second_done = true;
  first.join();
  EXPECT_TRUE(waited);
}

TEST(ThreadPool, LeavesSignalsToTheProgram) {
  thread_pool().shutdown();
  std::atomic<int> unblocked = 0;
  const auto caller = std::this_thread::get_id();
  thread_pool().parallel_for(3, 3, [&](std::ptrdiff_t) {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    if (std::this_thread::get_id() != caller && sigismember(&blocked, SIGTERM) == 0) ++unblocked;
  });
  EXPECT_EQ(unblocked, 0);
  sigset_t own;
  pthread_sigmask(SIG_SETMASK, nullptr, &own);
  EXPECT_EQ(sigismember(&own, SIGTERM), 0);
}

TEST(ThreadPool, AForkedChildHasAPoolOfItsOwn) {
  EXPECT_EQ(participants(4, 4), 4u);
  tests::expect_in_child([] {
    bool right = participants(4, 4) == 4;
    thread_pool().shutdown();
    const pid_t grandchild = fork();
    if (grandchild == 0) _exit(participants(2, 2) == 2 ? 0 : 1);
    int status = 0;
    return waitpid(grandchild, &status, 0) == grandchild && status == 0 && right;
  });
  EXPECT_EQ(participants(4, 4), 4u);
}

TEST(ThreadPool, ForksWhileOthersCall) {
  if (!tests::may_fork_amid_allocations) GTEST_SKIP() << "the sanitizer's allocator isn't made for it";
  std::atomic<bool> stop = false;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 2; ++i) {
    callers.emplace_back([&] {
      while (!stop) participants(3, 6);
    });
  }
  for (int round = 0; round < 10; ++round) {
    tests::expect_in_child([] { return participants(3, 6) == 3; });
  }
  stop = true;
}

TEST(ThreadPool, TwoThreadsForkAtOnce) {
  participants(3, 3);
  std::vector<std::jthread> forkers;
  for (int i = 0; i < 2; ++i) {
    forkers.emplace_back([] {
      for (int round = 0; round < 10; ++round) tests::expect_in_child([] { return participants(3, 6) == 3; });
    });
  }
}

}  // namespace
