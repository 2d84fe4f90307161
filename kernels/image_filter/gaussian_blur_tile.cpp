// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/gaussian_blur_tile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/gaussian_blur_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/image_filter/cover-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

// The radius is a constant for small filters, so that their taps are unrolled, and -1 for all others.
template <int radius_or_any, class Weights>
HWY_INLINE int radius_of(const Weights& weights) {
  return radius_or_any < 0 ? weights.radius : radius_or_any;
}

// Bytes: what a line holds is the sum less this, and so is a weighted sum of a line divided by 256.
constexpr std::uint16_t line_bias = 32768;

template <int fixed_radius>
struct ByteColumns {
  const std::uint8_t* const* rows;
  std::int16_t* line;
  std::ptrdiff_t first;
  const GaussianWeights<std::uint8_t>& weights;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t at) const {
    const std::ptrdiff_t i = first + at;
    const hn::RebindToUnsigned<D> du;
    const hn::Rebind<std::uint8_t, D> d8;
    const auto sample = [this, du, d8, i](int t) HWY_ATTR { return hn::PromoteTo(du, hn::LoadU(d8, rows[t] + i)); };
    // Modulo 2^16, but no sum exceeds 255 * 256.
    auto sum = hn::Mul(sample(0), hn::Set(du, weights.tap[0]));
    for (int t = 1; t <= radius_of<fixed_radius>(weights); ++t) {
      sum = hn::Add(sum, hn::Mul(hn::Add(sample(-t), sample(t)), hn::Set(du, weights.tap[t])));
    }
    hn::StoreU(hn::BitCast(d, hn::Xor(sum, hn::Set(du, line_bias))), d, line + i);
  }
};

// a[2j] * b[2j] + a[2j + 1] * b[2j + 1] + sum[j]
template <class D, class V>
HWY_INLINE hn::Vec<D> multiply_pairs(D d, V a, V b, hn::Vec<D> sum) {
  // From zero, as which products share a lane before they are rearranged depends on the instruction set
  auto second = hn::Zero(d);
  const auto first = hn::ReorderWidenMulAccumulate(d, a, b, hn::Zero(d), second);
  return hn::Add(sum, hn::RearrangeToOddPlusEven(first, second));
}

// How the samples of a line are paired for 16-bit multiply-add.
enum class Pairing { neighbours, interleaved };

template <int fixed_radius, Pairing pairing>
struct ByteRow {
  const std::int16_t* line;
  std::uint8_t* out;
  std::ptrdiff_t channels;
  const GaussianWeights<std::uint8_t>& weights;

  // Takes the line's bias away, and rounds half up.
  static constexpr std::int32_t rounding = 256 * line_bias + 32768;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const hn::Rebind<std::uint8_t, D> d8;
    hn::StoreU(hn::DemoteTo(d8, sum(d, line + i)), d8, out + i);
  }

 private:
  template <class D>
  HWY_INLINE hn::Vec<D> sum(D d, const std::int16_t* at) const {
    const int radius = radius_of<fixed_radius>(weights);
    const std::int16_t* const first = at - radius * channels;
    if constexpr (hn::MaxLanes(D()) < 8) {
      const hn::Rebind<std::int32_t, D> d32;
      const auto sample = [this, d, d32, at](std::ptrdiff_t t)
                              HWY_ATTR { return hn::PromoteTo(d32, hn::LoadU(d, at + t * channels)); };
      auto sum = hn::Set(d32, rounding);
      for (int t = -radius; t <= radius; ++t) {
        sum = hn::Add(sum, hn::Mul(sample(t), hn::Set(d32, weights.tap[t < 0 ? -t : t])));
      }
      return hn::DemoteTo(d, hn::ShiftRight<16>(sum));
    } else if constexpr (pairing == Pairing::neighbours) {
      // One channel: the samples of a pair stand side by side, so a load from an even position holds the pairs for the
      // even results, and one from an odd position those for the odd results.
      const hn::RepartitionToWide<D> d32;
      auto even = hn::Set(d32, rounding);
      auto odd = even;
      for (int p = 0; p <= radius; ++p) {
        const auto pair = hn::BitCast(d, hn::Set(d32, weights.pair[p]));
        even = multiply_pairs(d32, hn::LoadU(d, first + 2 * p), pair, even);
        odd = multiply_pairs(d32, hn::LoadU(d, first + 2 * p + 1), pair, odd);
      }
      return hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<16>(even)));
    } else {
      const hn::RepartitionToWide<D> d32;
      auto lower = hn::Set(d32, rounding);
      auto upper = lower;
      for (int p = 0; p <= radius; ++p) {
        const auto pair = hn::BitCast(d, hn::Set(d32, weights.pair[p]));
        const auto a = hn::LoadU(d, first + 2 * p * channels);
        const auto b = hn::LoadU(d, first + (2 * p + 1) * channels);
        // Unqualified, so that they are looked up only where this branch is compiled: HWY_SCALAR lacks them.
        lower = multiply_pairs(d32, InterleaveLower(d, a, b), pair, lower);
        upper = multiply_pairs(d32, InterleaveUpper(d, a, b), pair, upper);
      }
      // Both work within blocks of 128 bits, so this brings the lanes back into the order of the interleaving.
      return ReorderDemote2To(d, hn::ShiftRight<16>(lower), hn::ShiftRight<16>(upper));
    }
  }
};

