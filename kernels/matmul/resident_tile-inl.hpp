// SPDX-License-Identifier: Apache-2.0
// The tile of products of little depth, compiled once a target. All of B, of wider ones a piece of B at a time, stays
// in registers while the rows of A and C pass by.
#if defined(SPEEDWELL_RESIDENT_TILE_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPEEDWELL_RESIDENT_TILE_TOGGLE
#undef SPEEDWELL_RESIDENT_TILE_TOGGLE
#else
#define SPEEDWELL_RESIDENT_TILE_TOGGLE
#endif

#include <array>
#include <cstddef>
#include <utility>

#include <hwy/highway.h>
#include <speedwell/view.hpp>

#include "kernels/matmul/joined_tile-inl.hpp"
#include "kernels/matmul/matmul_tile.hpp"
#include "kernels/matmul/row_vectors-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::HWY_NAMESPACE {
namespace {

// Columns, in vectors. 0: there is no such tile, as 16 registers hold too little of B.
constexpr ptrdiff_t most_resident_vectors = HWY_TARGET == HWY_AVX3 ? 4 : 0;

// B beside a row of C and an element of A, in 32 registers.
constexpr bool is_resident(ptrdiff_t depth, ptrdiff_t vectors) { return depth * vectors + vectors + 1 <= 31; }

// The first `depth` rows of B.
template <class T, ptrdiff_t depth, ptrdiff_t vectors>
struct ResidentRows {
  ResidentRows<T, depth - 1, vectors> before;
  Vectors<T, vectors, true> last;

  template <class Mask>
  HWY_INLINE void load(const T* b, ptrdiff_t stride, Mask mask) {
    before.load(b, stride, mask);
    last.load(b + (depth - 1) * stride, mask);
  }
  HWY_INLINE void add_to(Vectors<T, vectors, true>& sum, const T* a) const {
    before.add_to(sum, a);
    sum.multiply_add(hn::Set(hn::ScalableTag<T>(), a[depth - 1]), last);
  }
};

template <class T, ptrdiff_t vectors>
struct ResidentRows<T, 0, vectors> {
  template <class Mask>
  HWY_INLINE void load(const T*, ptrdiff_t, Mask) {}
  HWY_INLINE void add_to(Vectors<T, vectors, true>&, const T*) const {}
};

// Rows of A along k.
template <class T, ptrdiff_t depth, ptrdiff_t vectors>
void multiply_resident_tile(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
                            T beta) noexcept {
  const hn::ScalableTag<T> d;
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(c.cols - (vectors - 1) * lanes<T>));
  ResidentRows<T, depth, vectors> rows;
  rows.load(b.data, b.row_stride, mask);
  const T* from = a.data;
  T* to = c.data;
  const ptrdiff_t a_stride = a.row_stride, c_stride = c.row_stride;
  const auto pass = [&](auto begin) HWY_ATTR {
    for (ptrdiff_t left = c.rows; left > 0; --left, from += a_stride, to += c_stride) {
      Vectors<T, vectors, true> sum;
      begin(sum);
      rows.add_to(sum, from);
      sum.store(to, mask);
    }
  };
  if (beta == 0) {
    pass([](auto& sum) HWY_ATTR { sum.set_zero(); });
  } else {
    const auto factor = hn::Set(d, beta);
    pass([&](auto& sum) HWY_ATTR {
      sum.load(to, mask);
      sum.multiply(factor);
    });
  }
}

// Few columns, and often several rows of C to a vector.
template <class T, ptrdiff_t depth>
void multiply_few_columns(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
                          T beta) noexcept {
  return is_joined(a, c) ? multiply_joined<T, depth>(a, b, c, beta)
                         : multiply_resident_tile<T, depth, 1>(a, b, c, beta);
}

template <class T, ptrdiff_t depth, ptrdiff_t cols>
constexpr MultiplyViews<T> resident_of() {
  constexpr ptrdiff_t vectors = (cols + lanes<T> - 1) / lanes<T>;
  if constexpr (cols <= most_joined_cols<T>) {
    return multiply_few_columns<T, depth>;
  } else if constexpr (is_resident(depth, vectors)) {
    return multiply_resident_tile<T, depth, vectors>;
  } else {
    return nullptr;
  }
}

template <class T, ptrdiff_t... at>
constexpr std::array<MultiplyViews<T>, sizeof...(at)> resident_table(std::integer_sequence<ptrdiff_t, at...>) {
  return {resident_of<T, at % matmul_resident_depth + 1, at / matmul_resident_depth + 1>()...};
}

template <class T>
constexpr ptrdiff_t most_resident_cols = most_resident_vectors* lanes<T>;

// Entry (columns - 1) * matmul_resident_depth + depth - 1.
template <class T>
constexpr auto residents =
    resident_table<T>(std::make_integer_sequence<ptrdiff_t, most_resident_cols<T> * matmul_resident_depth>());

template <class T, ptrdiff_t... k>
constexpr std::array<MultiplyViews<T>, sizeof...(k)> joined_by_depth(std::integer_sequence<ptrdiff_t, k...>) {
  return {multiply_joined<T, k + 1>...};
}

// How many columns of so many rows of B registers hold.
template <class T>
constexpr ptrdiff_t resident_cols(ptrdiff_t depth) {
  ptrdiff_t vectors = most_resident_vectors;
  while (vectors > 1 && !is_resident(depth, vectors)) --vectors;
  return vectors * lanes<T>;
}

// Whether a block too wide for the registers is worth a pass of A and C for each piece. Of less depth another tile
// writes each row from end to end, which is better for few rows, or where C goes beyond the first-level cache.
template <class T>
bool goes_by_pieces(const MatmulBlock<T>& block) {
  constexpr ptrdiff_t least_rows = 10;
  constexpr ptrdiff_t most_elements = (40 << 10) / ptrdiff_t{sizeof(T)};
  return block.near && block.a_depth_stride == 1 &&
         (block.depth > matmul_shallow_depth ||
          (block.height >= least_rows && block.height * block.width <= most_elements));
}

// A block in place, whose rows of C are contiguous. False where this isn't its tile, and nothing is done then.
template <class T>
bool multiply_resident(const MatmulBlock<T>& block) noexcept {
  if (block.depth < 1 || block.depth > matmul_resident_depth) return false;
  const ptrdiff_t wide = block.a_depth_stride == 1 ? resident_cols<T>(block.depth) : most_joined_cols<T>;
  if (block.width > wide && !goes_by_pieces(block)) return false;
  MatrixView<const T> a(block.a, block.height, block.depth, block.a_stride, block.a_depth_stride);
  MatrixView<const T> b(block.b, block.depth, block.width, block.b_depth_stride, 1);
  MatrixView<T> c(block.c, block.height, block.width, block.c_row_stride, 1);
  if (block.a_depth_stride != 1) {
    if (!is_joined(a, c)) return false;
    static constexpr auto joined = joined_by_depth<T>(std::make_integer_sequence<ptrdiff_t, matmul_resident_depth>());
    joined[static_cast<std::size_t>(block.depth - 1)](a, b, c, block.beta);
    return true;
  }
  for (ptrdiff_t j = 0; j < block.width; j += wide) {
    b.data = block.b + j;
    c.data = block.c + j;
    b.cols = c.cols = HWY_MIN(block.width - j, wide);
    residents<T>[static_cast<std::size_t>((c.cols - 1) * matmul_resident_depth + block.depth - 1)](a, b, c, block.beta);
  }
  return true;
}

}  // namespace
}  // namespace speedwell::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
