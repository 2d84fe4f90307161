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
  Gate gate;
  {
    std::vector<std::jthread> threads;
    const Opening opening(gate);  // at the end, also where a thread can't be made
    for (Lane& lane : stage.lanes) {
      threads.emplace_back([&stage, &lane, &there, &gate, &error] {
        there.count_down();
        gate.wait();
        error.guard([&] {
          for (int task; (task = stage.board.take_task()) < stage.board.tasks();) run_task(lane, task);
        });
      });
    }
    there.wait();
    stage.board.ready();
  }
  error.rethrow();
}

}  // namespace speedwell::bench::models
