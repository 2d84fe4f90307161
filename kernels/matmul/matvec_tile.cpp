// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set: foreach_target.h includes this file again and again.
#include "kernels/matmul/matvec_tile.hpp"

#include <hwy/cache_control.h>

#include <array>
#include <cstdint>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/matvec_tile.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell {

template <std::int64_t target, class T>
struct MatvecTiles;

namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using std::ptrdiff_t;

template <class T>
using Vec = hn::Vec<hn::ScalableTag<T>>;

template <class T>
constexpr ptrdiff_t vector_lanes = static_cast<ptrdiff_t>(hn::MaxLanes(hn::ScalableTag<T>()));

template <class T>
constexpr ptrdiff_t cache_line = 64 / sizeof(T);  // in elements

// Of the header's order.
constexpr ptrdiff_t lanes = 16;

template <class T>
constexpr ptrdiff_t lane_vectors = lanes / vector_lanes<T>;

// Elsewhere Highway's masked loads read whole vectors.
constexpr bool masked_loads = HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3;

template <class T>
HWY_INLINE auto first_lanes(ptrdiff_t count) {
  return hn::FirstN(hn::ScalableTag<T>(), static_cast<std::size_t>(count));
}

// alpha * sum + beta * y in the vectors or the one element of D.
template <class D>
HWY_INLINE void write(D d, hn::Vec<D> sum, hn::TFromD<D> alpha, hn::TFromD<D> beta, hn::TFromD<D>* y) {
  const auto factor = hn::Set(d, alpha);
  if (beta == 0) {
    hn::StoreU(hn::Mul(factor, sum), d, y);
  } else {
    hn::StoreU(hn::MulAdd(factor, sum, hn::Mul(hn::Set(d, beta), hn::LoadU(d, y))), d, y);
  }
}

// The first `count` lanes of the sums of a vector of outputs.
template <class T>
HWY_INLINE void write_outputs(Vec<T> sum, ptrdiff_t count, T alpha, T beta, T* y, ptrdiff_t y_stride) {
  const hn::ScalableTag<T> d;
  if (count == vector_lanes<T> && y_stride == 1) {
    write(d, sum, alpha, beta, y);
    return;
  }
  if constexpr (masked_loads) {
    if (y_stride == 1) {
      const auto mask = first_lanes<T>(count);
      auto scaled = hn::Mul(hn::Set(d, alpha), sum);
      if (beta != 0) scaled = hn::MulAdd(hn::Set(d, alpha), sum, hn::Mul(hn::Set(d, beta), hn::MaskedLoad(mask, d, y)));
      hn::BlendedStore(scaled, mask, d, y);
      return;
    }
  }
  alignas(64) T edge[vector_lanes<T>] = {};
  if (beta != 0) {
    for (ptrdiff_t i = 0; i < count; ++i) edge[i] = y[i * y_stride];
  }
  write(d, sum, alpha, beta, edge);
  for (ptrdiff_t i = 0; i < count; ++i) y[i * y_stride] = edge[i];
}

// Any strides: an output after the other.
template <class T>
void multiply_any(const T* a, ptrdiff_t stride, ptrdiff_t depth_stride, const T* x, ptrdiff_t count, ptrdiff_t depth,
                  T alpha, T beta, T* y, ptrdiff_t y_stride) noexcept {
  const hn::CappedTag<T, 1> d;
  for (ptrdiff_t i = 0; i < count; ++i) {
    T sums[lanes] = {};
    const T* from = a + i * stride;
    for (ptrdiff_t k = 0; k < depth; k += lanes) {
      const ptrdiff_t reached = HWY_MIN(depth - k, lanes);
      for (ptrdiff_t l = 0; l < reached; ++l) {
        const T element = from[(k + l) * depth_stride];
        sums[l] = hn::GetLane(hn::MulAdd(hn::Set(d, element), hn::Set(d, x[k + l]), hn::Set(d, sums[l])));
      }
    }
    for (ptrdiff_t half = lanes / 2; half > 0; half /= 2) {
      for (ptrdiff_t l = 0; l < half; ++l) sums[l] += sums[l + half];
    }
    write(d, hn::Set(d, sums[0]), alpha, beta, y + i * y_stride);
  }
}

// ---- Rows along k: a few of them share the vectors of x.

// Recursive structs and not arrays: compilers keep their members in registers without fail.
template <class T, ptrdiff_t count>
struct RowPointers {
  RowPointers<T, count - 1> before;
  const T* last;

  // Rows beyond the last one are the last one again: as fast as a loop of fewer chains, which would wait for each.
  HWY_INLINE RowPointers(const T* a, ptrdiff_t stride, ptrdiff_t rows)
      : before(a, stride, rows), last(a + (HWY_MIN(count, rows) - 1) * stride) {}
};

template <class T>
struct RowPointers<T, 0> {
  HWY_INLINE RowPointers(const T*, ptrdiff_t, ptrdiff_t) {}
};

// One vector of the lanes of each of `rows` outputs.
template <class T, ptrdiff_t rows>
struct RowVectors {
  RowVectors<T, rows - 1> before;
  Vec<T> last;

  HWY_INLINE void set_zero() {
    before.set_zero();
    last = hn::Zero(hn::ScalableTag<T>());
  }
  HWY_INLINE void multiply_add(const RowPointers<T, rows>& a, ptrdiff_t k, Vec<T> x) {
    before.multiply_add(a.before, k, x);
    last = hn::MulAdd(hn::LoadU(hn::ScalableTag<T>(), a.last + k), x, last);
  }
  template <class M>
  HWY_INLINE void multiply_add(const RowPointers<T, rows>& a, ptrdiff_t k, Vec<T> x, M mask) {
    before.multiply_add(a.before, k, x, mask);
    last = hn::MulAdd(hn::MaskedLoad(mask, hn::ScalableTag<T>(), a.last + k), x, last);
  }
  HWY_INLINE void add(const RowVectors& other) {
    before.add(other.before);
    last = hn::Add(last, other.last);
  }
  HWY_INLINE void store(T* to) const {
    before.store(to);
    hn::Store(last, hn::ScalableTag<T>(), to + (rows - 1) * vector_lanes<T>);
  }
};

template <class T>
struct RowVectors<T, 0> {
  HWY_INLINE void set_zero() {}
  HWY_INLINE void multiply_add(const RowPointers<T, 0>&, ptrdiff_t, Vec<T>) {}
  template <class M>
  HWY_INLINE void multiply_add(const RowPointers<T, 0>&, ptrdiff_t, Vec<T>, M) {}
  HWY_INLINE void add(const RowVectors&) {}
  HWY_INLINE void store(T*) const {}
};

