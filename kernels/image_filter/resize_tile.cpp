// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/resize_tile.hpp"

#include <hwy/cache_control.h>

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/resize_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/image_filter/cover-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

using std::int16_t;
using std::uint8_t;

// ---- Linear interpolation

// first + weight * (second - first), of bytes with seven fractional bits or of floats.
template <class D, class V>
HWY_INLINE V blend(D, V first, V second, V weight) {
  if constexpr (std::is_same_v<hn::TFromD<D>, float>) {
    return hn::MulAdd(weight, hn::Sub(second, first), first);
  } else {
    return hn::Add(first, hn::MulFixedPoint15(hn::Sub(second, first), weight));
  }
}

template <class D>
HWY_INLINE hn::Vec<D> load_sample(D d, const float* from) {
  return hn::LoadU(d, from);
}

template <class D>
HWY_INLINE hn::Vec<D> load_sample(D d, const uint8_t* from) {
  return hn::ShiftLeft<7>(hn::PromoteTo(d, hn::LoadU(hn::Rebind<uint8_t, D>(), from)));
}

template <class D>
HWY_INLINE void store_sample(D d, hn::Vec<D> value, float* to) {
  hn::StoreU(value, d, to);
}

template <class D>
HWY_INLINE void store_sample(D d, hn::Vec<D> value, uint8_t* to) {
  const hn::Rebind<uint8_t, D> d8;
  hn::StoreU(hn::DemoteTo(d8, hn::ShiftRight<7>(hn::Add(value, hn::Set(d, 64)))), d8, to);
}

template <class T, class Line>
struct BlendRows {
  const T* upper;
  const T* lower;
  Line weight;
  Line* line;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    hn::StoreU(blend(d, load_sample(d, upper + i), load_sample(d, lower + i), hn::Set(d, weight)), d, line + i);
  }
};

template <class T, class Line>
void blend_rows(const T* upper, const T* lower, Line weight, Line* line, std::ptrdiff_t n) {
  cover<Line>(n, BlendRows<T, Line>{upper, lower, weight, line});
}

#if HWY_TARGET != HWY_SCALAR

using Block = hn::FixedTag<uint8_t, PixelTable::block_bytes>;

template <int chunks>
HWY_INLINE hn::Vec<Block> gather(const uint8_t* from, const uint8_t* order) {
  const Block d;
  auto found = hn::TableLookupBytesOr0(hn::LoadU(d, from), hn::LoadU(d, order));
  for (int chunk = 1; chunk < chunks; ++chunk) {
    const int at = chunk * PixelTable::block_bytes;
    found = hn::Or(found, hn::TableLookupBytesOr0(hn::LoadU(d, from + at), hn::LoadU(d, order + at)));
  }
  return found;
}

// Calls do_block(byte, from, order) for the blocks of the result that begin at these bytes.
template <int chunks, class DoBlock>
HWY_INLINE void for_blocks(const PixelTable& table, const DoBlock& do_block) {
  const std::ptrdiff_t last = table.bytes() - PixelTable::block_bytes;
  const std::int32_t* from = table.from;
  const uint8_t* order = table.order;
  std::ptrdiff_t byte = 0;
  for (; byte < last; byte += PixelTable::block_bytes) {
    do_block(byte, *from, order);
    ++from;
    order += chunks * PixelTable::block_bytes;
  }
  do_block(last, *from, order);
}

template <int chunks, class T, class Line>
void blend_blocks(const Line* line, const PixelTable& table, const Line* weights, T* out) {
  const hn::Repartition<Line, Block> d;
  const auto bytes = reinterpret_cast<const uint8_t*>(line);
  const std::ptrdiff_t pixel_bytes = table.pixel_bytes;
  for_blocks<chunks>(table, [=](std::ptrdiff_t byte, std::ptrdiff_t from, const uint8_t* order) HWY_ATTR {
    const auto first = hn::BitCast(d, gather<chunks>(bytes + from, order));
    const auto second = hn::BitCast(d, gather<chunks>(bytes + from + pixel_bytes, order));
    const std::ptrdiff_t i = byte / static_cast<std::ptrdiff_t>(sizeof(Line));
    store_sample(d, blend(d, first, second, hn::LoadU(d, weights + i)), out + i);
  });
}

