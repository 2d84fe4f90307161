// SPDX-License-Identifier: Apache-2.0
// Whatever is thrown becomes a status and a text.
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include <speedwell/error.hpp>

#include "c_api/guard.hpp"

namespace {

using speedwell::c_api::guarded;

struct Foreign {};

TEST(CApiGuard, EachExceptionHasItsStatusAndText) {
  EXPECT_EQ(guarded([] { throw speedwell::InvalidArgument("rows is -1"); }), SPEEDWELL_INVALID_ARGUMENT);
  EXPECT_STREQ(speedwell_last_error(), "rows is -1");
  EXPECT_EQ(guarded([] { throw std::bad_alloc(); }), SPEEDWELL_OUT_OF_MEMORY);
  EXPECT_STREQ(speedwell_last_error(), "out of memory");
  EXPECT_EQ(guarded([] { throw std::bad_array_new_length(); }), SPEEDWELL_OUT_OF_MEMORY);
  EXPECT_EQ(guarded([] { throw std::runtime_error("no thread"); }), SPEEDWELL_FAILED);
  EXPECT_STREQ(speedwell_last_error(), "no thread");
  EXPECT_EQ(guarded([] { throw Foreign(); }), SPEEDWELL_FAILED);
  EXPECT_STREQ(speedwell_last_error(), "an exception of a type that says nothing of itself");
  EXPECT_EQ(guarded([] { throw 7; }), SPEEDWELL_FAILED);
}

TEST(CApiGuard, SuccessKeepsTheText) {
  EXPECT_EQ(guarded([] { throw std::runtime_error("before"); }), SPEEDWELL_FAILED);
  EXPECT_EQ(guarded([] {}), SPEEDWELL_OK);
  EXPECT_STREQ(speedwell_last_error(), "before");
}

TEST(CApiGuard, LongTextIsCut) {
  const std::string text(2000, 'x');
  EXPECT_EQ(guarded([&] { throw std::runtime_error(text); }), SPEEDWELL_FAILED);
  EXPECT_EQ(speedwell_last_error(), std::string(511, 'x'));
}

TEST(CApiGuard, EachThreadHasItsOwnText) {
  EXPECT_EQ(guarded([] { throw std::runtime_error("mine"); }), SPEEDWELL_FAILED);
  std::thread([] {
    EXPECT_STREQ(speedwell_last_error(), "");
    EXPECT_EQ(guarded([] { throw std::runtime_error("another's"); }), SPEEDWELL_FAILED);
  }).join();
  EXPECT_STREQ(speedwell_last_error(), "mine");
}

}  // namespace