// `vectors` vectors of the lanes of each of `rows` outputs.
template <class T, ptrdiff_t rows, ptrdiff_t vectors>
struct RowLanes {
  RowLanes<T, rows, vectors / 2> lower, upper;
  static constexpr ptrdiff_t half = vectors / 2 * vector_lanes<T>;

  HWY_INLINE void set_zero() {
    lower.set_zero();
    upper.set_zero();
  }
  HWY_INLINE void multiply_add(const RowPointers<T, rows>& a, const T* x, ptrdiff_t k) {
    lower.multiply_add(a, x, k);
    upper.multiply_add(a, x, k + half);
  }
  HWY_INLINE void multiply_add_first(const RowPointers<T, rows>& a, const T* x, ptrdiff_t k, ptrdiff_t left) {
    lower.multiply_add_first(a, x, k, left);
    if (left > half) upper.multiply_add_first(a, x, k + half, left - half);
  }
  HWY_INLINE const RowVectors<T, rows>& by_halves() {
    lower.add(upper);
    return lower.by_halves();
  }
  HWY_INLINE void add(const RowLanes& other) {
    lower.add(other.lower);
    upper.add(other.upper);
  }
};

template <class T, ptrdiff_t rows>
struct RowLanes<T, rows, 1> {
  RowVectors<T, rows> sums;

  HWY_INLINE void set_zero() { sums.set_zero(); }
  HWY_INLINE void multiply_add(const RowPointers<T, rows>& a, const T* x, ptrdiff_t k) {
    sums.multiply_add(a, k, hn::LoadU(hn::ScalableTag<T>(), x + k));
  }
  // Beyond x it is -0: times the 0 that a masked load gives, what leaves any lane as it is.
  HWY_INLINE void multiply_add_first(const RowPointers<T, rows>& a, const T* x, ptrdiff_t k, ptrdiff_t left) {
    const hn::ScalableTag<T> d;
    const auto mask = first_lanes<T>(HWY_MIN(left, vector_lanes<T>));
    sums.multiply_add(a, k, hn::IfThenElse(mask, hn::MaskedLoad(mask, d, x + k), hn::Set(d, T{-0.0})), mask);
  }
  HWY_INLINE const RowVectors<T, rows>& by_halves() { return sums; }
  HWY_INLINE void add(const RowLanes& other) { sums.add(other.sums); }
};

// At least 8 chains at a time hide the latency of fused multiply-adds, 4 cycles, of which 2 begin in each. Where there
// are 32 registers, twice as many of doubles, so that x is loaded less often; and on NEON, as it has four units.
template <class T>
constexpr ptrdiff_t chains = HWY_TARGET == HWY_NEON || (HWY_TARGET == HWY_AVX3 && sizeof(T) == 8) ? 16 : 8;

template <class T>
constexpr ptrdiff_t rows_at_once = HWY_MAX(chains<T> / lane_vectors<T>, ptrdiff_t{1});

// As few as have 8 chains.
template <class T>
constexpr ptrdiff_t few_rows = HWY_MIN(rows_at_once<T>, HWY_MAX(8 / lane_vectors<T>, ptrdiff_t{1}));

// The lanes of some rows, `rows` <= at_once of them, down to a vector for each.
template <ptrdiff_t at_once, class T>
HWY_INLINE RowVectors<T, at_once> sum_rows(const T* a, ptrdiff_t stride, ptrdiff_t rows, const T* x, ptrdiff_t depth) {
  const RowPointers<T, at_once> from(a, stride, rows);
  RowLanes<T, at_once, lane_vectors<T>> sums;
  sums.set_zero();
  const ptrdiff_t whole = depth - depth % lanes;
  for (ptrdiff_t k = 0; k < whole; k += lanes) sums.multiply_add(from, x, k);
  if (whole < depth) {
    if constexpr (masked_loads) {
      sums.multiply_add_first(from, x, whole, depth - whole);
    } else {
      // Beyond x it is -0: times 0, what leaves any lane as it is
      alignas(64) T x_rest[lanes];
      for (ptrdiff_t l = 0; l < lanes; ++l) x_rest[l] = whole + l < depth ? x[whole + l] : T{-0.0};
      alignas(64) T rest[at_once * lanes] = {};
      for (ptrdiff_t r = 0; r < rows; ++r) {
        for (ptrdiff_t k = whole; k < depth; ++k) rest[r * lanes + k - whole] = a[r * stride + k];
      }
      sums.multiply_add(RowPointers<T, at_once>(rest, lanes, rows), x_rest, 0);
    }
  }
  return sums.by_halves();
}

template <class T>
constexpr ptrdiff_t block_lanes = 16 / sizeof(T);

// Whether add_neighbours swaps the inner two of four outputs, which is undone once at the end.
template <class T, ptrdiff_t distance>
constexpr bool swaps_outputs = vector_lanes<T> == 4 * block_lanes<T>&& distance >= block_lanes<T>;

// Of lanes in groups of 2 * distance, those of p and then those of q, each group's lower half plus its upper half.
template <class T, ptrdiff_t distance>
HWY_INLINE Vec<T> add_neighbours(Vec<T> p, Vec<T> q) {
  const hn::ScalableTag<T> d;
  if constexpr (2 * distance == vector_lanes<T>) {
    return hn::Add(ConcatLowerLower(d, q, p), ConcatUpperUpper(d, q, p));
  } else if constexpr (distance == 1) {
    return hn::Add(ConcatEven(d, q, p), ConcatOdd(d, q, p));
  } else if constexpr (distance * sizeof(T) == sizeof(double)) {
    const hn::Repartition<double, decltype(d)> pairs;
    const auto p_pairs = hn::BitCast(pairs, p), q_pairs = hn::BitCast(pairs, q);
    return hn::Add(hn::BitCast(d, ConcatEven(pairs, q_pairs, p_pairs)),
                   hn::BitCast(d, ConcatOdd(pairs, q_pairs, p_pairs)));
  } else {
    static_assert(swaps_outputs<T, distance>);
    return hn::Add(OddEvenBlocks(SwapAdjacentBlocks(q), p), OddEvenBlocks(q, SwapAdjacentBlocks(p)));
  }
}

// A vector whose outputs have `width` lanes each, from vectors whose outputs have `loaded_width`; load(i) gives them.
template <class T, ptrdiff_t width, ptrdiff_t loaded_width, class Load>
HWY_INLINE Vec<T> add_down_to(Load load, ptrdiff_t i) {
  if constexpr (width == loaded_width) {
    return load(i);
  } else {
    return add_neighbours<T, width>(add_down_to<T, 2 * width, loaded_width>(load, 2 * i),
                                    add_down_to<T, 2 * width, loaded_width>(load, 2 * i + 1));
  }
}

