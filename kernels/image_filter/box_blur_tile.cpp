// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/box_blur_tile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/box_blur_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

#include "kernels/image_filter/combine-inl.hpp"
#include "kernels/image_filter/cover-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

struct Plus {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return hn::Add(a, b);
  }
};

// How samples of T are added up and subtracted before they become a Sum with the tag d.
template <class D>
struct Exactly {
  D d;

  HWY_INLINE hn::Vec<D> load(const hn::TFromD<D>* from) const { return hn::LoadU(d, from); }
  HWY_INLINE hn::Vec<D> sum(hn::Vec<D> v) const { return v; }
};

// Bytes in 16 bits.
template <class D>
struct In16Bits {
  D d;

  HWY_INLINE hn::Vec<D> load(const std::uint8_t* from) const {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<std::uint8_t, D>(), from));
  }
  HWY_INLINE hn::Vec<D> sum(hn::Vec<D> v) const { return v; }
};

// Integers in 32 bits, and then in float or double.
template <class T, class D>
struct In32Bits {
  D d;

  using D32 = hn::Rebind<std::int32_t, D>;

  HWY_INLINE hn::Vec<D32> load(const T* from) const {
    return hn::PromoteTo(D32(), hn::LoadU(hn::Rebind<T, D>(), from));
  }
  HWY_INLINE hn::Vec<D> sum(hn::Vec<D32> v) const {
    if constexpr (sizeof(hn::TFromD<D>) == 4) {
      return hn::ConvertTo(d, v);
    } else {
      return hn::PromoteTo(d, v);
    }
  }
};

template <class T, class D>
HWY_INLINE auto widening(D d) {
  using Sum = hn::TFromD<D>;
  if constexpr (sizeof(T) == sizeof(Sum)) {
    return Exactly<D>{d};
  } else if constexpr (sizeof(Sum) == 2) {
    return In16Bits<D>{d};
  } else {
    return In32Bits<T, D>{d};
  }
}

template <class T, class Sum, int count>
struct AddRows {
  Pointers<T, count> rows;
  Sum* line;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const auto wide = widening<T>(d);
    const auto load = [this, wide, i](int k) HWY_ATTR { return wide.load(rows.at[k] + i); };
    hn::StoreU(wide.sum(fold<count, Plus>(load)), d, line + i);
  }
};

template <class Sum, int count>
struct SumOfTerms {
  Pointers<Sum, count> terms;

  template <class D>
  HWY_INLINE hn::Vec<D> operator()(D d, std::ptrdiff_t i) const {
    const auto load = [this, d, i](int k) HWY_ATTR { return hn::LoadU(d, terms.at[k] + i); };
    return fold<count, Plus>(load);
  }
};

template <class Sum, int count>
struct AddTerms {
  SumOfTerms<Sum, count> total;
  Sum* out;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    hn::StoreU(total(d, i), d, out + i);
  }
};

template <class T, class Sum, class Finish, int count>
struct MeanOfTerms {
  SumOfTerms<Sum, count> total;
  Finish finish;
  T* out;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    finish(d, total(d, i), out + i);
  }
};

template <class T, class Sum>
struct Slide {
  const T* in;
  const T* out;
  Sum* line;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const auto wide = widening<T>(d);
    const auto change = wide.sum(hn::Sub(wide.load(in + i), wide.load(out + i)));
    hn::StoreU(hn::Add(hn::LoadU(d, line + i), change), d, line + i);
  }
};

template <class T, class Sum>
void add(const T* const* rows, int count, Sum* line, std::ptrdiff_t n) {
  with_count<1, WindowStep::most_terms>(count, [&]<int terms>() HWY_ATTR {
    cover<Sum>(n, AddRows<T, Sum, terms>{Pointers<T, terms>(rows), line});
  });
}

// As cover(), for steps that write where they read, so that no sample may be done twice: the rest goes through ever
// smaller vectors.
template <class T, class Step>
HWY_INLINE void cover_once(std::ptrdiff_t n, const Step& step) {
  const hn::ScalableTag<T> whole;
  const hn::CappedTag<T, 16 / sizeof(T)> small;
  const hn::CappedTag<T, 1> one;
  const auto whole_lanes = static_cast<std::ptrdiff_t>(hn::Lanes(whole));
  const auto small_lanes = static_cast<std::ptrdiff_t>(hn::Lanes(small));
  std::ptrdiff_t i = 0;
  for (; i + whole_lanes <= n; i += whole_lanes) step(whole, i);
  for (; i + small_lanes <= n; i += small_lanes) step(small, i);
  for (; i < n; ++i) step(one, i);
}

