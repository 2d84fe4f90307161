// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/median_search_tile.hpp"

#include <cstring>
#include <utility>

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

constexpr std::ptrdiff_t tile_rows = MedianSearchTile::rows;
constexpr std::ptrdiff_t tile_columns = MedianSearchTile::columns;
// Rows are transposed, and left out, in groups of as many as a block of 128 bits has bytes.
constexpr std::ptrdiff_t group = 16;
// Columns are left out in groups of so many, so that it isn't asked after each whether to.
constexpr std::ptrdiff_t column_group = 8;

using Bytes = hn::CappedTag<std::uint8_t, tile_columns>;
using ByteVector = hn::Vec<Bytes>;

// ---- Transposition

template <class V>
struct Sixteen {
  V at[16];
};

template <class D, std::size_t... i>
HWY_INLINE Sixteen<hn::Vec<D>> loaded(D d, const std::uint8_t* from, std::ptrdiff_t stride, std::index_sequence<i...>) {
  return {{hn::LoadU(d, from + static_cast<std::ptrdiff_t>(i) * stride)...}};
}

// The bits of a sample's row and then of its column, as one number, rotate by one.
template <class D, class V, std::size_t... i>
HWY_INLINE Sixteen<V> rotated(D d, const Sixteen<V>& x, std::index_sequence<i...>) {
  // Unqualified, so that they are looked up only where this is used: HWY_SCALAR lacks them.
  return {{(i % 2 == 0 ? InterleaveLower(d, x.at[i / 2], x.at[i / 2 + 8])
                       : InterleaveUpper(d, x.at[i / 2], x.at[i / 2 + 8]))...}};
}

// Each block to the place of its own 16 rows.
template <class D>
HWY_INLINE void store_blocks(D d, hn::Vec<D> v, std::uint8_t* to) {
  if constexpr (hn::MaxLanes(D()) == group) {
    hn::StoreU(v, d, to);
  } else {
    const hn::Half<D> half;
    store_blocks(half, hn::LowerHalf(half, v), to);
    store_blocks(half, UpperHalf(half, v), to + static_cast<std::ptrdiff_t>(hn::Lanes(half)) * tile_rows);
  }
}

template <class D, class V, std::size_t... i>
HWY_INLINE void store_all(D d, const Sixteen<V>& x, std::uint8_t* to, std::index_sequence<i...>) {
  (store_blocks(d, x.at[i], to + static_cast<std::ptrdiff_t>(i) * tile_rows), ...);
}

// 16 rows of a vector each to as many rows of 16 as a vector has bytes, tile_rows apart.
template <class D>
HWY_INLINE void transpose(D d, const std::uint8_t* from, std::ptrdiff_t stride, std::uint8_t* to) {
  if constexpr (hn::MaxLanes(D()) < group) {
    for (std::ptrdiff_t row = 0; row < group; ++row) to[row] = from[row * stride];
  } else {
    constexpr auto all = std::make_index_sequence<16>();
    const auto once = rotated(d, loaded(d, from, stride, all), all);
    const auto twice = rotated(d, once, all);
    const auto thrice = rotated(d, twice, all);
    store_all(d, rotated(d, thrice, all), to, all);
  }
}

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

// From first to last.
struct Span {
  std::ptrdiff_t first;
  std::ptrdiff_t last;

  HWY_INLINE void include(std::ptrdiff_t i) {
    if (i < first) first = i;
    if (i > last) last = i;
  }
};

constexpr Span none = {tile_rows + tile_columns, -1};

// Medians from low to high - 1 are in these groups of columns and of rows.
struct Range {
  int low;
  int high;
  Span columns;
  Span rows;
};

class Tile {
 public:
  HWY_INLINE Tile(int size, std::ptrdiff_t stride, const std::uint8_t* samples, std::uint8_t* medians,
                  std::uint8_t* counts)
      : size_(size), stride_(stride), samples_(samples), medians_(medians), counts_(counts) {}