// As many outputs as a vector has lanes, their `width` lanes each added by halves.
template <class T, ptrdiff_t width, class Load>
HWY_INLINE Vec<T> add_lanes(Load load) {
  const auto sums = add_down_to<T, 1, width>(load, 0);
  if constexpr (swaps_outputs<T, width / 2>) {
    const hn::ScalableTag<T> d;
    const hn::RebindToSigned<decltype(d)> di;
    // 0 2 1 3 4 6 5 7 ...: the two low bits swapped.
    const auto i = hn::Iota(di, 0);
    const auto one = hn::Set(di, 1), two = hn::Set(di, 2);
    const auto order = hn::Or(hn::AndNot(hn::Set(di, 3), i),
                              hn::Or(hn::ShiftLeft<1>(hn::And(i, one)), hn::ShiftRight<1>(hn::And(i, two))));
    return hn::TableLookupLanes(sums, hn::IndicesFromVec(d, order));
  } else {
    return sums;
  }
}

// The lanes of one output, added by halves.
template <class D>
HWY_INLINE hn::TFromD<D> add_lanes_of_one(D, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    return hn::GetLane(v);
  } else {
    const hn::Half<D> half;
    return add_lanes_of_one(half, hn::Add(LowerHalf(half, v), UpperHalf(half, v)));
  }
}

// The elements of x, fewer than a vector has or as many.
template <class T, ptrdiff_t depth>
HWY_INLINE Vec<T> load_x(const T* x) {
  const hn::ScalableTag<T> d;
  if constexpr (depth == vector_lanes<T>) {
    return hn::LoadU(d, x);
  } else if constexpr (masked_loads) {
    return hn::MaskedLoad(first_lanes<T>(depth), d, x);
  } else {
    alignas(64) T copy[vector_lanes<T>] = {};
    for (ptrdiff_t k = 0; k < depth; ++k) copy[k] = x[k];
    return hn::Load(d, copy);
  }
}

constexpr ptrdiff_t power_of_two_from(ptrdiff_t least) {
  ptrdiff_t power = 1;
  while (power < least) power *= 2;
  return power;
}

// Of the elements of whole rows that follow each other, where in a vector of them each row's lie, from a place of its
// own width on; and whether a place has an element.
template <class T, ptrdiff_t depth>
struct RowPlaces {
  using Place = hn::TFromD<hn::RebindToSigned<hn::ScalableTag<T>>>;
  static constexpr ptrdiff_t width = power_of_two_from(depth);
  static constexpr ptrdiff_t rows = vector_lanes<T> / width;

  alignas(64) Place element[vector_lanes<T>];
  alignas(64) Place factor[vector_lanes<T>];
  alignas(64) T used[vector_lanes<T>];

  constexpr RowPlaces() : element(), factor(), used() {
    for (ptrdiff_t l = 0; l < rows * width; ++l) {
      const ptrdiff_t k = l % width;
      if (k >= depth) continue;
      element[l] = static_cast<Place>(l / width * depth + k);
      factor[l] = static_cast<Place>(k);
      used[l] = 1;
    }
  }
};

// Rows that follow each other without a gap, one or more to a vector: batches of as many outputs as a vector has lanes,
// as long as whole vectors can be loaded. Of several rows to a vector also the rest, where masks can load it.
// write(sums, i, n) has n outputs from the i-th on. Returns how many outputs these are.
template <class T, ptrdiff_t depth, class Write>
HWY_INLINE ptrdiff_t add_short_rows(const T* a, const T* x, ptrdiff_t count, Write write) {
  using Places = RowPlaces<T, depth>;
  static constexpr Places places;
  constexpr ptrdiff_t n = vector_lanes<T>;
  constexpr bool dense = depth == Places::width;
  constexpr ptrdiff_t vector_elements = Places::rows * depth;
  constexpr ptrdiff_t last_vector = (Places::width - 1) * vector_elements;
  const hn::ScalableTag<T> d;
  const auto mask = hn::Ne(hn::Load(d, places.used), hn::Zero(d));
  const auto factors = hn::TableLookupLanes(load_x<T, depth>(x), hn::SetTableIndices(d, places.factor));
  const auto from = hn::SetTableIndices(d, places.element);
  const auto terms = [&](auto elements) HWY_ATTR {
    if constexpr (dense) {
      return hn::MulAdd(elements, factors, hn::Zero(d));
    } else {
      return hn::IfThenElseZero(mask, hn::MulAdd(hn::TableLookupLanes(elements, from), factors, hn::Zero(d)));
    }
  };
  const auto write_sums = [&](auto load, ptrdiff_t i, ptrdiff_t reached) HWY_ATTR {
    const auto sums = add_lanes<T, Places::width>(load);
    // The lanes without a term are 0: all that adding them, anywhere, can do is make a sum of -0 one of 0.
    write(depth < lanes ? hn::Add(sums, hn::Zero(d)) : sums, i, reached);
  };
  ptrdiff_t i = 0;
  for (; i + n <= count && i * depth + last_vector + n <= count * depth; i += n) {
    const T* const first = a + i * depth;
    write_sums([&](ptrdiff_t v) HWY_ATTR { return terms(hn::LoadU(d, first + v * vector_elements)); }, i, n);
  }
  if constexpr (masked_loads && Places::rows > 1) {
    for (; i < count; i += n) {
      const ptrdiff_t reached = HWY_MIN(count - i, n);
      const T* const first = a + i * depth;
      const auto load = [&](ptrdiff_t v) HWY_ATTR {
        const ptrdiff_t left = HWY_MAX(reached * depth - v * vector_elements, ptrdiff_t{0});
        return terms(hn::MaskedLoad(first_lanes<T>(HWY_MIN(left, n)), d, first + v * vector_elements));
      };
      if (reached <= Places::rows) {
        // All are in the first vector; what others would give isn't written.
        const auto all = load(0);
        write_sums([&](ptrdiff_t) HWY_ATTR { return all; }, i, reached);
      } else {
        write_sums(load, i, reached);
      }
    }
  }
  return HWY_MIN(i, count);
}

template <class T, ptrdiff_t depth>
ptrdiff_t multiply_short_rows(const T* a, const T* x, ptrdiff_t count, T alpha, T beta, T* y,
                              ptrdiff_t y_stride) noexcept {
  return add_short_rows<T, depth>(a, x, count, [&](auto sums, ptrdiff_t i, ptrdiff_t reached) HWY_ATTR {
    write_outputs(sums, reached, alpha, beta, y + i * y_stride, y_stride);
  });
}

template <class T>
using MultiplyShortRows = decltype(&multiply_short_rows<T, 2>);

// Entry k is for a depth of k + 2.
template <class T, ptrdiff_t... k>
constexpr std::array<MultiplyShortRows<T>, sizeof...(k)> short_rows_table(std::integer_sequence<ptrdiff_t, k...>) {
  return {multiply_short_rows<T, k + 2>...};
}

