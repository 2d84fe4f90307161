// SPDX-License-Identifier: Apache-2.0
// The tile of products with very few columns, compiled once a target. A vector holds a column of C, of as many rows as
// it has lanes: half a vector of each of these rows of A is transposed in registers, and an element of B serves all.
#if defined(SPEEDWELL_SLIM_TILE_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPEEDWELL_SLIM_TILE_TOGGLE
#undef SPEEDWELL_SLIM_TILE_TOGGLE
#else
#define SPEEDWELL_SLIM_TILE_TOGGLE
#endif

#include <array>
#include <cstddef>
#include <utility>

#include <hwy/highway.h>

#include "kernels/matmul/row_vectors-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::HWY_NAMESPACE {
namespace {

// 16 bytes, in elements: what shuffles within vectors don't cross.
template <class T>
constexpr ptrdiff_t block_of = 16 / sizeof(T);

// Steps of k that half a vector has of a row.
template <class T>
constexpr ptrdiff_t slim_steps = lanes<T> / 2;

// Groups of rows of a tile: as many as have their steps and sums in 32 registers, beside an element of B and what the
// shuffles need.
template <class T>
constexpr ptrdiff_t most_slim_groups(ptrdiff_t cols) {
  return HWY_MIN(29 / (slim_steps<T> + cols), ptrdiff_t{4});
}

// Rows come by eights, the last of which end with the last row: they overlap where the rows aren't a multiple of eight.
constexpr ptrdiff_t slim_octet = 8;

// As many vectors as 16 bytes have elements, each block of 16 bytes of them transposed.
template <class T>
struct Square {
  using D = hn::ScalableTag<T>;
  hn::Vec<D> row[block_of<T>];

  HWY_INLINE Square transposed() const {
    const D d;
    if constexpr (block_of<T> == 2) {
      return {{InterleaveLower(d, row[0], row[1]), InterleaveUpper(d, row[0], row[1])}};
    } else {
      const hn::Repartition<double, D> pairs;
      const auto lower = hn::BitCast(pairs, InterleaveLower(d, row[0], row[1]));
      const auto upper = hn::BitCast(pairs, InterleaveUpper(d, row[0], row[1]));
      const auto next_lower = hn::BitCast(pairs, InterleaveLower(d, row[2], row[3]));
      const auto next_upper = hn::BitCast(pairs, InterleaveUpper(d, row[2], row[3]));
      return {{hn::BitCast(d, InterleaveLower(pairs, lower, next_lower)),
               hn::BitCast(d, InterleaveUpper(pairs, lower, next_lower)),
               hn::BitCast(d, InterleaveLower(pairs, upper, next_upper)),
               hn::BitCast(d, InterleaveUpper(pairs, upper, next_upper))}};
    }
  }
};

// The steps of k that half a vector has, each a vector of the elements of a group of rows.
template <class T>
struct SlimSteps {
  using D = hn::ScalableTag<T>;
  hn::Vec<D> step[slim_steps<T>];

  // octet[q] is at row 8 * q.
  HWY_INLINE void load(const T* const (&octet)[lanes<T> / slim_octet], ptrdiff_t stride, ptrdiff_t at) {
    if constexpr (slim_steps<T> == block_of<T>) {
      const Square<T> square = rows<0>(octet, stride, at).transposed();
      set<0>(square);
    } else {
      const Square<T> even = rows<0>(octet, stride, at).transposed();
      const Square<T> odd = rows<block_of<T>>(octet, stride, at).transposed();
      weave<0>(even, odd);
    }
  }

