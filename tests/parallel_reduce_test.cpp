// SPDX-License-Identifier: Apache-2.0
#include <speedwell/parallel_reduce.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <speedwell/error.hpp>
#include <speedwell/runtime.hpp>

#include "tests/every_backend.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;
using testing::HasSubstr;
using testing::ThrowsMessage;

// The header's words once more: which blocks there are, and how they are put together.
std::string in_words(const std::vector<std::string>& blocks, std::size_t first, std::size_t number) {
  if (number == 1) return blocks[first];
  const std::size_t lower = number / 2;
  return "(" + in_words(blocks, first, lower) + "+" + in_words(blocks, first + lower, number - lower) + ")";
}

std::string in_words(ptrdiff_t count, ptrdiff_t grain) {
  std::vector<std::string> blocks;
  const ptrdiff_t most = std::min<ptrdiff_t>(count, 256);
  for (ptrdiff_t first = 0, last; first < count; first = last) {
    const auto block = static_cast<ptrdiff_t>(blocks.size());
    last = grain > 0 ? std::min(first + grain, count) : first + count / most + (block < count % most ? 1 : 0);
    blocks.push_back(std::to_string(first) + "-" + std::to_string(last));
  }
  return in_words(blocks, 0, blocks.size());
}

constexpr ptrdiff_t counts[] = {1, 2, 3, 7, 100, 255, 256, 257, 1000, 5003};
constexpr ptrdiff_t grains[] = {0, 1, 3, 64, 1 << 20};

// A text isn't commutative, and shows what was combined with what.
TEST(ParallelReduce, CombinesByTheTreeOfItsHeader) {
  for (const ptrdiff_t count : counts) {
    for (const ptrdiff_t grain : grains) {
      const std::string expected = in_words(count, grain);
      for (const Backend& backend : tests::every_backend()) {
        const std::string found = parallel_reduce(
            count, std::string("nothing"),
            [](ptrdiff_t first, ptrdiff_t last) { return std::to_string(first) + "-" + std::to_string(last); },
            [](const std::string& a, const std::string& b) { return "(" + a + "+" + b + ")"; },
            {.grain = grain, .backend = backend});
        ASSERT_EQ(found, expected) << tests::text(backend) << " grain " << grain << " count " << count;
      }
    }
  }
}

TEST(ParallelReduce, ABlockOfIndicesGoesFromTheLeft) {
  for (const Backend& backend : tests::every_backend()) {
    const std::string found = parallel_reduce(
        7, std::string(), [](ptrdiff_t i) { return std::to_string(i); },
        [](const std::string& a, const std::string& b) { return "(" + a + b + ")"; }, {.grain = 3, .backend = backend});
    EXPECT_EQ(found, "(((01)2)(((34)5)6))") << tests::text(backend);
  }
}

TEST(ParallelReduce, GivesTheSameBitsEverywhere) {
  std::vector<float> x(100'003);
  std::uniform_real_distribution<float> values(-1, 1);
  for (float& value : x)
    value = values(tests::generator()) * std::ldexp(1.0F, static_cast<int>(tests::generator()() % 40));
  const auto sum = [&](ptrdiff_t grain, const Backend& backend) {
    return std::bit_cast<std::uint32_t>(parallel_reduce(std::ssize(x), 0.0F,
                                                        [&](ptrdiff_t i) { return x[static_cast<std::size_t>(i)]; },
                                                        std::plus<>(), {.grain = grain, .backend = backend}));
  };
  std::set<std::uint32_t> of_all_grains;
  for (const ptrdiff_t grain : grains) {
    const std::uint32_t expected = sum(grain, Sequential{});
    of_all_grains.insert(expected);
    for (const Backend& backend : tests::every_backend()) {
      EXPECT_EQ(sum(grain, backend), expected) << tests::text(backend) << " grain " << grain;
    }
  }
  // Were they all the same, these numbers would show nothing.
  EXPECT_GT(of_all_grains.size(), 1u);
}

TEST(ParallelReduce, OfNothingIsTheIdentity) {
  for (const Backend& backend : tests::every_backend()) {
    EXPECT_EQ(parallel_reduce(0, 42,
                              [](ptrdiff_t) -> int {
                                ADD_FAILURE() << "called";
                                return 0;
                              },
                              std::plus<>(), {.backend = backend}),
              42);
    EXPECT_EQ(last_run().threads, 0);
  }
}

TEST(ParallelReduce, LeavesTheIdentityOutOtherwise) {
  EXPECT_EQ(parallel_reduce(
                3, 1000, [](ptrdiff_t i) { return static_cast<int>(i); }, std::plus<>()),
            3);
}

// bool is what a vector packs; a unique_ptr can't be copied, nor made from nothing that is of use.
TEST(ParallelReduce, OfAnyType) {
  for (const Backend& backend : tests::every_backend()) {
    EXPECT_TRUE(parallel_reduce(1000, false, [](ptrdiff_t i) { return i == 777; }, std::logical_or<>(),
                                {.grain = 1, .backend = backend}));
    using Number = std::unique_ptr<int>;
    const Number sum = parallel_reduce(
        100, Number(), [](ptrdiff_t i) { return std::make_unique<int>(static_cast<int>(i)); },
        [](Number a, const Number& b) {
          *a += *b;
          return a;
        },
        {.grain = 7, .backend = backend});
    EXPECT_EQ(*sum, 4950);
  }
}

TEST(ParallelReduce, EveryThreadTakesPart) {
  for (const Backend& backend : tests::every_backend()) {
    if (std::holds_alternative<Automatic>(backend)) continue;
    const int threads = std::visit(
        [](auto model) {
          if constexpr (requires { model.threads; })
            return model.threads > 0 ? model.threads : machine().default_threads;
          return 1;
        },
        backend);
    std::mutex lock;
    std::set<std::thread::id> seen;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    parallel_reduce(64, 0,
                    [&](ptrdiff_t) {
                      for (bool all = false; !all && std::chrono::steady_clock::now() < deadline;
                           std::this_thread::yield()) {
                        const std::scoped_lock held(lock);
                        seen.insert(std::this_thread::get_id());
                        all = seen.size() >= static_cast<std::size_t>(threads);
                      }
                      return 1;
                    },
                    std::plus<>(), {.backend = backend});
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(threads)) << tests::text(backend);
    EXPECT_EQ(last_run().threads, threads);
  }
}

