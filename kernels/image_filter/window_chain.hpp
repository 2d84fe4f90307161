// SPDX-License-Identifier: Apache-2.0
// What a window of n neighbours comes to, sum or extremum, from what shorter windows come to, in O(log n) operations
// for each position. Neighbouring positions share all but the last step.
#pragma once

#include <array>
#include <cstddef>

namespace speedwell::image_filter {

// A window from what the step before has for shorter ones, and from single samples. Offsets are in samples from the
// window's first.
struct WindowStep {
  static constexpr int most_terms = 7;

  int window = 1;
  int terms = 0;
  int shorter = 0;  // so many of the terms, the first ones, are of the step before
  std::array<int, most_terms> offset = {};
};

// The steps from single samples to a whole window.
class WindowChain {
 public:
  // The sum of n samples: from first to last up to 7 of them, else three sums of n / 3 and the 0 to 2 samples behind.
  static WindowChain sum(int n) {
    WindowChain chain;
    chain.add_sum(n);
    return chain;
  }

  // The least or greatest of n samples, whose shorter windows may overlap: up to 6 samples, else up to four windows of
  // a quarter of the length, rounded up.
  static WindowChain extremum(int n) {
    WindowChain chain;
    chain.add_extremum(n);
    return chain;
  }

  int steps() const { return steps_; }
  const WindowStep& step(int i) const { return step_[i]; }
  int window() const { return step_[steps_ - 1].window; }

  // Rows of a step's results that the next step looks at.
  int rows_kept(int i) const { return step_[i + 1].window - step_[i].window + 1; }

  int terms() const {
    int sum = 0;
    for (int i = 0; i < steps_; ++i) sum += step_[i].terms;
    return sum;
  }

  static constexpr int most_steps = 16;  // for the extremum of 2^31 samples

 private:
  void add_sum(int n) {
    constexpr int direct = 7;
    if (n <= direct) return add_direct(n);
    const int third = n / 3;
    add_sum(third);
    WindowStep step = {.window = n, .terms = 3 + n % 3, .shorter = 3};
    for (int i = 0; i < 3; ++i) step.offset[i] = i * third;
    for (int i = 3 * third; i < n; ++i) step.offset[3 + i - 3 * third] = i;
    step_[steps_++] = step;
  }

  void add_extremum(int n) {
    constexpr int direct = 6;
    if (n <= direct) return add_direct(n);
    const int quarter = n / 4 + (n % 4 != 0);
    add_extremum(quarter);
    WindowStep step = {.window = n};
    for (int i = 0; i < n - quarter; i += quarter) step.offset[step.terms++] = i;
    step.offset[step.terms++] = n - quarter;
    step.shorter = step.terms;
    step_[steps_++] = step;
  }

  void add_direct(int n) {
    WindowStep step = {.window = n, .terms = n};
    for (int i = 0; i < n; ++i) step.offset[i] = i;
    step_[steps_++] = step;
  }

  int steps_ = 0;
  std::array<WindowStep, most_steps> step_;
};

// out[i] = terms[0][i] combined with terms[1][i], then with terms[2][i], and so on.
template <class T>
using Combine = void (*)(const T* const* terms, int count, T* out, std::ptrdiff_t n);

// The results of a step for the last few rows.
template <class T>
struct Ring {
  T* first;
  std::ptrdiff_t pitch;
  std::ptrdiff_t rows;

  T* operator()(std::ptrdiff_t row) const { return first + row % rows * pitch; }
};

// Down the columns of n samples when row t has come, counted from 0: rows[0] is that row, rows[-1] the one before.
// Keeps rings[i] for all steps but the last, and writes that one's to line, from row chain.window() - 1 on.
template <class T>
void combine_rows(const WindowChain& chain, Combine<T> combine, const T* const* rows, std::ptrdiff_t t,
                  const Ring<T>* rings, T* line, std::ptrdiff_t n) {
  for (int i = 0; i < chain.steps(); ++i) {
    const WindowStep& step = chain.step(i);
    const std::ptrdiff_t first = t - step.window + 1;
    if (first < 0) return;
    const T* terms[WindowStep::most_terms];
    for (int k = 0; k < step.terms; ++k) {
      terms[k] = k < step.shorter ? rings[i - 1](first + step.offset[k]) : rows[step.offset[k] - step.window + 1];
    }
    combine(terms, step.terms, i + 1 == chain.steps() ? line : rings[i](first), n);
  }
}

// Along a line: `combine` for all steps but the last, into two buffers in turn, and last(terms, count) for that one. n
// results; the line is as much longer as the window is.
template <class T, class Last>
void combine_line(const WindowChain& chain, Combine<T> combine, const T* line, T* const (&buffers)[2], std::ptrdiff_t n,
                  std::ptrdiff_t channels, const Last& last) {
  const T* shorter = nullptr;
  for (int i = 0; i < chain.steps(); ++i) {
    const WindowStep& step = chain.step(i);
    const T* terms[WindowStep::most_terms];
    for (int k = 0; k < step.terms; ++k) {
      terms[k] = (k < step.shorter ? shorter : line) + step.offset[k] * channels;
    }
    if (i + 1 == chain.steps()) return last(terms, step.terms);
    T* const out = buffers[i % 2];
    combine(terms, step.terms, out, n + (chain.window() - step.window) * channels);
    shorter = out;
  }
}

}  // namespace speedwell::image_filter
