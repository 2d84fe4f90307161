// SPDX-License-Identifier: Apache-2.0
// Copies of a task that run side by side for a while.
#pragma once

#include <algorithm>
#include <exception>
#include <functional>
#include <vector>

#include "runtime/advice/usage.hpp"

namespace speedwell::advice {

struct Window {
  double settle_ns = 0;  // before it: new threads begin on one core, and are spread over the others by and by
  double length_ns = 0;
  int batch = 1;              // calls between two looks at the clock
  bool count_misses = false;  // by the processor's counter, of a single copy
};

// What all copies came to, with what they did before the window and after it; the rate is of the window alone.
struct Outcome {
  double calls_per_s = 0;
  double calls = 0;
  double wall_ns = 0;          // of the copies together
  double cpu_ns = 0;           // of their threads
  double queue_ns = 0;         // in which they could have run and had no core
  double process_cpu_ns = 0;   // of the whole process, while the first copy ran, and
  double process_wall_ns = 0;  // how long that was
  double voluntary_switches = 0;
  double involuntary_switches = 0;
  double misses = -1;           // cache misses; negative: not counted
  std::exception_ptr thrown{};  // by the first copy that threw: the numbers then mean nothing

  // The part of the time that they were not in the queue.
  double out_of_queue() const { return 1 - std::clamp(queue_ns / wall_ns, 0.0, 0.99); }
};

// Runs each of `tasks` on a thread of its own, from a common begin, until the window is over. Throws std::system_error
// if there can't be so many threads.
Outcome run_window(const std::vector<std::function<void()>>& tasks, const Window& window);

}  // namespace speedwell::advice