template <class T, class Sum>
void slide(const T* in, const T* out, Sum* line, std::ptrdiff_t n) {
  cover_once<Sum>(n, Slide<T, Sum>{in, out, line});
}

template <class Sum>
void sum(const Sum* const* from, int count, Sum* out, std::ptrdiff_t n) {
  with_count<1, WindowStep::most_terms>(count, [&]<int terms>() HWY_ATTR {
    cover<Sum>(n, AddTerms<Sum, terms>{{Pointers<Sum, terms>(from)}, out});
  });
}

// Bytes from sums in 16 bits.
struct DivideIn16Bits {
  std::uint16_t half;
  std::uint16_t multiplier;
  int shift;

  explicit DivideIn16Bits(const BoxMean& mean) : half(mean.half), multiplier(mean.multiplier), shift(mean.shift) {}

  template <class D>
  HWY_INLINE void operator()(D d, hn::Vec<D> sum, std::uint8_t* out) const {
    const hn::RebindToSigned<D> signed_16;
    const auto high = hn::MulHigh(hn::Add(sum, hn::Set(d, half)), hn::Set(d, multiplier));
    const hn::Rebind<std::uint8_t, D> d8;
    hn::StoreU(hn::DemoteTo(d8, hn::BitCast(signed_16, hn::ShiftRightSame(high, shift))), d8, out);
  }
};

// Integers from sums in float or double.
template <class T, class Sum>
struct MultiplyByInverse {
  Sum inverse;

  explicit MultiplyByInverse(const BoxMean& mean) : inverse(static_cast<Sum>(mean.inverse)) {}

  template <class D>
  HWY_INLINE void operator()(D d, hn::Vec<D> sum, T* out) const {
    const hn::Rebind<std::int32_t, D> d32;
    const hn::Rebind<T, D> to;
    const auto mean = hn::MulAdd(sum, hn::Set(d, inverse), hn::Set(d, Sum{0.5}));
    if constexpr (sizeof(Sum) == 4) {
      hn::StoreU(hn::DemoteTo(to, hn::ConvertTo(d32, mean)), to, out);
    } else {
      hn::StoreU(hn::DemoteTo(to, hn::DemoteTo(d32, mean)), to, out);
    }
  }
};

// Divided, not multiplied by the inverse, so that the mean of equal samples is that sample where the sum is exact.
struct Divide {
  float area;

  explicit Divide(const BoxMean& mean) : area(mean.area) {}

  template <class D>
  HWY_INLINE void operator()(D d, hn::Vec<D> sum, float* out) const {
    hn::StoreU(hn::Div(sum, hn::Set(d, area)), d, out);
  }
};

template <class Finish, class T, class Sum>
void mean(const Sum* const* from, int count, T* out, std::ptrdiff_t n, const BoxMean& how) {
  with_count<1, WindowStep::most_terms>(count, [&]<int terms>() HWY_ATTR {
    cover<Sum>(n, MeanOfTerms<T, Sum, Finish, terms>{{Pointers<Sum, terms>(from)}, Finish(how), out});
  });
}

struct SubtractRows {
  const std::uint8_t* in;
  const std::uint8_t* out;
  std::int16_t* line;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const auto wide = widening<std::uint8_t>(d);
    hn::StoreU(hn::Sub(wide.load(in + i), wide.load(out + i)), d, line + i);
  }
};

void subtract(const std::uint8_t* in, const std::uint8_t* out, std::int16_t* line, std::ptrdiff_t n) {
  cover<std::int16_t>(n, SubtractRows{in, out, line});
}

template <class Finish, int count>
struct Advance {
  SumOfTerms<std::int16_t, count> change;
  float* total;
  Finish finish;
  std::uint8_t* out;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const hn::Rebind<std::int16_t, D> d16;
    const hn::Rebind<std::int32_t, D> d32;
    const auto sum = hn::Add(hn::LoadU(d, total + i), hn::ConvertTo(d, hn::PromoteTo(d32, change(d16, i))));
    hn::StoreU(sum, d, total + i);
    finish(d, sum, out + i);
  }
};

struct DontFinish {
  template <class D>
  HWY_INLINE void operator()(D, hn::Vec<D>, std::uint8_t*) const {}
};

