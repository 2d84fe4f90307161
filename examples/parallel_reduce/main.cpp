// SPDX-License-Identifier: Apache-2.0
// Mean and variance of many numbers in one pass, with the same bits on every backend.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <vector>

#include <speedwell/parallel_reduce.hpp>
#include <speedwell/runtime.hpp>

namespace sw = speedwell;

// Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance" (1983).
struct Moments {
  double count = 0, mean = 0, squares = 0;  // of the distances from the mean

  friend Moments operator+(const Moments& a, const Moments& b) {
    const double count = a.count + b.count, apart = b.mean - a.mean;
    return {count, a.mean + apart * b.count / count, a.squares + b.squares + apart * apart * a.count * b.count / count};
  }
};

int main() {
  // 10^9 and a wave: squares alone would lose all that there is to see.
  std::vector<double> x(1 << 22);
  sw::parallel_for(std::ssize(x), [&](std::ptrdiff_t i) { x[i] = 1e9 + std::sin(0.001 * static_cast<double>(i)); });

  const auto moments_on = [&](sw::Backend backend) {
    const auto of_range = [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      Moments moments = {1, x[first], 0};
      for (std::ptrdiff_t i = first + 1; i < last; ++i) moments = moments + Moments{1, x[i], 0};
      return moments;
    };
    return sw::parallel_reduce(std::ssize(x), Moments(), of_range, std::plus<>(), {.grain = 4096, .backend = backend});
  };
  const Moments alone = moments_on(sw::Sequential{});
  std::cout << "mean " << alone.mean << ", variance " << alone.squares / alone.count << '\n';

  bool same = true;
  for (const char* name : {"automatic", "threads", "openmp", "tbb"}) {
    const sw::Backend backend = sw::backend_from_name(name, 3);
    if (!sw::is_built(backend)) continue;
    const Moments moments = moments_on(backend);
    same = same && std::bit_cast<std::uint64_t>(moments.squares) == std::bit_cast<std::uint64_t>(alone.squares);
    std::cout << name << " on " << sw::last_run().threads << " threads: " << (same ? "the same bits" : "other bits")
              << '\n';
  }
  // A sine's is a half, but for the part of a period at the end.
  return same && std::abs(alone.squares / alone.count - 0.5) < 1e-3 ? EXIT_SUCCESS : EXIT_FAILURE;
}