  // Of rows 0 .. count - 1, transposed.
  template <class Counts>
  HWY_INLINE void find(std::ptrdiff_t count) const {
    std::memset(medians_, 0, tile_rows * tile_columns);
    // Of each range but the last one, half of another: one more than the bits of a sample.
    Range open[9];
    int at = 0;
    open[0] = {0, 256, {0, tile_columns / column_group - 1}, {0, (count - 1) / group}};
    while (at >= 0) {
      const Range range = open[at--];
      const int middle = (range.low + range.high) / 2;
      count_columns(middle, range);
      Range below = {range.low, middle, none, none};
      Range above = {middle, range.high, none, none};
      constexpr auto lanes = static_cast<std::ptrdiff_t>(hn::MaxLanes(Bytes()));
      for (std::ptrdiff_t row = range.rows.first * group / lanes * lanes; row <= range.rows.last * group + group - 1;
           row += lanes) {
        divide<Counts>(row, range, below, above);
      }
      if (range.high - range.low == 2) continue;
      if (above.columns.last >= 0) open[++at] = above;
      if (below.columns.last >= 0) open[++at] = below;
    }
  }

 private:
  // How many of `size` samples from each row on are `threshold` or more, in all columns that the range's windows have.
  HWY_INLINE void count_columns(int threshold, const Range& range) const {
    const std::ptrdiff_t end = (range.columns.last + 1) * column_group + size_ - 1;
    const Bytes whole;
    const hn::CappedTag<std::uint8_t, group> small;
    for (std::ptrdiff_t column = range.columns.first * column_group / group * group; column < end;) {
      if (end - column > static_cast<std::ptrdiff_t>(hn::Lanes(small))) {
        count_columns(whole, column, threshold, range.rows);
        column += static_cast<std::ptrdiff_t>(hn::Lanes(whole));
      } else {
        count_columns(small, column, threshold, range.rows);
        column += static_cast<std::ptrdiff_t>(hn::Lanes(small));
      }
    }
  }

  template <class D>
  HWY_INLINE void count_columns(D d, std::ptrdiff_t column, int threshold, Span row_groups) const {
    constexpr auto lanes = static_cast<std::ptrdiff_t>(hn::MaxLanes(D()));
    alignas(64) std::uint8_t rows[group * lanes];
    const int size = size_;
    const std::ptrdiff_t stride = stride_;
    const auto one_less = hn::Set(d, static_cast<std::uint8_t>(threshold - 1));
    const auto one = hn::Set(d, 1);
    const auto reaches = [=](const std::uint8_t* sample)
                             HWY_ATTR { return hn::Min(hn::SaturatedSub(hn::LoadU(d, sample), one_less), one); };
    const std::uint8_t* leaving = samples_ + row_groups.first * group * stride + column;
    const std::uint8_t* entering = leaving;
    auto count = hn::Zero(d);
    for (int i = 1; i < size; ++i, entering += stride) count = hn::Add(count, reaches(entering));
    std::uint8_t* to = counts_ + column * tile_rows + row_groups.first * group;
    for (std::ptrdiff_t i = row_groups.first; i <= row_groups.last; ++i, to += group) {
      for (std::ptrdiff_t row = 0; row < group; ++row, entering += stride, leaving += stride) {
        count = hn::Add(count, reaches(entering));
        hn::StoreU(count, d, rows + row * lanes);
        count = hn::Sub(count, reaches(leaving));
      }
      transpose(d, rows, lanes, to);
    }
  }

  // Of a vector of rows, the range's medians that are the upper half's lowest or more become that.
  template <class Counts>
  HWY_INLINE void divide(std::ptrdiff_t row, const Range& range, Range& below, Range& above) const {
    const Bytes d;
    const int size = size_;
    const Span columns = range.columns;
    const auto low = hn::Set(d, static_cast<std::uint8_t>(range.low));
    const auto new_low = hn::Set(d, static_cast<std::uint8_t>(above.low));
    const std::ptrdiff_t at = columns.first * column_group * tile_rows + row;
    const std::uint8_t* leaving = counts_ + at;
    const std::uint8_t* entering = leaving;
    std::uint8_t* to = medians_ + at;
    Counts counts(size * size / 2);
    for (int i = 1; i < size; ++i, entering += tile_rows) counts.add(hn::LoadU(d, entering));
    auto rows_above = hn::Zero(d);      // not zero where a median has changed
    auto rows_below = hn::Set(d, 255);  // zero where one hasn't
    for (std::ptrdiff_t i = columns.first; i <= columns.last; ++i) {
      auto changed = hn::Zero(d);
      auto kept = hn::Set(d, 255);
      for (std::ptrdiff_t column = 0; column < column_group; ++column) {
        counts.add(hn::LoadU(d, entering));
        const auto median = hn::LoadU(d, to);
        const auto is_above = hn::AndNot(counts.are_few(), hn::Eq(median, low));
        const auto now = hn::IfThenElse(is_above, new_low, median);
        hn::StoreU(now, d, to);
        changed = hn::Or(changed, hn::Xor(now, median));
        kept = hn::Min(kept, hn::Xor(now, low));
        counts.remove(hn::LoadU(d, leaving));
        entering += tile_rows;
        leaving += tile_rows;
        to += tile_rows;
      }
      if (!hn::AllTrue(d, hn::Eq(changed, hn::Zero(d)))) above.columns.include(i);
      if (!hn::AllFalse(d, hn::Eq(kept, hn::Zero(d)))) below.columns.include(i);
      rows_above = hn::Or(rows_above, changed);
      rows_below = hn::Min(rows_below, kept);
    }
    include_rows(row, hn::Ne(rows_above, hn::Zero(d)), above.rows);
    include_rows(row, hn::Eq(rows_below, hn::Zero(d)), below.rows);
  }

