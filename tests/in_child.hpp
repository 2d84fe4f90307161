// SPDX-License-Identifier: Apache-2.0
// Runs something in a forked child.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace tests {

// What `body` returns, in a forked child; which must end by itself, so a child that hangs fails after `seconds`. A
// child that was ended by a signal has that signal's number, negative.
template <class Body>
int status_in_child(const Body& body, unsigned seconds = 30) {
  std::fflush(nullptr);  // or the child writes it once more
  const pid_t child = fork();
  if (child < 0) return 1000;
  if (child == 0) {
    alarm(seconds);
    const int status = body();
    std::fflush(nullptr);
    _exit(status);
  }
  int status = 0;
  while (waitpid(child, &status, 0) != child) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// `body` returns whether all is well.
template <class Body>
void expect_in_child(const Body& body) {
  EXPECT_EQ(status_in_child([&] { return body() ? 0 : 1; }), 0);
}

}  // namespace tests
