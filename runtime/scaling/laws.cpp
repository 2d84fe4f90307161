// SPDX-License-Identifier: Apache-2.0
#include "runtime/scaling/laws.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include <fmt/format.h>
#include <Eigen/QR>

namespace speedwell::scaling {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Enough for the tails of a band that is drawn and rounded to two digits; a fit costs microseconds, a curve some 20 ms.
constexpr int resamples = 800;

// A law that misses a point by more than this, and by more than the point's own interval, doesn't describe the curve.
constexpr double worst_misfit = 0.10;

// Nothing is predicted further out than this many times the largest measured count.
constexpr int extrapolation = 2;

struct Curve {
  std::vector<int> threads;
  std::vector<double> times;    // medians
  std::vector<double> errors;   // standard errors of the medians
  std::vector<double> weights;  // of N times
};

std::vector<double> present(const CurvePoint& point) {
  std::vector<double> values;
  for (const double value : point.relative_times) {
    if (std::isfinite(value)) values.push_back(value);
  }
  return values;
}

// The standard error of a median, from the interval that its ranks enclose.
double standard_error(const std::vector<double>& values) {
  const Interval interval = median_interval(values);
  return (interval.high - interval.low) / (2 * 1.96);
}

Curve curve_of(std::span<const CurvePoint> points) {
  Curve curve;
  std::vector<double> relative;
  for (const CurvePoint& point : points) {
    const std::vector<double> values = present(point);
    curve.threads.push_back(point.threads);
    curve.times.push_back(median(values));
    curve.errors.push_back(standard_error(values));
    relative.push_back(curve.errors.back() / curve.times.back());
  }
  // An error estimated from nine samples can be tiny by luck, and such a point would then rule the fit alone: no point
  // counts as better known than the typical one. A ten-thousandth is finer than any clock here tells.
  const double typical = std::max(median(relative), 1e-4);
  for (std::size_t i = 0; i < curve.times.size(); ++i) {
    curve.errors[i] = std::max(curve.errors[i], typical * curve.times[i]);
    const double error = curve.threads[i] * curve.errors[i];
    curve.weights.push_back(1 / (error * error));
  }
  return curve;
}

double predicted_speedup(const Coefficients& fit, int threads) {
  const double n = threads;
  return n / (fit.a + fit.b * (n - 1) + fit.c * n * (n - 1));
}

// Where the speedup is largest; infinite where it never falls.
double peak_of(const Coefficients& fit) {
  if (fit.c <= 0) return infinity;
  return fit.b >= fit.a ? 1 : std::max(1.0, std::sqrt((fit.a - fit.b) / fit.c));
}

Interval band_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {quantile(values, 0.025), quantile(values, 0.975)};
}

// The fits of curves made from resampled rounds. A round is drawn for all points at once: its samples share one
// baseline.
std::vector<Coefficients> resampled_fits(std::span<const CurvePoint> points, const Curve& curve, Terms terms,
                                         std::uint64_t seed) {
  std::size_t rounds = 0;
  for (const CurvePoint& point : points) rounds = std::max(rounds, point.relative_times.size());
  Random random(seed);
  std::vector<Coefficients> fits;
  fits.reserve(resamples);
  std::vector<std::size_t> drawn(rounds);
  std::vector<double> times(points.size());
  std::vector<double> values;
  for (int r = 0; r < resamples; ++r) {
    for (std::size_t& round : drawn) round = static_cast<std::size_t>(random.below(static_cast<int>(rounds)));
    for (std::size_t i = 0; i < points.size(); ++i) {
      values.clear();
      for (const std::size_t round : drawn) {
        if (round < points[i].relative_times.size() && std::isfinite(points[i].relative_times[round])) {
          values.push_back(points[i].relative_times[round]);
        }
      }
      // An interrupted run may hold a point in few rounds, and a draw may miss them all.
      times[i] = values.empty() ? curve.times[i] : median(values);
    }
    fits.push_back(fit_coefficients(curve.threads, times, curve.weights, terms));
  }
  return fits;
}

