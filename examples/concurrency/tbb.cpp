// SPDX-License-Identifier: Apache-2.0
// Tasks for a fixed set of threads, one a core, who take work from each other. A task that waits keeps its thread from
// all others, so a library of tasks for computing is the wrong place to wait: two cores wait for two tasks at a time.
#include <oneapi/tbb/parallel_for.h>

#include <thread>

#include "tasks.hpp"

int main() {
  show("wait", [] { tbb::parallel_for(0, tasks, [](int) { std::this_thread::sleep_for(delay); }); });
  show("compute", [] {
    std::array<int, tasks> primes;
    tbb::parallel_for(0, tasks, [&](int task) { primes[task] = compute(task); });
    check(primes);
  });
}
