// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/median_blur_tile.hpp"

#include <cstring>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/median_blur_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/image_filter/cover-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

template <class V>
HWY_INLINE V median_of_three(V a, V b, V c) {
  return hn::Max(hn::Min(a, b), hn::Min(hn::Max(a, b), c));
}

template <class T>
struct SortColumns {
  const T* above;
  const T* here;
  const T* below;
  T* lowest;
  T* middle;
  T* highest;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const auto a = hn::LoadU(d, above + i);
    const auto b = hn::LoadU(d, here + i);
    const auto c = hn::LoadU(d, below + i);
    const auto low = hn::Min(a, b);
    const auto high = hn::Max(a, b);
    const auto rest = hn::Min(high, c);
    hn::StoreU(hn::Min(low, rest), d, lowest + i);
    hn::StoreU(hn::Max(low, rest), d, middle + i);
    hn::StoreU(hn::Max(high, c), d, highest + i);
  }
};

template <class T>
struct MedianOfColumns {
  const T* lowest;
  const T* middle;
  const T* highest;
  T* out;
  std::ptrdiff_t channels;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const auto left = [this, d, i](const T* line) HWY_ATTR { return hn::LoadU(d, line + i - channels); };
    const auto here = [d, i](const T* line) HWY_ATTR { return hn::LoadU(d, line + i); };
    const auto right = [this, d, i](const T* line) HWY_ATTR { return hn::LoadU(d, line + i + channels); };
    const auto low = hn::Max(hn::Max(left(lowest), here(lowest)), right(lowest));
    const auto high = hn::Min(hn::Min(left(highest), here(highest)), right(highest));
    hn::StoreU(median_of_three(low, median_of_three(left(middle), here(middle), right(middle)), high), d, out + i);
  }
};

template <class T>
void vertical(const T* const* rows, T* line, std::ptrdiff_t plane, std::ptrdiff_t first, std::ptrdiff_t n) {
  T* const out = line + first;
  cover<T>(n, SortColumns<T>{rows[-1] + first, rows[0] + first, rows[1] + first, out, out + plane, out + 2 * plane});
}

template <class T>
void horizontal(const T* line, std::ptrdiff_t plane, T* out, std::ptrdiff_t n, std::ptrdiff_t channels) {
  cover<T>(n, MedianOfColumns<T>{line, line + plane, line + 2 * plane, out, channels});
}

// ---- Windows of 5 and 7

// Vectors that ascend from at[0] to the last in each lane. Every use is unrolled, so that they are registers and what
// comes to nothing in the end isn't computed.
template <std::size_t n, class V>
struct Sorted {
  V at[n];
};

template <std::size_t first, std::size_t step, class V, std::size_t n, std::size_t... i>
HWY_INLINE Sorted<sizeof...(i), V> taken(const Sorted<n, V>& x, std::index_sequence<i...>) {
  return {{x.at[first + step * i]...}};
}

template <std::size_t first, std::size_t count, class V, std::size_t n>
HWY_INLINE Sorted<count, V> part(const Sorted<n, V>& x) {
  return taken<first, 1>(x, std::make_index_sequence<count>());
}

// The last step of Batcher's odd-even merge, from the merged lists of every other sample, `first` of the first, third,
// ... of both lists and `second` of the others.
template <std::size_t i, class V, std::size_t m, std::size_t n>
HWY_INLINE V odd_even(const Sorted<m, V>& first, const Sorted<n, V>& second) {
  constexpr std::size_t k = (i + 1) / 2;
  if constexpr (i == 0) {
    return first.at[0];
  } else if constexpr (k > n) {
    return first.at[k];
  } else if constexpr (k == m) {
    return second.at[k - 1];
  } else if constexpr (i % 2 == 1) {
    return hn::Min(second.at[k - 1], first.at[k]);
  } else {
    return hn::Max(second.at[k - 1], first.at[k]);
  }
}

template <class V, std::size_t m, std::size_t n, std::size_t... i>
HWY_INLINE Sorted<m + n, V> odd_even(const Sorted<m, V>& first, const Sorted<n, V>& second, std::index_sequence<i...>) {
  return {{odd_even<i>(first, second)...}};
}