// Akaike's criterion, corrected for few samples. The residuals are measured in known errors, so minus twice the log
// likelihood is their sum of squares up to a constant. `samples` counts timings, not points.
double aicc(const Coefficients& fit, int parameters, int samples) {
  const double k = parameters;
  const double spare = samples - k - 1;
  return spare <= 0 ? infinity : fit.squares + 2 * k + 2 * k * (k + 1) / spare;
}

std::string join(std::vector<std::string> parts) {
  std::string text;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (!text.empty()) text += "; ";
    text += part;
  }
  return text;
}

}  // namespace

double karp_flatt(double speedup, int threads) {
  const double p = threads;
  return (1 / speedup - 1 / p) / (1 - 1 / p);
}

Coefficients fit_coefficients(std::span<const int> threads, std::span<const double> times,
                              std::span<const double> weights, Terms terms) {
  const auto rows = static_cast<Eigen::Index>(threads.size());
  Eigen::MatrixX3d columns(rows, 3);
  Eigen::VectorXd target(rows);
  for (Eigen::Index i = 0; i < rows; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const double n = threads[at];
    const double root = std::sqrt(weights[at]);
    columns.row(i) << root, root * (n - 1), root * n * (n - 1);
    target(i) = root * n * times[at];
  }

  constexpr std::array<std::array<int, 3>, 4> active_sets{{{0, -1, -1}, {0, 1, -1}, {0, 2, -1}, {0, 1, 2}}};
  Coefficients best{.squares = infinity};
  for (const std::array<int, 3>& active : active_sets) {
    const auto count =
        static_cast<Eigen::Index>(std::count_if(active.begin(), active.end(), [](int c) { return c >= 0; }));
    const bool uses_c = active[1] == 2 || active[2] == 2;
    if (count > rows || (uses_c && terms == Terms::linear)) continue;
    Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor, Eigen::Dynamic, 3> chosen(rows, count);
    for (Eigen::Index c = 0; c < count; ++c) chosen.col(c) = columns.col(active[static_cast<std::size_t>(c)]);
    const Eigen::VectorXd solution = chosen.colPivHouseholderQr().solve(target);
    if (solution.minCoeff() < 0 || solution(0) <= 0) continue;
    const double squares = (chosen * solution - target).squaredNorm();
    if (squares >= best.squares) continue;
    best = {.squares = squares};
    for (Eigen::Index c = 0; c < count; ++c) {
      const int column = active[static_cast<std::size_t>(c)];
      (column == 0 ? best.a : column == 1 ? best.b : best.c) = solution(c);
    }
  }
  return best;
}

const char* name_of(Law law) { return law == Law::usl ? "usl" : law == Law::amdahl ? "amdahl" : "none"; }

LawFit fit_law(Law law, std::span<const CurvePoint> points, int last, std::uint64_t seed) {
  const Curve curve = curve_of(points);
  const Terms terms = law == Law::usl ? Terms::quadratic : Terms::linear;
  const Coefficients fit = fit_coefficients(curve.threads, curve.times, curve.weights, terms);

  LawFit result;
  result.law = law;
  result.one_thread = fit.a;
  result.sigma = fit.b / fit.a;
  result.kappa = fit.c / fit.a;
  for (std::size_t i = 0; i < curve.times.size(); ++i) {
    const double miss = std::abs(predicted_speedup(fit, curve.threads[i]) * curve.times[i] - 1);
    const double allowance = 1.96 * curve.errors[i] / curve.times[i];
    if (miss > allowance) result.worst_residual = std::max(result.worst_residual, miss);
  }

  const std::vector<Coefficients> fits = resampled_fits(points, curve, terms, seed);
  const auto band = [&](auto value) {
    std::vector<double> values;
    values.reserve(fits.size());
    for (const Coefficients& each : fits) values.push_back(value(each));
    return band_of(std::move(values));
  };
  result.sigma_ci = band([](const Coefficients& each) { return each.b / each.a; });
  result.kappa_ci = band([](const Coefficients& each) { return each.c / each.a; });
  result.peak = peak_of(fit);
  result.peak_ci = band(peak_of);

  const int measured = *std::max_element(curve.threads.begin(), curve.threads.end());
  for (int n = 1; n <= last; ++n) {
    result.predicted.push_back({.threads = n,
                                .speedup = predicted_speedup(fit, n),
                                .band = band([n](const Coefficients& each) { return predicted_speedup(each, n); }),
                                .extrapolated = n > measured});
  }
  return result;
}

