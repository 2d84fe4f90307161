// SPDX-License-Identifier: Apache-2.0
// One task after the other.
#include "bench/models/techniques.hpp"

namespace speedwell::bench::models {

void run_sequential(Stage& stage) {
  stage.board.ready();
  for (int task = 0; task < stage.board.tasks(); ++task) run_task(stage.lanes.front(), task);
}

}  // namespace speedwell::bench::models
