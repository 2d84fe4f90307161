// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/rgb_to_gray_tile.hpp"

#include <hwy/cache_control.h>

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/rgb_to_gray_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Out of 32768, which they sum to.
constexpr int red = 9798;
constexpr int green = 19235;
constexpr int blue = 3735;
constexpr int rounding = 16384;

#if HWY_TARGET == HWY_SCALAR

template <int channels>
void byte_row(const std::uint8_t* from, std::uint8_t* to, std::ptrdiff_t pixels) {
  for (std::ptrdiff_t i = 0; i < pixels; ++i, from += channels) {
    to[i] = static_cast<std::uint8_t>((red * from[0] + green * from[1] + blue * from[2] + rounding) >> 15);
  }
}

#else

// How four pixels are laid out as pairs of 16 bits in a block of 16 bytes: (red, green) and (blue, 0).
template <int channels>
struct PairsInBlock {
  alignas(16) std::uint8_t red_green[16] = {};
  alignas(16) std::uint8_t blue[16] = {};

  constexpr PairsInBlock() {
    constexpr int zero = 0x80;
    for (int i = 0; i < 16; ++i) {
      const int pixel = i / 4 * channels;
      red_green[i] = static_cast<std::uint8_t>(i % 2 == 1 ? zero : pixel + i % 4 / 2);
      blue[i] = static_cast<std::uint8_t>(i % 4 == 0 ? pixel + 2 : zero);
    }
  }
};

// Lanes of 32 bits.
template <int lanes>
struct LaneOrders {
  std::int32_t spread[lanes] = {};  // blocks of four pixels of three channels, 12 bytes, begin 16 bytes apart
  std::int32_t sorted[lanes] = {};  // lanes 0 2 4 ... 1 3 5 ...: first those of the first vector, then of the second

  constexpr LaneOrders() {
    for (int i = 0; i < lanes; ++i) {
      spread[i] = i / 4 * 3 + i % 4;
      sorted[i] = i < lanes / 2 ? 2 * i : 2 * i + 1 - lanes;
    }
  }
};

// a[2j] * b[2j] + a[2j + 1] * b[2j + 1] + sum[j]
template <class D, class V>
HWY_INLINE hn::Vec<D> multiply_pairs(D d, V a, V b, hn::Vec<D> sum) {
  auto second = hn::Zero(d);
  const auto first = hn::ReorderWidenMulAccumulate(d, a, b, hn::Zero(d), second);
  return hn::Add(sum, hn::RearrangeToOddPlusEven(first, second));
}

template <int channels>
void byte_row(const std::uint8_t* from, std::uint8_t* to, std::ptrdiff_t pixels) {
  static constexpr PairsInBlock<channels> pairs;
  const hn::ScalableTag<std::uint8_t> d8;
  const hn::ScalableTag<std::int16_t> d16;
  const hn::ScalableTag<std::int32_t> d32;
  const hn::Half<decltype(d8)> half8;
  const hn::Repartition<std::int32_t, decltype(half8)> half32;
  constexpr std::ptrdiff_t lanes = hn::MaxLanes(hn::ScalableTag<std::int32_t>());
  static constexpr LaneOrders<static_cast<int>(lanes)> spread;
  static constexpr LaneOrders<static_cast<int>(lanes / 2)> halves;

  const auto red_green_at = hn::LoadDup128(d8, pairs.red_green);
  const auto blue_at = hn::LoadDup128(d8, pairs.blue);
  const auto spread_order = hn::SetTableIndices(d32, spread.spread);
  const auto sorted_order = hn::SetTableIndices(half32, halves.sorted);
  const auto red_green_weights = hn::BitCast(d16, hn::Set(d32, red | (green << 16)));
  const auto blue_weight = hn::BitCast(d16, hn::Set(d32, blue));

  const auto gray = [=](const std::uint8_t* at) HWY_ATTR {
    auto pixel = hn::LoadU(d8, at);
    if constexpr (channels == 3) {
      pixel = hn::BitCast(d8, hn::TableLookupLanes(hn::BitCast(d32, pixel), spread_order));
    }
    const auto red_green = hn::BitCast(d16, hn::TableLookupBytesOr0(pixel, red_green_at));
    const auto blue_only = hn::BitCast(d16, hn::TableLookupBytesOr0(pixel, blue_at));
    const auto sum = multiply_pairs(d32, red_green, red_green_weights, hn::Set(d32, rounding));
    return hn::ShiftRight<15>(multiply_pairs(d32, blue_only, blue_weight, sum));
  };
  const auto step = [=](const std::uint8_t* at, std::uint8_t* out) HWY_ATTR {
    const auto words = hn::ReorderDemote2To(d16, gray(at), gray(at + lanes * channels));
    const auto bytes = hn::BitCast(half32, hn::DemoteTo(half8, words));
    hn::StoreU(hn::BitCast(half8, hn::TableLookupLanes(bytes, sorted_order)), half8, out);
  };

  // Of three channels, the last load of a step reads whole vectors of which it uses three quarters.
  constexpr std::ptrdiff_t together = 2 * lanes;
  constexpr std::ptrdiff_t reach = together + (channels == 3 ? (lanes + 2) / 3 : 0);
  std::ptrdiff_t i = 0;
  for (; i + reach <= pixels; i += together) step(from + i * channels, to + i);
  // The rest from a copy, which may be read beyond.
  if (const std::ptrdiff_t left = pixels - i; left > 0) {
    std::uint8_t rest[2 * together * channels + HWY_MAX_BYTES] = {};
    std::uint8_t out[2 * together];
    std::memcpy(rest, from + i * channels, static_cast<std::size_t>(left * channels));
    step(rest, out);
    if (left > together) step(rest + together * channels, out + together);
    std::memcpy(to + i, out, static_cast<std::size_t>(left));
  }
}

