// SPDX-License-Identifier: Apache-2.0
// A process's first calls, which read the machine and the wisdom, load the models and make threads: where the N-th
// allocation or thread isn't to be had, for every N, and where another thread forks amid them. Each in a forked child:
// the process itself never calls the library, so that each child begins anew. It replaces operator new and
// pthread_create by ones that can be told to fail, so it isn't built with sanitizers, which replace them too.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include "runtime/picker/wisdom_file.hpp"
#include "tests/every_backend.hpp"
#include "tests/in_child.hpp"
#include "tests/kernel_calls.hpp"

namespace {

constexpr long never = -1;
std::atomic<long> threads_left = never;      // how many more may live at the same time
std::atomic<long> allocations_left = never;  // how many more succeed before one fails
std::atomic<bool> only_one_fails = true;     // and not all that follow it
std::atomic<bool> refused = false;           // whether anything was

void* allocate(std::size_t bytes, std::size_t alignment) {
  // Below 0 once the one has failed.
  if (allocations_left >= 0 && allocations_left.fetch_sub(1) <= 0) {
    refused = true;
    if (!only_one_fails) allocations_left = 0;
    throw std::bad_alloc();
  }
  bytes = bytes == 0 ? 1 : bytes;
  void* const memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

struct Start {
  void* (*function)(void*);
  void* argument;
};

// Runs a thread that counts, and gives its place back.
void* run_counted(void* start) {
  const Start of = *static_cast<Start*>(start);
  std::free(start);
  void* const result = of.function(of.argument);
  if (threads_left >= 0) ++threads_left;
  return result;
}

}  // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*),
                              void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  if (threads_left < 0) return create(thread, attributes, function, argument);
  if (threads_left.fetch_sub(1) <= 0) {
    ++threads_left;
    refused = true;
    return EAGAIN;
  }
  return create(thread, attributes, run_counted, new (std::malloc(sizeof(Start))) Start{function, argument});
}

