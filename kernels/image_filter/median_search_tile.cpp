// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/median_search_tile.hpp"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/median_search_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/image_filter/cover-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

constexpr std::ptrdiff_t columns = MedianSearch::tile_columns;

using Bytes = hn::CappedTag<std::uint8_t, columns>;
using ByteVector = hn::Vec<Bytes>;

// ---- How many samples of a window reach the threshold, as rows of sums enter and leave it. `most_below`: so many are
// too few.

// For windows of at most 255 samples.
class ByteCounts {
 public:
  HWY_INLINE explicit ByteCounts(int most_below)
      : most_below_(hn::Set(Bytes(), static_cast<std::uint8_t>(most_below))), count_(hn::Zero(Bytes())) {}
  HWY_INLINE void add(ByteVector sums) { count_ = hn::Add(count_, sums); }
  HWY_INLINE void remove(ByteVector sums) { count_ = hn::Sub(count_, sums); }
  HWY_INLINE auto are_few() const { return hn::Eq(hn::Min(count_, most_below_), count_); }

 private:
  ByteVector most_below_;
  ByteVector count_;
};

// For all others: counts of the even columns and of the odd ones, less the number that is enough.
template <class D = Bytes, bool one_lane = (hn::MaxLanes(D()) < 2)>
class WideCounts {
  using Words = hn::Repartition<std::uint16_t, D>;
  using WordVector = hn::Vec<Words>;

 public:
  HWY_INLINE explicit WideCounts(int most_below)
      : even_(hn::Set(Words(), static_cast<std::uint16_t>(-1 - most_below))), odd_(even_) {}
  HWY_INLINE void add(ByteVector sums) {
    even_ = hn::Add(even_, even(sums));
    odd_ = hn::Add(odd_, odd(sums));
  }
  HWY_INLINE void remove(ByteVector sums) {
    even_ = hn::Sub(even_, even(sums));
    odd_ = hn::Sub(odd_, odd(sums));
  }
  HWY_INLINE auto are_few() const {
    const hn::RebindToSigned<Words> words;
    const D bytes;
    const auto even = hn::BitCast(bytes, hn::BroadcastSignBit(hn::BitCast(words, even_)));
    const auto odd = hn::BitCast(bytes, hn::BroadcastSignBit(hn::BitCast(words, odd_)));
    return hn::MaskFromVec(hn::OddEven(odd, even));
  }

 private:
  static HWY_INLINE WordVector even(ByteVector sums) {
    return hn::And(hn::BitCast(Words(), sums), hn::Set(Words(), 255));
  }
  static HWY_INLINE WordVector odd(ByteVector sums) { return hn::ShiftRight<8>(hn::BitCast(Words(), sums)); }

  WordVector even_;
  WordVector odd_;
};

template <class D>
class WideCounts<D, true> {
 public:
  HWY_INLINE explicit WideCounts(int most_below) : most_below_(most_below) {}
  HWY_INLINE void add(ByteVector sums) { count_ += hn::GetLane(sums); }
  HWY_INLINE void remove(ByteVector sums) { count_ -= hn::GetLane(sums); }
  HWY_INLINE auto are_few() const {
    return hn::MaskFromVec(hn::Set(D(), static_cast<std::uint8_t>(count_ <= most_below_ ? 255 : 0)));
  }

 private:
  int most_below_;
  int count_ = 0;
};

// ---- A tile of one channel

// Rows first .. last.
struct Rows {
  std::ptrdiff_t first;
  std::ptrdiff_t last;

  HWY_INLINE void include(std::ptrdiff_t row) {
    if (row < first) first = row;
    if (row > last) last = row;
  }
};

// Medians from low to high - 1 are in these rows.
struct Range {
  int low;
  int high;
  Rows rows;
};

class Tile {
 public:
  HWY_INLINE Tile(const MedianSearch& search, const std::uint8_t* samples, std::uint8_t* medians, std::uint8_t* sums,
                  std::uint8_t* levels)
      : search_(search), samples_(samples), medians_(medians), sums_(sums), levels_(levels) {}

  // Rows 0 .. count - 1.
  template <class Counts>
  HWY_INLINE void find(std::ptrdiff_t count) const {
    std::memset(medians_, 0, static_cast<std::size_t>(count * columns));
    // Of each range but the last one, half of another: one more than the bits of a sample.
    Range open[9];
    int at = 0;
    open[0] = {0, 256, {0, count - 1}};
    while (at >= 0) {
      const Range range = open[at--];
      const int middle = (range.low + range.high) / 2;
      sum_rows(middle, range.rows);
      Rows below = {count, -1};
      Rows above = {count, -1};
      for (std::ptrdiff_t i = 0; i < columns; i += static_cast<std::ptrdiff_t>(hn::Lanes(Bytes()))) {
        divide<Counts>(i, range, middle, below, above);
      }
      if (range.high - range.low == 2) continue;
      if (above.last >= 0) open[++at] = {middle, range.high, above};
      if (below.last >= 0) open[++at] = {range.low, middle, below};
    }
  }

