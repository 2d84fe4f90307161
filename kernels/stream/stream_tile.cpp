// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set: foreach_target.h includes this file again and again.
#include "kernels/stream/stream_tile.hpp"

#include <hwy/cache_control.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/stream/stream_tile.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell::stream {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using std::ptrdiff_t;

// Elements before the next cache line of `out` begins, at most `count`.
template <class T>
ptrdiff_t before_line(const T* out, ptrdiff_t count) {
  constexpr std::uintptr_t line = 64;
  const std::uintptr_t beyond = reinterpret_cast<std::uintptr_t>(out) % line;
  const auto elements = static_cast<ptrdiff_t>((line - beyond) % line / sizeof(T));
  return HWY_MIN(elements, count);
}

// Stores four vectors of what element(d, i) returns at out + i, by put(value, d, to).
template <class D, class T, class Element, class Put>
HWY_INLINE void write_four(D d, T* out, ptrdiff_t i, const Element& element, const Put& put) {
  const auto lanes = static_cast<ptrdiff_t>(hn::Lanes(d));
  put(element(d, i), d, out + i);
  put(element(d, i + lanes), d, out + i + lanes);
  put(element(d, i + 2 * lanes), d, out + i + 2 * lanes);
  put(element(d, i + 3 * lanes), d, out + i + 3 * lanes);
}

// Writes element(d, i) for vectors and single elements that cover 0 .. count - 1 at out + i. Past the caches that is
// whole cache lines, each begun and ended at once, and meanwhile two lines at fetched + i are asked for, if that isn't
// null.
template <class T, class Element>
HWY_INLINE void write(T* out, ptrdiff_t count, Store store, const Element& element, const T* fetched) {
  const hn::CappedTag<T, 1> one;
  const auto single = [&](ptrdiff_t i) HWY_ATTR { hn::StoreU(element(one, i), one, out + i); };
  const hn::CappedTag<T, 64 / sizeof(T)> d;
  const auto lanes = static_cast<ptrdiff_t>(hn::Lanes(d));
  ptrdiff_t i = 0;
  if (store == Store::streaming) {
    // 32 bytes at most: from memory that is a tenth faster than 64 on Zen 4, and there is no faster way without
    // AVX-512.
    const hn::CappedTag<T, 32 / sizeof(T)> half;
    const auto step = 4 * static_cast<ptrdiff_t>(hn::Lanes(half));
    const auto past_caches = [](auto value, auto tag, T* to) HWY_ATTR { hn::Stream(value, tag, to); };
    for (const ptrdiff_t head = before_line(out, count); i < head; ++i) single(i);
    for (; i + step <= count; i += step) {
      if (fetched != nullptr) {
        hwy::Prefetch(fetched + i);
        hwy::Prefetch(fetched + i + step / 2);
      }
      write_four(half, out, i, element, past_caches);
    }
    hwy::FlushStream();
  } else {
    const auto through_caches = [](auto value, auto tag, T* to) HWY_ATTR { hn::StoreU(value, tag, to); };
    for (; i + 4 * lanes <= count; i += 4 * lanes) write_four(d, out, i, element, through_caches);
  }
  for (; i + lanes <= count; i += lanes) hn::StoreU(element(d, i), d, out + i);
  for (; i < count; ++i) single(i);
}

template <class T>
void copy(const T* in, T* out, ptrdiff_t count, Store store) noexcept {
  // With one stream to read, the prefetchers fall behind: 16 lines ahead is 8 % faster on Zen 4.
  write(
      out, count, store, [in](auto d, ptrdiff_t i) HWY_ATTR { return hn::LoadU(d, in + i); }, in + 1024 / sizeof(T));
}

template <class T>
void triad(const T* b, const T* c, T* a, ptrdiff_t count, T scale, Store store) noexcept {
  write(
      a, count, store,
      [b, c, scale](auto d, ptrdiff_t i)
          HWY_ATTR { return hn::MulAdd(hn::Set(d, scale), hn::LoadU(d, c + i), hn::LoadU(d, b + i)); },
      static_cast<const T*>(nullptr));
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <class T>
struct StreamTiles<HWY_TARGET, T> {
  static constexpr StreamTile<T> tile = {HWY_NAMESPACE::copy<T>, HWY_NAMESPACE::triad<T>};
};

}  // namespace speedwell::stream
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::stream {

template <class T>
const StreamTile<T>& stream_tile() {
  return *runtime::select_target([]<std::int64_t target> { return &StreamTiles<target, T>::tile; });
}

template const StreamTile<float>& stream_tile();
template const StreamTile<double>& stream_tile();

}  // namespace speedwell::stream
#endif
