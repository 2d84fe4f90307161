// SPDX-License-Identifier: Apache-2.0
// Cases that a program brings: what becomes of their definitions. tests/install_test.sh runs a whole program of them.
#include <speedwell/bench.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <speedwell/error.hpp>
#include <speedwell/parallel_for.hpp>

#include "bench/case.hpp"
#include "bench/cases/kernel_cases.hpp"
#include "bench/own/own_cases.hpp"

namespace speedwell::bench {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

// Doubles what it finds, so that it needs a reset; wrong where `error` says so.
Task doubling(std::size_t count, float error = 0, bool with_output = true) {
  const auto values = std::make_shared<std::vector<float>>(count, 1.0f);
  Task task = {.run =
                   [=](const Backend& backend) {
                     parallel_for(static_cast<std::ptrdiff_t>(values->size()),
                                  [&](std::ptrdiff_t i) { (*values)[static_cast<std::size_t>(i)] *= 2 + error; },
                                  {.backend = backend});
                   },
               .verify =
                   [=] {
                     for (const float value : *values) {
                       if (value != 2) return "found " + std::to_string(value);
                     }
                     return std::string();
                   },
               .reset = [=] { std::fill(values->begin(), values->end(), 1.0f); }};
  if (with_output) task.output = std::as_writable_bytes(std::span(*values));
  return task;
}

CaseDefinition definition(const std::string& size, std::function<Task(int)> make) {
  return {.kernel = "twice",
          .size = size,
          .flops = 10,
          .bytes = 80,
          .written_bytes = 40,
          .precision = "f32",
          .make = std::move(make)};
}

class OwnCases : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    set_own_cases({definition("10", [](int) { return doubling(10); }),
                   definition("11", [](int) { return doubling(11, 0.5f); }),
                   definition("12", [](int) { return doubling(12, 0, false); }),
                   definition("no_run",
                              [](int) {
                                Task task = doubling(1);
                                task.run = nullptr;
                                return task;
                              }),
                   definition("counting", [](int) {
                     Task task = doubling(1);
                     task.threads_used = [] { return 7; };
                     task.reset = nullptr;
                     return task;
                   })});
  }

  static std::unique_ptr<Workload> make(const std::string& size) { return find_case("twice/f32/" + size)->make(1); }
};

TEST_F(OwnCases, StandBesideTheCeilings) {
  ASSERT_NE(find_case("twice/f32/10"), nullptr);
  const Case& one = *find_case("twice/f32/10");
  EXPECT_EQ(one.flops, 10);
  EXPECT_EQ(one.bytes, 80);
  EXPECT_EQ(one.written_bytes, 40);
  EXPECT_EQ(one.precision, "f32");
  EXPECT_TRUE(one.quick);
  EXPECT_NE(find_case("ceiling/triad/memory"), nullptr);
  EXPECT_EQ(find_case("matmul/f32/1024x1024x1024"), nullptr);
  EXPECT_TRUE(brings_own_cases());
}

TEST_F(OwnCases, RunOnEveryModelWithTheSameBits) {
  const auto workload = make("10");
  std::uint64_t hash = 0;
  for (const Backend& backend : {Backend(Sequential{}), Backend(Threads{2}), Backend(OpenMp{2}), Backend(Tbb{2})}) {
    if (!is_built(backend)) continue;
    workload->spoil(0, 1);
    EXPECT_THAT(workload->verify(), HasSubstr("nan"));
    workload->reset();
    workload->run(backend);
    EXPECT_EQ(workload->verify(), "");
    EXPECT_GE(workload->threads_used(), 1);
    if (hash == 0) hash = workload->output_hash();
    EXPECT_EQ(workload->output_hash(), hash);
  }
  // One element of them all.
  workload->spoil(3, 1000);
  EXPECT_NE(workload->output_hash(), hash);
}

TEST_F(OwnCases, AWrongResultIsSeen) {
  const auto workload = make("11");
  workload->reset();
  workload->run(Sequential{});
  EXPECT_EQ(workload->verify(), "found 2.500000");
}

TEST_F(OwnCases, WithoutAnOutputEachSampleIsVerified) {
  const auto workload = make("12");
  workload->spoil(0, 1);
  workload->reset();
  workload->run(Sequential{});
  const std::uint64_t right = workload->output_hash();
  workload->run(Sequential{});
  EXPECT_NE(workload->output_hash(), right);
}

TEST_F(OwnCases, MayCountTheirThreadsThemselves) {
  const auto workload = make("counting");
  EXPECT_EQ(workload->threads_used(), 7);
  EXPECT_FALSE(workload->needs_reset());
  EXPECT_TRUE(make("10")->needs_reset());
}

TEST_F(OwnCases, ATaskWithoutAFunctionIsRefused) {
  EXPECT_THAT([] { make("no_run"); },
              ThrowsMessage<InvalidArgument>(
                  "twice/f32/no_run: its task has no run, expected functions that compute and that check"));
}

TEST_F(OwnCases, DefinitionsThatCannotBeAreRefused) {
  const auto good = definition("1", [](int) { return doubling(1); });
  const auto refused = [](std::vector<CaseDefinition> definitions, const char* message) {
    EXPECT_THAT([&] { set_own_cases(definitions); }, ThrowsMessage<InvalidArgument>(HasSubstr(message)));
  };
  refused({}, "there are no cases, expected one at least");
  refused({good, good}, "two cases are called twice/f32/1");
  CaseDefinition bad = good;
  bad.kernel = "a/b";
  refused({bad}, "a case's kernel is 'a/b', expected letters");
  bad.kernel = "ceiling";
  refused({bad}, "a case's kernel is 'ceiling', expected another name");
  bad = good;
  bad.variant = "";
  refused({bad}, "a case's variant is ''");
  bad = good;
  bad.size = "1 x 1";
  refused({bad}, "a case's size is '1 x 1'");
  bad = good;
  bad.flops = std::numeric_limits<double>::quiet_NaN();
  refused({bad}, "twice/f32/1: flops is nan, expected a number from 0 on");
  bad = good;
  bad.written_bytes = 81;
  refused({bad}, "written_bytes is 81.000000, expected at most bytes, 80.000000");
  bad = good;
  bad.make = nullptr;
  refused({bad}, "make is empty");
  // And the ones before are still there.
  EXPECT_NE(find_case("twice/f32/10"), nullptr);
}

TEST_F(OwnCases, MainSaysWhatIsWrong) {
  std::string name = "mine";
  char* arguments[] = {name.data(), nullptr};
  testing::internal::CaptureStderr();
  EXPECT_EQ(bench::main(1, arguments, {}), 2);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "mine: there are no cases, expected one at least\n");
}

}  // namespace
}  // namespace speedwell::bench
