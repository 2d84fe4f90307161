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

// Calls element(d, i) for vectors and single elements that cover 0 .. count - 1, and stores what it returns at out + i:
// whole cache lines of `out` as vectors, four at a time, so that past the caches each line is written in one go.
template <class T, class Element>
HWY_INLINE void write(T* out, ptrdiff_t count, Store store, const Element& element) {
  const hn::CappedTag<T, 64 / sizeof(T)> d;
  const hn::CappedTag<T, 1> one;
  const auto lanes = static_cast<ptrdiff_t>(hn::Lanes(d));
  const auto single = [&](ptrdiff_t i) HWY_ATTR { hn::StoreU(element(one, i), one, out + i); };
  ptrdiff_t i = 0;
  // An element type's own alignment is all that is asked of `out`: an array that lies askew is written through the
  // caches.
  const bool can_stream = reinterpret_cast<std::uintptr_t>(out) % sizeof(T) == 0;
  if (store == Store::streaming && can_stream) {
    for (const ptrdiff_t head = before_line(out, count); i < head; ++i) single(i);
    for (; i + 4 * lanes <= count; i += 4 * lanes) {
      hn::Stream(element(d, i), d, out + i);
      hn::Stream(element(d, i + lanes), d, out + i + lanes);
      hn::Stream(element(d, i + 2 * lanes), d, out + i + 2 * lanes);
      hn::Stream(element(d, i + 3 * lanes), d, out + i + 3 * lanes);
    }
    hwy::FlushStream();
  } else {
    for (; i + 4 * lanes <= count; i += 4 * lanes) {
      hn::StoreU(element(d, i), d, out + i);
      hn::StoreU(element(d, i + lanes), d, out + i + lanes);
      hn::StoreU(element(d, i + 2 * lanes), d, out + i + 2 * lanes);
      hn::StoreU(element(d, i + 3 * lanes), d, out + i + 3 * lanes);
    }
  }
  for (; i + lanes <= count; i += lanes) hn::StoreU(element(d, i), d, out + i);
  for (; i < count; ++i) single(i);
}

template <class T>
void copy(const T* in, T* out, ptrdiff_t count, Store store) noexcept {
  write(out, count, store, [in](auto d, ptrdiff_t i) HWY_ATTR { return hn::LoadU(d, in + i); });
}

template <class T>
void triad(const T* b, const T* c, T* a, ptrdiff_t count, T scale, Store store) noexcept {
  write(a, count, store, [b, c, scale](auto d, ptrdiff_t i) HWY_ATTR {
    return hn::MulAdd(hn::Set(d, scale), hn::LoadU(d, c + i), hn::LoadU(d, b + i));
  });
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
