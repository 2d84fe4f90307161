// SPDX-License-Identifier: Apache-2.0
// The tile of products with few columns, compiled once a target. Rows of C lie side by side in a vector, 16 bytes of
// each: a shuffle of the vector that has 16 bytes of their rows of A gives each its next element.
#if defined(SPEEDWELL_NARROW_TILE_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPEEDWELL_NARROW_TILE_TOGGLE
#undef SPEEDWELL_NARROW_TILE_TOGGLE
#else
#define SPEEDWELL_NARROW_TILE_TOGGLE
#endif

#include <array>
#include <cstddef>
#include <utility>

#include <hwy/highway.h>

#include "kernels/matmul/matmul_tile.hpp"
#include "kernels/matmul/row_vectors-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::HWY_NAMESPACE {
namespace {

// The columns are up to so many times 16 bytes: half of AVX-512's vectors, where it is up to twice as fast as whole
// vectors of columns are. 0: there is no such tile. AVX2's 16 registers hold too few rows for it to gain anything.
constexpr ptrdiff_t most_narrow_vectors = HWY_TARGET == HWY_AVX3 ? 2 : 0;

// Vectors of A: as many sums for each as vectors of columns; 8 + 8 and 6 + 12 of 32 registers.
constexpr ptrdiff_t most_narrow_groups(ptrdiff_t vectors) { return vectors == 1 ? 8 : 6; }

template <class T>
constexpr ptrdiff_t piece = 16 / sizeof(T);  // in elements

// Rows side by side.
template <class T>
constexpr ptrdiff_t group_rows = lanes<T> / piece<T>;

// 16 bytes of each row from `row` on, beside those of the rows before.
template <ptrdiff_t row, class D>
HWY_INLINE hn::Vec<D> load_pieces_from(D d, const hn::TFromD<D>* p, ptrdiff_t stride, hn::Vec<D> before) {
  using T = hn::TFromD<D>;
  if constexpr (row == group_rows<T>) {
    return before;
  } else {
    const auto mask = hn::Not(hn::FirstN(d, static_cast<std::size_t>(row * piece<T>)));
    const auto loaded = hn::IfThenElse(mask, hn::LoadDup128(d, p + row * stride), before);
    return load_pieces_from<row + 1>(d, p, stride, loaded);
  }
}

template <class T, ptrdiff_t groups, ptrdiff_t vectors>
struct NarrowRows {
  using D = hn::ScalableTag<T>;
  NarrowRows<T, groups - 1, vectors> above;
  const T* from;
  hn::Vec<D> a;
  Vectors<T, vectors, false> sum;

