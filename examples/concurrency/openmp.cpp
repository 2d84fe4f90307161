// SPDX-License-Identifier: Apache-2.0
// A loop divided by the compiler among as many threads as there are cores. Made for computing: of tasks that wait, no
// more overlap than there are threads, so here they ask for as many threads as tasks.
#include <thread>

#include "tasks.hpp"

int main() {
  show("wait", [] {
#pragma omp parallel for schedule(static, 1) num_threads(tasks)
    for (int task = 0; task < tasks; ++task) std::this_thread::sleep_for(delay);
  });
  show("compute", [] {
    std::array<int, tasks> primes;
#pragma omp parallel for schedule(dynamic)
    for (int task = 0; task < tasks; ++task) primes[task] = compute(task);
    check(primes);
  });
}