// The first `count` of a few outputs, one by one.
template <class T, ptrdiff_t rows>
HWY_INLINE void write_each(const RowVectors<T, rows>& sums, ptrdiff_t count, T alpha, T beta, T* y,
                           ptrdiff_t y_stride) {
  if constexpr (rows > 0) {
    write_each(sums.before, count, alpha, beta, y, y_stride);
    const hn::CappedTag<T, 1> one;
    if (rows <= count)
      write(one, hn::Set(one, add_lanes_of_one(hn::ScalableTag<T>(), sums.last)), alpha, beta,
            y + (rows - 1) * y_stride);
  }
}

// Up to so many outputs are had sooner one by one than together with zeros.
template <class T>
constexpr ptrdiff_t few_outputs = rows_at_once<T>;

// A function of its own: the stack frame of the one below would take as long as a few products.
template <class T>
[[gnu::noinline]] void multiply_few_rows(const T* a, ptrdiff_t stride, const T* x, ptrdiff_t count, ptrdiff_t depth,
                                         T alpha, T beta, T* y, ptrdiff_t y_stride) noexcept {
  constexpr ptrdiff_t fewest = HWY_MIN(few_rows<T>, ptrdiff_t{3});
  if (count <= fewest) {
    write_each(sum_rows<fewest>(a, stride, count, x, depth), count, alpha, beta, y, y_stride);
  } else {
    write_each(sum_rows<few_outputs<T>>(a, stride, count, x, depth), count, alpha, beta, y, y_stride);
  }
}

template <class T>
void multiply_rows(const T* a, ptrdiff_t stride, const T* x, ptrdiff_t count, ptrdiff_t depth, T alpha, T beta, T* y,
                   ptrdiff_t y_stride) noexcept {
  constexpr ptrdiff_t outputs = vector_lanes<T>;
  static constexpr auto short_rows = short_rows_table<T>(std::make_integer_sequence<ptrdiff_t, vector_lanes<T> - 1>());
  ptrdiff_t done = 0;
  if (stride == depth && depth >= 2 && depth <= vector_lanes<T>) {
    done = short_rows[static_cast<std::size_t>(depth - 2)](a, x, count, alpha, beta, y, y_stride);
  }
  if (done == count) return;
  if (count - done <= few_outputs<T>) {
    return multiply_few_rows(a + done * stride, stride, x, count - done, depth, alpha, beta, y + done * y_stride,
                             y_stride);
  }
  alignas(64) T vectors[outputs * vector_lanes<T>];
  // All of two vectors: not worth a look at which of them will be written first.
  const ptrdiff_t written = outputs <= 2 ? 0 : (count - done) * vector_lanes<T>;
  for (ptrdiff_t l = written; l < outputs * vector_lanes<T>; ++l) vectors[l] = 0;
  const auto load = [&](ptrdiff_t r) HWY_ATTR { return hn::Load(hn::ScalableTag<T>(), vectors + r * vector_lanes<T>); };
  for (ptrdiff_t i = done; i < count; i += outputs) {
    const ptrdiff_t reached = HWY_MIN(count - i, outputs);
    ptrdiff_t r = 0;
    const auto sum = [&]<ptrdiff_t at_once>(ptrdiff_t rows) HWY_ATTR {
      sum_rows<at_once>(a + (i + r) * stride, stride, rows, x, depth).store(vectors + r * vector_lanes<T>);
    };
    for (; r + rows_at_once<T> <= reached; r += rows_at_once<T>)
      sum.template operator()<rows_at_once<T>>(rows_at_once<T>);
    if (r + few_rows<T> < reached) {
      sum.template operator()<rows_at_once<T>>(reached - r);
    } else if (r < reached) {
      sum.template operator()<few_rows<T>>(reached - r);
    }
    write_outputs(add_lanes<T, vector_lanes<T>>(load), reached, alpha, beta, y + i * y_stride, y_stride);
  }
}

// ---- Outputs side by side: the matrix is streamed along them, and the lanes of a block of outputs stay in the cache.

// In elements: long enough for the memory to stream. 16 lanes of it are as large as a first-level cache, but each of
// them is touched once for `terms_at_once` stretches of the matrix that are as long, and is found in the second level.
template <class T>
constexpr ptrdiff_t output_block = 2048 / sizeof(T);

// So many terms of a lane are added for each time that the lane is loaded and stored.
constexpr ptrdiff_t terms_at_once = 8;

// From here on a matrix, of so many bytes, can't be in the second-level cache, and fetching ahead pays.
constexpr ptrdiff_t far_bytes = 1 << 20;

// x[0], x[step], ... each in all lanes of a vector.
template <class T, ptrdiff_t terms, ptrdiff_t step>
struct Factors {
  Factors<T, terms - 1, step> before;
  Vec<T> last;

  HWY_INLINE explicit Factors(const T* x) : before(x), last(hn::Set(hn::ScalableTag<T>(), x[(terms - 1) * step])) {}
  template <ptrdiff_t i>
  HWY_INLINE Vec<T> at() const {
    if constexpr (i == terms - 1) {
      return last;
    } else {
      return before.template at<i>();
    }
  }
  HWY_INLINE Vec<T> add_to(Vec<T> sum, const RowPointers<T, terms>& a, ptrdiff_t i) const {
    return hn::MulAdd(hn::LoadU(hn::ScalableTag<T>(), a.last + i), last, before.add_to(sum, a.before, i));
  }
  template <class M>
  HWY_INLINE Vec<T> add_to(Vec<T> sum, const RowPointers<T, terms>& a, ptrdiff_t i, M mask) const {
    return hn::MulAdd(hn::MaskedLoad(mask, hn::ScalableTag<T>(), a.last + i), last,
                      before.add_to(sum, a.before, i, mask));
  }
  HWY_INLINE void prefetch(const RowPointers<T, terms>& a, ptrdiff_t i) const {
    before.prefetch(a.before, i);
    hwy::Prefetch(a.last + i);
  }
};

template <class T, ptrdiff_t step>
struct Factors<T, 0, step> {
  HWY_INLINE explicit Factors(const T*) {}
  HWY_INLINE Vec<T> add_to(Vec<T> sum, const RowPointers<T, 0>&, ptrdiff_t) const { return sum; }
  template <class M>
  HWY_INLINE Vec<T> add_to(Vec<T> sum, const RowPointers<T, 0>&, ptrdiff_t, M) const {
    return sum;
  }
  HWY_INLINE void prefetch(const RowPointers<T, 0>&, ptrdiff_t) const {}
};

// How many elements a row begins after a place that is aligned for vectors: as many for all rows of a lane, as these
// are whole vectors apart. The lane's sums begin as many after one, so that all is loaded and stored aligned: a load
// from two cache lines takes twice as long (Zen 5).
template <class T>
HWY_INLINE ptrdiff_t lane_shift(const T* row) {
  if constexpr (!masked_loads) return 0;
  constexpr std::uintptr_t vector_bytes = vector_lanes<T> * sizeof(T);
  return static_cast<ptrdiff_t>(reinterpret_cast<std::uintptr_t>(row) % vector_bytes / sizeof(T));
}

