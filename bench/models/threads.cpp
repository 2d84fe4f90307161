// SPDX-License-Identifier: Apache-2.0
// Threads of the system: each takes the next task that nobody has, and when it waits, only itself waits.
#include <latch>
#include <thread>
#include <vector>

#include "bench/models/techniques.hpp"

namespace speedwell::bench::models {

void run_threads(Stage& stage) {
  FirstError error;
  std::latch there(static_cast<std::ptrdiff_t>(stage.lanes.size()));
  std::latch go(1);
  {
    std::vector<std::jthread> threads;
    for (Lane& lane : stage.lanes) {
      threads.emplace_back([&stage, &lane, &there, &go, &error] {
        there.count_down();
        go.wait();
        error.guard([&] {
          for (int task; (task = stage.board.take_task()) < stage.board.tasks();) run_task(lane, task);
        });
      });
    }
    there.wait();
    stage.board.ready();
    go.count_down();
  }
  error.rethrow();
}

}  // namespace speedwell::bench::models
