// SPDX-License-Identifier: Apache-2.0
// The tile of products of little depth, compiled once a target. It is C that passes by, so each row is written from end
// to end, a few rows together, with their elements of A in registers all the while.
#if defined(SPEEDWELL_SHALLOW_TILE_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPEEDWELL_SHALLOW_TILE_TOGGLE
#undef SPEEDWELL_SHALLOW_TILE_TOGGLE
#else
#define SPEEDWELL_SHALLOW_TILE_TOGGLE
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

// A's elements, B's and one sum fit the registers: 32 or 16.
constexpr ptrdiff_t most_shallow_rows = HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM_A64 ? 4 : 2;

// So many bytes of B stay in the first-level cache while C's rows pass by.
constexpr ptrdiff_t shallow_bytes = 16 << 10;

// A vector for each step of k.
template <class T, ptrdiff_t depth>
struct Terms {
  using D = hn::ScalableTag<T>;
  Terms<T, depth - 1> before;
  hn::Vec<D> last;

  HWY_INLINE void broadcast(const T* a, ptrdiff_t stride) {
    before.broadcast(a, stride);
    last = hn::Set(D(), a[(depth - 1) * stride]);
  }
  HWY_INLINE void load(const T* b, ptrdiff_t stride) {
    before.load(b, stride);
    last = hn::LoadU(D(), b + (depth - 1) * stride);
  }
  HWY_INLINE void load(const T* b, ptrdiff_t stride, hn::Mask<D> mask) {
    before.load(b, stride, mask);
    last = hn::MaskedLoad(mask, D(), b + (depth - 1) * stride);
  }
  HWY_INLINE hn::Vec<D> add_to(hn::Vec<D> sum, const Terms& b) const {
    return hn::MulAdd(last, b.last, before.add_to(sum, b.before));
  }
};

template <class T>
struct Terms<T, 0> {
  using D = hn::ScalableTag<T>;
  HWY_INLINE void broadcast(const T*, ptrdiff_t) {}
  template <class... Mask>
  HWY_INLINE void load(const T*, ptrdiff_t, Mask...) {}
  HWY_INLINE hn::Vec<D> add_to(hn::Vec<D> sum, const Terms&) const { return sum; }
};

template <class T, ptrdiff_t rows, ptrdiff_t depth>
struct ShallowRows {
  using D = hn::ScalableTag<T>;
  ShallowRows<T, rows - 1, depth> above;
  Terms<T, depth> last;

  HWY_INLINE void set(const T* a, ptrdiff_t stride, ptrdiff_t depth_stride) {
    above.set(a, stride, depth_stride);
    last.broadcast(a + (rows - 1) * stride, depth_stride);
  }
  template <bool zero>
  HWY_INLINE void write(const Terms<T, depth>& b, hn::Vec<D> beta, T* c, ptrdiff_t stride) const {
    above.template write<zero>(b, beta, c, stride);
    T* const row = c + (rows - 1) * stride;
    hn::StoreU(last.add_to(zero ? hn::Zero(D()) : hn::Mul(hn::LoadU(D(), row), beta), b), D(), row);
  }
  template <bool zero>
  HWY_INLINE void write(const Terms<T, depth>& b, hn::Vec<D> beta, T* c, ptrdiff_t stride, hn::Mask<D> mask) const {
    above.template write<zero>(b, beta, c, stride, mask);
    T* const row = c + (rows - 1) * stride;
    const auto begin = zero ? hn::Zero(D()) : hn::Mul(hn::MaskedLoad(mask, D(), row), beta);
    hn::BlendedStore(last.add_to(begin, b), mask, D(), row);
  }
};

template <class T, ptrdiff_t depth>
struct ShallowRows<T, 0, depth> {
  HWY_INLINE void set(const T*, ptrdiff_t, ptrdiff_t) {}
  template <bool zero, class... More>
  HWY_INLINE void write(const More&...) const {}
};

template <class T, ptrdiff_t rows, ptrdiff_t depth, bool zero>
HWY_INLINE void write_rows(const ShallowRows<T, rows, depth>& a, const T* HWY_RESTRICT b, ptrdiff_t b_stride, T beta,
                           T* HWY_RESTRICT c, ptrdiff_t c_stride, ptrdiff_t width) {
  const hn::ScalableTag<T> d;
  const auto factor = hn::Set(d, beta);
  Terms<T, depth> columns;
  ptrdiff_t j = 0;
  for (; j + lanes<T> <= width; j += lanes<T>) {
    columns.load(b + j, b_stride);
    a.template write<zero>(columns, factor, c + j, c_stride);
  }
  if (has_masks && j < width) {
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(width - j));
    columns.load(b + j, b_stride, mask);
    a.template write<zero>(columns, factor, c + j, c_stride, mask);
  }
}

// Without masks, `width` is a multiple of the vector.
template <class T, ptrdiff_t rows, ptrdiff_t depth>
void multiply_rows_shallow(const T* a, ptrdiff_t a_stride, ptrdiff_t a_depth_stride, const T* b, ptrdiff_t b_stride,
                           T beta, T* c, ptrdiff_t c_stride, ptrdiff_t width) noexcept {
  ShallowRows<T, rows, depth> factors;
  factors.set(a, a_stride, a_depth_stride);
  if (beta == 0) {
    write_rows<T, rows, depth, true>(factors, b, b_stride, beta, c, c_stride, width);
  } else {
    write_rows<T, rows, depth, false>(factors, b, b_stride, beta, c, c_stride, width);
  }
}

template <class T>
using MultiplyShallow = decltype(&multiply_rows_shallow<T, 1, 1>);

// Entry (depth - 1) * most_shallow_rows + rows - 1.
template <class T, ptrdiff_t... at>
constexpr std::array<MultiplyShallow<T>, sizeof...(at)> shallow_table(std::integer_sequence<ptrdiff_t, at...>) {
  return {multiply_rows_shallow<T, at % most_shallow_rows + 1, at / most_shallow_rows + 1>...};
}

// A block in place, 1 to matmul_shallow_depth deep, whose rows of C are contiguous.
template <class T>
void multiply_shallow(const MatmulBlock<T>& block) noexcept {
  static constexpr auto table =
      shallow_table<T>(std::make_integer_sequence<ptrdiff_t, matmul_shallow_depth * most_shallow_rows>());
  const MultiplyShallow<T>* const of_depth = table.data() + (block.depth - 1) * most_shallow_rows;
  const ptrdiff_t wide = shallow_bytes / ptrdiff_t{sizeof(T)} / block.depth / lanes<T> * lanes<T>;
  for (ptrdiff_t j = 0; j < block.width; j += wide) {
    const ptrdiff_t cols = HWY_MIN(block.width - j, wide);
    for (ptrdiff_t i = 0; i < block.height; i += most_shallow_rows) {
      const ptrdiff_t rows = HWY_MIN(block.height - i, most_shallow_rows);
      of_depth[rows - 1](block.a + i * block.a_stride, block.a_stride, block.a_depth_stride, block.b + j,
                         block.b_depth_stride, block.beta, block.c + i * block.c_row_stride + j, block.c_row_stride,
                         cols);
    }
  }
}

}  // namespace
}  // namespace speedwell::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
