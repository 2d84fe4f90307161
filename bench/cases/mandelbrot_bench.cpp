// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <concepts>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <speedwell/mandelbrot.hpp>
#include <speedwell/runtime.hpp>

#include "bench/case.hpp"
#include "bench/cases/any_size.hpp"
#include "bench/cases/buffer.hpp"
#include "bench/cases/random.hpp"
#include "kernels/mandelbrot/mandelbrot_tile.hpp"

namespace speedwell::bench {
namespace {

// The upper half of the set. What is costly lies in the first rows, so that shares of equally many rows differ most.
constexpr double x_min = -2, x_max = 0.5, y_min = 0, y_max = 1.25;

template <class T>
constexpr PlaneRegion<T> region = {x_min, x_max, y_min, y_max};

// The iterations of all points together are what the plain loop below counted. verify() compares them with the output.
struct Size {
  std::ptrdiff_t width, height;
  int max_iterations;
  std::int64_t iterations_f32, iterations_f64;
};
constexpr Size tiny_size = {64, 32, 100, 62763, 62763};
constexpr Size small_size = {256, 128, 500, 4217635, 4218466};
constexpr Size main_size = {1024, 512, 2000, 257540589, 257520867};

template <class T>
std::int64_t iterations(const Size& size) {
  return std::same_as<T, float> ? size.iterations_f32 : size.iterations_f64;
}

// One point at a time, as the definition reads.
template <class T>
std::int32_t plain_count(T cx, T cy, int max_iterations) {
  T x = 0, y = 0;
  std::int32_t n = 0;
  while (n < max_iterations && x * x + y * y <= 4) {
    const T next_x = x * x - y * y + cx;
    y = (x + x) * y + cy;
    x = next_x;
    ++n;
  }
  return n;
}

template <class T>
class Escapes final : public Workload {
 public:
  Escapes(const Size& size, RowDivision division, int threads)
      : size_(size), division_(division), counts_(size.width * size.height) {
    in_shares(threads, size.height, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      std::fill(counts_.data() + first * size.width, counts_.data() + last * size.width, poison);
    });
  }

  void run(const Backend& backend) override {
    mandelbrot(region<T>, {counts_.data(), size_.height, size_.width},
               {.max_iterations = size_.max_iterations, .division = division_, .backend = backend});
  }

  int threads_used() const override { return last_run().threads; }

  void spoil(std::size_t first, std::size_t step) override {
    for (std::size_t i = first; i < counts_.size(); i += step) counts_.data()[i] = poison;
  }

  std::uint64_t output_hash() const override { return hash_bytes(std::as_bytes(counts_.span())); }

  std::size_t bytes() const override { return counts_.bytes(); }

  // The sum of all counts, known from the plain loop unless the size grows, and the closed form of the two largest
  // parts of the set for all points in them. Then points by the plain loop: those on the border, where groups of points
  // end, and one in a hundred of the others.
  std::string verify() const override {
    const std::int64_t sum = std::accumulate(counts_.data(), counts_.data() + counts_.size(), std::int64_t{0});
    if (sum != iterations<T>(size_)) {
      return "the sum of the counts is " + std::to_string(sum) + ", expected " + std::to_string(iterations<T>(size_));
    }
    for (std::ptrdiff_t i = 0; i < size_.height; ++i) {
      for (std::ptrdiff_t j = 0; j < size_.width; ++j) {
        const bool never_escapes = in_cardioid_or_disc(x(j), y(i));
        if (never_escapes && count(i, j) != size_.max_iterations) return wrong(i, j, size_.max_iterations);
      }
    }
    Random random(5);
    for (std::ptrdiff_t i = 0; i < size_.height; ++i) {
      for (std::ptrdiff_t j = 0; j < size_.width; ++j) {
        const bool border = i == 0 || i == size_.height - 1 || j == 0 || j == size_.width - 1;
        if (!border && random() % 100 != 0) continue;
        const std::int32_t expected = plain_count(x(j), y(i), size_.max_iterations);
        if (count(i, j) != expected) return wrong(i, j, expected);
      }
    }
    return {};
  }

 private:
  static constexpr std::int32_t poison = -1;

  T x(std::ptrdiff_t j) const {
    return T{x_min} + static_cast<T>(j) * (T{x_max - x_min} / static_cast<T>(size_.width));
  }
  T y(std::ptrdiff_t i) const {
    return T{y_min} + static_cast<T>(i) * (T{y_max - y_min} / static_cast<T>(size_.height));
  }
  std::int32_t count(std::ptrdiff_t i, std::ptrdiff_t j) const { return counts_.data()[i * size_.width + j]; }

  // Inside by a margin that rounding doesn't bridge.
  static bool in_cardioid_or_disc(double x, double y) {
    constexpr double margin = 0.99;
    const double q = (x - 0.25) * (x - 0.25) + y * y;
    return q * (q + (x - 0.25)) < margin * y * y / 4 || (x + 1) * (x + 1) + y * y < margin / 16;
  }

