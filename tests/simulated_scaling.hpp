// SPDX-License-Identifier: Apache-2.0
// A body whose time is simulated: its calls only move a clock on.
#pragma once

#include <cmath>
#include <functional>

#include <speedwell/scaling.hpp>

#include "runtime/scaling/measure.hpp"
#include "runtime/scaling/statistics.hpp"

namespace tests {

class SimulatedScaling {
 public:
  // time_ns(threads) of a call, give or take the relative noise; 0 threads: the sequential version.
  explicit SimulatedScaling(std::function<double(int)> time_ns, double noise = 0.01, int cores = 16)
      : time_ns_(std::move(time_ns)), noise_(noise), cores_(cores) {}

  void call(int threads) {
    // Between -1 and 1, skewed as timings are.
    const double chance = static_cast<double>(random_.below(1 << 20)) / (1 << 20);
    now_ns_ += time_ns_(threads) * (1 + noise_ * (2 * chance * chance * chance - 0.5));
    ++calls_;
  }

  speedwell::Scaling measure(speedwell::ScalingOptions options) {
    if (!options.sequential) options.sequential = [this] { call(0); };
    return measure_alone(options);
  }

  // Against body(1).
  speedwell::Scaling measure_alone(const speedwell::ScalingOptions& options) {
    return speedwell::scaling::measure([this](int threads) { call(threads); }, options, surroundings());
  }

  speedwell::scaling::Surroundings surroundings() {
    return {.now_ns = [this] { return now_ns_; },
            .settle = [this] { return settles_; },
            .cores = cores_,
            .available = cores_};
  }

  double now_s() const { return now_ns_ * 1e-9; }
  long long calls() const { return calls_; }
  void never_settle() { settles_ = false; }

 private:
  std::function<double(int)> time_ns_;
  double noise_;
  int cores_;
  double now_ns_ = 1e9;
  long long calls_ = 0;
  bool settles_ = true;
  speedwell::scaling::Random random_{7};
};

// Times of a call that takes `alone_ns` on one thread, and of a sequential version that takes as long.
inline std::function<double(int)> amdahl(double alone_ns, double serial) {
  return [=](int threads) { return alone_ns * (threads < 2 ? 1 : serial + (1 - serial) / threads); };
}

inline std::function<double(int)> usl(double alone_ns, double sigma, double kappa) {
  return [=](int threads) {
    const double n = threads < 2 ? 1 : threads;
    return alone_ns * (1 + sigma * (n - 1) + kappa * n * (n - 1)) / n;
  };
}

}  // namespace tests
