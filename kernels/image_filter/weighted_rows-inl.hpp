// SPDX-License-Identifier: Apache-2.0
// Weighted sums of neighbouring samples, several rows and vectors of the result at a time: what both convolutions are
// made of. Compiled once a target.
//
// A line that is loaded serves every row of the result that it belongs to, and a weight every vector. The sums of
// `convolve_rows` rows by `vectors` vectors, the line's vectors and one weight stay in registers.
#if defined(SPEEDWELL_WEIGHTED_ROWS_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPEEDWELL_WEIGHTED_ROWS_TOGGLE
#undef SPEEDWELL_WEIGHTED_ROWS_TOGGLE
#else
#define SPEEDWELL_WEIGHTED_ROWS_TOGGLE
#endif

#include <cstddef>
#include <cstdint>

#include <hwy/highway.h>

#include "kernels/image_filter/convolve_kernel.hpp"
#include "kernels/image_filter/cover-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter::HWY_NAMESPACE {

// 32 registers: 24 sums, 4 of a line, a weight; 16 registers: 12, 2 and a weight. Either is at least latency (4) times
// throughput (2) of the FMA units. Single lanes are converted to bytes by branches, whose constants take registers too.
inline constexpr int wide_vectors = HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM_A64 ? 4 : HWY_TARGET == HWY_SCALAR ? 1 : 2;

// Vectors side by side. Each is a member of its own, as g++ keeps arrays of vectors in memory.
template <class D, int vectors>
struct Vectors {
  hn::Vec<D> first;
  Vectors<D, vectors - 1> others;

  HWY_INLINE void fill(hn::Vec<D> value) {
    first = value;
    others.fill(value);
  }
  HWY_INLINE void load(D d, const float* from) {
    first = hn::LoadU(d, from);
    others.load(d, from + hn::Lanes(d));
  }
  HWY_INLINE void add(const Vectors& line, hn::Vec<D> weight) {
    first = hn::MulAdd(line.first, weight, first);
    others.add(line.others, weight);
  }
  HWY_INLINE void add(D d, const float* line, hn::Vec<D> weight) {
    first = hn::MulAdd(hn::LoadU(d, line), weight, first);
    others.add(d, line + hn::Lanes(d), weight);
  }
  HWY_INLINE void put(D d, float* out) const {
    hn::StoreU(first, d, out);
    others.put(d, out + hn::Lanes(d));
  }
  // To nearest, halves to even, saturated; what isn't a number to 0.
  HWY_INLINE void put(D d, std::uint8_t* out) const {
    const hn::Rebind<std::uint8_t, D> d8;
    const auto at_least_zero = hn::IfThenElseZero(hn::Gt(first, hn::Zero(d)), first);
    hn::StoreU(hn::DemoteTo(d8, hn::NearestInt(hn::Min(at_least_zero, hn::Set(d, 255.0F)))), d8, out);
    others.put(d, out + hn::Lanes(d));
  }
};

template <class D>
struct Vectors<D, 0> {
  HWY_INLINE void fill(hn::Vec<D>) {}
  HWY_INLINE void load(D, const float*) {}
  HWY_INLINE void add(const Vectors&, hn::Vec<D>) {}
  HWY_INLINE void add(D, const float*, hn::Vec<D>) {}
  HWY_INLINE void put(D, float*) const {}
  HWY_INLINE void put(D, std::uint8_t*) const {}
};

// The sums of rows of the result.
template <class D, int vectors, int rows>
struct Sums {
  Vectors<D, vectors> first;
  Sums<D, vectors, rows - 1> others;

  HWY_INLINE void fill(hn::Vec<D> value) {
    first.fill(value);
    others.fill(value);
  }
  // A line that is the window's row `at / width` for the first row of the result, and a row less for each one below, to
  // rows from..to.
  template <int from, int to>
  HWY_INLINE void add(D d, const Vectors<D, vectors>& line, const float* weights, std::ptrdiff_t at,
                      std::ptrdiff_t width) {
    if constexpr (from <= 0) first.add(line, hn::Set(d, weights[at]));
    if constexpr (to > 0) others.template add<from - 1, to - 1>(d, line, weights, at - width, width);
  }
  // To each row its own line.
  HWY_INLINE void add(D d, const float* const* lines, std::ptrdiff_t i, hn::Vec<D> weight) {
    first.add(d, lines[0] + i, weight);
    others.add(d, lines + 1, i, weight);
  }
  template <class Out>
  HWY_INLINE void put(D d, Out* const* out, std::ptrdiff_t i) const {
    first.put(d, out[0] + i);
    others.put(d, out + 1, i);
  }
};

template <class D, int vectors>
struct Sums<D, vectors, 0> {
  HWY_INLINE void fill(hn::Vec<D>) {}
  HWY_INLINE void add(D, const float* const*, std::ptrdiff_t, hn::Vec<D>) {}
  template <class Out>
  HWY_INLINE void put(D, Out* const*, std::ptrdiff_t) const {}
};

// What is summed: `weights` by rows, over samples that are `step` apart within a row.
struct Weights {
  const float* weights;
  std::ptrdiff_t width;
  std::ptrdiff_t height;
  std::ptrdiff_t step;
  float bias;
};

