// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set: foreach_target.h includes this file again and again.
#include "bench/cases/ceiling_tile.hpp"

#include <cstdint>

#include <hwy/cache_control.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/cases/ceiling_tile.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell::bench {

template <std::int64_t target>
struct CeilingTiles;

namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
void chains(T* HWY_RESTRICT x, std::size_t steps) {
  const hn::ScalableTag<T> d;
  const std::size_t n = hn::Lanes(d);
  const auto constant = hn::Set(d, static_cast<T>(fma_constant));
  // Named, because g++ keeps an array of vectors in memory.
  auto x0 = hn::LoadU(d, x), x1 = hn::LoadU(d, x + n), x2 = hn::LoadU(d, x + 2 * n), x3 = hn::LoadU(d, x + 3 * n);
  auto x4 = hn::LoadU(d, x + 4 * n), x5 = hn::LoadU(d, x + 5 * n), x6 = hn::LoadU(d, x + 6 * n);
  auto x7 = hn::LoadU(d, x + 7 * n), x8 = hn::LoadU(d, x + 8 * n), x9 = hn::LoadU(d, x + 9 * n);
  auto x10 = hn::LoadU(d, x + 10 * n), x11 = hn::LoadU(d, x + 11 * n);
  for (std::size_t step = 0; step < steps; ++step) {
    x0 = hn::NegMulAdd(x0, x0, constant);
    x1 = hn::NegMulAdd(x1, x1, constant);
    x2 = hn::NegMulAdd(x2, x2, constant);
    x3 = hn::NegMulAdd(x3, x3, constant);
    x4 = hn::NegMulAdd(x4, x4, constant);
    x5 = hn::NegMulAdd(x5, x5, constant);
    x6 = hn::NegMulAdd(x6, x6, constant);
    x7 = hn::NegMulAdd(x7, x7, constant);
    x8 = hn::NegMulAdd(x8, x8, constant);
    x9 = hn::NegMulAdd(x9, x9, constant);
    x10 = hn::NegMulAdd(x10, x10, constant);
    x11 = hn::NegMulAdd(x11, x11, constant);
  }
  hn::StoreU(x0, d, x);
  hn::StoreU(x1, d, x + n);
  hn::StoreU(x2, d, x + 2 * n);
  hn::StoreU(x3, d, x + 3 * n);
  hn::StoreU(x4, d, x + 4 * n);
  hn::StoreU(x5, d, x + 5 * n);
  hn::StoreU(x6, d, x + 6 * n);
  hn::StoreU(x7, d, x + 7 * n);
  hn::StoreU(x8, d, x + 8 * n);
  hn::StoreU(x9, d, x + 9 * n);
  hn::StoreU(x10, d, x + 10 * n);
  hn::StoreU(x11, d, x + 11 * n);
}

// Without this a compiler may find out that a pass changes nothing any more.
inline void next_pass() { asm volatile("" ::: "memory"); }

// Calls body(i) for i = 0, step, 2 step, ... below `count`, which step divides, and so again for each pass. One loop:
// the end of a pass through a first-level cache comes after some thirty turns, and would be mispredicted each time.
template <class Body>
HWY_INLINE void for_each_step(std::size_t count, std::size_t step, std::size_t passes, const Body& body) {
  std::size_t i = 0;
  for (std::size_t left = count / step * passes; left > 0; --left) {
    body(i);
    i += step;
    i = i == count ? 0 : i;
    next_pass();
  }
}

// From memory vectors of 32 bytes are a little faster than 64 on Zen 4, and never slower where the memory is what is
// waited for. Caches give their all to whole vectors only.
using Whole = hn::ScalableTag<double>;
using Half = hn::CappedTag<double, 32 / sizeof(double)>;

// Eight sums: four cycles of an addition x two of them a cycle.
template <class D>
double load(const double* b, std::size_t count, std::size_t passes) {
  const D d;
  const std::size_t n = hn::Lanes(d), unrolled = count / (8 * n) * (8 * n);
  auto x0 = hn::Zero(d), x1 = x0, x2 = x0, x3 = x0, x4 = x0, x5 = x0, x6 = x0, x7 = x0;
  for_each_step(unrolled, 8 * n, passes, [&](std::size_t i) HWY_ATTR {
    x0 = hn::Add(x0, hn::LoadU(d, b + i));
    x1 = hn::Add(x1, hn::LoadU(d, b + i + n));
    x2 = hn::Add(x2, hn::LoadU(d, b + i + 2 * n));
    x3 = hn::Add(x3, hn::LoadU(d, b + i + 3 * n));
    x4 = hn::Add(x4, hn::LoadU(d, b + i + 4 * n));
    x5 = hn::Add(x5, hn::LoadU(d, b + i + 5 * n));
    x6 = hn::Add(x6, hn::LoadU(d, b + i + 6 * n));
    x7 = hn::Add(x7, hn::LoadU(d, b + i + 7 * n));
  });
  const auto lower = hn::Add(hn::Add(x0, x1), hn::Add(x2, x3)), upper = hn::Add(hn::Add(x4, x5), hn::Add(x6, x7));
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(lower, upper)));
  for (std::size_t i = unrolled; i < count; ++i) sum += b[i] * static_cast<double>(passes);
  return sum;
}

