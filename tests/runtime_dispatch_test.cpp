// SPDX-License-Identifier: Apache-2.0
// The choice of model and number of threads: arguments, environment, nesting, forks, many callers, messages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include "runtime/dispatch.hpp"
#include "runtime/thread_pool.hpp"
#include "runtime/workspace.hpp"
#include "tests/in_child.hpp"
#include "tests/models_at_work.hpp"

namespace {

using speedwell::Automatic;
using speedwell::Backend;
using speedwell::InvalidArgument;
using speedwell::last_run;
using speedwell::machine;
using speedwell::OpenMp;
using speedwell::Sequential;
using speedwell::Tbb;
using speedwell::Threads;
using speedwell::runtime::built;
using speedwell::runtime::Choice;
using speedwell::runtime::Participants;
using speedwell::runtime::run_on;
using speedwell::runtime::Work;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

constinit speedwell::runtime::Kernel own_kernel("runtime_dispatch_test", "");

Choice choose(const Backend& backend, Work work) { return speedwell::runtime::choose(own_kernel, backend, work); }

constexpr Work large{.flops = 1e12, .bytes = 1e9};
constexpr Work small{.flops = 1000, .bytes = 1000};

std::string_view model_of(const Choice& choice) {
  return std::visit([](auto model) { return decltype(model)::name; }, choice.model);
}

std::vector<Backend> parallel_backends(int threads) {
  std::vector<Backend> backends{Threads{threads}, OpenMp{threads}, Tbb{threads}};
  std::erase_if(backends, [](const Backend& backend) { return !is_built(backend); });
  return backends;
}

// What runtime_probe prints with these variables: "NAME=value NAME=value".
std::string probe(const std::string& environment, const std::string& arguments) {
  const std::string command = "env -u SPEEDWELL_ISA " + environment + " " + RUNTIME_PROBE + " " + arguments + " 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  std::array<char, 256> part;
  while (fgets(part.data(), part.size(), pipe.get()) != nullptr) text += part.data();
  return text;
}

// The line twice: the second call says the same as the first.
testing::Matcher<std::string> twice(const std::string& part) {
  return testing::ContainsRegex(part + "[^\n]*\n([^\n]*\n)?[^\n]*" + part);
}

TEST(Choose, TakesAnExplicitNumberExactly) {
  for (const int threads : {1, 2, 3, 64, 1024}) {
    for (const Backend& backend : parallel_backends(threads)) {
      const Choice choice = choose(backend, small);
      EXPECT_EQ(model_of(choice), name(backend));
      EXPECT_EQ(choice.threads, threads);
      EXPECT_EQ(choice.reason, "as asked");
    }
  }
  EXPECT_EQ(model_of(choose(Sequential{}, large)), "sequential");
}

TEST(Choose, ZeroMeansEveryAllowedCore) {
  for (const Backend& backend : parallel_backends(0)) {
    const Choice choice = choose(backend, small);
    EXPECT_EQ(model_of(choice), name(backend));
    EXPECT_EQ(choice.threads, machine().default_threads);
  }
}

TEST(Choose, RejectsAbsurdNumbers) {
  for (const int threads : {-1, -1000000, 1025, 1000000}) {
    for (const Backend& backend : parallel_backends(threads)) {
      EXPECT_THAT([&] { choose(backend, large); },
                  ThrowsMessage<InvalidArgument>(AllOf(HasSubstr(std::string(name(backend))),
                                                       HasSubstr("threads is " + std::to_string(threads)),
                                                       HasSubstr("expected 1 to 1024"))));
    }
  }
}

TEST(Choose, RejectsWhatIsNotBuilt) {
  for (const Backend& backend : {Backend(OpenMp{}), Backend(Tbb{})}) {
    if (is_built(backend)) continue;
    EXPECT_THAT([&] { choose(backend, large); },
                ThrowsMessage<InvalidArgument>(AllOf(HasSubstr(std::string(name(backend))), HasSubstr("threads"))));
  }
}

TEST(Choose, AutomaticStaysSequentialWhenSmall) {
  const Choice choice = choose(Automatic{}, small);
  EXPECT_EQ(model_of(choice), "sequential");
  EXPECT_THAT(std::string(choice.reason), HasSubstr("too small"));
}

TEST(Choose, AutomaticUsesTheCoresWhenLarge) {
  for (const Work work : {Work{.flops = 1e10}, Work{.bytes = 1e9}}) {
    const Choice choice = choose(Automatic{}, work);
    EXPECT_EQ(choice.threads, machine().default_threads);
    EXPECT_EQ(model_of(choice), machine().default_threads > 1 ? "threads" : "sequential");
  }
}

TEST(Choose, NeverMoreThreadsThanBlocks) {
  for (const Backend& backend : parallel_backends(8)) {
    Choice choice = choose(backend, large);
    choice.limit_threads(100);
    EXPECT_EQ(choice.threads, 8);
    choice.limit_threads(3);
    EXPECT_EQ(choice.threads, 3);
    EXPECT_EQ(std::visit(
                  [](auto model) {
                    if constexpr (requires { model.threads; })
                      return model.threads;
                    else
                      return 0;
                  },
                  choice.model),
              3);
    choice.limit_threads(0);
    EXPECT_EQ(choice.threads, 1);
  }
}

TEST(Environment, SetsBackendAndThreadsOfAutomatic) {
  EXPECT_THAT(probe("SPEEDWELL_BACKEND=threads SPEEDWELL_THREADS=7", "automatic 0 10"), twice("threads 7 "));
  EXPECT_THAT(probe("SPEEDWELL_BACKEND=sequential", "automatic 0 1e12"), twice("sequential 1 .*SPEEDWELL_BACKEND"));
  EXPECT_THAT(probe("SPEEDWELL_THREADS=5", "automatic 0 1e12"), twice("threads 5 "));
  EXPECT_THAT(probe("SPEEDWELL_THREADS=5", "automatic 0 10"), twice("sequential 1 "));
  EXPECT_THAT(probe("SPEEDWELL_THREADS=5", "threads 0 10"), twice("threads 5 "));
  EXPECT_THAT(probe("SPEEDWELL_BACKEND= SPEEDWELL_THREADS= SPEEDWELL_ISA=", "threads 2 10"), twice("threads 2 "));
}

TEST(Environment, ArgumentsWin) {
  EXPECT_THAT(probe("SPEEDWELL_BACKEND=sequential SPEEDWELL_THREADS=7", "threads 3 10"), twice("threads 3 "));
  EXPECT_THAT(probe("SPEEDWELL_BACKEND=threads SPEEDWELL_THREADS=7", "sequential 0 1e12"), twice("sequential 1 "));
}

TEST(Environment, AnInvalidValueIsAnErrorOfEachCallThatNeedsIt) {
  EXPECT_THAT(
      probe("SPEEDWELL_BACKEND=opencl", "automatic 0 10"),
      AllOf(twice("error: SPEEDWELL_BACKEND is 'opencl', expected automatic, sequential, threads"), HasSubstr(" or ")));
  for (const char* threads : {"0", "-1", "1025", "1000000", "2x", "two", "1.5", "99999999999999"}) {
    EXPECT_THAT(probe(std::string("SPEEDWELL_THREADS=") + threads, "threads 0 10"),
                twice("error: SPEEDWELL_THREADS is '" + std::string(threads) + "', expected .* 1 to 1024"));
  }
  EXPECT_THAT(probe("SPEEDWELL_ISA=mmx", "sequential 0 10"),
              twice("error: SPEEDWELL_ISA is 'mmx', expected .*baseline"));
  EXPECT_THAT(probe("SPEEDWELL_VERBOSE=4", "sequential 0 10"), twice("error: SPEEDWELL_VERBOSE is '4', expected 0 "));
  // A call that says all by itself needs neither variable.
  EXPECT_THAT(probe("SPEEDWELL_BACKEND=opencl SPEEDWELL_THREADS=0", "threads 2 10"), twice("threads 2 "));
  EXPECT_THAT(probe("SPEEDWELL_BACKEND=opencl SPEEDWELL_THREADS=0", "sequential 0 10"), twice("sequential 1 "));
}

TEST(Environment, ForcesTheInstructionSet) {
  for (const speedwell::Isa isa : machine().isas) {
    const std::string word(name(isa));
    EXPECT_THAT(probe("SPEEDWELL_ISA=" + word, "sequential 0 10"), twice("sequential 1 " + word));
  }
}

TEST(Environment, VerboseWritesToStderr) {
  EXPECT_THAT(probe("SPEEDWELL_VERBOSE=2", "sequential 0 10"), HasSubstr("speedwell: sequential"));
  EXPECT_THAT(probe("SPEEDWELL_VERBOSE=1", "sequential 0 10"), testing::Not(HasSubstr("speedwell:")));
  EXPECT_THAT(probe("", "sequential 0 10"), testing::Not(HasSubstr("speedwell:")));
}

// A kernel's skeleton: `blocks` blocks of about `block_us` of work each.
void run_blocks(const Backend& backend, int blocks, int block_us = 20, Work work = large) {
  Choice choice = choose(backend, work);
  choice.limit_threads(blocks);
  Participants participants;
  tests::run_model_on(choice, participants, blocks, [&](std::ptrdiff_t) {
    participants.note();
    tests::busy_for(block_us);
  });
}

TEST(LastRun, SaysWhatRan) {
  run_blocks(Sequential{}, 3);
  EXPECT_EQ(last_run().backend, "sequential");
  EXPECT_EQ(last_run().threads, 1);
  EXPECT_EQ(last_run().reason, "as asked");
  run_blocks(Threads{3}, 30);
  EXPECT_EQ(last_run().backend, "threads");
  EXPECT_EQ(last_run().threads, 3);
  run_blocks(Threads{64}, 128);
  EXPECT_EQ(last_run().threads, 64);
  run_blocks(Threads{8}, 2);
  EXPECT_EQ(last_run().threads, 2);
  EXPECT_THAT(std::string(last_run().reason), HasSubstr("blocks"));
  run_blocks(Automatic{}, 4, 20, small);
  EXPECT_EQ(last_run().backend, "sequential");
}

TEST(LastRun, IsTheCallingThreadsOwn) {
  run_blocks(Threads{2}, 4);
  std::jthread([] { EXPECT_EQ(last_run().backend, ""); }).join();
  EXPECT_EQ(last_run().backend, "threads");
}

TEST(Models, EachUsesTheThreadsAskedFor) {
  for (const int threads : {1, 2, 3, 8, 64}) {
    for (const Backend& backend : parallel_backends(threads)) {
      // Each block waits until all threads have one; not for ever, so that a missing thread is a failure.
      Choice choice = choose(backend, large);
      Participants participants;
      std::atomic<int> arrived = 0;
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      tests::run_model_on(choice, participants, threads, [&](std::ptrdiff_t) {
        participants.note();
        ++arrived;
        while (arrived < threads && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
      });
      EXPECT_EQ(last_run().backend, name(backend));
      EXPECT_EQ(last_run().threads, threads) << name(backend);
    }
  }
}

void expect_sequential_inside(const std::string& what) {
  for (const Backend& backend : parallel_backends(2)) {
    const Choice choice = choose(backend, large);
    EXPECT_EQ(model_of(choice), "sequential") << name(backend) << " inside " << what;
    EXPECT_THAT(std::string(choice.reason), HasSubstr(what));
  }
  EXPECT_EQ(model_of(choose(Automatic{}, large)), "sequential");
}

TEST(Nesting, IsSequentialInsideThePool) {
  speedwell::runtime::thread_pool().parallel_for(3, 6, [](std::ptrdiff_t) { expect_sequential_inside("pool"); });
}

TEST(Nesting, IsSequentialInsideAnOpenMpRegion) {
  if constexpr (built<OpenMp>) {
    tests::in_openmp_region(3, [] { expect_sequential_inside("OpenMP"); });
    EXPECT_EQ(model_of(choose(OpenMp{2}, large)), "openmp");
  }
}

TEST(Nesting, IsSequentialInsideATbbTask) {
  if constexpr (built<Tbb>) {
    tests::in_tbb_tasks(8, [] { expect_sequential_inside("oneTBB"); });
    EXPECT_EQ(model_of(choose(Tbb{2}, large)), "tbb");
  }
}

TEST(ManyCallers, LeftOpenTheyShareTheMachine) {
  // The threads that all calls together had made for them, at the worst.
  constexpr int callers = 16;
  std::latch start(callers);
  std::atomic<int> made = 0, worst = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < callers; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      for (int round = 0; round < 50; ++round) {
        const Choice choice = choose(i % 2 == 0 ? Backend(Automatic{}) : Backend(Threads{}), large);
        Participants participants;
        run_on(choice, participants, [&](auto model) {
          int mine = 0;
          if constexpr (requires { model.threads; }) mine = model.threads - 1;
          const int now = made += mine;
          for (int seen = worst; seen < now && !worst.compare_exchange_weak(seen, now);) continue;
          participants.note();
          tests::busy_for(20);
          made -= mine;
        });
      }
    });
  }
  threads.clear();
  EXPECT_LE(worst, machine().default_threads - 1);
  EXPECT_EQ(speedwell::runtime::ThreadBudget::in_use(), 0);
}

