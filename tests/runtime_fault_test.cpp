// SPDX-License-Identifier: Apache-2.0
// What is refused: threads that can't be made, memory that can't be had. This binary replaces pthread_create and
// operator new by ones that can be told to fail, so it isn't built with sanitizers, which replace them too.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <speedwell/runtime.hpp>

#include "runtime/dispatch.hpp"
#include "runtime/thread_pool.hpp"
#include "runtime/workspace.hpp"
#include "tests/models_at_work.hpp"

namespace {

constinit speedwell::runtime::Kernel own_kernel("runtime_fault_test", "");

constexpr int never = -1;
std::atomic<int> threads_left = never;      // how many more can be made
std::atomic<int> allocations_left = never;  // how many more succeed
std::atomic<long> allocations = 0;

void* allocate(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  if (allocations_left == 0) return nullptr;
  if (allocations_left > 0) --allocations_left;
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  void* const memory = allocate(bytes == 0 ? 1 : bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                              void* argument) {
  if (threads_left == 0) return EAGAIN;
  if (threads_left > 0) --threads_left;
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return create(thread, attributes, start, argument);
}

void* operator new(std::size_t bytes) { return allocate_or_throw(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

using speedwell::runtime::thread_pool;

// Whether each of 0..count-1 ran once, and on how many threads.
bool run(int threads, int count, std::size_t& participants) {
  std::vector<std::atomic<int>> times(static_cast<std::size_t>(count));
  std::mutex lock;
  std::set<std::thread::id> seen;
  thread_pool().parallel_for(threads, count, [&](std::ptrdiff_t i) {
    ++times[static_cast<std::size_t>(i)];
    const std::lock_guard guard(lock);
    seen.insert(std::this_thread::get_id());
  });
  participants = seen.size();
  for (const auto& ran : times) {
    if (ran != 1) return false;
  }
  return true;
}

std::atomic<int> warnings = 0;

TEST(Faults, FewerThreadsWhereSomeCantBeMade) {
  speedwell::set_message_handler([](speedwell::MessageLevel level, std::string_view text) {
    if (level == speedwell::MessageLevel::warning && text.find("thread") != std::string_view::npos) ++warnings;
  });
  for (int possible = 0; possible <= 4; ++possible) {
    speedwell::shutdown();
    warnings = 0;
    threads_left = possible;
    std::size_t participants = 0;
    const bool right = run(5, 100, participants);
    threads_left = never;
    EXPECT_TRUE(right);
    EXPECT_EQ(participants, static_cast<std::size_t>(possible) + 1);
    EXPECT_EQ(warnings, possible < 4 ? 1 : 0);
    EXPECT_TRUE(run(5, 100, participants));
    EXPECT_EQ(participants, 5u);
  }
  speedwell::set_message_handler(nullptr);
}

TEST(Faults, LastRunSaysThatThreadsWereMissing) {
  speedwell::shutdown();
  threads_left = 1;
  const auto choice = speedwell::runtime::choose(own_kernel, speedwell::Threads{4}, {});
  speedwell::runtime::Participants participants;
  tests::run_model_on(choice, participants, 16, [&](std::ptrdiff_t) { participants.note(); });
  threads_left = never;
  EXPECT_EQ(speedwell::last_run().threads, 2);
  EXPECT_THAT(std::string(speedwell::last_run().reason), testing::HasSubstr("fewer"));
}

TEST(Faults, NoAllocationOnceWarm) {
  const auto call = [] {
    const auto choice = speedwell::runtime::choose(own_kernel, speedwell::Threads{4}, {});
    speedwell::runtime::Participants participants;
    const speedwell::runtime::LeasedBuffer buffer(100000);
    speedwell::runtime::run_on(choice, participants, [&](auto model) {
      if constexpr (requires { model.threads; }) {
        thread_pool().parallel_for(model.threads, 16, [&](std::ptrdiff_t) {
          speedwell::runtime::thread_workspace(1000)[0] = std::byte{1};
          participants.note();
        });
      }
    });
  };
  call();
  const long before = allocations;
  for (int i = 0; i < 100; ++i) call();
  EXPECT_EQ(allocations, before);
}

TEST(Faults, AFailedAllocationReachesTheCallerAndTheNextCallIsRight) {
  bool failed_once = false;
  for (int n = 0;; ++n) {
    ASSERT_LT(n, 1000);
    speedwell::shutdown();
    bool failed = false;
    allocations_left = n;
    try {
      const auto choice = speedwell::runtime::choose(own_kernel, speedwell::Threads{3}, {});
      speedwell::runtime::Participants participants;
      const speedwell::runtime::LeasedBuffer buffer(5 << 20);
      std::byte* const scratch = speedwell::runtime::thread_workspace(1 << 20);
      speedwell::runtime::run_on(choice, participants, [&](auto model) {
        if constexpr (requires { model.threads; }) {
          thread_pool().parallel_for(model.threads, 12, [&](std::ptrdiff_t) {
            scratch[0] = buffer.data()[0];
            participants.note();
          });
        }
      });
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    const bool exhausted = allocations_left == 0;
    allocations_left = never;
    failed_once |= failed;
    std::size_t participants = 0;
    EXPECT_TRUE(run(3, 30, participants));
    EXPECT_EQ(participants, 3u);
    if (!exhausted) break;
  }
  EXPECT_TRUE(failed_once);
}

}  // namespace