template <class V, std::size_t m, std::size_t n>
HWY_INLINE Sorted<m + n, V> merged(const Sorted<m, V>& x, const Sorted<n, V>& y) {
  if constexpr (m == 1 && n == 1) {
    return {{hn::Min(x.at[0], y.at[0]), hn::Max(x.at[0], y.at[0])}};
  } else {
    const auto first = merged(taken<0, 2>(x, std::make_index_sequence<(m + 1) / 2>()),
                              taken<0, 2>(y, std::make_index_sequence<(n + 1) / 2>()));
    const auto x_second = std::make_index_sequence<m / 2>();
    const auto y_second = std::make_index_sequence<n / 2>();
    const auto places = std::make_index_sequence<m + n>();
    if constexpr (m == 1) {
      return odd_even(first, taken<1, 2>(y, y_second), places);
    } else if constexpr (n == 1) {
      return odd_even(first, taken<1, 2>(x, x_second), places);
    } else {
      return odd_even(first, merged(taken<1, 2>(x, x_second), taken<1, 2>(y, y_second)), places);
    }
  }
}

template <class V, std::size_t n>
HWY_INLINE Sorted<n, V> sorted(const Sorted<n, V>& x) {
  if constexpr (n == 1) {
    return x;
  } else {
    return merged(sorted(part<0, n / 2>(x)), sorted(part<n / 2, n - n / 2>(x)));
  }
}

// From from[0], from[stride], from[2 stride], ...
template <class D, std::size_t... i>
HWY_INLINE Sorted<sizeof...(i), hn::Vec<D>> loaded(D d, const hn::TFromD<D>* from, std::ptrdiff_t stride,
                                                   std::index_sequence<i...>) {
  return {{hn::LoadU(d, from + static_cast<std::ptrdiff_t>(i) * stride)...}};
}

// A column, from each of the lines.
template <class D, std::size_t... i>
HWY_INLINE Sorted<sizeof...(i), hn::Vec<D>> loaded(D d, const hn::TFromD<D>* const* lines, std::ptrdiff_t at,
                                                   std::index_sequence<i...>) {
  return {{hn::LoadU(d, lines[i] + at)...}};
}

template <class D, class V, std::size_t n, std::size_t... i>
HWY_INLINE void store(D d, const Sorted<n, V>& x, hn::TFromD<D>* to, std::ptrdiff_t stride, std::index_sequence<i...>) {
  (hn::StoreU(x.at[i], d, to + static_cast<std::ptrdiff_t>(i) * stride), ...);
}

// Of so many samples of the window, in order, those from `first` on, `count` of them, can be the median: no more than
// half of the window is below, and no more above.
template <std::size_t size, std::size_t samples>
struct Candidates {
  static constexpr std::size_t half = size * size / 2;
  static constexpr std::size_t first = samples > half + 1 ? samples - half - 1 : 0;
  static constexpr std::size_t count = (samples < half + 1 ? samples : half + 1) - first;
};

// The candidates among `samples`, from the sorted ones that were candidates among `before` and all samples since.
template <std::size_t size, std::size_t before, std::size_t samples, class V, std::size_t n>
HWY_INLINE auto candidates(const Sorted<n, V>& x) {
  using Now = Candidates<size, samples>;
  return part<Now::first - Candidates<size, before>::first, Now::count>(x);
}

// The middle one of all, where the other list is one shorter.
template <class V, std::size_t n, std::size_t... i>
HWY_INLINE V middle(const Sorted<n + 1, V>& x, const Sorted<n, V>& y, std::index_sequence<i...>) {
  V lowest = x.at[n];
  ((lowest = hn::Min(lowest, hn::Max(x.at[i], y.at[n - 1 - i]))), ...);
  return lowest;
}

template <class T, std::size_t size>
class WindowMedian {
  static constexpr std::size_t shared = size - 1;  // rows that two windows, one above the other, share
  static constexpr auto radius = static_cast<std::ptrdiff_t>(size / 2);
  // A row is done in parts of so many samples, so that their sorted columns and pairs, which have as many samples more
  // as windows reach to both sides, stay in the first-level cache.
  static constexpr std::ptrdiff_t turn = 1024 / sizeof(T);
  static constexpr std::ptrdiff_t most_channels = 4;
  static constexpr std::ptrdiff_t vector_bytes = 64;  // at most
  static constexpr std::ptrdiff_t stride =
      turn + (2 * radius * most_channels * static_cast<std::ptrdiff_t>(sizeof(T)) + 2 * vector_bytes) / vector_bytes *
                 vector_bytes / static_cast<std::ptrdiff_t>(sizeof(T));