template <int chunks>
void pick_blocks(const uint8_t* row, const PixelTable& table, uint8_t* out) {
  for_blocks<chunks>(table, [=](std::ptrdiff_t byte, std::ptrdiff_t from, const uint8_t* order)
                                HWY_ATTR { hn::StoreU(gather<chunks>(row + from, order), Block(), out + byte); });
}

// Calls in_chunks<chunks>() with the table's number of them, if it has blocks.
template <class InChunks>
HWY_INLINE bool in_blocks(const PixelTable& table, const InChunks& in_chunks) {
  switch (table.chunks) {
    case 1:
      in_chunks.template operator()<1>();
      return true;
    case 2:
      in_chunks.template operator()<2>();
      return true;
    case 3:
      in_chunks.template operator()<3>();
      return true;
    case 4:
      in_chunks.template operator()<4>();
      return true;
  }
  return false;
}

#endif

template <class T, class Line>
void blend_pixels(const Line* line, const PixelTable& table, const Line* weights, std::ptrdiff_t channels, T* out) {
#if HWY_TARGET != HWY_SCALAR
  if (in_blocks(table, [&]<int chunks>() { blend_blocks<chunks>(line, table, weights, out); })) return;
#endif
  const hn::CappedTag<Line, 1> d;
  std::ptrdiff_t i = 0;
  for (std::ptrdiff_t x = 0; x < table.pixels; ++x) {
    const Line* const pixel = line + table.index[x] * channels;
    for (std::ptrdiff_t channel = 0; channel < channels; ++channel, ++i) {
      const auto first = hn::LoadU(d, pixel + channel);
      const auto second = hn::LoadU(d, pixel + channels + channel);
      store_sample(d, blend(d, first, second, hn::LoadU(d, weights + i)), out + i);
    }
  }
}

// ---- Nearest

template <int pixel_bytes>
void pick_each(const uint8_t* row, const PixelTable& table, uint8_t* out) {
  for (std::ptrdiff_t x = 0; x < table.pixels; ++x) {
    std::memcpy(out + x * pixel_bytes, row + std::ptrdiff_t{table.index[x]} * pixel_bytes, pixel_bytes);
  }
}

void pick_pixels(const uint8_t* row, const PixelTable& table, uint8_t* out) {
#if HWY_TARGET != HWY_SCALAR
  if (in_blocks(table, [&]<int chunks>() { pick_blocks<chunks>(row, table, out); })) return;
#endif
  if (table.pixel_bytes == 1) return pick_each<1>(row, table, out);
  if (table.pixel_bytes == 3) return pick_each<3>(row, table, out);
  if (table.pixel_bytes == 4) return pick_each<4>(row, table, out);
  if (table.pixel_bytes == 12) return pick_each<12>(row, table, out);
  pick_each<16>(row, table, out);
}

// ---- Half the size

uint8_t mean(uint8_t a, uint8_t b, uint8_t c, uint8_t d) { return static_cast<uint8_t>((a + b + c + d + 2) >> 2); }

float mean(float a, float b, float c, float d) { return ((a + b) + (c + d)) * 0.25F; }

template <class T>
void halve_each(const T* upper, const T* lower, std::ptrdiff_t channels, T* out, std::ptrdiff_t first,
                std::ptrdiff_t pixels) {
  for (std::ptrdiff_t x = first; x < pixels; ++x) {
    for (std::ptrdiff_t channel = 0; channel < channels; ++channel) {
      const std::ptrdiff_t i = 2 * x * channels + channel;
      out[x * channels + channel] = mean(upper[i], lower[i], upper[i + channels], lower[i + channels]);
    }
  }
}

#if HWY_TARGET != HWY_SCALAR

// For a block of 16 bytes of 3 or 4 channels: the samples to be added side by side.
template <int channels>
struct SamplePairs {
  alignas(16) uint8_t order[16] = {};

  constexpr SamplePairs() {
    for (int pair = 0; pair < 8; ++pair) {
      const int at = pair / channels * 2 * channels + pair % channels;
      const bool outside = at + channels >= 16;
      order[2 * pair] = static_cast<uint8_t>(outside ? 0x80 : at);
      order[2 * pair + 1] = static_cast<uint8_t>(outside ? 0x80 : at + channels);
    }
  }
};