TEST(ManyCallers, AnExplicitNumberIsExactAllTheSame) {
  const speedwell::runtime::ThreadBudget others(1000, 1000);
  run_blocks(Threads{3}, 30);
  EXPECT_EQ(last_run().threads, 3);
  run_blocks(Threads{}, 30);
  EXPECT_EQ(last_run().threads, 1);
}

TEST(ManyCallers, ABudgetIsGivenBackWhenACallThrows) {
  const Choice choice = choose(Threads{4}, large);
  const Participants participants;
  EXPECT_THROW(run_on(choice, participants, [](auto) { throw std::runtime_error("no"); }), std::runtime_error);
  EXPECT_EQ(speedwell::runtime::ThreadBudget::in_use(), 0);
}

TEST(Fork, AChildOfAParallelProcessIsSequential) {
  for (const Backend& backend : parallel_backends(3)) {
    run_blocks(backend, 30);
    tests::expect_in_child([&] {
      run_blocks(backend, 30);
      const bool sequential = last_run().backend == "sequential";
      const bool says_so = last_run().reason.find("fork") != std::string_view::npos;
      run_blocks(Automatic{}, 30);
      const speedwell::runtime::LeasedBuffer buffer(1 << 20);
      speedwell::shutdown();
      return sequential && says_so && last_run().backend == "sequential";
    });
    // The parent goes on as before.
    run_blocks(backend, 48);
    EXPECT_EQ(last_run().backend, name(backend));
  }
}