 private:
  // Rows first, first + 1, ..., and in the upper half of the vectors those half a group further.
  template <ptrdiff_t first>
  static HWY_INLINE Square<T> rows(const T* const (&octet)[lanes<T> / slim_octet], ptrdiff_t stride, ptrdiff_t at) {
    if constexpr (block_of<T> == 2) {
      return {{pair<first>(octet, stride, at), pair<first + 1>(octet, stride, at)}};
    } else {
      return {{pair<first>(octet, stride, at), pair<first + 1>(octet, stride, at), pair<first + 2>(octet, stride, at),
               pair<first + 3>(octet, stride, at)}};
    }
  }
  template <ptrdiff_t row>
  static HWY_INLINE hn::Vec<D> pair(const T* const (&octet)[lanes<T> / slim_octet], ptrdiff_t stride, ptrdiff_t at) {
    const hn::Half<D> half;
    constexpr ptrdiff_t other = row + lanes<T> / 2;
    const auto upper = hn::LoadU(half, octet[other / slim_octet] + other % slim_octet * stride + at);
    return Combine(D(), upper, hn::LoadU(half, octet[row / slim_octet] + row % slim_octet * stride + at));
  }
  template <ptrdiff_t i>
  HWY_INLINE void set(const Square<T>& square) {
    step[i] = square.row[i];
    if constexpr (i + 1 < block_of<T>) set<i + 1>(square);
  }
  template <ptrdiff_t i>
  HWY_INLINE void weave(const Square<T>& even, const Square<T>& odd) {
    step[i] = OddEvenBlocks(SwapAdjacentBlocks(odd.row[i]), even.row[i]);
    step[i + block_of<T>] = OddEvenBlocks(odd.row[i], SwapAdjacentBlocks(even.row[i]));
    if constexpr (i + 1 < block_of<T>) weave<i + 1>(even, odd);
  }
};

template <class T, ptrdiff_t groups, ptrdiff_t cols>
struct SlimRows {
  using D = hn::ScalableTag<T>;
  SlimRows<T, groups - 1, cols> above;
  const T* octet[lanes<T> / slim_octet];
  SlimSteps<T> a;
  hn::Vec<D> sum[cols];

  static HWY_INLINE ptrdiff_t first_row(ptrdiff_t q, ptrdiff_t rows) {
    return HWY_MIN((groups - 1) * lanes<T> + q * slim_octet, rows - slim_octet);
  }
  HWY_INLINE void set(const T* first, ptrdiff_t stride, ptrdiff_t rows) {
    above.set(first, stride, rows);
    for (ptrdiff_t q = 0; q < lanes<T> / slim_octet; ++q) octet[q] = first + first_row(q, rows) * stride;
    for (ptrdiff_t j = 0; j < cols; ++j) sum[j] = hn::Zero(D());
  }
  HWY_INLINE void load(ptrdiff_t at, ptrdiff_t stride) {
    above.load(at, stride);
    a.load(octet, stride, at);
  }
  HWY_INLINE void advance() {
    above.advance();
    for (ptrdiff_t q = 0; q < lanes<T> / slim_octet; ++q) octet[q] += slim_steps<T>;
  }
  template <ptrdiff_t step, ptrdiff_t col>
  HWY_INLINE void multiply_add(hn::Vec<D> b) {
    above.template multiply_add<step, col>(b);
    sum[col] = hn::MulAdd(a.step[step], b, sum[col]);
  }
  HWY_INLINE void begin(const T* c, ptrdiff_t stride, ptrdiff_t rows, T beta) {
    above.begin(c, stride, rows, beta);
    alignas(64) T edge[cols * lanes<T>];
    for (ptrdiff_t r = 0; r < lanes<T>; ++r) {
      const T* const row = c + (first_row(r / slim_octet, rows) + r % slim_octet) * stride;
      for (ptrdiff_t j = 0; j < cols; ++j) edge[j * lanes<T> + r] = row[j];
    }
    for (ptrdiff_t j = 0; j < cols; ++j) sum[j] = hn::Mul(hn::Load(D(), edge + j * lanes<T>), hn::Set(D(), beta));
  }
  HWY_INLINE void end(T* c, ptrdiff_t stride, ptrdiff_t rows) const {
    above.end(c, stride, rows);
    end_block<0>(c, stride, rows);
  }