// Bytes of two rows to the means of their pairs, in 16 bits.
template <class D>
HWY_INLINE hn::Vec<D> mean_of_pairs(D d, hn::Vec<hn::Repartition<uint8_t, D>> upper,
                                    hn::Vec<hn::Repartition<uint8_t, D>> lower) {
  const hn::RebindToUnsigned<D> du;
  const auto low = hn::Set(du, 0xFF);
  const auto a = hn::BitCast(du, upper);
  const auto b = hn::BitCast(du, lower);
  const auto even = hn::Add(hn::And(a, low), hn::And(b, low));
  const auto odd = hn::Add(hn::ShiftRight<8>(a), hn::ShiftRight<8>(b));
  return hn::BitCast(d, hn::ShiftRight<2>(hn::Add(hn::Add(even, odd), hn::Set(du, 2))));
}

template <int channels>
struct HalveBytes {
  const uint8_t* upper;
  const uint8_t* lower;
  uint8_t* out;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const hn::Repartition<uint8_t, D> d8;
    const hn::Rebind<uint8_t, D> half8;
    auto a = hn::LoadU(d8, upper + 2 * i);
    auto b = hn::LoadU(d8, lower + 2 * i);
    if constexpr (channels > 1) {
      static constexpr SamplePairs<channels> pairs;
      const auto order = hn::LoadDup128(d8, pairs.order);
      a = hn::TableLookupBytesOr0(a, order);
      b = hn::TableLookupBytesOr0(b, order);
    }
    hn::StoreU(hn::DemoteTo(half8, mean_of_pairs(d, a, b)), half8, out + i);
  }
};

// Blocks of two pixels of the result, if the row is not shorter; overlapping the one before, if it ends in the midst.
template <int channels>
HWY_INLINE void halve_blocks(const uint8_t* upper, const uint8_t* lower, uint8_t* out, std::ptrdiff_t samples) {
  const hn::ScalableTag<int16_t> whole;
  const hn::FixedTag<int16_t, 8> small;
  const auto lanes = static_cast<std::ptrdiff_t>(hn::Lanes(whole));
  const HalveBytes<channels> step{upper, lower, out};
  if (samples >= lanes) {
    for (std::ptrdiff_t i = 0; i < samples - lanes; i += lanes) step(whole, i);
    step(whole, samples - lanes);
  } else {
    for (std::ptrdiff_t i = 0; i < samples - 8; i += 8) step(small, i);
    step(small, samples - 8);
  }
}

// Where blocks of four pixels of three channels begin, as lanes of 32 bits, and what of the means of such blocks is
// their own.
struct BlocksOfThree {
  std::int32_t spread[16] = {};
  alignas(16) uint8_t sixes[16] = {};

  constexpr BlocksOfThree() {
    for (int i = 0; i < 16; ++i) {
      spread[i] = i / 4 * 3 + i % 4;
      sixes[i] = static_cast<uint8_t>(i < 12 ? i / 6 * 8 + i % 6 : 0x80);
    }
  }
};

// The first of these pixels of three channels; returns how many.
std::ptrdiff_t halve_threes(const uint8_t* upper, const uint8_t* lower, uint8_t* out, std::ptrdiff_t pixels) {
  static constexpr BlocksOfThree blocks;
  static constexpr SamplePairs<3> pairs;
  const hn::ScalableTag<uint8_t> d8;
  const hn::ScalableTag<int16_t> d16;
  const hn::ScalableTag<std::int32_t> d32;
  const hn::Half<decltype(d8)> half8;
  const hn::Half<decltype(half8)> quarter8;
  constexpr std::ptrdiff_t together = hn::MaxLanes(hn::ScalableTag<std::int32_t>()) / 2;
  const auto spread = hn::SetTableIndices(d32, blocks.spread);
  const auto order = hn::LoadDup128(d8, pairs.order);
  const auto load = [=](const uint8_t* from) HWY_ATTR {
    const auto lanes = hn::BitCast(d32, hn::LoadU(d8, from));
    return hn::TableLookupBytesOr0(hn::BitCast(d8, hn::TableLookupLanes(lanes, spread)), order);
  };
  // A vector holds up to 16 bytes beyond its blocks. Both rows are asked for ahead, as each step takes many
  // instructions for the bytes that it reads.
  constexpr std::ptrdiff_t ahead = 1024;
  std::ptrdiff_t x = 0;
  for (; x + together + 3 <= pixels; x += together) {
    hwy::Prefetch(upper + 6 * x + ahead);
    hwy::Prefetch(lower + 6 * x + ahead);
    const auto means = hn::DemoteTo(half8, mean_of_pairs(d16, load(upper + 6 * x), load(lower + 6 * x)));
    // What is stored beyond a block's own is overwritten by the next.
    if constexpr (together == 2) {
      hn::StoreU(means, half8, out + 3 * x);
    } else {
      const auto packed = hn::TableLookupBytesOr0(means, hn::LoadDup128(half8, blocks.sixes));
      if constexpr (together == 4) {
        hn::StoreU(packed, half8, out + 3 * x);
      } else {
        hn::StoreU(hn::LowerHalf(quarter8, packed), quarter8, out + 3 * x);
        hn::StoreU(hn::UpperHalf(quarter8, packed), quarter8, out + 3 * x + 12);
      }
    }
  }
  return x;
}