// Adds the next `terms` terms of one lane to the sums of `width` outputs, or begins them. a is the first term's row,
// the following ones are `step` apart; if `far`, the next lane's rows, `ahead` away, are fetched meanwhile. The sums of
// the row's first outputs are at sums + lane_shift(a).
template <class T, ptrdiff_t terms, bool begin, bool far>
void add_terms(const T* HWY_RESTRICT a, ptrdiff_t step, ptrdiff_t ahead, const T* x, T* HWY_RESTRICT sums,
               ptrdiff_t width) noexcept {
  const hn::ScalableTag<T> d;
  const ptrdiff_t shift = lane_shift(a);
  const RowPointers<T, terms> from(a - shift, step, terms);
  const Factors<T, terms, lanes> factors(x);
  const auto old_sum = [&](ptrdiff_t i) HWY_ATTR { return begin ? hn::Zero(d) : hn::Load(d, sums + i); };
  ptrdiff_t i = 0;
  if constexpr (masked_loads) {
    width += shift;
    if (shift > 0) {
      const auto within = hn::AndNot(first_lanes<T>(shift), first_lanes<T>(HWY_MIN(width, vector_lanes<T>)));
      hn::Store(factors.add_to(old_sum(0), from, 0, within), d, sums);
      i = vector_lanes<T>;
    }
  }
  for (; i + cache_line<T> <= width; i += cache_line<T>) {
    if constexpr (far) factors.prefetch(from, i + ahead);
    for (ptrdiff_t j = i; j < i + cache_line<T>; j += vector_lanes<T>) {
      hn::Store(factors.add_to(old_sum(j), from, j), d, sums + j);
    }
  }
  for (; i + vector_lanes<T> <= width; i += vector_lanes<T>) {
    hn::Store(factors.add_to(old_sum(i), from, i), d, sums + i);
  }
  if constexpr (masked_loads) {
    if (i < width) hn::Store(factors.add_to(old_sum(i), from, i, first_lanes<T>(width - i)), d, sums + i);
  }
}

template <class T>
using AddTerms = decltype(&add_terms<T, 1, true, true>);

// Entry t adds t + 1 terms.
template <class T, bool begin, bool far, ptrdiff_t... t>
constexpr std::array<AddTerms<T>, sizeof...(t)> add_terms_table(std::integer_sequence<ptrdiff_t, t...>) {
  return {add_terms<T, t + 1, begin, far>...};
}

// Where the sums of a block's first output are, lane by lane.
template <class T>
using LaneSums = std::array<const T*, static_cast<std::size_t>(lanes)>;

// The sum of the lanes `first`, first + step, ... by halves, of the vector of outputs from the i-th on.
template <ptrdiff_t first, ptrdiff_t step, class T>
HWY_INLINE Vec<T> add_output_lanes(const LaneSums<T>& sums, ptrdiff_t i) {
  if constexpr (step == lanes) {
    return hn::LoadU(hn::ScalableTag<T>(), sums[first] + i);
  } else {
    return hn::Add(add_output_lanes<first, 2 * step>(sums, i), add_output_lanes<first + step, 2 * step>(sums, i));
  }
}

template <class T, bool far>
void multiply_columns(const T* a, ptrdiff_t depth_stride, const T* x, ptrdiff_t count, ptrdiff_t depth, T alpha, T beta,
                      T* y, ptrdiff_t y_stride) noexcept {
  constexpr auto all_terms = std::make_integer_sequence<ptrdiff_t, terms_at_once>();
  static constexpr auto begin_lane = add_terms_table<T, true, far>(all_terms);
  static constexpr auto continue_lane = add_terms_table<T, false, far>(all_terms);
  const hn::ScalableTag<T> d;
  constexpr ptrdiff_t group = lanes * terms_at_once;
  // Shifted sums, and what is read beyond the last of them, take at most another cache line each.
  constexpr ptrdiff_t most_sums = output_block<T> + 2 * cache_line<T>;
  alignas(64) T sums[lanes * most_sums];
  LaneSums<T> first_sums;
  const bool shifted = lane_shift(a) != 0 || lane_shift(a + depth_stride) != 0;
  const ptrdiff_t lane_sums = shifted ? most_sums : output_block<T>;
  for (ptrdiff_t l = depth; l < lanes; ++l) {
    for (ptrdiff_t i = 0; i < HWY_MIN(count, output_block<T>); ++i) sums[l * lane_sums + i] = 0;
  }
  for (ptrdiff_t j = 0; j < count; j += output_block<T>) {
    const ptrdiff_t width = HWY_MIN(count - j, output_block<T>);
    for (ptrdiff_t l = 0; l < lanes; ++l) {
      const ptrdiff_t shift = l < depth ? lane_shift(a + j + l * depth_stride) : 0;
      T* const first = sums + l * lane_sums + shift;
      // The last vector of outputs reads on beyond the sums.
      if (shift > 0) hn::StoreU(hn::Zero(d), d, first + width);
      first_sums[static_cast<std::size_t>(l)] = first;
    }
    for (ptrdiff_t k = 0; k < depth; k += group) {
      const auto& add = k == 0 ? begin_lane : continue_lane;
      for (ptrdiff_t l = 0; l < HWY_MIN(lanes, depth - k); ++l) {
        const ptrdiff_t terms = HWY_MIN((depth - k - l + lanes - 1) / lanes, terms_at_once);
        const ptrdiff_t ahead = l + 1 < lanes ? depth_stride : (group - lanes + 1) * depth_stride;
        add[static_cast<std::size_t>(terms - 1)](a + j + (k + l) * depth_stride, lanes * depth_stride, ahead, x + k + l,
                                                 sums + l * lane_sums, width);
      }
    }
    for (ptrdiff_t i = 0; i < width; i += vector_lanes<T>) {
      write_outputs(add_output_lanes<0, 1>(first_sums, i), HWY_MIN(width - i, vector_lanes<T>), alpha, beta,
                    y + (j + i) * y_stride, y_stride);
    }
  }
}

// All lanes of one vector of outputs.
template <class T, ptrdiff_t count>
struct OutputLanes {
  OutputLanes<T, count - 1> before;
  Vec<T> last;

