// SPDX-License-Identifier: Apache-2.0
// The tile of products of little depth with few columns, compiled once a target. Where C's rows follow each other
// without a gap, whole rows fill a vector, and a shuffle of a vector of A gives each its element.
#if defined(SPEEDWELL_JOINED_TILE_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPEEDWELL_JOINED_TILE_TOGGLE
#undef SPEEDWELL_JOINED_TILE_TOGGLE
#else
#define SPEEDWELL_JOINED_TILE_TOGGLE
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

// Two rows at least share a vector. 0: there is no such tile, as elsewhere masked stores cost more than they save.
template <class T>
constexpr ptrdiff_t most_joined_cols = HWY_TARGET == HWY_AVX3 ? lanes<T> / 2 : 0;

// The row and the column of each lane of rows that have so many columns.
template <class T>
struct JoinedPlaces {
  using Place = hn::TFromD<hn::RebindToSigned<hn::ScalableTag<T>>>;
  alignas(64) Place row[lanes<T>] = {};
  alignas(64) Place col[lanes<T>] = {};

  constexpr explicit JoinedPlaces(ptrdiff_t cols) {
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

// For each step of k where A's elements are in a vector of it, and a row of B over and over.
template <class T, ptrdiff_t depth>
struct JoinedTerms {
  using D = hn::ScalableTag<T>;
  using DI = hn::RebindToSigned<D>;
  using Indices = decltype(hn::IndicesFromVec(D(), hn::Zero(DI())));
  JoinedTerms<T, depth - 1> before;
  Indices from;
  hn::Vec<D> b;

  HWY_INLINE void set(const MatmulBlock<T>& block, const JoinedPlaces<T>& places) {
    before.set(block, places);
    using Place = hn::TFromD<DI>;
    const auto rows = hn::Mul(hn::Load(DI(), places.row), hn::Set(DI(), static_cast<Place>(block.a_stride)));
    const auto steps = hn::Set(DI(), static_cast<Place>((depth - 1) * block.a_depth_stride));
    // The lanes beyond the last row are never stored, but must be lanes
    from = hn::IndicesFromVec(D(), hn::And(hn::Add(rows, steps), hn::Set(DI(), static_cast<Place>(lanes<T> - 1))));
    const auto mask = hn::FirstN(D(), static_cast<std::size_t>(block.width));
    const auto row = hn::MaskedLoad(mask, D(), block.b + (depth - 1) * block.b_depth_stride);
    b = hn::TableLookupLanes(row, hn::IndicesFromVec(D(), hn::Load(DI(), places.col)));
  }
  HWY_INLINE hn::Vec<D> add_to(hn::Vec<D> sum, hn::Vec<D> a) const {
    return hn::MulAdd(hn::TableLookupLanes(a, from), b, before.add_to(sum, a));
  }
};

template <class T>
struct JoinedTerms<T, 0> {
  HWY_INLINE void set(const MatmulBlock<T>&, const JoinedPlaces<T>&) {}
  template <class V>
  HWY_INLINE V add_to(V sum, V) const {
    return sum;
  }
};

// Of how many rows a vector holds all of A and C.
template <class T>
HWY_INLINE ptrdiff_t joined_rows(const MatmulBlock<T>& block) {
  const ptrdiff_t rows = lanes<T> / block.width;
  const ptrdiff_t last = lanes<T> - 1 - (block.depth - 1) * block.a_depth_stride;
  if ((rows - 1) * block.a_stride <= last) return rows;
  return last < 0 ? 0 : last / block.a_stride + 1;
}

// Whether a block in place, 1 to matmul_shallow_depth deep, is worth it.
template <class T>
HWY_INLINE bool is_joined(const MatmulBlock<T>& block) {
  return block.width <= most_joined_cols<T> && block.c_row_stride == block.width && block.a_stride >= 0 &&
         block.a_depth_stride >= 0 && block.a_stride < lanes<T> && block.a_depth_stride < lanes<T> &&
         joined_rows(block) >= 2;
}

template <class T, ptrdiff_t depth>
void multiply_joined_rows(const MatmulBlock<T>& block) noexcept {
  static constexpr auto table = joined_table<T>(std::make_index_sequence<static_cast<std::size_t>(lanes<T> / 2)>());
  const hn::ScalableTag<T> d;
  JoinedTerms<T, depth> terms;
  terms.set(block, table[static_cast<std::size_t>(block.width - 1)]);
  const auto beta = hn::Set(d, block.beta);
  const bool zero = block.beta == 0;
  const T* a = block.a;
  T* c = block.c;
  const auto mask_of = [&](ptrdiff_t count) HWY_ATTR { return hn::FirstN(d, static_cast<std::size_t>(count)); };
  const auto write = [&](auto a_mask, auto c_mask) HWY_ATTR {
    const auto begin = zero ? hn::Zero(d) : hn::Mul(hn::MaskedLoad(c_mask, d, c), beta);
    hn::BlendedStore(terms.add_to(begin, hn::MaskedLoad(a_mask, d, a)), c_mask, d, c);
  };
  const ptrdiff_t rows = joined_rows(block);
  const ptrdiff_t a_rest = (depth - 1) * block.a_depth_stride + 1;
  const auto a_whole = mask_of((rows - 1) * block.a_stride + a_rest);
  const auto c_whole = mask_of(rows * block.width);
  ptrdiff_t left = block.height;
  for (; left >= rows; left -= rows) {
    write(a_whole, c_whole);
    a += rows * block.a_stride;
    c += rows * block.width;
  }
  if (left > 0) write(mask_of((left - 1) * block.a_stride + a_rest), mask_of(left * block.width));
}

template <class T, ptrdiff_t depth = 1>
void multiply_joined(const MatmulBlock<T>& block) noexcept {
  if constexpr (depth < matmul_shallow_depth) {
    if (block.depth > depth) return multiply_joined<T, depth + 1>(block);
  }
  multiply_joined_rows<T, depth>(block);
}

}  // namespace
}  // namespace speedwell::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