void halve(const uint8_t* upper, const uint8_t* lower, std::ptrdiff_t channels, uint8_t* out, std::ptrdiff_t pixels) {
  const std::ptrdiff_t samples = pixels * channels;
  if (channels != 3 && samples >= 8) {
    return channels == 1 ? halve_blocks<1>(upper, lower, out, samples) : halve_blocks<4>(upper, lower, out, samples);
  }
  const std::ptrdiff_t done = channels == 3 ? halve_threes(upper, lower, out, pixels) : 0;
  halve_each(upper, lower, channels, out, done, pixels);
}

void halve(const float* upper, const float* lower, std::ptrdiff_t channels, float* out, std::ptrdiff_t pixels) {
  std::ptrdiff_t x = 0;
  if (channels == 1) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d));
    const auto quarter = hn::Set(d, 0.25F);
    for (; x + lanes <= pixels; x += lanes) {
      const float* const a = upper + 2 * x;
      const float* const b = lower + 2 * x;
      const auto lo = hn::Add(hn::LoadU(d, a), hn::LoadU(d, b));
      const auto hi = hn::Add(hn::LoadU(d, a + lanes), hn::LoadU(d, b + lanes));
      hn::StoreU(hn::Mul(hn::Add(hn::ConcatEven(d, hi, lo), hn::ConcatOdd(d, hi, lo)), quarter), d, out + x);
    }
  } else {
    // Of three channels, a sample beyond each pixel is read, and overwritten by the next one.
    const hn::FixedTag<float, 4> d;
    const auto quarter = hn::Set(d, 0.25F);
    for (; x + (channels == 3 ? 1 : 0) < pixels; ++x) {
      const float* const a = upper + 2 * x * channels;
      const float* const b = lower + 2 * x * channels;
      const auto left = hn::Add(hn::LoadU(d, a), hn::LoadU(d, b));
      const auto right = hn::Add(hn::LoadU(d, a + channels), hn::LoadU(d, b + channels));
      hn::StoreU(hn::Mul(hn::Add(left, right), quarter), d, out + x * channels);
    }
  }
  halve_each(upper, lower, channels, out, x, pixels);
}

#else

template <class T>
void halve(const T* upper, const T* lower, std::ptrdiff_t channels, T* out, std::ptrdiff_t pixels) {
  halve_each(upper, lower, channels, out, 0, pixels);
}

#endif

// ---- Areas

template <class D>
HWY_INLINE hn::Vec<D> load_float(D d, const float* from) {
  return hn::LoadU(d, from);
}

template <class D>
HWY_INLINE hn::Vec<D> load_float(D d, const uint8_t* from) {
  const hn::Rebind<std::int32_t, D> d32;
  return hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(hn::Rebind<uint8_t, D>(), from)));
}

template <class D>
HWY_INLINE void store_rounded(D d, hn::Vec<D> value, float* to) {
  hn::StoreU(value, d, to);
}

template <class D>
HWY_INLINE void store_rounded(D, hn::Vec<D> value, uint8_t* to) {
  const hn::Rebind<uint8_t, D> d8;
  hn::StoreU(hn::DemoteTo(d8, hn::NearestInt(value)), d8, to);
}

