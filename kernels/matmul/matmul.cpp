// SPDX-License-Identifier: Apache-2.0
#include <speedwell/matmul.hpp>

#include <string>

#include <speedwell/error.hpp>

#include "kernels/matmul/matmul_blocking.hpp"
#include "runtime/checks.hpp"
#include "runtime/dispatch.hpp"

namespace speedwell {

namespace {

template <class T>
std::string shape_of(MatrixView<T> matrix) {
  return std::to_string(matrix.rows) + " x " + std::to_string(matrix.cols);
}

// Out of line, as are the blocked products below: a product of a few elements takes less time than their stack frames.
template <class T>
[[gnu::noinline]] void check_closely(const MatrixView<const T>& a, const MatrixView<const T>& b,
                                     const MatrixView<T>& c) {
  runtime::check_matrix("matmul", "a", a);
  runtime::check_matrix("matmul", "b", b);
  runtime::check_matrix("matmul", "c", c);
  if (a.cols != b.rows) {
    throw InvalidArgument("matmul: a is " + shape_of(a) + " and b is " + shape_of(b) +
                          ", expected as many rows in b as columns in a");
  }
  if (c.rows != a.rows || c.cols != b.cols) {
    throw InvalidArgument("matmul: c is " + shape_of(c) + ", expected " + std::to_string(a.rows) + " x " +
                          std::to_string(b.cols) + " for a of " + shape_of(a) + " and b of " + shape_of(b));
  }
  runtime::check_output("matmul", "c", c);
  runtime::check_apart("matmul", "c", c, "a", a);
  runtime::check_apart("matmul", "c", c, "b", b);
}

template <class T>
void check(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c) {
  const bool match = a.cols == b.rows && c.rows == a.rows && c.cols == b.cols;
  if (match && runtime::are_plain(a, b, c) && c.col_stride == 1 && c.row_stride >= c.cols && runtime::lie_apart(c, a) &&
      runtime::lie_apart(c, b)) {
    return;
  }
  check_closely(a, b, c);
}

template <class T>
runtime::Work work_of(const MatrixView<const T>& a, const MatrixView<const T>& b) {
  const auto m = static_cast<double>(a.rows);
  const auto n = static_cast<double>(b.cols);
  const auto k = static_cast<double>(a.cols);
  return {2 * m * n * k, sizeof(T) * (m * k + k * n + 2 * m * n)};
}

template <class T>
[[gnu::noinline]] void multiply_blocked(const MatrixView<const T>& a, const MatrixView<const T>& b,
                                        const MatrixView<T>& c, T alpha, T beta, runtime::Choice choice) {
  const MatmulBlocking<T> blocking(a, b, c, alpha, beta, choice);
  runtime::run_on(choice, blocking.participants(), [&](auto model) { matmul_on(model, blocking); });
}

template <class T>
void multiply(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
              const MatmulOptions& options) {
  check(a, b, c);
  const runtime::Choice choice = runtime::choose(options.backend, work_of(a, b));
  const auto alpha = static_cast<T>(options.alpha);
  const auto beta = static_cast<T>(options.beta);
  if (choice.threads == 1 && multiply_directly(a, b, c, alpha, beta)) return runtime::record_run(choice, 1);
  multiply_blocked(a, b, c, alpha, beta, choice);
}

}  // namespace

void matmul(MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> c, const MatmulOptions& options) {
  multiply(a, b, c, options);
}

void matmul(MatrixView<const double> a, MatrixView<const double> b, MatrixView<double> c,
            const MatmulOptions& options) {
  multiply(a, b, c, options);
}

}  // namespace speedwell
