// SPDX-License-Identifier: Apache-2.0
// One task after the other: what everything else is compared with.
#include <thread>

#include "tasks.hpp"

int main() {
  show("wait", [] {
    for (int task = 0; task < tasks; ++task) std::this_thread::sleep_for(delay);
  });
  show("compute", [] {
    std::array<int, tasks> primes;
    for (int task = 0; task < tasks; ++task) primes[task] = compute(task);
    check(primes);
  });
}