template <class T>
struct AverageRows {
  const T* rows;
  std::ptrdiff_t row_stride;
  const float* weights;
  std::ptrdiff_t count;
  float* line;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const T* row = rows + i;
    auto sum = hn::Mul(hn::Set(d, weights[0]), load_float(d, row));
    for (std::ptrdiff_t r = 1; r < count; ++r) {
      row += row_stride;
      sum = hn::MulAdd(hn::Set(d, weights[r]), load_float(d, row), sum);
    }
    hn::StoreU(sum, d, line + i);
  }
};

template <class T>
void average_rows(const T* rows, std::ptrdiff_t row_stride, const float* weights, std::ptrdiff_t count, float* line,
                  std::ptrdiff_t n) {
  cover<float>(n, AverageRows<T>{rows, row_stride, weights, count, line});
}

// The mean at one pixel, of as many channels as the tag has lanes.
template <class D>
HWY_INLINE hn::Vec<D> average_at(D d, const float* from, std::ptrdiff_t channels, const float* weights,
                                 std::ptrdiff_t count) {
  auto sum = hn::Mul(hn::Set(d, weights[0]), hn::LoadU(d, from));
  for (std::ptrdiff_t i = 1; i < count; ++i) {
    sum = hn::MulAdd(hn::Set(d, weights[i]), hn::LoadU(d, from + i * channels), sum);
  }
  return sum;
}

#if HWY_TARGET != HWY_SCALAR

template <int chunks, class T>
void average_blocks(const float* line, const AreaTable& table, T* out) {
  const hn::FixedTag<float, 4> d;
  constexpr auto size = static_cast<std::ptrdiff_t>(sizeof(float));
  const auto bytes = reinterpret_cast<const uint8_t*>(line);
  const float* const weights = table.weight_rows;
  const std::ptrdiff_t most = table.most;
  const std::ptrdiff_t pixels = table.pixels;
  for_blocks<chunks>(table.blocks, [=](std::ptrdiff_t byte, std::ptrdiff_t from, const uint8_t* order) HWY_ATTR {
    const std::ptrdiff_t x = byte / size;
    auto sum = hn::Mul(hn::LoadU(d, weights + x), hn::BitCast(d, gather<chunks>(bytes + from, order)));
    for (std::ptrdiff_t i = 1; i < most; ++i) {
      sum = hn::MulAdd(hn::LoadU(d, weights + i * pixels + x),
                       hn::BitCast(d, gather<chunks>(bytes + from + i * size, order)), sum);
    }
    store_rounded(d, sum, out + x);
  });
}

#endif

template <class T>
void average_pixels(const float* line, const AreaTable& table, std::ptrdiff_t channels, T* out) {
  const hn::CappedTag<float, 1> one;
  std::ptrdiff_t x = 0;
#if HWY_TARGET != HWY_SCALAR
  if (in_blocks(table.blocks, [&]<int chunks>() { average_blocks<chunks>(line, table, out); })) return;
  if (channels > 1) {
    // Of three channels, one sample more is computed, and overwritten by the next pixel.
    const hn::FixedTag<float, 4> d;
    for (; x + (channels == 3 ? 1 : 0) < table.pixels; ++x) {
      const float* const from = line + table.first[x] * channels;
      store_rounded(d, average_at(d, from, channels, table.weights + x * table.most, table.count[x]),
                    out + x * channels);
    }
  }
#endif
  for (; x < table.pixels; ++x) {
    const float* const from = line + table.first[x] * channels;
    for (std::ptrdiff_t channel = 0; channel < channels; ++channel) {
      store_rounded(one, average_at(one, from + channel, channels, table.weights + x * table.most, table.count[x]),
                    out + x * channels + channel);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct ResizeTiles<HWY_TARGET> {
  template <class T>
  static constexpr ResizeTile<T> tile = {HWY_NAMESPACE::blend_rows, HWY_NAMESPACE::blend_pixels, HWY_NAMESPACE::halve,
                                         HWY_NAMESPACE::average_rows, HWY_NAMESPACE::average_pixels};
  static constexpr PickPixels pick_pixels = HWY_NAMESPACE::pick_pixels;
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

template <class T>
const ResizeTile<T>& resize_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &ResizeTiles<target>::template tile<T>; });
}

template const ResizeTile<std::uint8_t>& resize_tile();
template const ResizeTile<float>& resize_tile();

PickPixels pick_pixels_tile() {
  return runtime::select_target([]<std::int64_t target>() { return ResizeTiles<target>::pick_pixels; });
}

}  // namespace speedwell::image_filter
#endif
