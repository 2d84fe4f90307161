// SPDX-License-Identifier: Apache-2.0
// Laws of scaling, fitted to measured curves, and what may be said of them.
//
//   Amdahl  S(N) = 1 / (s + (1 - s) / N)                       s: serial fraction
//   USL     S(N) = N / (1 + sigma (N - 1) + kappa N (N - 1))   sigma: contention, kappa: coherence (Gunther 1993)
//
// Both are linear in the time domain: N T(N) = a + b (N - 1) + c N (N - 1) with sigma = b / a, kappa = c / a, and
// Amdahl is c = 0. Therefore the fit is weighted non-negative least squares, and with two bounded coefficients its
// exact solution is the best feasible one of four ordinary least squares problems. T is relative to the sequential
// version, so that `a` is what one thread of the model costs, and overhead on one thread isn't mistaken for a serial
// fraction.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/scaling/statistics.hpp"

namespace speedwell::scaling {

// Karp and Flatt's experimentally determined serial fraction (1990): (1/S - 1/p) / (1 - 1/p), p >= 2.
double karp_flatt(double speedup, int threads);

struct Coefficients {
  double a = 0;
  double b = 0;
  double c = 0;
  double squares = 0;  // the weighted sum of squared residuals
};
enum class Terms { linear, quadratic };  // b alone, or b and c

// Minimises sum of weight (N y - a - b (N-1) - c N (N-1))^2 over a > 0, b >= 0, c >= 0.
Coefficients fit_coefficients(std::span<const int> threads, std::span<const double> times,
                              std::span<const double> weights, Terms terms);

// What one backend measured at one thread count: time over the sequential version's time, one value a round (NaN:
// none).
struct CurvePoint {
  int threads = 0;
  std::vector<double> relative_times{};
};

struct Prediction {
  int threads = 0;
  double speedup = 0;
  Interval band{};
  bool extrapolated = false;  // beyond the largest measured count
};

enum class Law { none, amdahl, usl };
const char* name_of(Law law);

struct LawFit {
  Law law = Law::none;
  std::string reason{};   // why this law, why none, what to beware of
  double one_thread = 0;  // a: time of the model on one thread over the sequential time
  double sigma = 0;       // Amdahl's serial fraction, or USL's contention
  double kappa = 0;
  Interval sigma_ci{};
  Interval kappa_ci{};
  std::optional<double> peak;  // threads{}; only where its whole interval is near enough to what was measured
  Interval peak_ci{};
  double worst_residual = 0;  // the largest relative distance of a measured point from the curve
  bool superlinear = false;
  std::vector<Prediction> predicted{};
};

// Fits one law, whatever the points say of it, and predicts every count up to `last`. Bands come from resampled rounds,
// paired across the points.
LawFit fit_law(Law law, std::span<const CurvePoint> points, int last, std::uint64_t seed);

// Chooses a law, or none with the reason: 2 thread counts carry none, 3 Amdahl at most, 4 and more USL where AICc
// prefers it. `allowed` is the number of cores: points beyond it are not fitted, and nothing is predicted there.
LawFit choose_law(std::span<const CurvePoint> points, int allowed, std::uint64_t seed);

}  // namespace speedwell::scaling