 private:
  // How many of `size` samples from each column on are `threshold` or more.
  HWY_INLINE void sum_rows(int threshold, const Rows& rows) const;

  // Medians of the range that are `middle` or more become it.
  template <class Counts>
  HWY_INLINE void divide(std::ptrdiff_t column, const Range& range, int middle, Rows& below, Rows& above) const {
    const Bytes d;
    const auto low = hn::Set(d, static_cast<std::uint8_t>(range.low));
    const auto new_low = hn::Set(d, static_cast<std::uint8_t>(middle));
    const std::uint8_t* leaving = sums_ + range.rows.first * columns + column;
    const std::uint8_t* entering = leaving;
    Counts counts(search_.size * search_.size / 2);
    for (int i = 1; i < search_.size; ++i, entering += columns) counts.add(hn::LoadU(d, entering));
    for (std::ptrdiff_t row = range.rows.first; row <= range.rows.last; ++row) {
      counts.add(hn::LoadU(d, entering));
      std::uint8_t* const to = medians_ + row * columns + column;
      const auto median = hn::LoadU(d, to);
      const auto in_range = hn::Eq(median, low);
      const auto few = counts.are_few();
      const auto is_above = hn::AndNot(few, in_range);
      hn::StoreU(hn::IfThenElse(is_above, new_low, median), d, to);
      if (!hn::AllFalse(d, is_above)) above.include(row);
      if (!hn::AllFalse(d, hn::And(few, in_range))) below.include(row);
      counts.remove(hn::LoadU(d, leaving));
      entering += columns;
      leaving += columns;
    }
  }

  const MedianSearch& search_;
  const std::uint8_t* samples_;
  std::uint8_t* medians_;
  std::uint8_t* sums_;
  std::uint8_t* levels_;
};

HWY_INLINE void Tile::sum_rows(int threshold, const Rows& rows) const {
  constexpr std::ptrdiff_t block_rows = MedianSearch::block_rows;
  const Bytes d;
  const auto lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d));
  const std::ptrdiff_t stride = search_.stride;
  const std::ptrdiff_t level_bytes = block_rows * stride;
  const auto one_less = hn::Set(d, static_cast<std::uint8_t>(threshold - 1));
  const auto one = hn::Set(d, 1);
  const std::ptrdiff_t end = rows.last + search_.size;
  for (std::ptrdiff_t first = rows.first; first < end; first += block_rows) {
    const std::ptrdiff_t count = end - first < block_rows ? end - first : block_rows;
    for (std::ptrdiff_t row = 0; row < count; ++row) {
      const std::uint8_t* const from = samples_ + (first + row) * stride;
      std::uint8_t* const to = levels_ + row * stride;
      for (std::ptrdiff_t i = 0; i < columns + search_.size - 1; i += lanes) {
        hn::StoreU(hn::Min(hn::SaturatedSub(hn::LoadU(d, from + i), one_less), one), d, to + i);
      }
    }
    std::ptrdiff_t third = 1;
    for (int level = 1; level < search_.levels; ++level, third *= 3) {
      for (std::ptrdiff_t row = 0; row < count; ++row) {
        std::uint8_t* const to = levels_ + level * level_bytes + row * stride;
        const std::uint8_t* const from = to - level_bytes;
        for (std::ptrdiff_t i = 0; i < columns + search_.size - 3 * third; i += lanes) {
          const auto sum = hn::Add(hn::Add(hn::LoadU(d, from + i), hn::LoadU(d, from + i + third)),
                                   hn::LoadU(d, from + i + 2 * third));
          hn::StoreU(sum, d, to + i);
        }
      }
    }
    for (std::ptrdiff_t row = 0; row < count; ++row) {
      const std::uint8_t* from[sizeof(search_.term) / sizeof(search_.term[0])];
      for (int t = 0; t < search_.terms; ++t) {
        from[t] = levels_ + search_.term[t].level * level_bytes + row * stride + search_.term[t].first;
      }
      std::uint8_t* const to = sums_ + (first + row) * columns;
      for (std::ptrdiff_t i = 0; i < columns; i += lanes) {
        auto sum = hn::LoadU(d, from[0] + i);
        for (int t = 1; t < search_.terms; ++t) sum = hn::Add(sum, hn::LoadU(d, from[t] + i));
        hn::StoreU(sum, d, to + i);
      }
    }
  }
}

// ---- A tile's channels

struct Split {
  const std::uint8_t* from;
  std::uint8_t* to;
  std::ptrdiff_t plane;
  std::ptrdiff_t channels;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    hn::Vec<D> a, b, c;
    if (channels == 3) {
      hn::LoadInterleaved3(d, from + 3 * i, a, b, c);
    } else {
      hn::Vec<D> last;
      hn::LoadInterleaved4(d, from + 4 * i, a, b, c, last);
      hn::StoreU(last, d, to + 3 * plane + i);
    }
    hn::StoreU(a, d, to + i);
    hn::StoreU(b, d, to + plane + i);
    hn::StoreU(c, d, to + 2 * plane + i);
  }
};

