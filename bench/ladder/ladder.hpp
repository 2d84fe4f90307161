// SPDX-License-Identifier: Apache-2.0
// One matrix product, C = A B on n x n floats, computed in one way after the other, each faster than the one before and
// each verified and timed against what the processor can do at most.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/cases/matmul_case.hpp"
#include "bench/driver/progress.hpp"
#include "bench/driver/sweep.hpp"

namespace speedwell::bench::ladder {

using Product = MatmulWorkload<float>;

// A way to compute the product.
struct Rung {
  std::string name;
  std::string change;   // what it does that the rung below doesn't
  std::string backend;  // the library's, where it is the library that computes; rungs of one name are alternatives, of
                        // which the fastest stands
  int threads = 1;
  std::shared_ptr<Product> product;            // what it computes on, all n rows of C or the first few
  std::function<double(int calls)> time = {};  // computes so many times; ns of one
};

// From below: Python's loop, if there is a python3 and it is wanted, then the compiled ones. Says on `progress` what is
// left out.
std::vector<Rung> make_rungs(std::ptrdiff_t n, bool python, Progress& progress);

// A rung of compiled code: `multiply` gets A, B, C and n.
using Multiply = std::function<void(const float* a, const float* b, float* c, std::ptrdiff_t n)>;
Rung compiled_rung(std::string name, std::string change, std::shared_ptr<Product> product, Multiply multiply);

struct Times {
  std::vector<double> ns;                // one a round, of the whole product
  double median = 0, low = 0, high = 0;  // the interval of the median, 95 % from six samples on
};

struct Step {
  std::string name, change, backend;
  int threads = 1;
  std::ptrdiff_t rows = 0;  // of n, that were computed and timed
  Times times;
  double flops_per_s = 0;
  double percent_of_peak = 0;  // of as many cores as it has threads
  double over_previous = 0;    // times as fast as the step before; 0: there is none
  double over_first = 0;
};

struct Peak {
  int threads = 1;
  double flops_per_s = 0;  // fused multiply-adds on registers alone
};

struct Refused {
  std::string name, reason;
};

struct Ladder {
  std::ptrdiff_t n = 0;
  int rounds = 0;            // complete ones
  std::vector<Step> steps;   // verified, from below
  std::vector<Step> slower;  // alternatives to a step, verified too
  std::vector<Peak> peaks;
  std::vector<Refused> refused;  // gave a wrong result, and stand nowhere else
  int signal = 0;                // that ended it early
};

inline constexpr int default_rounds = 9;

// Verifies each rung, then times them in turns. A ladder without steps was interrupted before each rung had a sample.
Ladder climb(std::ptrdiff_t n, int rounds, const std::vector<Rung>& rungs, Progress& progress, Interrupts& interrupts);

}  // namespace speedwell::bench::ladder