 private:
  // The columns of 16 bytes of each row, from `first` on.
  template <ptrdiff_t first>
  HWY_INLINE void end_block(T* c, ptrdiff_t stride, ptrdiff_t rows) const {
    const Square<T> by_rows = columns<first>().transposed();
    alignas(64) T edge[block_of<T> * lanes<T>];
    for (ptrdiff_t i = 0; i < block_of<T>; ++i) hn::Store(by_rows.row[i], D(), edge + i * lanes<T>);
    const hn::CappedTag<T, static_cast<std::size_t>(block_of<T>)> d;
    constexpr ptrdiff_t count = HWY_MIN(cols - first, block_of<T>);
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(count));
    for (ptrdiff_t q = 0; q < lanes<T> / slim_octet; ++q) {
      T* row = c + first_row(q, rows) * stride + first;
      for (ptrdiff_t r = q * slim_octet; r < (q + 1) * slim_octet; ++r, row += stride) {
        hn::BlendedStore(hn::Load(d, edge + r % block_of<T> * lanes<T> + r / block_of<T> * block_of<T>), mask, d, row);
      }
    }
    if constexpr (first + block_of<T> < cols) end_block<first + block_of<T>>(c, stride, rows);
  }
  // Beyond the last column it is the last one again.
  template <ptrdiff_t first>
  HWY_INLINE Square<T> columns() const {
    constexpr ptrdiff_t last = cols - 1;
    if constexpr (block_of<T> == 2) {
      return {{sum[first], sum[HWY_MIN(first + 1, last)]}};
    } else {
      return {
          {sum[first], sum[HWY_MIN(first + 1, last)], sum[HWY_MIN(first + 2, last)], sum[HWY_MIN(first + 3, last)]}};
    }
  }
};

template <class T, ptrdiff_t cols>
struct SlimRows<T, 0, cols> {
  HWY_INLINE void set(const T*, ptrdiff_t, ptrdiff_t) {}
  HWY_INLINE void load(ptrdiff_t, ptrdiff_t) {}
  HWY_INLINE void advance() {}
  template <ptrdiff_t step, ptrdiff_t col, class V>
  HWY_INLINE void multiply_add(V) {}
  HWY_INLINE void begin(const T*, ptrdiff_t, ptrdiff_t, T) {}
  HWY_INLINE void end(T*, ptrdiff_t, ptrdiff_t) const {}
};

// From one step on, each with a row of B.
template <ptrdiff_t step, ptrdiff_t col, class T, ptrdiff_t groups, ptrdiff_t cols>
HWY_INLINE void add_slim_step(SlimRows<T, groups, cols>& rows, const T* b) {
  rows.template multiply_add<step, col>(hn::Set(hn::ScalableTag<T>(), b[col]));
  if constexpr (col + 1 < cols) add_slim_step<step, col + 1>(rows, b);
}

// Where B's row for a step is, with two pointers four rows apart: multiples of the stride up to three are all that its
// address takes.
template <class T>
struct SlimFactors {
  const T* b;
  const T* fourth;
  ptrdiff_t stride;

  HWY_INLINE void advance() {
    b += slim_steps<T> * stride;
    fourth += slim_steps<T> * stride;
  }
  template <ptrdiff_t step>
  HWY_INLINE const T* at() const {
    return (step < 4 ? b : fourth) + step % 4 * stride;
  }
};

template <ptrdiff_t step, class T, ptrdiff_t groups, ptrdiff_t cols>
HWY_INLINE void add_slim_steps_from(SlimRows<T, groups, cols>& rows, const SlimFactors<T>& b) {
  add_slim_step<step, 0>(rows, b.template at<step>());
  if constexpr (step + 1 < slim_steps<T>) add_slim_steps_from<step + 1>(rows, b);
}

// The last `count` steps.
template <ptrdiff_t step, class T, ptrdiff_t groups, ptrdiff_t cols>
HWY_INLINE void add_last_slim_steps(SlimRows<T, groups, cols>& rows, const T* b, ptrdiff_t stride, ptrdiff_t count) {
  if (count >= slim_steps<T> - step) {
    add_slim_step<step, 0>(rows, b);
    b += stride;
  }
  if constexpr (step + 1 < slim_steps<T>) add_last_slim_steps<step + 1>(rows, b, stride, count);
}