LawFit choose_law(std::span<const CurvePoint> all, int allowed, std::uint64_t seed) {
  std::vector<CurvePoint> points;
  int beyond = 0;
  for (const CurvePoint& point : all) {
    if (present(point).empty()) continue;
    if (point.threads > allowed) {
      ++beyond;
    } else {
      points.push_back(point);
    }
  }
  const std::string left_out = beyond > 0 ? fmt::format("{} point{} beyond the {} core{} left out", beyond,
                                                        beyond == 1 ? "" : "s", allowed, allowed == 1 ? "" : "s")
                                          : "";
  const auto none = [&](std::string reason) {
    LawFit fit;
    fit.reason = join({std::move(reason), left_out});
    return fit;
  };
  if (points.empty()) return none("no speedup was measured");
  if (points.size() == 1) return none("one thread count carries no law");
  if (points.size() == 2) return none("two thread counts carry no law: see Karp-Flatt");

  const Curve curve = curve_of(points);
  int samples = 0;
  for (const CurvePoint& point : points) samples += static_cast<int>(present(point).size());
  const Coefficients amdahl = fit_coefficients(curve.threads, curve.times, curve.weights, Terms::linear);
  Law law = Law::amdahl;
  if (points.size() >= 4) {
    const Coefficients usl = fit_coefficients(curve.threads, curve.times, curve.weights, Terms::quadratic);
    if (usl.c > 0 && aicc(usl, 3, samples) < aicc(amdahl, 2, samples)) law = Law::usl;
  }

  const int measured = points.back().threads;
  LawFit fit = fit_law(law, points, std::min(extrapolation * measured, allowed), seed);
  if (fit.sigma >= 1) return none("more threads are slower: overhead, not a serial part");
  // Superlinear: more speedup than threads, by more than the intervals carry, against the model's own one thread too.
  for (const CurvePoint& point : points) {
    if (point.threads == 1) continue;
    const Interval time = median_interval(present(point));
    const double own = points.front().threads == 1 ? median_interval(present(points.front())).low : 1;
    if (time.high * point.threads < std::min(own, 1.0)) fit.superlinear = true;
  }

  if (fit.worst_residual > worst_misfit && !fit.superlinear) {
    const double misfit = fit.worst_residual;
    LawFit refused =
        none(fmt::format("neither Amdahl's law nor USL describes the curve (off by {:.0f} %)", 100 * misfit));
    refused.worst_residual = misfit;
    return refused;
  }

  std::string preferred;
  if (points.size() == 3) {
    preferred = "three thread counts carry Amdahl's law at most";
  } else {
    preferred =
        fmt::format("{} by AICc over {} thread counts", law == Law::usl ? "USL" : "Amdahl's law", points.size());
  }
  const std::string few = points.size() >= 4 && points.size() < 6 ? "fewer than 6 thread counts: weakly founded" : "";
  const std::string cache =
      fit.superlinear ? "superlinear, most likely a cache effect: the serial part clamps to 0" : "";
  std::string peak;
  if (law == Law::usl && std::isfinite(fit.peak_ci.high) && fit.peak_ci.high <= extrapolation * measured) {
    peak = fmt::format("peak near {:.0f} threads", *fit.peak);
  } else {
    fit.peak.reset();
    peak = fmt::format("no peak seen up to {}", measured);
  }
  fit.reason = join({preferred, few, cache, peak, left_out});
  return fit;
}

}  // namespace speedwell::scaling
