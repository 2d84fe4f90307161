// SPDX-License-Identifier: Apache-2.0
// The tile of products of little depth whose rows of C share a vector, compiled once a target. They are so short, and
// follow each other without a gap, that several whole ones fill it, and a shuffle of a vector of A gives each its
// element.
#if defined(SPEEDWELL_JOINED_TILE_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPEEDWELL_JOINED_TILE_TOGGLE
#undef SPEEDWELL_JOINED_TILE_TOGGLE
#else
#define SPEEDWELL_JOINED_TILE_TOGGLE
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <hwy/highway.h>
#include <speedwell/view.hpp>

#include "kernels/matmul/row_vectors-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::HWY_NAMESPACE {
namespace {

// Two rows at least share a vector. 0: there is no such tile, as elsewhere masked stores cost more than they save.
template <class T>
constexpr ptrdiff_t most_joined_cols = HWY_TARGET == HWY_AVX3 ? lanes<T> / 2 : 0;

// The row and the column of each lane of rows that have so many columns.
template <class T>
struct JoinedPlaces {
  using Place = hn::TFromD<hn::RebindToSigned<hn::ScalableTag<T>>>;
  alignas(64) Place row[lanes<T>] = {};
  alignas(64) Place col[lanes<T>] = {};
  ptrdiff_t rows;  // whole ones

  constexpr explicit JoinedPlaces(ptrdiff_t cols) : rows(lanes<T> / cols) {
    for (ptrdiff_t l = 0; l < lanes<T>; ++l) {
      row[l] = static_cast<Place>(l / cols);
      col[l] = static_cast<Place>(l % cols);
    }
  }
};

// Entry n is for n + 1 columns.
template <class T, std::size_t... n>
constexpr std::array<JoinedPlaces<T>, sizeof...(n)> joined_table(std::index_sequence<n...>) {
  return {JoinedPlaces<T>(static_cast<ptrdiff_t>(n) + 1)...};
}

template <class T>
constexpr auto joined_places = joined_table<T>(std::make_index_sequence<static_cast<std::size_t>(lanes<T> / 2)>());

// For each step of k where A's elements are in a vector of it, and a row of B over and over.
template <class T, ptrdiff_t depth>
struct JoinedTerms {
  using D = hn::ScalableTag<T>;
  using DI = hn::RebindToSigned<D>;
  using Indices = decltype(hn::IndicesFromVec(D(), hn::Zero(DI())));
  JoinedTerms<T, depth - 1> before;
  Indices from;
  hn::Vec<D> b;

  HWY_INLINE void set(const MatrixView<const T>& a, const MatrixView<const T>& by, const JoinedPlaces<T>& places) {
    before.set(a, by, places);
    using Place = hn::TFromD<DI>;
    const auto rows = hn::Mul(hn::Load(DI(), places.row), hn::Set(DI(), static_cast<Place>(a.row_stride)));
    const auto steps = hn::Set(DI(), static_cast<Place>((depth - 1) * a.col_stride));
    // The lanes beyond the last row are never stored, but must be lanes
    from = hn::IndicesFromVec(D(), hn::And(hn::Add(rows, steps), hn::Set(DI(), static_cast<Place>(lanes<T> - 1))));
    const auto mask = hn::FirstN(D(), static_cast<std::size_t>(by.cols));
    const auto row = hn::MaskedLoad(mask, D(), by.data + (depth - 1) * by.row_stride);
    b = hn::TableLookupLanes(row, hn::IndicesFromVec(D(), hn::Load(DI(), places.col)));
  }
  HWY_INLINE hn::Vec<D> add_to(hn::Vec<D> sum, hn::Vec<D> a) const {
    return hn::MulAdd(hn::TableLookupLanes(a, from), b, before.add_to(sum, a));
  }
};

template <class T>
struct JoinedTerms<T, 0> {
  HWY_INLINE void set(const MatrixView<const T>&, const MatrixView<const T>&, const JoinedPlaces<T>&) {}
  template <class V>
  HWY_INLINE V add_to(V sum, V) const {
    return sum;
  }
};

// Whether it is worth it: a vector holds all of A and C of two rows at least, and there are enough for what is set up.
template <class T>
HWY_INLINE bool is_joined(const MatrixView<const T>& a, const MatrixView<T>& c) {
  constexpr ptrdiff_t least_rows = 12;
  return c.cols <= most_joined_cols<T> && c.row_stride == c.cols && c.rows >= least_rows && a.row_stride >= 0 &&
         a.col_stride >= 0 && a.row_stride < lanes<T> && a.col_stride < lanes<T> &&
         a.row_stride + (a.cols - 1) * a.col_stride < lanes<T>;
}

// Of how many rows a vector holds all of A and C. By 32 bits, as a division of more takes as long as many steps.
template <class T>
HWY_INLINE ptrdiff_t joined_rows(const MatrixView<const T>& a, ptrdiff_t rows_of_c) {
  const ptrdiff_t last = lanes<T> - 1 - (a.cols - 1) * a.col_stride;
  if ((rows_of_c - 1) * a.row_stride <= last) return rows_of_c;
  return static_cast<std::uint32_t>(last) / static_cast<std::uint32_t>(a.row_stride) + 1;
}

template <class T, ptrdiff_t depth>
void multiply_joined(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
                     T beta) noexcept {
  const hn::ScalableTag<T> d;
  const JoinedPlaces<T>& places = joined_places<T>[static_cast<std::size_t>(c.cols - 1)];
  JoinedTerms<T, depth> terms;
  terms.set(a, b, places);
  const auto factor = hn::Set(d, beta);
  const T* from = a.data;
  T* to = c.data;
  const auto mask_of = [&](ptrdiff_t count) HWY_ATTR { return hn::FirstN(d, static_cast<std::size_t>(count)); };
  const auto write = [&](auto a_mask, auto c_mask) HWY_ATTR {
    const auto begin = beta == 0 ? hn::Zero(d) : hn::Mul(hn::MaskedLoad(c_mask, d, to), factor);
    hn::BlendedStore(terms.add_to(begin, hn::MaskedLoad(a_mask, d, from)), c_mask, d, to);
  };
  const ptrdiff_t rows = joined_rows(a, places.rows);
  const ptrdiff_t a_rest = (depth - 1) * a.col_stride + 1;
  const ptrdiff_t a_step = rows * a.row_stride, c_step = rows * c.cols;
  const auto a_whole = mask_of((rows - 1) * a.row_stride + a_rest);
  const auto c_whole = mask_of(c_step);
  ptrdiff_t left = c.rows;
  for (; left >= rows; left -= rows) {
    write(a_whole, c_whole);
    from += a_step;
    to += c_step;
  }
  if (left > 0) write(mask_of((left - 1) * a.row_stride + a_rest), mask_of(left * c.cols));
}

}  // namespace
}  // namespace speedwell::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
