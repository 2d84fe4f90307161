// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set: foreach_target.h includes this file again and again.
#include "kernels/matmul/matmul_tile.hpp"

#include <hwy/cache_control.h>

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/matmul_tile.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell {

template <std::int64_t target, class T>
struct MatmulTiles;

namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using std::ptrdiff_t;

// The register tile is `rows` rows by `vectors` vectors of C; it needs `vectors` registers more for B and one for a
// broadcast element of A. At least latency (4 to 5) x throughput (2) of the FMA units, 10, independent chains. Of the
// shapes that fit the registers, those that load least for an FMA, and are not so wide that small products are mostly
// padding (8 x 3 is a little better in that on AVX-512, but 48 floats wide).
struct TileShape {
  ptrdiff_t rows;
  ptrdiff_t vectors;
};
constexpr TileShape shape = HWY_TARGET == HWY_AVX3   ? TileShape{12, 2}  // 32 registers: 24 + 2 + 1; 12 x 32 floats
                            : HWY_TARGET == HWY_NEON ? TileShape{8, 3}   // 32 registers: 24 + 3 + 1; 8 x 12 floats
                                                     : TileShape{6, 2};  // 16 registers: 12 + 2 + 1; AVX2 6 x 16 floats
constexpr ptrdiff_t tile_rows = shape.rows;
constexpr ptrdiff_t tile_vectors = shape.vectors;

template <class T>
constexpr ptrdiff_t lanes = static_cast<ptrdiff_t>(hn::MaxLanes(hn::ScalableTag<T>()));

template <class T>
constexpr ptrdiff_t tile_cols = tile_vectors* lanes<T>;

template <class T>
constexpr ptrdiff_t cache_line = 64 / sizeof(T);  // in elements

// Vectors in a recursive struct and not in an array: compilers keep its members in registers without fail.
template <class T, ptrdiff_t count>
struct Vectors {
  using D = hn::ScalableTag<T>;
  Vectors<T, count - 1> before;
  hn::Vec<D> last;

  HWY_INLINE void set_zero() {
    before.set_zero();
    last = hn::Zero(D());
  }
  HWY_INLINE void load(const T* p) {
    before.load(p);
    last = hn::LoadU(D(), p + (count - 1) * lanes<T>);
  }
  HWY_INLINE void store(T* p) const {
    before.store(p);
    hn::StoreU(last, D(), p + (count - 1) * lanes<T>);
  }
  HWY_INLINE void multiply(hn::Vec<D> factor) {
    before.multiply(factor);
    last = hn::Mul(last, factor);
  }
  HWY_INLINE void multiply_add(hn::Vec<D> a, const Vectors& b) {
    before.multiply_add(a, b.before);
    last = hn::MulAdd(a, b.last, last);
  }
};

template <class T>
struct Vectors<T, 0> {
  HWY_INLINE void set_zero() {}
  HWY_INLINE void load(const T*) {}
  HWY_INLINE void store(T*) const {}
  template <class V>
  HWY_INLINE void multiply(V) {}
  template <class V>
  HWY_INLINE void multiply_add(V, const Vectors&) {}
};

// `rows` rows of the register tile.
template <class T, ptrdiff_t rows>
struct Accumulators {
  using D = hn::ScalableTag<T>;
  Accumulators<T, rows - 1> above;
  Vectors<T, tile_vectors> last;

  HWY_INLINE void set_zero() {
    above.set_zero();
    last.set_zero();
  }
  HWY_INLINE void load(const T* c, ptrdiff_t stride) {
    above.load(c, stride);
    last.load(c + (rows - 1) * stride);
  }
  HWY_INLINE void store(T* c, ptrdiff_t stride) const {
    above.store(c, stride);
    last.store(c + (rows - 1) * stride);
  }
  HWY_INLINE void multiply(T factor) {
    above.multiply(factor);
    last.multiply(hn::Set(D(), factor));
  }
  HWY_INLINE void multiply_add(const T* a, const Vectors<T, tile_vectors>& b) {
    above.multiply_add(a, b);
    last.multiply_add(hn::Set(D(), a[rows - 1]), b);
  }
};

template <class T>
struct Accumulators<T, 0> {
  HWY_INLINE void set_zero() {}
  HWY_INLINE void load(const T*, ptrdiff_t) {}
  HWY_INLINE void store(T*, ptrdiff_t) const {}
  HWY_INLINE void multiply(T) {}
  HWY_INLINE void multiply_add(const T*, const Vectors<T, tile_vectors>&) {}
};

template <class T>
HWY_INLINE void prefetch_tile(const T* c, ptrdiff_t row_stride) {
  for (ptrdiff_t i = 0; i < tile_rows; ++i) {
    hwy::Prefetch(c + i * row_stride);
    hwy::Prefetch(c + i * row_stride + tile_cols<T> - 1);
  }
}

// One register tile of C, its rows contiguous. Meanwhile fetches what lies at `ahead`, a cache line a step.
template <class T>
HWY_INLINE void multiply_tile(const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, ptrdiff_t depth, T beta,
                              T* HWY_RESTRICT c, ptrdiff_t row_stride, const T* ahead) {
  Accumulators<T, tile_rows> sum;
  if (beta == 0) {
    sum.set_zero();
  } else {
    sum.load(c, row_stride);
    sum.multiply(beta);
  }
  // Not unrolled: as fast so, and 4 steps at once make GCC spill accumulators
  for (const T* const a_end = a + depth * tile_rows; a != a_end;) {
    hwy::Prefetch(ahead);
    ahead += cache_line<T>;
    Vectors<T, tile_vectors> columns;
    columns.load(b);
    sum.multiply_add(a, columns);
    a += tile_rows;
    b += tile_cols<T>;
  }
  sum.store(c, row_stride);
}

template <class T>
void multiply(const T* a, const T* b, ptrdiff_t height, ptrdiff_t width, ptrdiff_t depth, T beta, T* c,
              ptrdiff_t row_stride, ptrdiff_t col_stride) noexcept {
  alignas(64) T edge[tile_rows * tile_cols<T>] = {};
  // B's sliver stays in the first-level cache while all of A's pass by
  for (ptrdiff_t j = 0; j < width; j += tile_cols<T>) {
    const ptrdiff_t cols = HWY_MIN(width - j, tile_cols<T>);
    for (ptrdiff_t i = 0; i < height; i += tile_rows) {
      const ptrdiff_t rows = HWY_MIN(height - i, tile_rows);
      const T* a_sliver = a + i * depth;
      const T* b_sliver = b + j * depth;
      // The next sliver of B comes from far: a line a step, it's there after a tile or two. Then the next of A.
      const ptrdiff_t fetched = i / tile_rows * depth * cache_line<T>;
      const bool fetch_b = j + tile_cols<T> < width && fetched < tile_cols<T> * depth;
      const T* ahead = fetch_b ? b_sliver + tile_cols<T> * depth + fetched : a_sliver + tile_rows * depth;
      T* c_tile = c + i * row_stride + j * col_stride;
      if (rows == tile_rows && cols == tile_cols<T> && col_stride == 1) {
        if (i + tile_rows < height) prefetch_tile(c_tile + tile_rows * row_stride, row_stride);
        multiply_tile(a_sliver, b_sliver, depth, beta, c_tile, row_stride, ahead);
        continue;
      }
      if (beta != 0) {
        for (ptrdiff_t r = 0; r < rows; ++r) {
          for (ptrdiff_t s = 0; s < cols; ++s) edge[r * tile_cols<T> + s] = c_tile[r * row_stride + s * col_stride];
        }
      }
      multiply_tile(a_sliver, b_sliver, depth, beta, edge, tile_cols<T>, ahead);
      for (ptrdiff_t r = 0; r < rows; ++r) {
        for (ptrdiff_t s = 0; s < cols; ++s) c_tile[r * row_stride + s * col_stride] = edge[r * tile_cols<T> + s];
      }
    }
  }
}

// A cache line of two rows that lie along k in memory, woven into the pairs of a sliver.
template <ptrdiff_t sliver, class T>
HWY_INLINE void pack_pair(const T* first, const T* second, T scale, T* packed) {
  const hn::CappedTag<T, 16 / sizeof(T)> d;
  const auto factor = hn::Set(d, scale);
  for (ptrdiff_t k = 0; k < cache_line<T>; k += ptrdiff_t{16 / sizeof(T)}) {
    const auto x = Mul(LoadU(d, first + k), factor);
    const auto y = Mul(LoadU(d, second + k), factor);
    const auto lower = InterleaveLower(d, x, y);
    const auto upper = InterleaveUpper(d, x, y);
    T* const to = packed + k * sliver;
    if constexpr (sizeof(T) == 4) {
      const hn::Half<decltype(d)> half;
      StoreU(LowerHalf(half, lower), half, to);
      StoreU(UpperHalf(half, lower), half, to + sliver);
      StoreU(LowerHalf(half, upper), half, to + 2 * sliver);
      StoreU(UpperHalf(half, upper), half, to + 3 * sliver);
    } else {
      StoreU(lower, d, to);
      StoreU(upper, d, to + sliver);
    }
  }
}

template <class T, ptrdiff_t sliver>
void pack(const T* x, ptrdiff_t width, ptrdiff_t depth, ptrdiff_t stride, ptrdiff_t depth_stride, T scale,
          T* packed) noexcept {
  for (ptrdiff_t i = 0; i < width; i += sliver, packed += sliver * depth) {
    const T* from = x + i * stride;
    const ptrdiff_t filled = HWY_MIN(width - i, sliver);
    ptrdiff_t k = 0;
    if (filled == sliver && stride == 1) {
      for (; k < depth; ++k) {
        for (ptrdiff_t r = 0; r < sliver; ++r) packed[k * sliver + r] = scale * from[k * depth_stride + r];
      }
    }
    if constexpr (HWY_TARGET != HWY_SCALAR) {
      // A cache line of each row at a time: rows a power of two apart push each other out of the cache
      if (filled == sliver && depth_stride == 1) {
        for (; k + cache_line<T> <= depth; k += cache_line<T>) {
          for (ptrdiff_t r = 0; r < sliver; r += 2) {
            pack_pair<sliver>(from + r * stride + k, from + (r + 1) * stride + k, scale, packed + k * sliver + r);
          }
        }
      }
    }
    for (; k < depth; ++k) {
      for (ptrdiff_t r = 0; r < filled; ++r) packed[k * sliver + r] = scale * from[r * stride + k * depth_stride];
      for (ptrdiff_t r = filled; r < sliver; ++r) packed[k * sliver + r] = 0;
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <class T>
struct MatmulTiles<HWY_TARGET, T> {
  static constexpr MatmulTile<T> tile = {
      HWY_NAMESPACE::tile_rows, HWY_NAMESPACE::tile_cols<T>, HWY_NAMESPACE::pack<T, HWY_NAMESPACE::tile_rows>,
      HWY_NAMESPACE::pack<T, HWY_NAMESPACE::tile_cols<T>>, HWY_NAMESPACE::multiply<T>};
};

}  // namespace speedwell
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell {

template <class T>
const MatmulTile<T>& matmul_tile() {
  return *runtime::select_target([]<std::int64_t target> { return &MatmulTiles<target, T>::tile; });
}

template const MatmulTile<float>& matmul_tile();
template const MatmulTile<double>& matmul_tile();

}  // namespace speedwell
#endif
