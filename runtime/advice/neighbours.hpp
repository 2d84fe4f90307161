// SPDX-License-Identifier: Apache-2.0
// What runs beside a task to see whether they want the same thing.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace speedwell::advice {

// a = b + s c on vectors beyond the caches, a piece a call, round and round.
class Triad {
 public:
  static constexpr std::size_t piece = 32768;
  static constexpr double bytes_per_call =
      3.0 * piece * sizeof(float);  // compulsory: each element read or written once

  // In memory that outlives it.
  Triad(std::byte* memory, std::size_t bytes);
  void operator()();

 private:
  std::size_t length_;
  float* a_;
  float* b_;
  float* c_;
  std::size_t position_ = 0;
};

// Some microseconds of arithmetic on registers.
void spin();

// Each of `bodies` over and over on a thread of its own, until this goes.
class Neighbours {
 public:
  explicit Neighbours(const std::vector<std::function<void()>>& bodies);

 private:
  std::vector<std::jthread> threads_;
};

}  // namespace speedwell::advice