template <int fixed_radius>
struct FloatColumns {
  const float* const* rows;
  float* line;
  std::ptrdiff_t first;
  const GaussianWeights<float>& weights;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t at) const {
    const std::ptrdiff_t i = first + at;
    auto sum = hn::Mul(hn::LoadU(d, rows[0] + i), hn::Set(d, weights.tap[0]));
    for (int t = 1; t <= radius_of<fixed_radius>(weights); ++t) {
      const auto both = hn::Add(hn::LoadU(d, rows[-t] + i), hn::LoadU(d, rows[t] + i));
      sum = hn::MulAdd(both, hn::Set(d, weights.tap[t]), sum);
    }
    hn::StoreU(sum, d, line + i);
  }
};

template <int fixed_radius>
struct FloatRow {
  const float* line;
  float* out;
  std::ptrdiff_t channels;
  const GaussianWeights<float>& weights;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const float* const at = line + i;
    auto sum = hn::Mul(hn::LoadU(d, at), hn::Set(d, weights.tap[0]));
    for (int t = 1; t <= radius_of<fixed_radius>(weights); ++t) {
      const auto both = hn::Add(hn::LoadU(d, at - t * channels), hn::LoadU(d, at + t * channels));
      sum = hn::MulAdd(both, hn::Set(d, weights.tap[t]), sum);
    }
    hn::StoreU(sum, d, out + i);
  }
};

// Calls run.operator()<radius>(), the radius as a constant if it is small.
template <class Run>
HWY_INLINE void with_radius(int radius, const Run& run) {
  switch (radius) {
    case 1:
      return run.template operator()<1>();
    case 2:
      return run.template operator()<2>();
    case 3:
      return run.template operator()<3>();
    default:
      return run.template operator()<-1>();
  }
}

void vertical_u8(const std::uint8_t* const* rows, std::int16_t* line, std::ptrdiff_t first, std::ptrdiff_t n,
                 const GaussianWeights<std::uint8_t>& weights) {
  with_radius(weights.radius, [&]<int radius>() HWY_ATTR {
    cover<std::int16_t>(n, ByteColumns<radius>{rows, line, first, weights});
  });
}

void horizontal_u8(const std::int16_t* line, std::uint8_t* out, std::ptrdiff_t n, std::ptrdiff_t channels,
                   const GaussianWeights<std::uint8_t>& weights) {
  with_radius(weights.radius, [&]<int radius>() HWY_ATTR {
    if (channels == 1) {
      cover<std::int16_t>(n, ByteRow<radius, Pairing::neighbours>{line, out, 1, weights});
    } else {
      cover<std::int16_t>(n, ByteRow<radius, Pairing::interleaved>{line, out, channels, weights});
    }
  });
}

void vertical_f32(const float* const* rows, float* line, std::ptrdiff_t first, std::ptrdiff_t n,
                  const GaussianWeights<float>& weights) {
  with_radius(weights.radius, [&]<int radius>() HWY_ATTR {
    cover<float>(n, FloatColumns<radius>{rows, line, first, weights});
  });
}

void horizontal_f32(const float* line, float* out, std::ptrdiff_t n, std::ptrdiff_t channels,
                    const GaussianWeights<float>& weights) {
  with_radius(weights.radius, [&]<int radius>() HWY_ATTR {
    cover<float>(n, FloatRow<radius>{line, out, channels, weights});
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct GaussianBlurTiles<HWY_TARGET> {
  static constexpr GaussianBlurTile<std::uint8_t, std::int16_t> u8 = {HWY_NAMESPACE::vertical_u8,
                                                                      HWY_NAMESPACE::horizontal_u8};
  static constexpr GaussianBlurTile<float, float> f32 = {HWY_NAMESPACE::vertical_f32, HWY_NAMESPACE::horizontal_f32};
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cmath>
#include <cstdlib>

#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

namespace {

// exp(-t^2 / (2 sigma^2)). Divided before it is squared, so that no sigma overflows or vanishes.
double bell(int t, double sigma) {
  const double z = t / sigma;
  return std::exp(-0.5 * z * z);
}

// The sum of the bell over all taps, small ones first.
double bell_sum(int radius, double sigma) {
  double sum = 0;
  for (int t = radius; t > 0; --t) sum += 2 * bell(t, sigma);
  return sum + bell(0, sigma);
}

}  // namespace

template <>
void make_gaussian_weights(GaussianWeights<std::uint8_t>& weights, double sigma, int size) {
  const int radius = size / 2;
  const double scale = 256 / bell_sum(radius, sigma);
  weights.radius = radius;
  int rest = 256;
  double carried = 0;
  for (int t = radius; t > 0; --t) {
    const double exact = scale * bell(t, sigma) + carried;
    const double rounded = std::nearbyint(exact);
    carried = exact - rounded;
    weights.tap[t] = static_cast<std::uint16_t>(rounded);
    rest -= 2 * weights.tap[t];
  }
  // Never negative: it is even, and more than -1, because what was carried is at most a half on each side.
  weights.tap[0] = static_cast<std::uint16_t>(rest);
  for (int p = 0; p <= radius; ++p) {
    const int low = weights.tap[std::abs(2 * p - radius)];
    const int high = p < radius ? weights.tap[std::abs(2 * p + 1 - radius)] : 0;
    weights.pair[p] = high * 65536 + low;
  }
}

template <>
void make_gaussian_weights(GaussianWeights<float>& weights, double sigma, int size) {
  weights.radius = size / 2;
  const double sum = bell_sum(weights.radius, sigma);
  for (int t = 0; t <= weights.radius; ++t) weights.tap[t] = static_cast<float>(bell(t, sigma) / sum);
}

template <>
const GaussianBlurTile<std::uint8_t, std::int16_t>& gaussian_blur_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &GaussianBlurTiles<target>::u8; });
}

template <>
const GaussianBlurTile<float, float>& gaussian_blur_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &GaussianBlurTiles<target>::f32; });
}

}  // namespace speedwell::image_filter
#endif