  // The last group ends with the last row, and has some rows of the one before it again.
  static HWY_INLINE ptrdiff_t first_row(ptrdiff_t rows) {
    return HWY_MIN((groups - 1) * group_rows<T>, rows - group_rows<T>);
  }
  HWY_INLINE void set(const T* first, ptrdiff_t stride, ptrdiff_t rows) {
    above.set(first, stride, rows);
    from = first + first_row(rows) * stride;
    sum.set_zero();
  }
  HWY_INLINE void load(ptrdiff_t at, ptrdiff_t stride) {
    above.load(at, stride);
    a = load_pieces_from<1>(D(), from + at, stride, hn::LoadDup128(D(), from + at));
  }
  HWY_INLINE void advance() {
    above.advance();
    from += piece<T>;
  }
  template <int step>
  HWY_INLINE void multiply_add(const Vectors<T, vectors, false>& b) {
    above.template multiply_add<step>(b);
    sum.multiply_add(hn::Broadcast<step>(a), b);
  }
  HWY_INLINE void begin(const T* c, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t cols, T beta) {
    above.begin(c, stride, rows, cols, beta);
    alignas(64) T edge[vectors * lanes<T>] = {};
    for (ptrdiff_t r = 0; r < group_rows<T>; ++r) {
      const T* const row = c + (first_row(rows) + r) * stride;
      for (ptrdiff_t j = 0; j < cols; ++j) edge[j / piece<T> * lanes<T> + r * piece<T> + j % piece<T>] = row[j];
    }
    sum.load(edge, hn::Mask<D>());
    sum.multiply(hn::Set(D(), beta));
  }
  // `mask` is of a row's last 16 bytes.
  template <class Mask>
  HWY_INLINE void end(T* c, ptrdiff_t stride, ptrdiff_t rows, Mask mask) const {
    above.end(c, stride, rows, mask);
    const hn::CappedTag<T, static_cast<std::size_t>(piece<T>)> d;
    alignas(64) T edge[vectors * lanes<T>];
    sum.store(edge, hn::Mask<D>());
    T* row = c + first_row(rows) * stride;
    for (ptrdiff_t r = 0; r < group_rows<T>; ++r, row += stride) {
      if constexpr (vectors == 2) hn::StoreU(hn::Load(d, edge + r * piece<T>), d, row);
      constexpr ptrdiff_t last = vectors - 1;
      hn::BlendedStore(hn::Load(d, edge + last * lanes<T> + r * piece<T>), mask, d, row + last * piece<T>);
    }
  }
};

template <class T, ptrdiff_t vectors>
struct NarrowRows<T, 0, vectors> {
  HWY_INLINE void set(const T*, ptrdiff_t, ptrdiff_t) {}
  HWY_INLINE void load(ptrdiff_t, ptrdiff_t) {}
  HWY_INLINE void advance() {}
  template <int step>
  HWY_INLINE void multiply_add(const Vectors<T, vectors, false>&) {}
  HWY_INLINE void begin(const T*, ptrdiff_t, ptrdiff_t, ptrdiff_t, T) {}
  template <class Mask>
  HWY_INLINE void end(T*, ptrdiff_t, ptrdiff_t, Mask) const {}
};

// A row of B, each 16 bytes of it in all of a vector.
template <class T, ptrdiff_t vectors>
struct NarrowColumns {
  using D = hn::ScalableTag<T>;
  using Indices = decltype(hn::IndicesFromVec(D(), hn::Zero(hn::RebindToSigned<D>())));
  const T* from;
  ptrdiff_t stride;
  hn::Mask<D> mask;
  Indices lower, upper;