TEST(Fork, TheProgramsOwnOpenMpWorksInTheChild) {
  if constexpr (built<OpenMp>) {
    run_blocks(OpenMp{3}, 30);
    tests::expect_in_child([] {
      std::atomic<int> ran = 0;
      tests::in_openmp_region(3, [&] { ++ran; });
      return ran == 3;
    });
  }
}

TEST(Shutdown, CanBeFollowedByCalls) {
  for (int round = 0; round < 3; ++round) {
    for (const Backend& backend : parallel_backends(2)) run_blocks(backend, 8);
    speedwell::shutdown();
  }
  for (const Backend& backend : parallel_backends(2)) run_blocks(backend, 8);
  EXPECT_GE(last_run().threads, 1);
}

std::atomic<int> messages = 0;

TEST(Messages, GoToTheHandler) {
  speedwell::set_message_handler([](speedwell::MessageLevel level, std::string_view text) {
    if (level == speedwell::MessageLevel::choice && text.find("sequential") != std::string_view::npos) ++messages;
  });
  run_blocks(Sequential{}, 1);
  EXPECT_EQ(messages, 1);
  speedwell::set_message_handler(nullptr);
  run_blocks(Sequential{}, 1);
  EXPECT_EQ(messages, 1);
}

TEST(Version, IsTheHeaders) { EXPECT_EQ(speedwell::version(), SPEEDWELL_VERSION); }