#endif

template <class D, int channels>
HWY_INLINE void float_step(D d, const float* from, float* to) {
  auto r = hn::Zero(d);
  auto g = hn::Zero(d);
  auto b = hn::Zero(d);
  if constexpr (hn::MaxLanes(D()) == 1) {
    r = hn::LoadU(d, from);
    g = hn::LoadU(d, from + 1);
    b = hn::LoadU(d, from + 2);
  } else if constexpr (channels == 3) {
    hn::LoadInterleaved3(d, from, r, g, b);
  } else {
    auto rest = hn::Zero(d);
    hn::LoadInterleaved4(d, from, r, g, b, rest);
  }
  const auto sum = hn::MulAdd(hn::Set(d, 0.587F), g, hn::Mul(hn::Set(d, 0.299F), r));
  hn::StoreU(hn::MulAdd(hn::Set(d, 0.114F), b, sum), d, to);
}

template <int channels>
void float_row(const float* from, float* to, std::ptrdiff_t pixels) {
  const hn::ScalableTag<float> whole;
  const hn::CappedTag<float, 1> one;
  constexpr std::ptrdiff_t lanes = hn::MaxLanes(hn::ScalableTag<float>());
  // The prefetchers fall behind a stream of so little arithmetic: on Zen 5, so far ahead saves a third of the time.
  constexpr std::ptrdiff_t ahead = 8192 / sizeof(float);
  constexpr std::ptrdiff_t line = 64 / sizeof(float);
  std::ptrdiff_t i = 0;
  for (; i + lanes <= pixels; i += lanes) {
    for (std::ptrdiff_t k = 0; k < lanes * channels; k += line) hwy::Prefetch(from + i * channels + ahead + k);
    float_step<decltype(whole), channels>(whole, from + i * channels, to + i);
  }
  for (; i < pixels; ++i) float_step<decltype(one), channels>(one, from + i * channels, to + i);
}

void row(const std::uint8_t* from, std::ptrdiff_t channels, std::uint8_t* to, std::ptrdiff_t pixels) {
  channels == 3 ? byte_row<3>(from, to, pixels) : byte_row<4>(from, to, pixels);
}

void row(const float* from, std::ptrdiff_t channels, float* to, std::ptrdiff_t pixels) {
  channels == 3 ? float_row<3>(from, to, pixels) : float_row<4>(from, to, pixels);
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct RgbToGrayTiles<HWY_TARGET> {
  template <class T>
  static constexpr RgbToGrayTile<T> tile = {HWY_NAMESPACE::row};
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

template <class T>
const RgbToGrayTile<T>& rgb_to_gray_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &RgbToGrayTiles<target>::template tile<T>; });
}

template const RgbToGrayTile<std::uint8_t>& rgb_to_gray_tile();
template const RgbToGrayTile<float>& rgb_to_gray_tile();

}  // namespace speedwell::image_filter
#endif
