// SPDX-License-Identifier: Apache-2.0
#include <speedwell/reduce.hpp>

#include <string>

#include <speedwell/error.hpp>

#include "kernels/reduce/reduce_tree.hpp"
#include "runtime/checks.hpp"
#include "runtime/dispatch.hpp"

namespace speedwell {

namespace {

template <class T>
constinit runtime::Kernel sum_kernel("sum", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel dot_kernel("dot", runtime::element_name<T>);

template <class T>
T add_up(runtime::Kernel& kernel, typename ReduceTile<T>::Reduce reduce, const T* x, const T* y, std::size_t count,
         runtime::Work work, const ReduceOptions& options) {
  runtime::Choice choice = runtime::choose(kernel, options.backend, work);
  // A chunk at most has nothing to divide, and takes no longer than it would to ask for threads.
  if (count <= static_cast<std::size_t>(reduce_chunk<T>)) {
    choice.limit_threads(1);
    runtime::record_run(choice, count > 0 ? 1 : 0);
    return count > 0 ? reduce(x, y, static_cast<std::ptrdiff_t>(count)) : 0;
  }
  const ReduceTree<T> tree(reduce, x, y, static_cast<std::ptrdiff_t>(count), choice);
  T result = 0;
  runtime::run_on(choice, tree.participants(), [&](auto model) { result = reduce_on(model, tree); });
  return result;
}

template <class T>
T sum_of(std::span<const T> x, const ReduceOptions& options) {
  runtime::check_span("sum", "x", x);
  const auto n = static_cast<double>(x.size());
  return add_up(sum_kernel<T>, reduce_tile<T>().sum, x.data(), x.data(), x.size(), {n, sizeof(T) * n}, options);
}

template <class T>
T dot_of(std::span<const T> x, std::span<const T> y, const ReduceOptions& options) {
  runtime::check_span("dot", "x", x);
  runtime::check_span("dot", "y", y);
  if (x.size() != y.size()) {
    throw InvalidArgument("dot: x has " + std::to_string(x.size()) + " elements and y has " + std::to_string(y.size()) +
                          ", expected as many in both");
  }
  const auto n = static_cast<double>(x.size());
  return add_up(dot_kernel<T>, reduce_tile<T>().dot, x.data(), y.data(), x.size(), {2 * n, 2 * sizeof(T) * n}, options);
}

}  // namespace

float sum(std::span<const float> x, const ReduceOptions& options) { return sum_of(x, options); }
double sum(std::span<const double> x, const ReduceOptions& options) { return sum_of(x, options); }

float dot(std::span<const float> x, std::span<const float> y, const ReduceOptions& options) {
  return dot_of(x, y, options);
}

double dot(std::span<const double> x, std::span<const double> y, const ReduceOptions& options) {
  return dot_of(x, y, options);
}

}  // namespace speedwell