  HWY_INLINE void set_zero() {
    before.set_zero();
    last = hn::Zero(hn::ScalableTag<T>());
  }
  template <ptrdiff_t i>
  HWY_INLINE Vec<T> at() const {
    if constexpr (i == count - 1) {
      return last;
    } else {
      return before.template at<i>();
    }
  }
  // The first `terms` of the lanes' next terms.
  template <class Load>
  HWY_INLINE void multiply_add(Load load, const T* x, ptrdiff_t terms) {
    before.multiply_add(load, x, terms);
    if (terms >= count) last = hn::MulAdd(load(count - 1), hn::Set(hn::ScalableTag<T>(), x[count - 1]), last);
  }
  template <ptrdiff_t first, ptrdiff_t step>
  HWY_INLINE Vec<T> by_halves() const {
    if constexpr (step == lanes) {
      return at<first>();
    } else {
      return hn::Add(by_halves<first, 2 * step>(), by_halves<first + step, 2 * step>());
    }
  }
};

template <class T>
struct OutputLanes<T, 0> {
  HWY_INLINE void set_zero() {}
  template <class Load>
  HWY_INLINE void multiply_add(Load, const T*, ptrdiff_t) {}
};

// Whether going down the matrix a vector of outputs at a time finds the rest of each cache line still there: rows a
// power of two apart share few of a first-level cache's sets, which repeat every 4 KiB, and it has 8 ways or more.
// Deeper matrices have too many rows for the processor to see as streams.
template <class T>
bool stays_cached(ptrdiff_t depth_stride, ptrdiff_t depth) {
  const ptrdiff_t bytes = depth_stride * ptrdiff_t{sizeof(T)};
  const ptrdiff_t power_of_two = HWY_MAX(bytes & -bytes, ptrdiff_t{64});
  return depth <= 128 && power_of_two <= 4096 / depth * 4;
}

// Whether each vector of a row is a cache line, so that there is no rest, and the second-level cache holds them all.
// Rows a larger power of two apart crowd in a few of its sets.
template <class T>
bool is_whole_lines(const T* a, ptrdiff_t depth_stride, ptrdiff_t depth) {
  constexpr ptrdiff_t near_bytes = far_bytes / 2;
  const ptrdiff_t bytes = depth_stride * ptrdiff_t{sizeof(T)};
  constexpr ptrdiff_t crowding = 1024;
  return vector_lanes<T> == cache_line<T> && bytes > 0 && bytes <= near_bytes / depth && bytes % crowding != 0 &&
         (reinterpret_cast<std::uintptr_t>(a) | static_cast<std::uintptr_t>(bytes)) % 64 == 0;
}

// Up to one vector of outputs; where vectors can't be loaded in part, exactly one.
template <class T>
void multiply_vector_of_outputs(const T* a, ptrdiff_t depth_stride, const T* x, ptrdiff_t count, ptrdiff_t depth,
                                T alpha, T beta, T* y, ptrdiff_t y_stride) noexcept {
  const hn::ScalableTag<T> d;
  const auto mask = first_lanes<T>(count);
  const auto load = [&](ptrdiff_t k) HWY_ATTR {
    if constexpr (masked_loads) {
      return hn::MaskedLoad(mask, d, a + k * depth_stride);
    } else {
      return hn::LoadU(d, a + k * depth_stride);
    }
  };
  OutputLanes<T, lanes> sums;
  sums.set_zero();
  ptrdiff_t k = 0;
  for (; k + lanes <= depth; k += lanes) {
    sums.multiply_add(load, x + k, lanes);
    a += lanes * depth_stride;
  }
  sums.multiply_add(load, x + k, depth - k);
  write_outputs(sums.template by_halves<0, 1>(), count, alpha, beta, y, y_stride);
}

constexpr bool many_registers = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON;  // 32 and not 16

// So few terms stay in registers, with their factors.
constexpr ptrdiff_t short_depth = many_registers ? 16 : 6;

// The terms first, first + step, ... of a vector of outputs, each its lane's only one, added by halves.
template <ptrdiff_t first, ptrdiff_t step, class T, ptrdiff_t depth, class Load>
HWY_INLINE Vec<T> add_single_terms(const Factors<T, depth, 1>& x, Load load) {
  if constexpr (step == lanes) {
    return hn::MulAdd(load(first), x.template at<first>(), hn::Zero(hn::ScalableTag<T>()));
  } else if constexpr (first + step >= depth) {
    return add_single_terms<first, 2 * step>(x, load);
  } else {
    return hn::Add(add_single_terms<first, 2 * step>(x, load), add_single_terms<first + step, 2 * step>(x, load));
  }
}

template <class T, ptrdiff_t depth>
void multiply_short_columns(const T* a, ptrdiff_t depth_stride, const T* x, ptrdiff_t count, T alpha, T beta, T* y,
                            ptrdiff_t y_stride) noexcept {
  const hn::ScalableTag<T> d;
  const Factors<T, depth, 1> factors(x);
  const auto sum = [&](auto load) HWY_ATTR {
    const auto terms = add_single_terms<0, 1>(factors, load);
    // As in short rows
    return depth < lanes ? hn::Add(terms, hn::Zero(d)) : terms;
  };
  ptrdiff_t i = 0;
  for (; i + vector_lanes<T> <= count; i += vector_lanes<T>) {
    const auto load = [&](ptrdiff_t k) HWY_ATTR { return hn::LoadU(d, a + i + k * depth_stride); };
    write_outputs(sum(load), vector_lanes<T>, alpha, beta, y + i * y_stride, y_stride);
  }
  if constexpr (masked_loads) {
    if (i == count) return;
    const auto mask = first_lanes<T>(count - i);
    const auto load = [&](ptrdiff_t k) HWY_ATTR { return hn::MaskedLoad(mask, d, a + i + k * depth_stride); };
    write_outputs(sum(load), count - i, alpha, beta, y + i * y_stride, y_stride);
  }
}

template <class T>
using MultiplyShortColumns = decltype(&multiply_short_columns<T, 1>);

// Entry k is for a depth of k + 1.
template <class T, ptrdiff_t... k>
constexpr std::array<MultiplyShortColumns<T>, sizeof...(k)> short_columns_table(
    std::integer_sequence<ptrdiff_t, k...>) {
  return {multiply_short_columns<T, k + 1>...};
}

// ---- Outputs side by side, a few vectors of them at a time, of a matrix in the nearest cache. Their lanes come in
// pairs, which are added as soon as they are there, so that all stays in registers; each term's factor serves all
// vectors, and each cache line is visited once.

template <class T, ptrdiff_t count>
struct OutputVectors {
  OutputVectors<T, count - 1> before;
  Vec<T> last;

  HWY_INLINE void set_zero() {
    before.set_zero();
    last = hn::Zero(hn::ScalableTag<T>());
  }
  template <class Load>
  HWY_INLINE void multiply_add(Load load, const T* a, Vec<T> x) {
    before.multiply_add(load, a, x);
    last = hn::MulAdd(load(a, count - 1), x, last);
  }
  HWY_INLINE void add(const OutputVectors& other) {
    before.add(other.before);
    last = hn::Add(last, other.last);
  }
  HWY_INLINE void write(ptrdiff_t outputs, T alpha, T beta, T* y, ptrdiff_t y_stride) const {
    before.write((count - 1) * vector_lanes<T>, alpha, beta, y, y_stride);
    write_outputs(last, HWY_MIN(outputs - (count - 1) * vector_lanes<T>, vector_lanes<T>), alpha, beta,
                  y + (count - 1) * vector_lanes<T> * y_stride, y_stride);
  }
};