void copy_cached(double* HWY_RESTRICT a, const double* HWY_RESTRICT b, std::size_t count, std::size_t passes) {
  const Whole d;
  const std::size_t n = hn::Lanes(d), unrolled = count / (4 * n) * (4 * n);
  for_each_step(unrolled, 4 * n, passes, [&](std::size_t i) HWY_ATTR {
    const auto x0 = hn::LoadU(d, b + i), x1 = hn::LoadU(d, b + i + n);
    const auto x2 = hn::LoadU(d, b + i + 2 * n), x3 = hn::LoadU(d, b + i + 3 * n);
    hn::StoreU(x0, d, a + i);
    hn::StoreU(x1, d, a + i + n);
    hn::StoreU(x2, d, a + i + 2 * n);
    hn::StoreU(x3, d, a + i + 3 * n);
  });
  for (std::size_t i = unrolled; i < count; ++i) a[i] = b[i];
}

void triad_cached(double* HWY_RESTRICT a, const double* HWY_RESTRICT b, const double* HWY_RESTRICT c, double factor,
                  std::size_t count, std::size_t passes) {
  const Whole d;
  const std::size_t n = hn::Lanes(d), unrolled = count / (4 * n) * (4 * n);
  const auto factors = hn::Set(d, factor);
  for_each_step(unrolled, 4 * n, passes, [&](std::size_t i) HWY_ATTR {
    const auto x0 = hn::MulAdd(factors, hn::LoadU(d, c + i), hn::LoadU(d, b + i));
    const auto x1 = hn::MulAdd(factors, hn::LoadU(d, c + i + n), hn::LoadU(d, b + i + n));
    const auto x2 = hn::MulAdd(factors, hn::LoadU(d, c + i + 2 * n), hn::LoadU(d, b + i + 2 * n));
    const auto x3 = hn::MulAdd(factors, hn::LoadU(d, c + i + 3 * n), hn::LoadU(d, b + i + 3 * n));
    hn::StoreU(x0, d, a + i);
    hn::StoreU(x1, d, a + i + n);
    hn::StoreU(x2, d, a + i + 2 * n);
    hn::StoreU(x3, d, a + i + 3 * n);
  });
  for (std::size_t i = unrolled; i < count; ++i) a[i] = b[i] + factor * c[i];
}

// Past the caches, as nobody reads it before it would be evicted: the lines needn't be fetched to be overwritten. With
// one stream to read the prefetchers fall behind, so 16 lines ahead are asked for.
void copy_uncached(double* HWY_RESTRICT a, const double* HWY_RESTRICT b, std::size_t count, std::size_t passes) {
  constexpr std::size_t line = 64 / sizeof(double);
  const Half d;
  const std::size_t n = hn::Lanes(d);
  for (std::size_t pass = 0; pass < passes; ++pass, next_pass()) {
    std::size_t i = 0;
    for (; i + line <= count; i += line) {
      hwy::Prefetch(b + i + 16 * line);
      for (std::size_t k = i; k < i + line; k += n) hn::Stream(hn::LoadU(d, b + k), d, a + k);
    }
    for (; i < count; ++i) a[i] = b[i];
  }
  hwy::FlushStream();
}

void triad_uncached(double* HWY_RESTRICT a, const double* HWY_RESTRICT b, const double* HWY_RESTRICT c, double factor,
                    std::size_t count, std::size_t passes) {
  const Half d;
  const std::size_t n = hn::Lanes(d);
  const auto factors = hn::Set(d, factor);
  for (std::size_t pass = 0; pass < passes; ++pass, next_pass()) {
    std::size_t i = 0;
    for (; i + n <= count; i += n) {
      hn::Stream(hn::MulAdd(factors, hn::LoadU(d, c + i), hn::LoadU(d, b + i)), d, a + i);
    }
    for (; i < count; ++i) a[i] = b[i] + factor * c[i];
  }
  hwy::FlushStream();
}

template <class T>
constexpr FmaTile<T> fma = {hn::MaxLanes(hn::ScalableTag<T>()), chains<T>};
constexpr StreamTile cached = {load<Whole>, copy_cached, triad_cached};
constexpr StreamTile uncached = {load<Half>, copy_uncached, triad_uncached};

}  // namespace HWY_NAMESPACE

template <>
struct CeilingTiles<HWY_TARGET> {
  static constexpr const FmaTile<float>& f32 = HWY_NAMESPACE::fma<float>;
  static constexpr const FmaTile<double>& f64 = HWY_NAMESPACE::fma<double>;
  static constexpr const StreamTile& cached = HWY_NAMESPACE::cached;
  static constexpr const StreamTile& uncached = HWY_NAMESPACE::uncached;
};

}  // namespace speedwell::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::bench {

const FmaTile<float>& fma_tile(float) {
  return *runtime::select_target([]<std::int64_t target> { return &CeilingTiles<target>::f32; });
}

const FmaTile<double>& fma_tile(double) {
  return *runtime::select_target([]<std::int64_t target> { return &CeilingTiles<target>::f64; });
}

const StreamTile& cached_streams() {
  return *runtime::select_target([]<std::int64_t target> { return &CeilingTiles<target>::cached; });
}

const StreamTile& uncached_streams() {
  return *runtime::select_target([]<std::int64_t target> { return &CeilingTiles<target>::uncached; });
}

}  // namespace speedwell::bench
#endif