template <class Finish>
HWY_INLINE void advance_and(const std::int16_t* const* from, int count, float* total, std::uint8_t* out,
                            std::ptrdiff_t n, const Finish& finish) {
  with_count<1, WindowStep::most_terms>(count, [&]<int terms>() HWY_ATTR {
    cover_once<float>(n, Advance<Finish, terms>{{Pointers<std::int16_t, terms>(from)}, total, finish, out});
  });
}

void advance(const std::int16_t* const* from, int count, float* total, std::ptrdiff_t n) {
  advance_and(from, count, total, nullptr, n, DontFinish());
}

void advance_mean(const std::int16_t* const* from, int count, float* total, std::uint8_t* out, std::ptrdiff_t n,
                  const BoxMean& how) {
  advance_and(from, count, total, out, n, MultiplyByInverse<std::uint8_t, float>(how));
}

template <class T, class Sum, class Finish>
constexpr BoxBlurTile<T, Sum> integer_tile = {add<T, Sum>, slide<T, Sum>, sum<Sum>, mean<Finish, T, Sum>};

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct BoxBlurTiles<HWY_TARGET> {
  template <class T, class Sum>
  static constexpr BoxBlurTile<T, Sum> tile =
      HWY_NAMESPACE::integer_tile<T, Sum, HWY_NAMESPACE::MultiplyByInverse<T, Sum>>;
  static constexpr BoxBlurDifferenceTile difference = {HWY_NAMESPACE::add<std::uint8_t, std::int16_t>,
                                                       HWY_NAMESPACE::subtract, HWY_NAMESPACE::sum<std::int16_t>,
                                                       HWY_NAMESPACE::advance, HWY_NAMESPACE::advance_mean};
};

template <>
constexpr BoxBlurTile<std::uint8_t, std::uint16_t> BoxBlurTiles<HWY_TARGET>::tile<std::uint8_t, std::uint16_t> =
    HWY_NAMESPACE::integer_tile<std::uint8_t, std::uint16_t, HWY_NAMESPACE::DivideIn16Bits>;

template <>
constexpr BoxBlurTile<float, float> BoxBlurTiles<HWY_TARGET>::tile<float, float> = {
    HWY_NAMESPACE::sum<float>, nullptr, HWY_NAMESPACE::sum<float>,
    HWY_NAMESPACE::mean<HWY_NAMESPACE::Divide, float, float>};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

BoxMean make_box_mean(int area) {
  BoxMean mean = {.area = static_cast<float>(area), .inverse = 1.0 / area, .half = 0, .multiplier = 0, .shift = 0};
  // The greatest shift for which 2^(16 + shift) / area, rounded up, has 16 bits.
  while (mean.shift < 15 && (std::int64_t{1} << (17 + mean.shift)) <= std::int64_t{65535} * area) ++mean.shift;
  const std::int64_t power = std::int64_t{1} << (16 + mean.shift);
  mean.half = static_cast<std::uint16_t>(area / 2);
  mean.multiplier = static_cast<std::uint16_t>((power + area - 1) / area);
  return mean;
}

// n * multiplier / 2^k is n / area + n * excess / (area * 2^k), whose integer part is n / area's if n * excess < 2^k.
// (Warren, Hacker's Delight, 2nd edition, 10-9)
bool fits_16_bits(const BoxMean& mean, int area) {
  constexpr std::int64_t most = 65535;
  const std::int64_t greatest = std::int64_t{255} * area + area / 2;
  const std::int64_t power = std::int64_t{1} << (16 + mean.shift);
  const std::int64_t excess = mean.multiplier * std::int64_t{area} - power;
  return area > 1 && greatest <= most && greatest * excess < power;
}

template <class T, class Sum>
const BoxBlurTile<T, Sum>& box_blur_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &BoxBlurTiles<target>::template tile<T, Sum>; });
}

template const BoxBlurTile<std::uint8_t, std::uint16_t>& box_blur_tile();
template const BoxBlurTile<std::uint8_t, double>& box_blur_tile();
template const BoxBlurTile<std::uint16_t, float>& box_blur_tile();
template const BoxBlurTile<std::uint16_t, double>& box_blur_tile();
template const BoxBlurTile<float, float>& box_blur_tile();

const BoxBlurDifferenceTile& box_blur_difference_tile() {
  return *runtime::select_target([]<std::int64_t target>() { return &BoxBlurTiles<target>::difference; });
}

}  // namespace speedwell::image_filter
#endif
