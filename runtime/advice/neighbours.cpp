// SPDX-License-Identifier: Apache-2.0
#include "runtime/advice/neighbours.hpp"

#include <algorithm>
#include <atomic>
#include <stop_token>

namespace speedwell::advice {

Triad::Triad(std::byte* memory, std::size_t bytes)
    : length_(std::max<std::size_t>(bytes / (3 * piece * sizeof(float)), 1) * piece),
      a_(reinterpret_cast<float*>(memory)),
      b_(a_ + length_),
      c_(b_ + length_) {
  std::fill(a_, a_ + 3 * length_, 1.0F);
}

void Triad::operator()() {
  float* const a = a_ + position_;
  const float* const b = b_ + position_;
  const float* const c = c_ + position_;
  for (std::size_t i = 0; i < piece; ++i) a[i] = b[i] + 3 * c[i];
  position_ = (position_ + piece) % length_;
}

void spin() {
  // Each step waits for the one before, and a compiler can't know where it ends.
  static std::atomic<double> kept = 0;
  double x = 1;
  for (int i = 0; i < 10000; ++i) x = x * 0.999 + 0.5;
  kept.store(x, std::memory_order_relaxed);
}

Neighbours::Neighbours(const std::vector<std::function<void()>>& bodies) {
  for (const std::function<void()>& body : bodies) {
    threads_.emplace_back([body](const std::stop_token& stop) {
      while (!stop.stop_requested()) body();
    });
  }
}

}  // namespace speedwell::advice