 public:
  static void rows(const T* const* lines, T* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
                   std::ptrdiff_t channels) {
    for (std::ptrdiff_t first = 0; first < n; first += turn) {
      part_of_rows(lines, out, count, first, first + turn < n ? turn : n - first, channels);
    }
  }

 private:
  // n samples of the rows from `first` on.
  static HWY_INLINE void part_of_rows(const T* const* lines, T* const* out, std::ptrdiff_t count, std::ptrdiff_t first,
                                      std::ptrdiff_t n, std::ptrdiff_t channels) {
    const hn::CappedTag<T, vector_bytes / sizeof(T)> d;
    alignas(vector_bytes) T columns[shared * stride];
    alignas(vector_bytes) T pairs[2 * shared * stride];
    const std::ptrdiff_t reach = 2 * radius * channels;
    const auto lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d));
    const T* from[size + 1];
    for (std::size_t i = 0; i < size + 1; ++i) {
      // With one row, its own line in place of the second row's.
      from[i] = lines[i < size || count == 2 ? i : 0] + first - radius * channels;
    }
    constexpr auto one_column = std::make_index_sequence<shared>();
    constexpr auto two_columns = std::make_index_sequence<2 * shared>();
    for (std::ptrdiff_t i = 0; i < n + reach; i += lanes) {
      store(d, sorted(loaded(d, from + 1, i, one_column)), columns + i, stride, one_column);
    }
    for (std::ptrdiff_t i = 0; i < n + reach - 2 * channels; i += lanes) {
      store(d,
            merged(loaded(d, columns + i, stride, one_column), loaded(d, columns + i + channels, stride, one_column)),
            pairs + i, stride, two_columns);
    }
    T rest[2 * vector_bytes / sizeof(T)];  // of rows that aren't a whole number of vectors
    for (std::ptrdiff_t i = 0; i < n; i += lanes) {
      const bool whole = i + lanes <= n;
      const auto pair = [&](std::ptrdiff_t k)
                            HWY_ATTR { return loaded(d, pairs + i + 2 * k * channels, stride, two_columns); };
      const auto last = loaded(d, columns + i + reach, stride, one_column);
      const auto core = shared_candidates(pair, last);
      const auto row = [&](const T* at, T* to) HWY_ATTR {
        const auto own = sorted(loaded(d, at + i, channels, std::make_index_sequence<size>()));
        hn::StoreU(middle(core, own, std::make_index_sequence<size>()), d, to);
      };
      row(from[0], whole ? out[0] + first + i : rest);
      if (count == 2) row(from[size], whole ? out[1] + first + i : rest + vector_bytes / sizeof(T));
      if (!whole) {
        for (std::ptrdiff_t k = 0; k < count; ++k) {
          std::memcpy(out[k] + first + i, rest + k * vector_bytes / static_cast<std::ptrdiff_t>(sizeof(T)),
                      static_cast<std::size_t>(n - i) * sizeof(T));
        }
      }
    }
  }

  template <class Pair, class Column>
  static HWY_INLINE auto shared_candidates(const Pair& pair, const Column& last) {
    constexpr std::size_t four_columns = 4 * shared;
    constexpr std::size_t all = size * shared;
    const auto four = candidates<size, 0, four_columns>(merged(pair(0), pair(1)));
    if constexpr (size == 5) {
      return candidates<size, four_columns, all>(merged(four, last));
    } else {
      constexpr std::size_t six_columns = 6 * shared;
      const auto six = candidates<size, four_columns, six_columns>(merged(four, pair(2)));
      return candidates<size, six_columns, all>(merged(six, last));
    }
  }
};

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct MedianBlurTiles<HWY_TARGET> {
  template <class T>
  static constexpr MedianBlurTile<T> tile = {HWY_NAMESPACE::vertical<T>, HWY_NAMESPACE::horizontal<T>,
                                             HWY_NAMESPACE::WindowMedian<T, 5>::rows,
                                             HWY_NAMESPACE::WindowMedian<T, 7>::rows};
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

template <class T>
const MedianBlurTile<T>& median_blur_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &MedianBlurTiles<target>::template tile<T>; });
}

template const MedianBlurTile<std::uint8_t>& median_blur_tile();
template const MedianBlurTile<std::uint16_t>& median_blur_tile();
template const MedianBlurTile<float>& median_blur_tile();

}  // namespace speedwell::image_filter
#endif