TEST(ParallelReduce, AnExceptionReachesTheCaller) {
  for (const Backend& backend : tests::every_backend()) {
    const auto of_body = [&] {
      parallel_reduce(1000, 0,
                      [](ptrdiff_t i) {
                        if (i == 700) throw std::domain_error("seven hundred");
                        return 1;
                      },
                      std::plus<>(), {.backend = backend});
    };
    EXPECT_THAT(of_body, ThrowsMessage<std::domain_error>("seven hundred"));
    const auto of_combine = [&] {
      parallel_reduce(
          1000, 0, [](ptrdiff_t) { return 1; },
          [](int a, int b) -> int { return a + b < 1000 ? a + b : throw std::domain_error("sum"); },
          {.backend = backend});
    };
    EXPECT_THAT(of_combine, ThrowsMessage<std::domain_error>("sum"));
  }
}

TEST(ParallelReduce, WithinAnotherIsRight) {
  for (const Backend& outer : tests::every_backend()) {
    for (const Backend& inner : tests::every_backend()) {
      const int sum =
          parallel_reduce(8, 0,
                          [&](ptrdiff_t i) {
                            return parallel_reduce(16, 0, [&](ptrdiff_t j) { return static_cast<int>(16 * i + j); },
                                                   std::plus<>(), {.backend = inner});
                          },
                          std::plus<>(), {.backend = outer});
      EXPECT_EQ(sum, 128 * 127 / 2) << tests::text(inner) << " in " << tests::text(outer);
    }
  }
}

// Far more indices than anybody calls: the blocks' ends are at the right places all the same.
TEST(ParallelReduce, OfManyIndices) {
  constexpr ptrdiff_t count = (ptrdiff_t{1} << 62) + 12345;
  using Range = std::pair<ptrdiff_t, ptrdiff_t>;
  const auto join = [](Range a, Range b) {
    EXPECT_EQ(a.second, b.first);
    return Range(a.first, b.second);
  };
  for (const ptrdiff_t grain : {ptrdiff_t{0}, (ptrdiff_t{1} << 48) + 1}) {
    const Range all =
        parallel_reduce(count, Range(), [](ptrdiff_t first, ptrdiff_t last) { return Range(first, last); }, join,
                        {.grain = grain, .backend = Threads{2}});
    EXPECT_EQ(all, Range(0, count));
  }
}

TEST(ParallelReduce, RejectsWhatCannotBe) {
  const auto never = [](ptrdiff_t) -> int {
    ADD_FAILURE() << "called";
    return 0;
  };
  EXPECT_THAT([&] { parallel_reduce(-1, 0, never, std::plus<>()); },
              ThrowsMessage<InvalidArgument>("parallel_reduce: count is -1, expected 0 or more"));
  EXPECT_THAT([&] { parallel_reduce(1, 0, never, std::plus<>(), {.grain = -2}); },
              ThrowsMessage<InvalidArgument>("parallel_reduce: grain is -2, expected 0 or more"));
  EXPECT_THAT([&] { parallel_reduce(1, 0, never, std::plus<>(), {.backend = Threads{-1}}); },
              ThrowsMessage<InvalidArgument>(HasSubstr("threads is -1")));
}

}  // namespace
}  // namespace speedwell