  HWY_INLINE NarrowColumns(const T* b, ptrdiff_t b_stride, ptrdiff_t cols)
      : from(b),
        stride(b_stride),
        mask(hn::FirstN(D(), static_cast<std::size_t>(cols))),
        lower(indices(0)),
        upper(indices((vectors - 1) * piece<T>)) {}
  static HWY_INLINE Indices indices(ptrdiff_t first) {
    const hn::RebindToSigned<D> d;
    using Index = hn::TFromD<decltype(d)>;
    const auto within = hn::And(hn::Iota(d, 0), hn::Set(d, static_cast<Index>(piece<T> - 1)));
    return hn::IndicesFromVec(D(), hn::Add(within, hn::Set(d, static_cast<Index>(first))));
  }
  HWY_INLINE Vectors<T, vectors, false> next() {
    const auto row = hn::MaskedLoad(mask, D(), from);
    from += stride;
    Vectors<T, vectors, false> columns;
    if constexpr (vectors == 2) columns.before.last = hn::TableLookupLanes(row, lower);
    columns.last = hn::TableLookupLanes(row, upper);
    return columns;
  }
};

template <int step, class T, ptrdiff_t groups, ptrdiff_t vectors>
HWY_INLINE void add_steps_from(NarrowRows<T, groups, vectors>& rows, NarrowColumns<T, vectors>& b) {
  rows.template multiply_add<step>(b.next());
  if constexpr (step + 1 < piece<T>) add_steps_from<step + 1>(rows, b);
}

// The last `count` steps, fewer than 16 bytes have.
template <int step, class T, ptrdiff_t groups, ptrdiff_t vectors>
HWY_INLINE void add_last_steps(NarrowRows<T, groups, vectors>& rows, NarrowColumns<T, vectors>& b, ptrdiff_t count) {
  if (count == piece<T> - step) return add_steps_from<step>(rows, b);
  if constexpr (step + 1 < piece<T>) add_last_steps<step + 1>(rows, b, count);
}

// At least one group of rows, and 16 bytes of each along k, one element after the other. Columns for all of the vectors
// but a part of the last.
template <class T, ptrdiff_t groups, ptrdiff_t vectors>
void multiply_narrow_tile(const T* a, ptrdiff_t a_stride, const T* b, ptrdiff_t b_stride, ptrdiff_t depth, T beta, T* c,
                          ptrdiff_t c_stride, ptrdiff_t rows, ptrdiff_t cols) noexcept {
  NarrowRows<T, groups, vectors> sums;
  NarrowColumns<T, vectors> columns(b, b_stride, cols);
  sums.set(a, a_stride, rows);
  if (beta != 0) sums.begin(c, c_stride, rows, cols, beta);
  ptrdiff_t left = depth;
  for (; left >= piece<T>; left -= piece<T>) {
    sums.load(0, a_stride);
    sums.advance();
    add_steps_from<0>(sums, columns);
  }
  if (left > 0) {
    sums.load(left - piece<T>, a_stride);
    add_last_steps<1>(sums, columns, left);
  }
  const hn::CappedTag<T, static_cast<std::size_t>(piece<T>)> d;
  sums.end(c, c_stride, rows, hn::FirstN(d, static_cast<std::size_t>(cols - (vectors - 1) * piece<T>)));
}

template <class T>
using MultiplyNarrow = decltype(&multiply_narrow_tile<T, 1, 1>);

template <class T, ptrdiff_t vectors, ptrdiff_t... groups>
constexpr std::array<MultiplyNarrow<T>, sizeof...(groups)> narrow_table(std::integer_sequence<ptrdiff_t, groups...>) {
  return {multiply_narrow_tile<T, groups + 1, vectors>...};
}

// Entry g is for g + 1 groups of rows.
template <class T, ptrdiff_t vectors>
constexpr auto narrow_tiles =
    narrow_table<T, vectors>(std::make_integer_sequence<ptrdiff_t, most_narrow_groups(vectors)>());

// Whether a block in place is worth it. Up to 8 rows of whole vectors take no longer, as each waits for its own last
// step, of 4 cycles, while two begin in each; and over a few steps of k it is dearer to move C between rows and
// vectors.
template <class T>
HWY_INLINE bool is_narrow(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t depth, ptrdiff_t a_depth_stride) {
  constexpr ptrdiff_t least_rows = 9;
  constexpr ptrdiff_t least_depth = 8;
  return cols <= most_narrow_vectors * piece<T> && a_depth_stride == 1 && rows >= least_rows && depth >= least_depth;
}

// Up to as many rows as the tile has.
template <class T>
HWY_INLINE void multiply_narrow_rows(const T* a, ptrdiff_t a_stride, const T* b, ptrdiff_t b_stride, ptrdiff_t depth,
                                     T beta, T* c, ptrdiff_t c_stride, ptrdiff_t rows, ptrdiff_t cols) {
  const auto groups = static_cast<std::size_t>((rows + group_rows<T> - 1) / group_rows<T>);
  const MultiplyNarrow<T> multiply = cols > piece<T> ? narrow_tiles<T, 2>[groups - 1] : narrow_tiles<T, 1>[groups - 1];
  multiply(a, a_stride, b, b_stride, depth, beta, c, c_stride, rows, cols);
}

template <class T>
void multiply_narrow(const MatmulBlock<T>& block) noexcept {
  const ptrdiff_t most = most_narrow_groups(block.width > piece<T> ? 2 : 1) * group_rows<T>;
  const ptrdiff_t tiles = (block.height + most - 1) / most;
  for (ptrdiff_t tile = 0, i = 0; tile < tiles; ++tile) {
    // As equal as can be: none has fewer rows than a group
    const ptrdiff_t rows = (block.height - i) / (tiles - tile);
    multiply_narrow_rows(block.a + i * block.a_stride, block.a_stride, block.b, block.b_depth_stride, block.depth,
                         block.beta, block.c + i * block.c_row_stride, block.c_row_stride, rows, block.width);
    i += rows;
  }
}

}  // namespace
}  // namespace speedwell::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
