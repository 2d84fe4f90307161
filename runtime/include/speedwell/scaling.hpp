// SPDX-License-Identifier: Apache-2.0
// How a function of the caller's own speeds up with the number of threads: the instrument's numbers, law and sentence.
//
//   const Scaling scaling = measure_scaling([&](int threads) { solve(system, threads); }, {.name = "solve"});
//   std::cout << to_text(scaling);
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace speedwell {

struct ScalingOptions {
  std::string name = "body";  // what the sentence calls it; not empty and not "sequential"

  // Thread counts to measure, each 1 to 1024, in any order. None: 1, 2, ... 8, then 12, 16, 24, 32, ... up to the
  // physical cores that this process may use, capped by the container's quota, and that number itself.
  std::vector<int> threads{};

  // The best sequential version, against which every speedup is. None: body(1), measured once more in each round.
  std::function<void()> sequential{};

  int rounds = 9;        // at least so many, 9 to 1000, if the budget has room for them
  int most_rounds = 30;  // then more, until every interval is within 2 % of its median, up to so many; `rounds` to 1000
  double budget_s = 60;  // wall time for all; the first round is completed whatever it takes
  double warm_up_s = 5e-4;  // before each sample, untimed: calls for so long, and at least one; 0 to 60
  std::uint64_t seed = 1;   // of the order within each round
  double flops = 0;         // operations of one call, for rates; 0: not counted
  double bytes = 0;         // compulsory memory traffic of one call
};

// 95 %, unless a point's `confidence` says less.
struct ScalingInterval {
  double low = 0;
  double high = 0;
};

struct ScalingSample {
  int round = 0;  // from 1
  double ns = 0;  // of one call: the sample's time over its calls
};

struct ScalingPoint {
  int threads = 1;
  double median_ns = 0;  // of one call
  ScalingInterval ci_ns{};
  double confidence = 0;                 // what ci_ns carries: 0.95 or more from 6 samples on
  double speedup = 1;                    // over the sequential version: median of the rounds' ratios
  ScalingInterval speedup_ci{};          // bootstrap of those ratios
  std::optional<double> self_speedup{};  // over body(1), where that was measured
  double efficiency = 1;                 // speedup / threads
  std::optional<double> karp_flatt{};    // (1/speedup - 1/threads) / (1 - 1/threads), from 2 threads on
  std::optional<double> flops_per_s{};
  std::optional<double> bytes_per_s{};
  double deviation = 0;   // standard deviation over mean
  int mild_outliers = 0;  // beyond 1.5 interquartile ranges, and beyond 3: counted, never dropped
  int severe_outliers = 0;
  std::vector<std::string> warnings{};   // a word, a colon, a sentence
  std::vector<ScalingSample> samples{};  // raw, by round
};

struct ScalingPrediction {
  int threads = 1;
  double speedup = 0;
  ScalingInterval band{};
  bool extrapolated = false;  // beyond the largest count that was measured
};

// N T(N) / T_sequential = a + b (N - 1) + c N (N - 1) by weighted non-negative least squares over the counts within the
// machine's cores. Amdahl's law is c = 0, with the serial fraction b / a; the universal scalability law (Gunther 1993)
// has the contention sigma = b / a and the coherence kappa = c / a. AICc chooses; bands come from resampled rounds.
// Two counts carry no law, three Amdahl's at most, and a law that misses a point by more than 10 % is refused.
struct ScalingLaw {
  std::string name = "none";                // "amdahl", "usl" or "none"
  std::string reason{};                     // why this one, why none, what to beware of
  std::optional<double> one_thread_cost{};  // a: one thread's time over the sequential version's
  std::optional<double> serial_fraction{};  // Amdahl's
  ScalingInterval serial_fraction_ci{};
  std::optional<double> sigma{};  // USL's
  ScalingInterval sigma_ci{};
  std::optional<double> kappa{};
  ScalingInterval kappa_ci{};
  std::optional<double> peak_threads{};  // USL's, only where its interval ends within twice the largest count
  ScalingInterval peak_threads_ci{};
  bool superlinear = false;
  double worst_residual = 0;  // relative, of points that the curve misses beyond their interval
  // For each count from 1 on, up to the cores and to twice the largest count; none without a law.
  std::vector<ScalingPrediction> predicted{};
};

struct Scaling {
  std::string name{};
  std::uint64_t seed = 0;
  int rounds = 0;  // complete ones
  ScalingPoint sequential{};
  std::vector<ScalingPoint> points{};  // of body, by rising thread count
  ScalingLaw law{};
  // How far from 1 the interval of the ratio of two identical measurements reaches: a smaller difference is none.
  // None: one round only.
  std::optional<double> noise_floor{};
  int best_threads = 1;    // of the fastest point
  bool pays = false;       // that it is surely faster than the sequential version, by more than the noise
  int enough_threads = 1;  // the smallest count after which no larger one surely gains over 2 %
  std::string verdict{};   // one sentence
};

// Calls body(n) for each thread count n, on the calling thread: how it gets n threads, and whether they are pinned, is
// its own matter. Each call must do the same work, whatever n is.
//
// Every round holds one sample of each thread count, of the sequential version, and of a second, identical measurement
// of that for the noise floor, in a shuffled order. A sample is as many calls as take 50 ms, less where the budget says
// so, but 1 ms at least. Before each, other threads of this process are waited for, up to 0.25 s, as OpenMP's go on
// spinning for a while; where some never stop, a warning says so and no more is waited. All statistics are those of
// `speedwell bench`, which adds what needs processes of its own and a machine's ceilings: there each thread count is a
// process, the output is verified, and the sentence names the roof that is met.
//
// Takes about budget_s at most, or one round if that is longer; some tens of milliseconds of it are the analysis.
// Memory O(samples). Prints nothing. Not to be called while the machine does something else.
//
// Throws InvalidArgument, before the first call, if body is empty or an option isn't what it says above. What body or
// sequential throws reaches the caller, and the measurement is lost.
Scaling measure_scaling(const std::function<void(int threads)>& body, const ScalingOptions& options = {});

// A table, a plot of the speedups, the law and the verdict, as lines of UTF-8 up to 120 columns wide.
std::string to_text(const Scaling& scaling);

}  // namespace speedwell
