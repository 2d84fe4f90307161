// SPDX-License-Identifier: Apache-2.0
// Runs something in a forked child.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

namespace tests {

// Whether a child works that was forked while another thread allocated: not with the sanitizers' allocators, which keep
// the locks that they held then.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool may_fork_amid_allocations = false;
#elif defined(__has_feature)
inline constexpr bool may_fork_amid_allocations = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
inline constexpr bool may_fork_amid_allocations = true;
#endif

// What `body` returns, in a forked child. A child that was ended by a signal has that signal's number, negative; one
// that doesn't end within `seconds` has SIGALRM's. The parent sees to that too, as a child may hang before it can:
// where another thread held a lock of the allocator at the fork, and a library's handler of forks allocates.
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
  const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(seconds + 5);
  while (waitpid(child, &status, WNOHANG) != child) {
    if (std::chrono::steady_clock::now() > last) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return -SIGALRM;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// `body` returns whether all is well.
template <class Body>
void expect_in_child(const Body& body) {
  EXPECT_EQ(status_in_child([&] { return body() ? 0 : 1; }), 0);
}

}  // namespace tests