void* operator new(std::size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

using speedwell::Automatic;
using speedwell::Backend;
using speedwell::OpenMp;
using speedwell::Sequential;
using speedwell::Tbb;
using speedwell::Threads;
using tests::KernelCall;

// How a child's calls went.
enum Outcome {
  right = 0,
  none_refused = 10,
  out_of_memory = 11,
  wrong = 12,
  wrong_afterwards = 13,
  other_exception = 14
};

// The call, with what is refused already set; then the same again with nothing refused.
int try_call(const KernelCall& call, const Backend& backend) {
  Outcome outcome = right;
  std::uint64_t first = 0;
  refused = false;
  try {
    first = call.run(backend);
  } catch (const std::bad_alloc&) {
    outcome = out_of_memory;
  } catch (const std::exception&) {
    outcome = other_exception;
  }
  const bool reached = refused;
  threads_left = never;
  allocations_left = never;
  const std::uint64_t expected = call.run(Sequential{});
  if (outcome == right && first != expected) return wrong;
  for (int again = 0; again < 2; ++again) {
    if (call.run(backend) != expected) return wrong_afterwards;
  }
  speedwell::shutdown();
  return outcome == right && !reached ? none_refused : outcome;
}

// Whether to try them all, which takes minutes, and not some at random.
bool every_allocation() { return std::getenv("SPEEDWELL_TEST_EVERY_ALLOCATION") != nullptr; }

// How many allocations further the next try is.
long step() { return every_allocation() ? 1 : 1 + static_cast<long>(tests::generator()() % 24); }

// try_call() in a child each for the first allocations that fail, until none does. Whether all went well.
bool survives_failing_allocations(const KernelCall& call, const Backend& backend, bool one, int& exceptions) {
  for (long n = step() - 1; n < 5000; n += step()) {
    const int status = tests::status_in_child([&] {
      only_one_fails = one;
      allocations_left = n;
      return try_call(call, backend);
    });
    if (status == none_refused) return true;
    exceptions += status == out_of_memory;
    if (status == right || status == out_of_memory) continue;
    ADD_FAILURE() << call.name << " on " << name(backend) << ": status " << status << " where allocation " << n
                  << (one ? " fails" : " and all later ones fail");
    return false;
  }
  ADD_FAILURE() << call.name << " on " << name(backend) << " allocates without end";
  return false;
}

class WisdomFile {
 public:
  WisdomFile() : path_(std::filesystem::temp_directory_path() / ("speedwell-cold-" + std::to_string(getpid()))) {
    // In a child, as it reads the machine.
    tests::expect_in_child([this] {
      using namespace speedwell::runtime;
      Wisdom wisdom;
      wisdom.cost.slowness["matmul/f32"] = 1.5;
      wisdom.add("matmul/f32", Bound::arithmetic, {1e-6, {{{Setting::sequential, 1}, 1e-6}}});
      wisdom.add("matmul/f32", Bound::arithmetic, {1e-2, {{{Setting::sequential, 1}, 1e-2}}});
      return save_wisdom(path_, machine_fingerprint(), wisdom).empty();
    });
    setenv("SPEEDWELL_WISDOM", path_.c_str(), 1);
  }
  ~WisdomFile() {
    std::filesystem::remove(path_);
    std::filesystem::remove(path_ + ".lock");
  }
  WisdomFile(const WisdomFile&) = delete;
  WisdomFile& operator=(const WisdomFile&) = delete;

 private:
  std::string path_;
};

std::vector<Backend> built(std::vector<Backend> backends) {
  std::erase_if(backends, [](const Backend& backend) { return !is_built(backend); });
  return backends;
}

// All of what a process's first call does.
TEST(ColdStart, AnAllocationThatFailsIsAnExceptionAndTheNextCallIsRight) {
  const WisdomFile wisdom;
  int exceptions = 0;
  for (const bool one : {true, false}) {
    EXPECT_TRUE(survives_failing_allocations(tests::kernel_calls[0], Automatic{}, one, exceptions));
  }
  EXPECT_GT(exceptions, 0);
}

// What is left of it where the machine is known already. Not with oneTBB, which may wait for ever for something of its
// own that failed to begin.
TEST(ColdStart, AnAllocationThatFailsLaterIsAnExceptionToo) {
  const WisdomFile wisdom;
  for (const KernelCall& call : tests::kernel_calls) {
    for (const Backend& backend : built({Automatic{}, Threads{3}, OpenMp{3}})) {
      const bool only_one = (tests::generator()() & 1) == 0;
      // One child that knows the machine, for all that begin as it does.
      const int status = tests::status_in_child(
          [&] {
            speedwell::machine();
            int exceptions = 0;
            for (const bool one : {true, false}) {
              if (!every_allocation() && one != only_one) continue;
              if (!survives_failing_allocations(call, backend, one, exceptions)) return 1;
            }
            return 0;
          },
          600);
      EXPECT_EQ(status, 0) << call.name << " on " << name(backend);
    }
  }
}

// Fewer threads with Threads and Tbb; libgomp ends the process, which is documented.
TEST(ColdStart, AThreadThatIsRefusedIsNoHangAndNoWrongResult) {
  for (const KernelCall& call : tests::kernel_calls) {
    for (const Backend& backend : built({Automatic{}, Threads{4}, OpenMp{4}, Tbb{4}})) {
      SCOPED_TRACE(std::string(call.name) + " on " + std::string(name(backend)));
      const bool may_exit = std::holds_alternative<OpenMp>(backend);
      int status = right;
      for (long n = 0; status != none_refused; ++n) {
        ASSERT_LT(n, 20);
        status = tests::status_in_child([&] {
          if (may_exit) close(STDERR_FILENO);  // it says so
          threads_left = n;
          return try_call(call, backend);
        });
        ASSERT_NE(status, -SIGALRM) << "hangs without thread " << n;
        if (may_exit) {
          EXPECT_THAT(status, testing::AnyOf(none_refused, 1, -SIGABRT)) << "thread " << n;
        } else {
          EXPECT_THAT(status, testing::AnyOf(right, none_refused)) << "thread " << n;
        }
      }
    }
  }
}

// A child that is forked while another thread makes the process's first call must not wait for what that has begun.
TEST(ColdStart, AForkAmidTheFirstCallLeavesAChildThatWorks) {
  if (!tests::may_fork_amid_allocations) GTEST_SKIP() << "the sanitizer's allocator isn't made for it";
  for (const KernelCall& call : {tests::kernel_calls[0], tests::kernel_calls[1]}) {
    for (int delay_us = 0; delay_us < 16'000; delay_us = delay_us == 0 ? 30 : delay_us * 2) {
      EXPECT_EQ(tests::status_in_child([&] {
                  std::atomic<bool> begun = false;
                  std::uint64_t first = 0;
                  std::thread caller([&] {
                    begun = true;
                    first = call.run(Automatic{});
                  });
                  while (!begun) std::this_thread::yield();
                  std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
                  const int status = tests::status_in_child(
                      [&] {
                        const std::uint64_t here = call.run(Sequential{});
                        return call.run(Automatic{}) == here && call.run(Threads{2}) == here ? right : wrong;
                      },
                      10);
                  caller.join();
                  return first == call.run(Sequential{}) ? status : int{wrong_afterwards};
                }),
                right)
          << call.name << " after " << delay_us << " us";
    }
  }
}

}  // namespace