template <class T>
struct OutputVectors<T, 0> {
  HWY_INLINE void set_zero() {}
  template <class Load>
  HWY_INLINE void multiply_add(Load, const T*, Vec<T>) {}
  HWY_INLINE void add(const OutputVectors&) {}
  HWY_INLINE void write(ptrdiff_t, T, T, T*, ptrdiff_t) const {}
};

// Two lanes of each, and what waits to be added on three levels, fit the registers: 32 or 16.
constexpr ptrdiff_t most_output_vectors = many_registers ? 4 : 2;

// A matrix of so many bytes is in the first-level cache, or may be the next time; with 32 registers most of it is
// enough, as the vectors that lie in the second are then fetched while others are worked on.
template <class T>
constexpr ptrdiff_t nearest_elements = (many_registers ? 48 << 10 : 32 << 10) / ptrdiff_t{sizeof(T)};

// The sum of the lanes first, first + step, ..., added by halves; there are at least as many terms as lanes.
template <ptrdiff_t first, ptrdiff_t step, ptrdiff_t vectors, class T, class Load>
HWY_INLINE OutputVectors<T, vectors> add_lane_pairs(Load load, const T* a, ptrdiff_t depth_stride, const T* x,
                                                    ptrdiff_t depth) {
  OutputVectors<T, vectors> sum;
  if constexpr (2 * step == lanes) {
    const hn::ScalableTag<T> d;
    OutputVectors<T, vectors> other;
    sum.set_zero();
    other.set_zero();
    ptrdiff_t k = first;
    for (; k + step < depth; k += lanes) {
      sum.multiply_add(load, a + k * depth_stride, hn::Set(d, x[k]));
      other.multiply_add(load, a + (k + step) * depth_stride, hn::Set(d, x[k + step]));
    }
    if (k < depth) sum.multiply_add(load, a + k * depth_stride, hn::Set(d, x[k]));
    sum.add(other);
  } else {
    sum = add_lane_pairs<first, 2 * step, vectors>(load, a, depth_stride, x, depth);
    sum.add(add_lane_pairs<first + step, 2 * step, vectors>(load, a, depth_stride, x, depth));
  }
  return sum;
}

// Outputs that end in the last of `vectors` vectors; where vectors can't be loaded in part, at its end.
template <class T, ptrdiff_t vectors, bool whole>
void multiply_output_vectors(const T* a, ptrdiff_t depth_stride, const T* x, ptrdiff_t outputs, ptrdiff_t depth,
                             T alpha, T beta, T* y, ptrdiff_t y_stride) noexcept {
  const hn::ScalableTag<T> d;
  const auto mask = first_lanes<T>(outputs - (vectors - 1) * vector_lanes<T>);
  const auto load = [&](const T* from, ptrdiff_t i) HWY_ATTR {
    if constexpr (masked_loads && !whole) {
      if (i == vectors - 1) return hn::MaskedLoad(mask, d, from + i * vector_lanes<T>);
    }
    return hn::LoadU(d, from + i * vector_lanes<T>);
  };
  add_lane_pairs<0, 1, vectors>(load, a, depth_stride, x, depth).write(outputs, alpha, beta, y, y_stride);
}

template <class T>
using MultiplyOutputVectors = decltype(&multiply_output_vectors<T, 1, true>);

// Entry v is for v + 1 vectors.
template <class T, ptrdiff_t... v>
constexpr std::array<MultiplyOutputVectors<T>, sizeof...(v)> output_vectors_table(
    std::integer_sequence<ptrdiff_t, v...>) {
  return {multiply_output_vectors<T, v + 1, false>...};
}

template <class T>
void multiply_near_columns(const T* a, ptrdiff_t depth_stride, const T* x, ptrdiff_t count, ptrdiff_t depth, T alpha,
                           T beta, T* y, ptrdiff_t y_stride) noexcept {
  static constexpr auto last = output_vectors_table<T>(std::make_integer_sequence<ptrdiff_t, most_output_vectors>());
  constexpr ptrdiff_t at_once = most_output_vectors * vector_lanes<T>;
  ptrdiff_t i = 0;
  for (; i + at_once <= count; i += at_once) {
    multiply_output_vectors<T, most_output_vectors, true>(a + i, depth_stride, x, at_once, depth, alpha, beta,
                                                          y + i * y_stride, y_stride);
  }
  if (i == count) return;
  const ptrdiff_t left = count - i;
  last[static_cast<std::size_t>((left - 1) / vector_lanes<T>)](a + i, depth_stride, x, left, depth, alpha, beta,
                                                               y + i * y_stride, y_stride);
}

template <class T>
void multiply(const T* a, ptrdiff_t stride, ptrdiff_t depth_stride, const T* x, ptrdiff_t count, ptrdiff_t depth,
              T alpha, T beta, T* y, ptrdiff_t y_stride) noexcept {
  if (stride == 1 && depth > 0 && (count > 1 || depth_stride != 1)) {
    static constexpr auto short_columns = short_columns_table<T>(std::make_integer_sequence<ptrdiff_t, short_depth>());
    const ptrdiff_t vectorised = masked_loads ? count : count - count % vector_lanes<T>;
    if (depth <= short_depth) {
      short_columns[static_cast<std::size_t>(depth - 1)](a, depth_stride, x, vectorised, alpha, beta, y, y_stride);
    } else if (depth >= lanes && vectorised * depth <= nearest_elements<T>) {
      multiply_near_columns(a, depth_stride, x, vectorised, depth, alpha, beta, y, y_stride);
    } else if (many_registers && (vectorised <= vector_lanes<T> || stays_cached<T>(depth_stride, depth) ||
                                  is_whole_lines(a, depth_stride, depth))) {
      for (ptrdiff_t i = 0; i < vectorised; i += vector_lanes<T>) {
        multiply_vector_of_outputs(a + i, depth_stride, x, HWY_MIN(vectorised - i, vector_lanes<T>), depth, alpha, beta,
                                   y + i * y_stride, y_stride);
      }
    } else if (vectorised * depth >= far_bytes / ptrdiff_t{sizeof(T)}) {
      multiply_columns<T, true>(a, depth_stride, x, vectorised, depth, alpha, beta, y, y_stride);
    } else {
      multiply_columns<T, false>(a, depth_stride, x, vectorised, depth, alpha, beta, y, y_stride);
    }
    multiply_any(a + vectorised, stride, depth_stride, x, count - vectorised, depth, alpha, beta,
                 y + vectorised * y_stride, y_stride);
    return;
  }
  if constexpr (HWY_TARGET != HWY_SCALAR) {
    if (depth_stride == 1 && depth > 0) {
      if (count > 0 && count <= HWY_MIN(few_outputs<T>, vector_lanes<T> - 1)) {
        return multiply_few_rows(a, stride, x, count, depth, alpha, beta, y, y_stride);
      }
      multiply_rows(a, stride, x, count, depth, alpha, beta, y, y_stride);
      return;
    }
  }
  multiply_any(a, stride, depth_stride, x, count, depth, alpha, beta, y, y_stride);
}

