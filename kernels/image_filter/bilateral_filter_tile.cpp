// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/bilateral_filter_tile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/bilateral_filter_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/image_filter/cover-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

// Vectors of fewer lanes are split into planes, and put together again, a sample at a time.
constexpr std::size_t least_interleaved = 8;

// Minimax polynomials for 2^f, |f| <= 1/2. Bytes: relative error 7.5e-5, which moves no result by more than 0.02.
// Float: 2.7e-6.
template <class T, class D>
HWY_INLINE hn::Vec<D> power_of_fraction(D d, hn::Vec<D> f) {
  if constexpr (sizeof(T) == 1) {
    auto p = hn::MulAdd(hn::Set(d, 0.0551716685F), f, hn::Set(d, 0.242611125F));
    p = hn::MulAdd(p, f, hn::Set(d, 0.693260968F));
    return hn::MulAdd(p, f, hn::Set(d, 0.999928057F));
  } else {
    auto p = hn::MulAdd(hn::Set(d, 0.00957010221F), f, hn::Set(d, 0.0559178591F));
    p = hn::MulAdd(p, f, hn::Set(d, 0.240247443F));
    p = hn::MulAdd(p, f, hn::Set(d, 0.693121791F));
    return hn::MulAdd(p, f, hn::Set(d, 0.999999285F));
  }
}

// 2^t, but not below 2^-125, so that no result is denormal.
template <class T, class D>
HWY_INLINE hn::Vec<D> power_of_two(D d, hn::Vec<D> t) {
  // Where a float's last place is 1: t is rounded to nearest by being added, and stands in the low bits.
  const auto integers = hn::Set(d, 12582912.0F);
  const hn::RebindToSigned<D> di;
  t = hn::Max(t, hn::Set(d, -125.0F));
  const auto rounded = hn::Add(t, integers);
  const auto p = power_of_fraction<T>(d, hn::Sub(t, hn::Sub(rounded, integers)));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, rounded))));
}

template <class T, class D>
HWY_INLINE hn::Vec<D> weight(D d, hn::Vec<D> distance, hn::Vec<D> scale, float exponent) {
  if constexpr (sizeof(T) > 1) distance = hn::Mul(distance, scale);
  return power_of_two<T>(d, hn::NegMulAdd(distance, distance, hn::Set(d, exponent)));
}

// The pixels of a vector: what is summed of each.
template <class T, class D, int channels>
class Sums {
  using V = hn::Vec<D>;

 public:
  HWY_INLINE Sums(D d, const BilateralRow& row, std::ptrdiff_t x)
      : scale_(hn::Set(d, row.scale)),
        weights_(hn::Set(d, 1.0F)),
        sum0_(hn::Zero(d)),
        sum1_(sum0_),
        sum2_(sum0_),
        sum3_(sum0_),
        centre0_(at<0>(d, row.centre + x, row.plane)),
        centre1_(at<1>(d, row.centre + x, row.plane)),
        centre2_(at<2>(d, row.centre + x, row.plane)),
        centre3_(at<3>(d, row.centre + x, row.plane)) {}

  HWY_INLINE void add(D d, const float* tap, std::ptrdiff_t plane, float exponent) {
    const auto difference0 = hn::Sub(at<0>(d, tap, plane), centre0_);
    if constexpr (channels == 1) {
      const auto w = weight<T>(d, difference0, scale_, exponent);
      weights_ = hn::Add(weights_, w);
      sum0_ = hn::MulAdd(w, difference0, sum0_);
    } else {
      const auto difference1 = hn::Sub(at<1>(d, tap, plane), centre1_);
      const auto difference2 = hn::Sub(at<2>(d, tap, plane), centre2_);
      const auto distance = hn::Add(hn::Add(hn::Abs(difference0), hn::Abs(difference1)), hn::Abs(difference2));
      const auto w = weight<T>(d, distance, scale_, exponent);
      weights_ = hn::Add(weights_, w);
      sum0_ = hn::MulAdd(w, difference0, sum0_);
      sum1_ = hn::MulAdd(w, difference1, sum1_);
      sum2_ = hn::MulAdd(w, difference2, sum2_);
      if constexpr (channels == 4) sum3_ = hn::MulAdd(w, hn::Sub(at<3>(d, tap, plane), centre3_), sum3_);
    }
  }