struct Join {
  const std::uint8_t* from;
  std::ptrdiff_t plane;
  std::uint8_t* to;
  std::ptrdiff_t channels;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const auto a = hn::LoadU(d, from + i);
    const auto b = hn::LoadU(d, from + plane + i);
    const auto c = hn::LoadU(d, from + 2 * plane + i);
    if (channels == 3) {
      hn::StoreInterleaved3(a, b, c, d, to + 3 * i);
    } else {
      hn::StoreInterleaved4(a, b, c, hn::LoadU(d, from + 3 * plane + i), d, to + 4 * i);
    }
  }
};

// n pixels to planes, `plane` apart.
HWY_INLINE void split(const std::uint8_t* from, std::ptrdiff_t n, std::ptrdiff_t channels, std::uint8_t* to,
                      std::ptrdiff_t plane) {
  if (channels == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(n));
  } else {
    cover<std::uint8_t>(n, Split{from, to, plane, channels});
  }
}

HWY_INLINE void join(const std::uint8_t* from, std::ptrdiff_t plane, std::ptrdiff_t n, std::ptrdiff_t channels,
                     std::uint8_t* to) {
  if (channels == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(n));
  } else {
    cover<std::uint8_t>(n, Join{from, plane, to, channels});
  }
}

void window(const std::uint8_t* const* lines, std::uint8_t* const* out, std::ptrdiff_t count, std::ptrdiff_t n,
            std::ptrdiff_t channels, const MedianSearch& search, std::uint8_t* scratch) {
  const std::ptrdiff_t pixels = n / channels;
  const std::ptrdiff_t radius = search.size / 2;
  const std::ptrdiff_t source_rows = search.tile_rows + search.size - 1;
  const std::ptrdiff_t plane = source_rows * search.stride;
  const std::ptrdiff_t median_plane = search.tile_rows * columns;
  std::uint8_t* const samples = scratch;
  std::uint8_t* const medians = samples + channels * plane;
  std::uint8_t* const sums = medians + channels * median_plane;
  std::uint8_t* const levels = sums + source_rows * columns;

  for (std::ptrdiff_t first = 0; first < pixels; first += columns) {
    // The last tile of a row overlaps the one before it, unless it is the only one.
    if (first + columns > pixels) first = pixels > columns ? pixels - columns : 0;
    const std::ptrdiff_t width = pixels < columns ? pixels : columns;
    const std::ptrdiff_t wide = width + 2 * radius;
    for (std::ptrdiff_t row = 0; row < count + search.size - 1; ++row) {
      std::uint8_t* const to = samples + row * search.stride;
      split(lines[row] + (first - radius) * channels, wide, channels, to, plane);
      // Columns without a pixel have the last one's medians roughly, so that nothing is sought for them alone.
      for (std::ptrdiff_t k = 0; width < columns && k < channels; ++k) {
        std::memset(to + k * plane + wide, to[k * plane + wide - 1], static_cast<std::size_t>(columns - width));
      }
    }
    for (std::ptrdiff_t k = 0; k < channels; ++k) {
      const Tile tile(search, samples + k * plane, medians + k * median_plane, sums, levels);
      if (search.size <= 15) {
        tile.find<ByteCounts>(count);
      } else {
        tile.find<WideCounts<>>(count);
      }
    }
    for (std::ptrdiff_t row = 0; row < count; ++row) {
      join(medians + row * columns, median_plane, width, channels, out[row] + first * channels);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct MedianSearchTiles<HWY_TARGET> {
  static constexpr MedianSearchTile tile = {HWY_NAMESPACE::window};
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

MedianSearch::MedianSearch(int of_size, std::ptrdiff_t of_rows)
    : size(of_size), tile_rows(of_rows), stride((tile_columns + of_size - 1 + 63) / 64 * 64 + 64) {
  // The size in the ternary system.
  int power = 1;
  for (levels = 1; 3 * power <= size; ++levels) power *= 3;
  int rest = size;
  int first = 0;
  const auto add = [&](int level, int samples) {
    term[terms++] = {level, first};
    first += samples;
    rest -= samples;
  };
  // A longest sum that would be needed once only is added up from its thirds right away.
  if (rest < 2 * power) {
    --levels;
    power /= 3;
  }
  for (int level = levels - 1; level >= 0; --level, power /= 3) {
    while (rest >= power) add(level, power);
  }
}

std::size_t MedianSearch::scratch_bytes(std::ptrdiff_t channels) const {
  const std::ptrdiff_t source_rows = tile_rows + size - 1;
  return static_cast<std::size_t>(channels * (source_rows * stride + tile_rows * tile_columns) +
                                  source_rows * tile_columns + most_levels * block_rows * stride);
}

const MedianSearchTile& median_search_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &MedianSearchTiles<target>::tile; });
}

}  // namespace speedwell::image_filter
#endif
