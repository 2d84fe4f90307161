// SPDX-License-Identifier: Apache-2.0
// The same two jobs for each technique: eight tasks that wait, and eight tasks that compute.
#pragma once

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

inline constexpr int tasks = 8;

// A task that waits, as for an answer from another computer: it needs no core meanwhile.
inline constexpr auto delay = std::chrono::milliseconds(50);

// A task that computes: how many primes are there among the numbers first..first + count - 1?
inline int primes_among(int first, int count) {
  int primes = 0;
  for (int number = first; number < first + count; ++number) {
    bool prime = number >= 2;
    for (int divisor = 2; prime && divisor * divisor <= number; ++divisor) prime = number % divisor != 0;
    primes += prime;
  }
  return primes;
}
inline constexpr int share = 125'000;
inline int compute(int task) { return primes_among(task * share, share); }

// The number of primes below a million, as in tables of the prime-counting function.
inline constexpr int all_primes = 78'498;

using Clock = std::chrono::steady_clock;

// Prints how long `job` took.
template <class Job>
void show(const char* name, Job job) {
  const auto begin = Clock::now();
  job();
  const std::chrono::duration<double, std::milli> time = Clock::now() - begin;
  std::printf("%d tasks that %-8s %6.1f ms\n", tasks, name, time.count());
}

// Ends the program if the tasks' results are wrong.
inline void check(const std::array<int, tasks>& primes) {
  int sum = 0;
  for (const int count : primes) sum += count;
  if (sum == all_primes) return;
  std::fprintf(stderr, "%d primes, expected %d\n", sum, all_primes);
  std::exit(1);
}