// Eight rows at least, and as many steps as half a vector has.
template <class T, ptrdiff_t groups, ptrdiff_t cols>
void multiply_slim_tile(const T* a, ptrdiff_t a_stride, const T* b, ptrdiff_t b_stride, ptrdiff_t depth, T beta, T* c,
                        ptrdiff_t c_stride, ptrdiff_t rows) noexcept {
  SlimRows<T, groups, cols> sums;
  sums.set(a, a_stride, rows);
  if (beta != 0) sums.begin(c, c_stride, rows, beta);
  SlimFactors<T> factors = {b, b + 4 * b_stride, b_stride};
  ptrdiff_t left = depth;
  for (; left >= slim_steps<T>; left -= slim_steps<T>) {
    sums.load(0, a_stride);
    sums.advance();
    add_slim_steps_from<0>(sums, factors);
    factors.advance();
  }
  if (left > 0) {
    sums.load(left - slim_steps<T>, a_stride);
    add_last_slim_steps<1>(sums, factors.b, b_stride, left);
  }
  sums.end(c, c_stride, rows);
}

// Up to so many columns. 0: there is no such tile, as AVX2's 16 registers hold too few rows.
constexpr ptrdiff_t most_slim_cols = HWY_TARGET == HWY_AVX3 ? 6 : 0;
constexpr ptrdiff_t least_slim_cols = 2;

template <class T>
using MultiplySlim = decltype(&multiply_slim_tile<T, 1, 2>);

template <class T, ptrdiff_t cols, ptrdiff_t... groups>
constexpr std::array<MultiplySlim<T>, 4> slim_of_cols(std::integer_sequence<ptrdiff_t, groups...>) {
  return {multiply_slim_tile<T, groups + 1, cols>...};
}

template <class T, ptrdiff_t... cols>
constexpr std::array<std::array<MultiplySlim<T>, 4>, sizeof...(cols)> slim_table(
    std::integer_sequence<ptrdiff_t, cols...>) {
  return {slim_of_cols<T, cols + least_slim_cols>(
      std::make_integer_sequence<ptrdiff_t, most_slim_groups<T>(cols + least_slim_cols)>())...};
}

// Entry [j][g] is for j + least_slim_cols columns and g + 1 groups of rows.
template <class T>
constexpr auto slim_tiles =
    slim_table<T>(std::make_integer_sequence<ptrdiff_t, HWY_MAX(most_slim_cols - least_slim_cols + 1, ptrdiff_t{0})>());

// Whether factors in place are worth it. For fewer rows whole vectors of columns, or 16 bytes of each row, take no
// longer, and over fewer steps of k it is dearer to bring C into columns and back.
template <class T>
HWY_INLINE bool is_slim(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t depth, ptrdiff_t a_depth_stride) {
  constexpr ptrdiff_t least_rows = 3 * lanes<T> / 2;
  const ptrdiff_t least_depth = rows < 2 * lanes<T> ? 64 : 32;
  return cols >= least_slim_cols && cols <= most_slim_cols && a_depth_stride == 1 && rows >= least_rows &&
         depth >= least_depth;
}

// `height` rows, as many as is_slim wants.
template <class T>
HWY_INLINE void multiply_slim(const T* a, ptrdiff_t a_stride, const T* b, ptrdiff_t b_stride, ptrdiff_t depth, T beta,
                              T* c, ptrdiff_t c_stride, ptrdiff_t height, ptrdiff_t cols) {
  const auto& of_cols = slim_tiles<T>[static_cast<std::size_t>(cols - least_slim_cols)];
  const ptrdiff_t most = most_slim_groups<T>(cols) * lanes<T>;
  for (ptrdiff_t left = height; left > 0;) {
    // None is left with fewer rows than a tile must have.
    const ptrdiff_t rows = left > most && left < most + slim_octet ? left - slim_octet : HWY_MIN(left, most);
    of_cols[static_cast<std::size_t>((rows - 1) / lanes<T>)](a, a_stride, b, b_stride, depth, beta, c, c_stride, rows);
    a += rows * a_stride;
    c += rows * c_stride;
    left -= rows;
  }
}

}  // namespace
}  // namespace speedwell::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