// ---- So few terms that what leads to the arithmetic would take the longest: no alpha, no strides of y, no stack
// frame.

template <class T>
HWY_INLINE void write_first(Vec<T> sums, ptrdiff_t count, T beta, T* y) {
  const hn::ScalableTag<T> d;
  const auto mask = first_lanes<T>(count);
  if (beta != 0) sums = hn::Add(sums, hn::Mul(hn::Set(d, beta), hn::MaskedLoad(mask, d, y)));
  hn::BlendedStore(sums, mask, d, y);
}

// Outputs side by side, a vector of them after the other.
template <class T, ptrdiff_t depth>
HWY_INLINE void multiply_side_by_side(const T* a, ptrdiff_t stride, const T* x, ptrdiff_t count, T beta, T* y) {
  const hn::ScalableTag<T> d;
  const Factors<T, depth, 1> factors(x);
  const auto write = [&](ptrdiff_t reached) HWY_ATTR {
    const auto mask = first_lanes<T>(reached);
    const auto load = [&](ptrdiff_t k) HWY_ATTR { return hn::MaskedLoad(mask, d, a + k * stride); };
    const auto sums = add_single_terms<0, 1>(factors, load);
    // As in short rows
    write_first(depth < lanes ? hn::Add(sums, hn::Zero(d)) : sums, reached, beta, y);
  };
  for (; count > vector_lanes<T>; count -= vector_lanes<T>) {
    write(vector_lanes<T>);
    a += vector_lanes<T>;
    y += vector_lanes<T>;
  }
  write(count);
}

// One output, in no longer a vector than its terms take.
template <class T, ptrdiff_t depth>
HWY_INLINE void multiply_alone(const T* a, const T* x, T beta, T* y) {
  constexpr ptrdiff_t width = power_of_two_from(depth);
  const hn::CappedTag<T, 1> one;
  if constexpr (width <= vector_lanes<T>) {
    const hn::CappedTag<T, static_cast<std::size_t>(width)> d;
    const auto load = [&](const T* from) HWY_ATTR {
      if constexpr (depth == width) return hn::LoadU(d, from);
      return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(depth)), d, from);
    };
    const auto terms = hn::MulAdd(load(a), load(x), hn::Zero(d));
    // As in short rows
    const T sum = add_lanes_of_one(d, terms) + (depth < lanes ? T{0} : T{-0.0});
    write(one, hn::Set(one, sum), T{1}, beta, y);
  } else {
    write_each(sum_rows<1>(a, 0, 1, x, depth), 1, T{1}, beta, y, 1);
  }
}

// Functions of their own, as their stack frames would take the longest of all.
template <class T, ptrdiff_t depth>
[[gnu::noinline]] void multiply_other_row(const MatrixView<const T>& a, const MatrixView<const T>& b,
                                          const MatrixView<T>& c, T beta) noexcept {
  multiply<T>(b.data, 1, b.row_stride, a.data, c.cols, depth, 1, beta, c.data, 1);
}
template <class T, ptrdiff_t depth>
[[gnu::noinline]] void multiply_other_column(const MatrixView<const T>& a, const MatrixView<const T>& b,
                                             const MatrixView<T>& c, T beta) noexcept {
  multiply<T>(a.data, a.row_stride, 1, b.data, c.rows, depth, 1, beta, c.data, 1);
}

template <class T, ptrdiff_t depth>
void multiply_short_row(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
                        T beta) noexcept {
  if constexpr (masked_loads && depth <= short_depth) {
    multiply_side_by_side<T, depth>(b.data, b.row_stride, a.data, c.cols, beta, c.data);
  } else {
    multiply_other_row<T, depth>(a, b, c, beta);
  }
}

template <class T, ptrdiff_t depth>
void multiply_short_column(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
                           T beta) noexcept {
  if constexpr (masked_loads) {
    if constexpr (depth == 1) {
      if (a.row_stride == 1) return multiply_side_by_side<T, 1>(a.data, 1, b.data, c.rows, beta, c.data);
    }
    // So few outputs are had sooner one by one than together.
    constexpr ptrdiff_t few = 6;
    if (c.rows <= few) {
      for (ptrdiff_t i = 0; i < c.rows; ++i) {
        multiply_alone<T, depth>(a.data + i * a.row_stride, b.data, beta, c.data + i);
      }
      return;
    }
    if constexpr (depth > 1 && 2 * depth <= vector_lanes<T>) {
      if (a.row_stride == depth) {
        add_short_rows<T, depth>(a.data, b.data, c.rows, [&](auto sums, ptrdiff_t i, ptrdiff_t reached) HWY_ATTR {
          write_first(sums, reached, beta, c.data + i);
        });
        return;
      }
    }
  }
  multiply_other_column<T, depth>(a, b, c, beta);
}

template <class T, ptrdiff_t... k>
constexpr typename MatvecTile<T>::Short short_row_table(std::integer_sequence<ptrdiff_t, k...>) {
  return {multiply_short_row<T, k + 1>...};
}

template <class T, ptrdiff_t... k>
constexpr typename MatvecTile<T>::Short short_column_table(std::integer_sequence<ptrdiff_t, k...>) {
  return {multiply_short_column<T, k + 1>...};
}

constexpr auto short_depths = std::make_integer_sequence<ptrdiff_t, matvec_short_depth>();

}  // namespace
}  // namespace HWY_NAMESPACE

template <class T>
struct MatvecTiles<HWY_TARGET, T> {
  static constexpr MatvecTile<T> tile = {HWY_NAMESPACE::multiply<T>,
                                         HWY_NAMESPACE::short_row_table<T>(HWY_NAMESPACE::short_depths),
                                         HWY_NAMESPACE::short_column_table<T>(HWY_NAMESPACE::short_depths)};
};

}  // namespace speedwell
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell {

template <class T>
const MatvecTile<T>& matvec_tile() {
  return *runtime::select_target([]<std::int64_t target> { return &MatvecTiles<target, T>::tile; });
}

template const MatvecTile<float>& matvec_tile();
template const MatvecTile<double>& matvec_tile();

}  // namespace speedwell
#endif
