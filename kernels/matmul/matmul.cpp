// SPDX-License-Identifier: Apache-2.0
#include <speedwell/matmul.hpp>

#include <functional>
#include <string>

#include <speedwell/error.hpp>

#include "kernels/matmul/matmul_batch.hpp"
#include "kernels/matmul/matmul_blocking.hpp"
#include "kernels/matmul/matvec_tile.hpp"
#include "kernels/matmul/multiply_views.hpp"
#include "runtime/checks.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/once.hpp"

namespace speedwell {

namespace {

template <class T>
constinit runtime::Kernel kernel("matmul", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel batch_kernel("matmul_batch", runtime::element_name<T>);

template <class T>
std::string shape_of(MatrixView<T> matrix) {
  return std::to_string(matrix.rows) + " x " + std::to_string(matrix.cols);
}

// Out of line, as are the blocked products below: a product of a few elements takes less time than their stack frames.
template <class T>
[[gnu::noinline]] void check_shapes(const std::string& function, const MatrixView<const T>& a,
                                    const MatrixView<const T>& b, const MatrixView<T>& c) {
  if (a.cols != b.rows) {
    throw InvalidArgument(function + ": a is " + shape_of(a) + " and b is " + shape_of(b) +
                          ", expected as many rows in b as columns in a");
  }
  if (c.rows != a.rows || c.cols != b.cols) {
    throw InvalidArgument(function + ": c is " + shape_of(c) + ", expected " + std::to_string(a.rows) + " x " +
                          std::to_string(b.cols) + " for a of " + shape_of(a) + " and b of " + shape_of(b));
  }
}

// Whether a length is 1 to `most`.
bool fits(std::ptrdiff_t length, std::ptrdiff_t most) {
  return static_cast<std::size_t>(length - 1) < static_cast<std::size_t>(most);
}

// Views of sizes that match, that lie as most do, and not over each other.
template <class T>
[[gnu::always_inline]] inline bool lie_well(const MatrixView<const T>& a, const MatrixView<const T>& b,
                                            const MatrixView<T>& c) {
  const bool match = a.cols == b.rows && c.rows == a.rows && c.cols == b.cols;
  return match && runtime::are_plain(a, b, c) && c.col_stride == 1 && c.row_stride >= c.cols &&
         runtime::lie_apart(c, a) && runtime::lie_apart(c, b);
}

template <class T>
[[gnu::noinline]] void check_closely(const MatrixView<const T>& a, const MatrixView<const T>& b,
                                     const MatrixView<T>& c) {
  runtime::check_matrix("matmul", "a", a);
  runtime::check_matrix("matmul", "b", b);
  runtime::check_matrix("matmul", "c", c);
  check_shapes("matmul", a, b, c);
  runtime::check_output("matmul", "c", c);
  runtime::check_apart("matmul", "c", c, "a", a);
  runtime::check_apart("matmul", "c", c, "b", b);
}

template <class T>
void check(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c) {
  if (!lie_well(a, b, c)) check_closely(a, b, c);
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
struct Tiles {
  const MatmulTile<T>* of_matrices;
  const MatvecTile<T>* of_vectors;
};
template <class T>
constinit runtime::Once<Tiles<T>> tiles;

// Views of contiguous rows that lie well, in fewer steps.
template <class T>
[[gnu::always_inline]] inline bool are_rows(const MatrixView<const T>& a, const MatrixView<const T>& b,
                                            const MatrixView<T>& c) {
  const auto ends_before = [](const auto& x, const auto& y) {
    return std::less_equal<const void*>()(x.data + (x.rows - 1) * x.row_stride + x.cols, y.data);
  };
  const std::ptrdiff_t differences = (a.col_stride ^ 1) | (b.col_stride ^ 1) | (c.col_stride ^ 1) | (a.cols ^ b.rows) |
                                     (c.rows ^ a.rows) | (c.cols ^ b.cols);
  return differences == 0 && runtime::are_plain(a, b, c) && c.row_stride >= c.cols &&
         (ends_before(a, c) || ends_before(c, a)) && (ends_before(b, c) || ends_before(c, b));
}

// The function for a product of so little depth that it is done in the time of a few checks, of rows that lie well;
// nullptr if it isn't one, or the tiles aren't known yet.
template <class T>
[[gnu::always_inline]] inline MultiplyViews<T> find_small(const MatrixView<const T>& a, const MatrixView<const T>& b,
                                                          const MatrixView<T>& c) {
  // Few enough for begin_small_run() at any depth and width of these. One less than a power of two: a single look at
  // the bits of both.
  constexpr std::ptrdiff_t most_length = 511;
  const Tiles<T>* const known = tiles<T>.find();
  if (known == nullptr || !fits(c.rows | c.cols, most_length)) return nullptr;
  if (c.cols == 1) {
    return a.cols <= matvec_short_depth && b.row_stride == 1 && c.row_stride == 1
               ? known->of_vectors->short_columns[a.cols - 1]
               : nullptr;
  }
  if (c.rows == 1) return a.cols <= matvec_short_depth ? known->of_vectors->short_rows[a.cols - 1] : nullptr;
  const MatmulTile<T>& tile = *known->of_matrices;
  return a.cols <= matmul_resident_depth && c.cols <= tile.most_resident_cols
             ? tile.residents[(c.cols - 1) * matmul_resident_depth + a.cols - 1]
             : nullptr;
}

// A product of a single register tile, of a few of them, or with a short vector: from a few nanoseconds on, so that
// each other step of the way would show. Views that lie well. False where it isn't one, and nothing is done then.
template <class T>
bool multiply_at_once(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
                      const MatmulOptions& options) {
  const MatmulTile<T>& tile = *tiles<T>.get([] { return Tiles<T>{&matmul_tile<T>(), &matvec_tile<T>()}; }).of_matrices;
  // Steps few enough for begin_small_run(). Those with a vector are bound by memory, so there may be fewer.
  constexpr std::ptrdiff_t most_length = 1024;
  constexpr std::ptrdiff_t most_vector_steps = 1 << 14;
  constexpr std::ptrdiff_t most_steps = 1 << 18;
  if (!fits(a.cols, most_length)) return false;
  const bool is_vector = c.rows == 1 || c.cols == 1;
  if (!is_vector && fits(c.rows, matmul_most_rows) && fits(c.cols, tile.most_single_cols)) {
    const MultiplyTile<T> single = tile.singles[(c.cols - 1) * matmul_most_rows + c.rows - 1];
    if (single != nullptr) {
      if (b.col_stride != 1 || options.alpha != 1 || !runtime::begin_small_run(options.backend)) return false;
      single(a.data, a.row_stride, a.col_stride, b.data, b.row_stride, a.cols, static_cast<T>(options.beta), c.data,
             c.row_stride, c.cols);
      return true;
    }
  }
  const std::ptrdiff_t longest = is_vector ? most_vector_steps : most_length;
  const bool small = fits(c.rows, longest) && fits(c.cols, longest) &&
                     fits(c.rows * c.cols * a.cols, is_vector ? most_vector_steps : most_steps);
  return small && options.alpha != 0 && runtime::begin_small_run(options.backend) &&
         multiply_directly(a, b, c, static_cast<T>(options.alpha), static_cast<T>(options.beta));
}

template <class T>
[[gnu::noinline]] void multiply_checked(const MatrixView<const T>& a, const MatrixView<const T>& b,
                                        const MatrixView<T>& c, const MatmulOptions& options) {
  check(a, b, c);
  const runtime::Choice choice = runtime::choose(kernel<T>, options.backend, work_of(a, b));
  const auto alpha = static_cast<T>(options.alpha);
  const auto beta = static_cast<T>(options.beta);
  if (choice.threads == 1 && multiply_directly(a, b, c, alpha, beta)) return runtime::record_run(choice, 1);
  multiply_blocked(a, b, c, alpha, beta, choice);
}

template <class T>
[[gnu::noinline]] void multiply_rows(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
                                     const MatmulOptions& options) {
  if (!multiply_at_once(a, b, c, options)) multiply_checked(a, b, c, options);
}

template <class T>
[[gnu::noinline]] void multiply_otherwise(const MatrixView<const T>& a, const MatrixView<const T>& b,
                                          const MatrixView<T>& c, const MatmulOptions& options) {
  if (!lie_well(a, b, c) || !multiply_at_once(a, b, c, options)) multiply_checked(a, b, c, options);
}

// Nothing here needs a stack frame.
template <class T>
void multiply(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
              const MatmulOptions& options) {
  if (!are_rows(a, b, c)) return multiply_otherwise(a, b, c, options);
  const MultiplyViews<T> small = options.alpha == 1 ? find_small(a, b, c) : nullptr;
  if (small == nullptr || !runtime::begin_small_run(options.backend)) return multiply_rows(a, b, c, options);
  small(a, b, c, static_cast<T>(options.beta));
}

template <class T>
void check(const MatrixBatchView<const T>& a, const MatrixBatchView<const T>& b, const MatrixBatchView<T>& c) {
  const char* const function = "matmul_batch";
  runtime::check_batch(function, "a", a);
  runtime::check_batch(function, "b", b);
  runtime::check_batch(function, "c", c);
  check_shapes(function, a.first, b.first, c.first);
  if (a.count != c.count || b.count != c.count) {
    throw InvalidArgument(std::string(function) + ": a has " + std::to_string(a.count) + " matrices, b has " +
                          std::to_string(b.count) + " and c has " + std::to_string(c.count) +
                          ", expected as many in each");
  }
  runtime::check_output(function, "c", c);
  runtime::check_apart(function, "c", c, "a", a);
  runtime::check_apart(function, "c", c, "b", b);
}

// From here on a product of a batch is worth several threads: 100 us of a core's work or more, several times what they
// cost.
constexpr double least_shared_flops = 1e7;

template <class T>
void multiply_batch(const MatrixBatchView<const T>& a, const MatrixBatchView<const T>& b, MatrixBatchView<T> c,
                    const MatmulOptions& options) {
  check(a, b, c);
  const runtime::Work each = work_of(a.first, b.first);
  const auto count = static_cast<double>(c.count);
  const runtime::Work all = {count * each.flops, count * each.bytes};
  const runtime::Choice choice = runtime::choose(batch_kernel<T>, options.backend, all);
  const auto alpha = static_cast<T>(options.alpha);
  const auto beta = static_cast<T>(options.beta);
  // Large products that don't come out even among the threads are computed by all of them, one after the other.
  const std::ptrdiff_t left = choice.threads > 1 && each.flops >= least_shared_flops ? c.count % choice.threads : 0;
  c.count -= left;
  if (left == 0 || c.count > 0) {
    runtime::Choice shared = choice;
    const MatmulBatch<T> batch(a, b, c, alpha, beta, all, shared);
    runtime::run_on(shared, batch.participants(), [&](auto model) { matmul_batch_on(model, batch); });
  }
  for (std::ptrdiff_t i = c.count; i < c.count + left; ++i) multiply_blocked<T>(a[i], b[i], c[i], alpha, beta, choice);
}

}  // namespace

void detail::matmul(const MatrixView<const float>& a, const MatrixView<const float>& b, const MatrixView<float>& c,
                    const MatmulOptions& options) {
  multiply(a, b, c, options);
}

void detail::matmul(const MatrixView<const double>& a, const MatrixView<const double>& b, const MatrixView<double>& c,
                    const MatmulOptions& options) {
  multiply(a, b, c, options);
}

// Programs that were compiled while these took their views by value find them in the library.
void matmul(MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> c, const MatmulOptions& options) {
  detail::matmul(a, b, c, options);
}

void matmul(MatrixView<const double> a, MatrixView<const double> b, MatrixView<double> c,
            const MatmulOptions& options) {
  detail::matmul(a, b, c, options);
}

void matmul_batch(MatrixBatchView<const float> a, MatrixBatchView<const float> b, MatrixBatchView<float> c,
                  const MatmulOptions& options) {
  multiply_batch(a, b, c, options);
}

void matmul_batch(MatrixBatchView<const double> a, MatrixBatchView<const double> b, MatrixBatchView<double> c,
                  const MatmulOptions& options) {
  multiply_batch(a, b, c, options);
}

}  // namespace speedwell
