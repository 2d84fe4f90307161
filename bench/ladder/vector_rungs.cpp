// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set: foreach_target.h includes this file again and again.
#include "bench/ladder/rungs.hpp"

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/ladder/vector_rungs.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell::bench::ladder {

template <std::int64_t target>
struct VectorRungs;

namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using std::ptrdiff_t;

void clear(float* c, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; ++i) c[i] = 0;
}

// The loops of `reordered` with the widest vectors of this processor, and multiplication and addition fused in one
// instruction. The compiler couldn't: it made one program for all processors.
void vectorised(const float* a, const float* b, float* c, ptrdiff_t n) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<ptrdiff_t>(hn::Lanes(d));
  clear(c, n * n);
  for (ptrdiff_t i = 0; i < n; ++i) {
    for (ptrdiff_t k = 0; k < n; ++k) {
      const auto x = hn::Set(d, a[i * n + k]);
      const float* const row = b + k * n;
      float* const to = c + i * n;
      ptrdiff_t j = 0;
      for (; j + lanes <= n; j += lanes)
        hn::StoreU(hn::MulAdd(x, hn::LoadU(d, row + j), hn::LoadU(d, to + j)), d, to + j);
      for (; j < n; ++j) to[j] += a[i * n + k] * row[j];
    }
  }
}

// Vectors as fast as these wait for data: at each step one of B, and one of C twice. So a tile of B is used for all
// rows of A while it stays in the second-level cache, and four rows of it go into a row of C at a time, which is then
// loaded and stored a quarter as often.
void tiled(const float* a, const float* b, float* c, ptrdiff_t n) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<ptrdiff_t>(hn::Lanes(d));
  clear(c, n * n);
  for (ptrdiff_t k0 = 0; k0 < n; k0 += tile_rows) {
    for (ptrdiff_t j0 = 0; j0 < n; j0 += tile_cols) {
      const ptrdiff_t k1 = HWY_MIN(k0 + tile_rows, n), j1 = HWY_MIN(j0 + tile_cols, n);
      for (ptrdiff_t i = 0; i < n; ++i) {
        float* const to = c + i * n;
        ptrdiff_t k = k0;
        for (; k + 4 <= k1; k += 4) {
          const float *const a4 = a + i * n + k, *const row = b + k * n;
          const auto x0 = hn::Set(d, a4[0]), x1 = hn::Set(d, a4[1]), x2 = hn::Set(d, a4[2]), x3 = hn::Set(d, a4[3]);
          ptrdiff_t j = j0;
          for (; j + lanes <= j1; j += lanes) {
            auto sum = hn::MulAdd(x0, hn::LoadU(d, row + j), hn::LoadU(d, to + j));
            sum = hn::MulAdd(x1, hn::LoadU(d, row + n + j), sum);
            sum = hn::MulAdd(x2, hn::LoadU(d, row + 2 * n + j), sum);
            sum = hn::MulAdd(x3, hn::LoadU(d, row + 3 * n + j), sum);
            hn::StoreU(sum, d, to + j);
          }
          for (; j < j1; ++j)
            to[j] += a4[0] * row[j] + a4[1] * row[n + j] + a4[2] * row[2 * n + j] + a4[3] * row[3 * n + j];
        }
        for (; k < k1; ++k) {
          for (ptrdiff_t j = j0; j < j1; ++j) to[j] += a[i * n + k] * b[k * n + j];
        }
      }
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct VectorRungs<HWY_TARGET> {
  static constexpr auto vectorised = HWY_NAMESPACE::vectorised, tiled = HWY_NAMESPACE::tiled;
};

}  // namespace speedwell::bench::ladder
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::bench::ladder {

void vectorised(const float* a, const float* b, float* c, std::ptrdiff_t n) {
  runtime::select_target([]<std::int64_t target> { return VectorRungs<target>::vectorised; })(a, b, c, n);
}

void tiled(const float* a, const float* b, float* c, std::ptrdiff_t n) {
  runtime::select_target([]<std::int64_t target> { return VectorRungs<target>::tiled; })(a, b, c, n);
}

}  // namespace speedwell::bench::ladder
#endif