// A window of several rows, at least `rows` - 1; of one column, if `is_column`.
template <int rows, bool is_column, class Out>
struct WindowSums {
  const float* const* lines;
  Out* const* out;
  const Weights& of;

  template <int vectors, class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    Sums<D, vectors, rows> sums;
    sums.fill(hn::Set(d, of.bias));
    begin<0>(d, sums, i);
    for (std::ptrdiff_t line = rows - 1; line < of.height; ++line) add<0, rows - 1>(d, sums, line, i);
    end<1>(d, sums, i);
    sums.put(d, out, i);
  }

 private:
  // The lines above the second, third, ... row's windows.
  template <int line, class D, int vectors>
  HWY_INLINE void begin(D d, Sums<D, vectors, rows>& sums, std::ptrdiff_t i) const {
    if constexpr (line < rows - 1) {
      add<0, line>(d, sums, line, i);
      begin<line + 1>(d, sums, i);
    }
  }
  // The lines below the windows of rows 0 .. row - 1.
  template <int row, class D, int vectors>
  HWY_INLINE void end(D d, Sums<D, vectors, rows>& sums, std::ptrdiff_t i) const {
    if constexpr (row < rows) {
      add<row, rows - 1>(d, sums, of.height + row - 1, i);
      end<row + 1>(d, sums, i);
    }
  }
  template <int from, int to, class D, int vectors>
  HWY_INLINE void add(D d, Sums<D, vectors, rows>& sums, std::ptrdiff_t line, std::ptrdiff_t i) const {
    const float* sample = lines[line] + i - of.width / 2 * of.step;
    const std::ptrdiff_t at = line * of.width;
    for (std::ptrdiff_t j = 0; j < (is_column ? 1 : of.width); ++j, sample += of.step) {
      Vectors<D, vectors> x;
      x.load(d, sample);
      sums.template add<from, to>(d, x, of.weights, at + j, of.width);
    }
  }
};

// A window of one row.
template <int rows, class Out>
struct RowSums {
  const float* const* lines;
  Out* const* out;
  const Weights& of;

  template <int vectors, class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    Sums<D, vectors, rows> sums;
    sums.fill(hn::Set(d, of.bias));
    std::ptrdiff_t sample = i - of.width / 2 * of.step;
    for (std::ptrdiff_t j = 0; j < of.width; ++j, sample += of.step) {
      sums.add(d, lines, sample, hn::Set(d, of.weights[j]));
    }
    sums.put(d, out, i);
  }
};

// Calls step<vectors>(d, i) so that elements 0..n-1 are covered exactly, n being a vector at least, in several vectors
// at a time where there are so many. Some elements are done twice: a step must not read what it writes. A function of
// its own, so that a step's loops have the registers to themselves.
template <class Step>
HWY_NOINLINE void cover_wide(std::ptrdiff_t n, const Step& step) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d));
  const std::ptrdiff_t wide = wide_vectors * lanes;
  std::ptrdiff_t i = 0;
  for (; i + wide <= n; i += wide) step.template operator()<wide_vectors>(d, i);
  if (i > 0 && n - i > lanes) return step.template operator()<wide_vectors>(d, n - wide);
  for (; i + lanes <= n; i += lanes) step.template operator()<1>(d, i);
  if (i < n) step.template operator()<1>(d, n - lanes);
}

// n samples of `count` rows of the result; row r from lines[r] .. lines[r + height - 1]. Those of one column are summed
// where `is_column`.
template <bool is_column, class Out>
HWY_INLINE void weighted_rows(const float* const* lines, Out* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
                              const Weights& of) {
  constexpr std::ptrdiff_t lanes = hn::MaxLanes(hn::ScalableTag<float>());
  if (n < lanes) {
    // As many as a vector holds, from what may be read beyond the lines' ends.
    for (std::ptrdiff_t row = 0; row < count; ++row) {
      Out whole[lanes];
      Out* const to = whole;
      cover_wide(lanes, WindowSums<1, is_column, Out>{lines + row, &to, of});
      for (std::ptrdiff_t i = 0; i < n; ++i) out[row][i] = whole[i];
    }
    return;
  }
  std::ptrdiff_t row = 0;
  const auto in_groups_of = [&]<int rows>() HWY_ATTR {
    for (; row + rows <= count; row += rows) {
      if (of.height == 1) {
        cover_wide(n, RowSums<rows, Out>{lines + row, out + row, of});
      } else {
        cover_wide(n, WindowSums<rows, is_column, Out>{lines + row, out + row, of});
      }
    }
  };
  if (of.height >= convolve_rows - 1 || of.height == 1) in_groups_of.template operator()<convolve_rows>();
  in_groups_of.template operator()<convolve_rows / 2>();
  in_groups_of.template operator()<1>();
}

// A row of the image as a line.
template <class T>
HWY_INLINE void load_line(const T* in, float* line, std::ptrdiff_t n) {
  cover<float>(n, [in, line](auto d, std::ptrdiff_t i) HWY_ATTR {
    using D = decltype(d);
    if constexpr (sizeof(T) == 1) {
      const hn::Rebind<std::int32_t, D> d32;
      const hn::Rebind<T, D> d8;
      hn::StoreU(hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(d8, in + i))), d, line + i);
    } else {
      hn::StoreU(hn::LoadU(d, in + i), d, line + i);
    }
  });
}

}  // namespace speedwell::image_filter::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