  HWY_INLINE void include_rows(std::ptrdiff_t row, hn::Mask<Bytes> found, Span& rows) const {
    const Bytes d;
    constexpr auto lanes = static_cast<std::ptrdiff_t>(hn::MaxLanes(Bytes()));
    if constexpr (lanes <= group) {
      if (!hn::AllFalse(d, found)) rows.include(row / group);
    } else {
      alignas(64) std::uint8_t bytes[lanes];
      hn::Store(hn::VecFromMask(d, found), d, bytes);
      for (std::ptrdiff_t i = 0; i < lanes; i += group) {
        std::uint64_t halves[2];
        std::memcpy(halves, bytes + i, sizeof(halves));
        if ((halves[0] | halves[1]) != 0) rows.include((row + i) / group);
      }
    }
  }

  int size_;
  std::ptrdiff_t stride_;
  const std::uint8_t* samples_;
  std::uint8_t* medians_;
  std::uint8_t* counts_;
};

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
            std::ptrdiff_t channels, int size, std::uint8_t* scratch) {
  const Bytes d;
  const auto lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d));
  const MedianSearchLayout layout(size, channels);
  std::uint8_t* const samples = scratch;
  std::uint8_t* const all_medians = scratch + layout.medians;
  std::uint8_t* const counts = scratch + layout.counts;
  const std::ptrdiff_t pixels = n / channels;
  const std::ptrdiff_t width = pixels < tile_columns ? pixels : tile_columns;
  const std::ptrdiff_t wide = width + size - 1;
  const std::ptrdiff_t plane = layout.source_rows * layout.stride;
  constexpr std::ptrdiff_t median_plane = tile_rows * tile_columns;
  for (std::ptrdiff_t first = 0; first < pixels; first += tile_columns) {
    // The last tile of a row overlaps the one before it, unless it is the only one.
    if (first + width > pixels) first = pixels - width;
    // Rows and columns without a pixel repeat the last one, so that hardly anything is sought for them alone.
    const std::ptrdiff_t rows = (count + group - 1) / group * group + size - 1;
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
      std::uint8_t* const to = samples + row * layout.stride;
      const std::uint8_t* const line = lines[row < count + size - 1 ? row : count + size - 2];
      split(line + (first - size / 2) * channels, wide, channels, to, plane);
      for (std::ptrdiff_t k = 0; width < tile_columns && k < channels; ++k) {
        std::uint8_t* const beyond = to + k * plane + wide;
        std::memset(beyond, beyond[-1], static_cast<std::size_t>(tile_columns - width));
      }
    }
    for (std::ptrdiff_t k = 0; k < channels; ++k) {
      std::uint8_t* const medians = all_medians + k * median_plane;
      const Tile tile(size, layout.stride, samples + k * plane, medians, counts);
      if (size <= 15) {
        tile.find<ByteCounts>(count);
      } else {
        tile.find<WideCounts<>>(count);
      }
      // By way of the samples' plane, whose work is done.
      for (std::ptrdiff_t column = 0; column < tile_columns; column += group) {
        for (std::ptrdiff_t row = 0; row < tile_rows; row += lanes) {
          transpose(d, medians + column * tile_rows + row, tile_rows,
                    samples + k * plane + row * tile_columns + column);
        }
      }
    }
    for (std::ptrdiff_t row = 0; row < count; ++row) {
      join(samples + row * tile_columns, plane, width, channels, out[row] + first * channels);
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

const MedianSearchTile& median_search_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &MedianSearchTiles<target>::tile; });
}

}  // namespace speedwell::image_filter
#endif