  std::string wrong(std::ptrdiff_t i, std::ptrdiff_t j, std::int32_t expected) const {
    return "the count of point (" + std::to_string(i) + ", " + std::to_string(j) + ") is " +
           std::to_string(count(i, j)) + ", expected " + std::to_string(expected);
  }

  Size size_;
  RowDivision division_;
  Buffer<std::int32_t> counts_;
};

// What each row of the main size costs: a group of points that are iterated side by side takes as long as the one that
// takes longest, and until that is noticed. By the kernel's own counts, once: whether they are right is verify()'s
// matter.
template <class T>
const std::vector<double>& row_costs() {
  static const std::vector<double> costs = [] {
    constexpr std::ptrdiff_t width = main_size.width, height = main_size.height;
    std::vector<std::int32_t> counts(static_cast<std::size_t>(width * height));
    mandelbrot(region<T>, {counts.data(), height, width},
               {.max_iterations = main_size.max_iterations, .backend = Sequential{}});
    constexpr double between_looks = 8;
    std::vector<double> rows;
    for (const std::int32_t* row = counts.data(); row != counts.data() + counts.size(); row += width) {
      rows.push_back(0);
      for (std::ptrdiff_t j = 0; j < width; j += mandelbrot_tile<T>().group) {
        rows.back() +=
            between_looks + *std::max_element(row + j, row + std::min(width, j + mandelbrot_tile<T>().group));
      }
    }
    return rows;
  }();
  return costs;
}

// The rows of each thread follow each other, and the first threads have one more where they don't come out even.
template <class T>
double largest_static_share(int threads) {
  const std::vector<double>& costs = row_costs<T>();
  const auto count = static_cast<std::ptrdiff_t>(costs.size());
  double largest = 0;
  auto first = costs.begin();
  for (std::ptrdiff_t share = 0; share < threads; ++share) {
    const auto last = first + count / threads + (share < count % threads ? 1 : 0);
    largest = std::max(largest, std::accumulate(first, last, 0.0));
    first = last;
  }
  return largest / std::accumulate(costs.begin(), costs.end(), 0.0);
}

// By the kernel's own counts.
template <class T>
Size counted(Size size) {
  std::vector<std::int32_t> counts(static_cast<std::size_t>(size.width * size.height));
  mandelbrot(region<T>, {counts.data(), size.height, size.width},
             {.max_iterations = size.max_iterations, .backend = Sequential{}});
  size.iterations_f32 = size.iterations_f64 = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  return size;
}

template <class T>
Case make_case(const char* type, const Size& size, RowDivision division = RowDivision::dynamic_rows) {
  constexpr double operations = 8;  // an iteration's
  return {
      .kernel = "mandelbrot",
      .variant = type,
      .size = std::to_string(size.width) + "x" + std::to_string(size.height),
      .flops = operations * static_cast<double>(iterations<T>(size)),
      .bytes = static_cast<double>(size.width * size.height) * sizeof(std::int32_t),
      .written_bytes = static_cast<double>(size.width * size.height) * sizeof(std::int32_t),
      .precision = type,
      .make = [size, division](int threads) { return std::make_unique<Escapes<T>>(size, division, threads); },
      .of_size = [=](std::string_view text) -> std::optional<Case> {
        const auto sides = numbers_of_size<2>(text, 4096);
        if (!sides) return std::nullopt;
        return make_case<T>(type, counted<T>({(*sides)[0], (*sides)[1], small_size.max_iterations, 0, 0}), division);
      },
      .size_at =
          [](double part) {
            const std::ptrdiff_t width = number_between(16, 1024, part);
            return std::to_string(width) + "x" + std::to_string(width / 2);
          },
  };
}

// As many rows as threads times those of the small size.
template <class T>
Case grown(const char* type, int threads) {
  Size size = small_size;
  size.height *= threads;
  return make_case<T>(type, threads > 1 ? counted<T>(size) : size);
}

template <class T>
void add(std::vector<Case>& cases, const char* type, bool quick) {
  cases.push_back(tiny(make_case<T>(type, tiny_size)));
  cases.push_back(weak(grown<T>(type, 1), "pixels ∝ p", [type](int threads) { return grown<T>(type, threads); }));
  cases.push_back(make_case<T>(type, small_size));
  Case dynamic_rows = make_case<T>(type, main_size);
  dynamic_rows.quick = quick;
  cases.push_back(dynamic_rows);
  Case static_shares = make_case<T>(type, main_size, RowDivision::static_shares);
  static_shares.variant += "_static";
  static_shares.largest_share = largest_static_share<T>;
  static_shares.quick = quick;
  cases.push_back(static_shares);
}

}  // namespace

std::vector<Case> mandelbrot_cases() {
  std::vector<Case> cases;
  add<float>(cases, "f32", true);
  add<double>(cases, "f64", false);
  return cases;
}

}  // namespace speedwell::bench