  HWY_INLINE void store(D d, T* out) const {
    const hn::Rebind<T, D> dt;
    const auto result0 = result(centre0_, sum0_);
    if constexpr (channels == 1) {
      hn::StoreU(result0, dt, out);
    } else {
      const auto result1 = result(centre1_, sum1_);
      const auto result2 = result(centre2_, sum2_);
      const auto result3 = result(centre3_, sum3_);
      if constexpr (hn::MaxLanes(D()) < least_interleaved) {
        T planes[4][least_interleaved];
        hn::StoreU(result0, dt, planes[0]);
        hn::StoreU(result1, dt, planes[1]);
        hn::StoreU(result2, dt, planes[2]);
        hn::StoreU(result3, dt, planes[3]);
        for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
          for (int k = 0; k < channels; ++k) *out++ = planes[k][i];
        }
      } else if constexpr (channels == 3) {
        hn::StoreInterleaved3(result0, result1, result2, dt, out);
      } else {
        hn::StoreInterleaved4(result0, result1, result2, result3, dt, out);
      }
    }
  }

 private:
  // Zero of a channel that there isn't.
  template <int channel>
  static HWY_INLINE V at(D d, const float* pixel, std::ptrdiff_t plane) {
    if constexpr (channel >= channels) return hn::Zero(d);
    return hn::LoadU(d, pixel + channel * plane);
  }

  HWY_INLINE auto result(V centre, V sum) const {
    const auto value = hn::Add(centre, hn::Div(sum, weights_));
    if constexpr (sizeof(T) > 1) {
      return value;
    } else {
      const auto unscaled = hn::Div(value, scale_);
      return hn::DemoteTo(hn::Rebind<T, D>(), hn::NearestInt(unscaled));
    }
  }

  V scale_;
  V weights_;
  V sum0_, sum1_, sum2_, sum3_;
  V centre0_, centre1_, centre2_, centre3_;
};

// Whole vectors of pixels, of which the last one ends with the row; a row shorter than a vector goes through a buffer.
template <class T, int channels>
HWY_INLINE void filter_pixels(const BilateralRow& row, T* out, std::ptrdiff_t n) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d));
  T narrow[channels * hn::MaxLanes(d)] = {};
  for (std::ptrdiff_t first = 0; first < n; first += lanes) {
    const std::ptrdiff_t x = n < lanes ? 0 : first + lanes < n ? first : n - lanes;
    Sums<T, decltype(d), channels> sums(d, row, x);
    for (const BilateralTap* tap = row.taps; tap != row.taps + row.count; ++tap) {
      sums.add(d, tap->at + x, row.plane, tap->exponent);
    }
    sums.store(d, n < lanes ? narrow : out + x * channels);
  }
  if (n < lanes) {
    for (std::ptrdiff_t i = 0; i < n * channels; ++i) out[i] = narrow[i];
  }
}

template <class T>
void filter(const BilateralRow& row, T* out, std::ptrdiff_t n, std::ptrdiff_t channels) {
  switch (channels) {
    case 1:
      return filter_pixels<T, 1>(row, out, n);
    case 3:
      return filter_pixels<T, 3>(row, out, n);
    default:
      return filter_pixels<T, 4>(row, out, n);
  }
}

template <class T, int channels>
struct SplitPixels {
  const T* in;
  float* line;
  std::ptrdiff_t plane;
  float scale;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t x) const {
    const hn::Rebind<T, D> dt;
    const T* const pixels = in + x * channels;
    float* const to = line + x;
    if constexpr (channels == 1) {
      hn::StoreU(converted(d, hn::LoadU(dt, pixels)), d, to);
    } else if constexpr (hn::MaxLanes(D()) < least_interleaved) {
      for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
        for (int k = 0; k < channels; ++k) {
          const auto sample = static_cast<float>(pixels[i * channels + k]);
          to[k * plane + static_cast<std::ptrdiff_t>(i)] = sizeof(T) == 1 ? sample * scale : sample;
        }
      }
    } else {
      hn::Vec<decltype(dt)> channel0, channel1, channel2;
      if constexpr (channels == 3) {
        hn::LoadInterleaved3(dt, pixels, channel0, channel1, channel2);
      } else {
        hn::Vec<decltype(dt)> channel3;
        hn::LoadInterleaved4(dt, pixels, channel0, channel1, channel2, channel3);
        hn::StoreU(converted(d, channel3), d, to + 3 * plane);
      }
      hn::StoreU(converted(d, channel0), d, to);
      hn::StoreU(converted(d, channel1), d, to + plane);
      hn::StoreU(converted(d, channel2), d, to + 2 * plane);
    }
  }

 private:
  template <class D, class V>
  HWY_INLINE hn::Vec<D> converted(D d, V samples) const {
    if constexpr (sizeof(T) > 1) {
      return samples;
    } else {
      return hn::Mul(hn::ConvertTo(d, hn::PromoteTo(hn::RebindToSigned<D>(), samples)), hn::Set(d, scale));
    }
  }
};

template <class T>
void load(const T* in, float* line, std::ptrdiff_t plane, float scale, std::ptrdiff_t n, std::ptrdiff_t channels) {
  switch (channels) {
    case 1:
      return cover<float>(n, SplitPixels<T, 1>{in, line, plane, scale});
    case 3:
      return cover<float>(n, SplitPixels<T, 3>{in, line, plane, scale});
    default:
      return cover<float>(n, SplitPixels<T, 4>{in, line, plane, scale});
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct BilateralFilterTiles<HWY_TARGET> {
  template <class T>
  static constexpr BilateralFilterTile<T> tile = {HWY_NAMESPACE::load<T>, HWY_NAMESPACE::filter<T>};
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

template <class T>
const BilateralFilterTile<T>& bilateral_filter_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &BilateralFilterTiles<target>::template tile<T>; });
}

template const BilateralFilterTile<std::uint8_t>& bilateral_filter_tile();
template const BilateralFilterTile<float>& bilateral_filter_tile();

}  // namespace speedwell::image_filter
#endif