TEST(Workspace, IsAlignedKeptAndGrows) {
  using speedwell::runtime::thread_workspace;
  const auto aligned = [](const std::byte* data) { return reinterpret_cast<std::uintptr_t>(data) % 64 == 0; };
  std::byte* const first = thread_workspace(1000);
  EXPECT_TRUE(aligned(first));
  EXPECT_EQ(thread_workspace(10), first);
  EXPECT_EQ(thread_workspace(1000), first);
  std::byte* const larger = thread_workspace(10 << 20);
  EXPECT_TRUE(aligned(larger));
  std::fill_n(larger, 10 << 20, std::byte{1});
  std::jthread([&] { EXPECT_NE(thread_workspace(1000), larger); }).join();
  EXPECT_THROW(thread_workspace(SIZE_MAX), std::bad_alloc);
  EXPECT_THROW(thread_workspace(SIZE_MAX / 2), std::bad_alloc);
  EXPECT_NE(thread_workspace(100), nullptr);
}

TEST(Workspace, ABufferIsLeasedToOneCallAtATime) {
  using speedwell::runtime::LeasedBuffer;
  const std::byte* data = nullptr;
  {
    const LeasedBuffer one(5 << 20), two(100);
    EXPECT_NE(one.data(), two.data());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(one.data()) % 64, 0u);
    std::fill_n(one.data(), 5 << 20, std::byte{1});
    std::fill_n(two.data(), 100, std::byte{2});
    EXPECT_EQ(one.data()[0], std::byte{1});
    data = one.data();
  }
  // Destroyed in reverse, so the large one is the first in the list.
  EXPECT_EQ(LeasedBuffer(5 << 20).data(), data);
  EXPECT_THROW(LeasedBuffer(SIZE_MAX / 2), std::bad_alloc);
  EXPECT_NE(LeasedBuffer(10).data(), nullptr);
  speedwell::shutdown();
  EXPECT_NE(LeasedBuffer(10).data(), nullptr);
}

}  // namespace
