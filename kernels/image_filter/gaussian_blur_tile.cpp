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

template <class D>
constexpr bool is_whole = hn::MaxLanes(D()) == hn::MaxLanes(hn::ScalableTag<hn::TFromD<D>>());

// The radius is a constant for small filters, so that their taps are unrolled, and -1 for all others. Narrow vectors,
// of which rows shorter than a whole one are made, aren't worth the code.
template <int radius_or_any, class D, class Weights>
HWY_INLINE int radius_of(D, const Weights& weights) {
  return radius_or_any < 0 || !is_whole<D> ? weights.radius : radius_or_any;
}

// ---- Columns

// What sums of T are computed in, exactly if T is an integer: those of bytes modulo 2^16, which none passes, as the
// weights sum to 256; those of 16 bits modulo 2^32.
template <class T>
struct Sum;
template <>
struct Sum<std::uint8_t> {
  using Type = std::uint16_t;
};
template <>
struct Sum<std::uint16_t> {
  using Type = std::uint32_t;
};
template <>
struct Sum<float> {
  using Type = float;
};

template <class D, class T>
HWY_INLINE hn::Vec<D> load(D d, const T* from) {
  if constexpr (hwy::IsSame<T, hn::TFromD<D>>()) {
    return hn::LoadU(d, from);
  } else {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<T, D>(), from));
  }
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V multiply_add(D, V a, V b, V sum) {
  if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
    return hn::MulAdd(a, b, sum);
  } else {
    return hn::Add(sum, hn::Mul(a, b));
  }
}

// What a line of bytes holds is the sum less this, and so is a weighted sum of a line divided by 256.
constexpr std::uint16_t line_bias = 32768;

template <class D>
HWY_INLINE void store_line(D d, hn::Vec<D> sum, std::int16_t* line) {
  const hn::RebindToSigned<D> ds;
  hn::StoreU(hn::BitCast(ds, hn::Xor(sum, hn::Set(d, line_bias))), ds, line);
}

template <class D>
HWY_INLINE void store_line(D d, hn::Vec<D> sum, hn::TFromD<D>* line) {
  hn::StoreU(sum, d, line);
}

template <int fixed_radius, class T, class Line>
struct OneLine {
  const T* const* rows;
  Line* line;
  std::ptrdiff_t first;
  const GaussianWeights<T>& weights;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t at) const {
    const std::ptrdiff_t i = first + at;
    auto sum = hn::Mul(load(d, rows[0] + i), hn::Set(d, weights.tap[0]));
    for (int t = 1; t <= radius_of<fixed_radius>(d, weights); ++t) {
      const auto both = hn::Add(load(d, rows[-t] + i), load(d, rows[t] + i));
      sum = multiply_add(d, both, hn::Set(d, weights.tap[t]), sum);
    }
    store_line(d, sum, line + i);
  }
};

// Four neighbouring sums, and the samples of their current tap: of sum k those at k - t and k + t.
template <class D>
struct FourSums {
  using V = hn::Vec<D>;
  V sum0, sum1, sum2, sum3;
  V before0, before1, before2, before3;
  V after0, after1, after2, after3;

  HWY_INLINE FourSums(D, V x0, V x1, V x2, V x3, V weight)
      : sum0(hn::Mul(x0, weight)),
        sum1(hn::Mul(x1, weight)),
        sum2(hn::Mul(x2, weight)),
        sum3(hn::Mul(x3, weight)),
        before0(x0),
        before1(x1),
        before2(x2),
        before3(x3),
        after0(x0),
        after1(x1),
        after2(x2),
        after3(x3) {}

  // One tap further: the sample before sum 0's current one, and that after sum 3's.
  HWY_INLINE void add(D d, V before, V after, V weight) {
    before3 = before2;
    before2 = before1;
    before1 = before0;
    before0 = before;
    after0 = after1;
    after1 = after2;
    after2 = after3;
    after3 = after;
    sum0 = multiply_add(d, hn::Add(before0, after0), weight, sum0);
    sum1 = multiply_add(d, hn::Add(before1, after1), weight, sum1);
    sum2 = multiply_add(d, hn::Add(before2, after2), weight, sum2);
    sum3 = multiply_add(d, hn::Add(before3, after3), weight, sum3);
  }
};

constexpr std::ptrdiff_t rows_at_once = 4;

template <int fixed_radius, class T, class Line>
struct FourLines {
  const T* const* rows;
  Line* line;
  std::ptrdiff_t pitch;
  std::ptrdiff_t first;
  const GaussianWeights<T>& weights;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t at) const {
    if constexpr (!is_whole<D>) {
      for (std::ptrdiff_t k = 0; k < rows_at_once; ++k) {
        OneLine<fixed_radius, T, Line>{rows + k, line + k * pitch, first, weights}(d, at);
      }
    } else {
      four_lines(d, first + at);
    }
  }

 private:
  template <class D>
  HWY_INLINE void four_lines(D d, std::ptrdiff_t i) const {
    FourSums<D> sums(d, load(d, rows[0] + i), load(d, rows[1] + i), load(d, rows[2] + i), load(d, rows[3] + i),
                     hn::Set(d, weights.tap[0]));
    const int radius = radius_of<fixed_radius>(d, weights);
    int t = 1;
    if constexpr (fixed_radius < 0) {
      // After four taps each window is where it began, so that nothing has to be moved among registers.
      for (; t + 3 <= radius; t += 4) {
        sums.add(d, load(d, rows[-t] + i), load(d, rows[3 + t] + i), hn::Set(d, weights.tap[t]));
        sums.add(d, load(d, rows[-t - 1] + i), load(d, rows[4 + t] + i), hn::Set(d, weights.tap[t + 1]));
        sums.add(d, load(d, rows[-t - 2] + i), load(d, rows[5 + t] + i), hn::Set(d, weights.tap[t + 2]));
        sums.add(d, load(d, rows[-t - 3] + i), load(d, rows[6 + t] + i), hn::Set(d, weights.tap[t + 3]));
      }
    }
    for (; t <= radius; ++t) {
      sums.add(d, load(d, rows[-t] + i), load(d, rows[3 + t] + i), hn::Set(d, weights.tap[t]));
    }
    store_line(d, sums.sum0, line + i);
    store_line(d, sums.sum1, line + i + pitch);
    store_line(d, sums.sum2, line + i + 2 * pitch);
    store_line(d, sums.sum3, line + i + 3 * pitch);
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
    case 4:
      return run.template operator()<4>();
    default:
      return run.template operator()<-1>();
  }
}

template <class T, class Line>
void vertical(const T* const* rows, std::ptrdiff_t count, Line* line, std::ptrdiff_t pitch, std::ptrdiff_t first,
              std::ptrdiff_t n, const GaussianWeights<T>& weights) {
  using Type = typename Sum<T>::Type;
  // Where there are more rows, all of them read a piece that stays in the first-level cache meanwhile.
  constexpr std::ptrdiff_t piece_bytes = 512;
  const std::ptrdiff_t piece = count > rows_at_once ? static_cast<std::ptrdiff_t>(piece_bytes / sizeof(T)) : n;
  with_radius(weights.radius, [&]<int fixed_radius>() HWY_ATTR {
    // Where vectors have 16 bytes, 16 registers are too few to unroll more than three taps of four lines.
    constexpr int radius = HWY_MAX_BYTES <= 16 && fixed_radius > 3 ? -1 : fixed_radius;
    for (const std::ptrdiff_t end = first + n; first < end; first += piece) {
      const std::ptrdiff_t columns = HWY_MIN(piece, end - first);
      std::ptrdiff_t k = 0;
      for (; k + rows_at_once <= count; k += rows_at_once) {
        cover<Type>(columns, FourLines<radius, T, Line>{rows + k, line + k * pitch, pitch, first, weights});
      }
      for (; k < count; ++k) cover<Type>(columns, OneLine<radius, T, Line>{rows + k, line + k * pitch, first, weights});
    }
  });
}

// ---- Rows, along a line

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

// Takes the line's bias away, and rounds half up.
constexpr std::int32_t byte_rounding = 256 * line_bias + 32768;

template <int fixed_radius, Pairing pairing>
struct ByteRow {
  const std::int16_t* line;
  std::uint8_t* out;
  std::ptrdiff_t channels;
  const GaussianWeights<std::uint8_t>& weights;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const hn::Rebind<std::uint8_t, D> d8;
    hn::StoreU(hn::DemoteTo(d8, sum(d, line + i)), d8, out + i);
  }

 private:
  template <class D>
  HWY_INLINE hn::Vec<D> sum(D d, const std::int16_t* at) const {
    const int radius = radius_of<fixed_radius>(d, weights);
    const std::int16_t* const first = at - radius * channels;
    if constexpr (hn::MaxLanes(D()) < 8) {
      const hn::Rebind<std::int32_t, D> d32;
      const auto sample = [this, d, d32, at](std::ptrdiff_t t)
                              HWY_ATTR { return hn::PromoteTo(d32, hn::LoadU(d, at + t * channels)); };
      auto sum = hn::Set(d32, byte_rounding);
      for (int t = -radius; t <= radius; ++t) {
        sum = hn::Add(sum, hn::Mul(sample(t), hn::Set(d32, weights.tap[t < 0 ? -t : t])));
      }
      return hn::DemoteTo(d, hn::ShiftRight<16>(sum));
    } else if constexpr (pairing == Pairing::neighbours) {
      // One channel: the samples of a pair stand side by side, so a load from an even position holds the pairs for the
      // even results, and one from an odd position those for the odd results.
      const hn::RepartitionToWide<D> d32;
      auto even = hn::Set(d32, byte_rounding);
      auto odd = even;
      for (int p = 0; p <= radius; ++p) {
        const auto pair = hn::BitCast(d, hn::Set(d32, weights.pair[p]));
        even = multiply_pairs(d32, hn::LoadU(d, first + 2 * p), pair, even);
        odd = multiply_pairs(d32, hn::LoadU(d, first + 2 * p + 1), pair, odd);
      }
      return hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<16>(even)));
    } else {
      const hn::RepartitionToWide<D> d32;
      auto lower = hn::Set(d32, byte_rounding);
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

// A line's sums have 32 bits, and theirs 48. Halves of 16 bits are summed up by themselves, which 32 bits hold; of the
// lower sum no more than its upper half can reach the result.
template <int fixed_radius>
struct WordRow {
  const std::uint32_t* line;
  std::uint16_t* out;
  std::ptrdiff_t channels;
  const GaussianWeights<std::uint16_t>& weights;

  template <class D>
  HWY_INLINE void operator()(D d, std::ptrdiff_t i) const {
    const std::uint32_t* const at = line + i;
    const auto low = hn::Set(d, std::uint32_t{0xFFFF});
    const auto middle = hn::LoadU(d, at);
    const auto centre = hn::Set(d, weights.tap[0]);
    auto upper = hn::Mul(hn::ShiftRight<16>(middle), centre);
    auto lower = hn::Mul(hn::And(middle, low), centre);
    for (int t = 1; t <= radius_of<fixed_radius>(d, weights); ++t) {
      const auto before = hn::LoadU(d, at - t * channels);
      const auto after = hn::LoadU(d, at + t * channels);
      const auto weight = hn::Set(d, weights.tap[t]);
      upper = multiply_add(d, hn::Add(hn::ShiftRight<16>(before), hn::ShiftRight<16>(after)), weight, upper);
      lower = multiply_add(d, hn::Add(hn::And(before, low), hn::And(after, low)), weight, lower);
    }
    const auto rounded = hn::Add(hn::Add(upper, hn::ShiftRight<16>(lower)), hn::Set(d, std::uint32_t{32768}));
    const hn::Rebind<std::uint16_t, D> d16;
    hn::StoreU(hn::DemoteTo(d16, hn::BitCast(hn::RebindToSigned<D>(), hn::ShiftRight<16>(rounded))), d16, out + i);
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
    for (int t = 1; t <= radius_of<fixed_radius>(d, weights); ++t) {
      const auto both = hn::Add(hn::LoadU(d, at - t * channels), hn::LoadU(d, at + t * channels));
      sum = hn::MulAdd(both, hn::Set(d, weights.tap[t]), sum);
    }
    hn::StoreU(sum, d, out + i);
  }
};

template <int radius>
HWY_INLINE void row(const std::int16_t* line, std::uint8_t* out, std::ptrdiff_t n, std::ptrdiff_t channels,
                    const GaussianWeights<std::uint8_t>& weights) {
  if (channels == 1) {
    cover<std::int16_t>(n, ByteRow<radius, Pairing::neighbours>{line, out, 1, weights});
  } else {
    cover<std::int16_t>(n, ByteRow<radius, Pairing::interleaved>{line, out, channels, weights});
  }
}

template <int radius>
HWY_INLINE void row(const std::uint32_t* line, std::uint16_t* out, std::ptrdiff_t n, std::ptrdiff_t channels,
                    const GaussianWeights<std::uint16_t>& weights) {
  cover<std::uint32_t>(n, WordRow<radius>{line, out, channels, weights});
}

template <int radius>
HWY_INLINE void row(const float* line, float* out, std::ptrdiff_t n, std::ptrdiff_t channels,
                    const GaussianWeights<float>& weights) {
  cover<float>(n, FloatRow<radius>{line, out, channels, weights});
}

// ---- Rows, across lines that are turned into columns

constexpr std::ptrdiff_t column_lanes = hn::MaxLanes(hn::ScalableTag<std::int32_t>());

// Whether lines of T can be turned, and how far filters look for which it doesn't pay.
template <class T>
constexpr bool can_turn = column_lanes >= 4 && !hwy::IsSame<T, std::uint16_t>();
template <class T>
constexpr int narrow = can_turn<T> ? 5 : max_radius;

// Scratch for each of the columns: a lane of 32 bits a line, and for bytes, which are first turned two at once, a half
// more.
template <class T>
constexpr std::ptrdiff_t turning_bytes = can_turn<T> ? column_lanes*(hwy::IsFloat<T>() ? 4 : 6) : 0;

// A block of 128 bits from each of the lines 0, 4, 8, ...
template <class D, class T>
HWY_INLINE hn::Vec<D> load_blocks(D d, const T* line, std::ptrdiff_t pitch) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return hn::BitCast(d, hn::LoadU(hn::Repartition<T, D>(), line));
  } else {
    const hn::Half<D> half;
    const auto next = line + static_cast<std::ptrdiff_t>(hn::MaxLanes(half)) * pitch;
    return Combine(d, load_blocks(half, next, pitch), load_blocks(half, line, pitch));
  }
}

template <class D, class T>
HWY_INLINE void store_blocks(D, hn::Vec<D> v, T* out, std::ptrdiff_t pitch) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    const hn::Repartition<T, D> as_stored;
    hn::StoreU(hn::BitCast(as_stored, v), as_stored, out);
  } else {
    const hn::Half<D> half;
    store_blocks(half, hn::LowerHalf(half, v), out, pitch);
    store_blocks(half, UpperHalf(half, v), out + static_cast<std::ptrdiff_t>(hn::MaxLanes(half)) * pitch, pitch);
  }
}

// Blocks of 4 x 4 with rows and columns exchanged. Lane 4b + j of column i is line 4b + j, if vector j has a block of
// line 4b + j at its place b; and the other way round.
template <class D>
struct FourColumns {
  using V = hn::Vec<D>;
  V column0, column1, column2, column3;

  HWY_INLINE FourColumns(D d, V v0, V v1, V v2, V v3) {
    const hn::RepartitionToWide<D> wide;
    const auto low01 = hn::BitCast(wide, InterleaveLower(d, v0, v1));
    const auto low23 = hn::BitCast(wide, InterleaveLower(d, v2, v3));
    const auto high01 = hn::BitCast(wide, InterleaveUpper(d, v0, v1));
    const auto high23 = hn::BitCast(wide, InterleaveUpper(d, v2, v3));
    column0 = hn::BitCast(d, InterleaveLower(wide, low01, low23));
    column1 = hn::BitCast(d, InterleaveUpper(wide, low01, low23));
    column2 = hn::BitCast(d, InterleaveLower(wide, high01, high23));
    column3 = hn::BitCast(d, InterleaveUpper(wide, high01, high23));
  }
};

// 128 bits of every line as four columns.
template <class D, class T>
HWY_INLINE void turn_block(D d, const T* line, std::ptrdiff_t pitch, hn::TFromD<D>* columns) {
  const FourColumns<D> turned(d, load_blocks(d, line, pitch), load_blocks(d, line + pitch, pitch),
                              load_blocks(d, line + 2 * pitch, pitch), load_blocks(d, line + 3 * pitch, pitch));
  hn::Store(turned.column0, d, columns);
  hn::Store(turned.column1, d, columns + column_lanes);
  hn::Store(turned.column2, d, columns + 2 * column_lanes);
  hn::Store(turned.column3, d, columns + 3 * column_lanes);
}

// Four columns as 128 bits of every line.
template <class D, class T, class V = hn::Vec<D>>
HWY_INLINE void turn_back(D d, V v0, V v1, V v2, V v3, T* out, std::ptrdiff_t pitch) {
  const FourColumns<D> turned(d, v0, v1, v2, v3);
  store_blocks(d, turned.column0, out, pitch);
  store_blocks(d, turned.column1, out + pitch, pitch);
  store_blocks(d, turned.column2, out + 2 * pitch, pitch);
  store_blocks(d, turned.column3, out + 3 * pitch, pitch);
}

// Results at `at` and 1, 2 and 3 strides of samples further.
template <class D>
HWY_INLINE void four_columns(D d, const float* at, std::ptrdiff_t stride, float* out,
                             const GaussianWeights<float>& weights) {
  FourSums<D> sums(d, hn::Load(d, at), hn::Load(d, at + stride), hn::Load(d, at + 2 * stride),
                   hn::Load(d, at + 3 * stride), hn::Set(d, weights.tap[0]));
  const float* before = at - stride;
  const float* after = at + 4 * stride;
  int t = 1;
  for (; t + 3 <= weights.radius; t += 4) {
    sums.add(d, hn::Load(d, before), hn::Load(d, after), hn::Set(d, weights.tap[t]));
    sums.add(d, hn::Load(d, before - stride), hn::Load(d, after + stride), hn::Set(d, weights.tap[t + 1]));
    sums.add(d, hn::Load(d, before - 2 * stride), hn::Load(d, after + 2 * stride), hn::Set(d, weights.tap[t + 2]));
    sums.add(d, hn::Load(d, before - 3 * stride), hn::Load(d, after + 3 * stride), hn::Set(d, weights.tap[t + 3]));
    before -= 4 * stride;
    after += 4 * stride;
  }
  for (; t <= weights.radius; ++t) {
    sums.add(d, hn::Load(d, before), hn::Load(d, after), hn::Set(d, weights.tap[t]));
    before -= stride;
    after += stride;
  }
  hn::Store(sums.sum0, d, out);
  hn::Store(sums.sum1, d, out + stride);
  hn::Store(sums.sum2, d, out + 2 * stride);
  hn::Store(sums.sum3, d, out + 3 * stride);
}

// The same from columns of pairs, which begin at the first tap; a pair's samples are half a stride apart.
template <class D>
HWY_INLINE void four_columns_of_pairs(D d, const std::int32_t* at, std::ptrdiff_t stride, std::int32_t* out,
                                      const GaussianWeights<std::uint8_t>& weights) {
  const hn::Repartition<std::int16_t, D> d16;
  const auto load_pair = [d, d16](const std::int32_t* from) HWY_ATTR { return hn::BitCast(d16, hn::Load(d, from)); };
  auto sum0 = hn::Set(d, byte_rounding);
  auto sum1 = sum0;
  auto sum2 = sum0;
  auto sum3 = sum0;
  auto pair0 = load_pair(at);
  auto pair1 = load_pair(at + stride);
  auto pair2 = load_pair(at + 2 * stride);
  const std::int32_t* next = at + 3 * stride;
  for (int p = 0; p <= weights.radius; ++p) {
    const auto pair3 = load_pair(next);
    next += stride;
    const auto weight = hn::BitCast(d16, hn::Set(d, weights.pair[p]));
    sum0 = multiply_pairs(d, pair0, weight, sum0);
    sum1 = multiply_pairs(d, pair1, weight, sum1);
    sum2 = multiply_pairs(d, pair2, weight, sum2);
    sum3 = multiply_pairs(d, pair3, weight, sum3);
    pair0 = pair1;
    pair1 = pair2;
    pair2 = pair3;
  }
  hn::Store(hn::ShiftRight<16>(sum0), d, out);
  hn::Store(hn::ShiftRight<16>(sum1), d, out + stride);
  hn::Store(hn::ShiftRight<16>(sum2), d, out + 2 * stride);
  hn::Store(hn::ShiftRight<16>(sum3), d, out + 3 * stride);
}

// So many columns a channel are computed before they are turned back: 128 bits of a result's row.
template <class T>
constexpr std::ptrdiff_t columns_at_once = 16 / sizeof(T);

// Calls block(k) for blocks of `size` columns that cover 0..n-1, of which there are at least `size`. The last one ends
// at n.
template <class Block>
HWY_INLINE void cover_columns(std::ptrdiff_t n, std::ptrdiff_t size, const Block& block) {
  for (std::ptrdiff_t k = 0; k < n - size; k += size) block(k);
  block(n - size);
}

template <class D>
void horizontal_turned(D d, const float* line, std::ptrdiff_t pitch, float* out, std::ptrdiff_t out_pitch,
                       std::ptrdiff_t n, std::ptrdiff_t channels, const GaussianWeights<float>& weights,
                       std::byte* scratch) {
  const std::ptrdiff_t reach = weights.radius * channels;
  float* const columns = reinterpret_cast<float*>(scratch);
  for (std::ptrdiff_t k = 0; k < n + 2 * reach; k += 4)
    turn_block(d, line - reach + k, pitch, columns + k * column_lanes);

  constexpr std::ptrdiff_t most_channels = 4;
  HWY_ALIGN float results[columns_at_once<float> * most_channels * column_lanes];
  cover_columns(n, columns_at_once<float> * channels, [&](std::ptrdiff_t k) HWY_ATTR {
    const float* const at = columns + (reach + k) * column_lanes;
    for (std::ptrdiff_t channel = 0; channel < channels; ++channel) {
      const std::ptrdiff_t first = channel * column_lanes;
      four_columns(d, at + first, channels * column_lanes, results + first, weights);
    }
    for (std::ptrdiff_t i = 0; i < channels; ++i) {
      const auto result = [&](std::ptrdiff_t j) HWY_ATTR { return hn::Load(d, results + (4 * i + j) * column_lanes); };
      turn_back(d, result(0), result(1), result(2), result(3), out + k + 4 * i, out_pitch);
    }
  });
}

// From columns that are two samples a lane, to one of pairs for each sample: it and the next pixel's.
template <class D>
HWY_INLINE void pair_columns(D d, const std::int32_t* twos, std::int32_t* pairs, std::ptrdiff_t n,
                             std::ptrdiff_t channels) {
  const hn::Repartition<std::int16_t, D> d16;
  const auto join = [d, d16](hn::Vec<D> second, hn::Vec<D> first) HWY_ATTR {
    return hn::BitCast(d, hn::OddEven(hn::BitCast(d16, second), hn::BitCast(d16, first)));
  };
  const auto load_two = [d, twos](std::ptrdiff_t i) HWY_ATTR { return hn::Load(d, twos + i / 2 * column_lanes); };
  for (std::ptrdiff_t i = 0; i < n; i += 2) {
    const auto two = load_two(i);
    const auto second = load_two(i + channels);
    const auto third = load_two(i + channels + 1);
    // An even sample is the lower half of its lane, an odd one the upper half.
    const bool odd = channels % 2 != 0;
    const auto even_pair = join(odd ? second : hn::ShiftLeft<16>(second), two);
    const auto odd_pair = join(odd ? hn::ShiftLeft<16>(third) : third, hn::ShiftRight<16>(two));
    hn::Store(even_pair, d, pairs + i * column_lanes);
    hn::Store(odd_pair, d, pairs + (i + 1) * column_lanes);
  }
}

template <class D>
void horizontal_turned(D, const std::int16_t* line, std::ptrdiff_t pitch, std::uint8_t* out, std::ptrdiff_t out_pitch,
                       std::ptrdiff_t n, std::ptrdiff_t channels, const GaussianWeights<std::uint8_t>& weights,
                       std::byte* scratch) {
  const hn::Repartition<std::int32_t, D> d;
  const std::ptrdiff_t reach = weights.radius * channels;
  const std::ptrdiff_t read = n + 2 * reach;
  std::int32_t* const pairs = reinterpret_cast<std::int32_t*>(scratch);
  std::int32_t* const twos = pairs + (read + 1) * column_lanes;
  for (std::ptrdiff_t k = 0; k < read + channels; k += 8) {
    turn_block(d, line - reach + k, pitch, twos + k / 2 * column_lanes);
  }
  pair_columns(d, twos, pairs, read, channels);

  constexpr std::ptrdiff_t most_channels = 4;
  HWY_ALIGN std::int32_t results[columns_at_once<std::uint8_t> * most_channels * column_lanes];
  cover_columns(n, columns_at_once<std::uint8_t> * channels, [&](std::ptrdiff_t k) HWY_ATTR {
    for (std::ptrdiff_t half = 0; half < 16 * channels; half += 8 * channels) {
      for (std::ptrdiff_t i = half; i < half + 2 * channels; ++i) {
        four_columns_of_pairs(d, pairs + (k + i) * column_lanes, 2 * channels * column_lanes,
                              results + i * column_lanes, weights);
      }
    }
    for (std::ptrdiff_t i = 0; i < channels; ++i) {
      // Four results of a row become one lane.
      const auto pack = [&](std::ptrdiff_t q) HWY_ATTR {
        const std::int32_t* const four = results + (16 * i + 4 * q) * column_lanes;
        const auto low = hn::Or(hn::Load(d, four), hn::ShiftLeft<8>(hn::Load(d, four + column_lanes)));
        const auto high =
            hn::Or(hn::Load(d, four + 2 * column_lanes), hn::ShiftLeft<8>(hn::Load(d, four + 3 * column_lanes)));
        return hn::Or(low, hn::ShiftLeft<16>(high));
      };
      turn_back(d, pack(0), pack(1), pack(2), pack(3), out + k + 16 * i, out_pitch);
    }
  });
}

template <class T, class Line>
void horizontal(const Line* line, std::ptrdiff_t pitch, T* out, std::ptrdiff_t out_pitch, std::ptrdiff_t count,
                std::ptrdiff_t n, std::ptrdiff_t channels, const GaussianWeights<T>& weights, std::byte* scratch) {
  if constexpr (can_turn<T>) {
    if (weights.radius > narrow<T> && count == column_lanes && n >= columns_at_once<T> * channels) {
      return horizontal_turned(hn::ScalableTag<float>(), line, pitch, out, out_pitch, n, channels, weights, scratch);
    }
  }
  with_radius(weights.radius, [&]<int radius>() HWY_ATTR {
    for (std::ptrdiff_t k = 0; k < count; ++k) row<radius>(line + k * pitch, out + k * out_pitch, n, channels, weights);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct GaussianBlurTiles<HWY_TARGET> {
  template <class T, class Line>
  static constexpr GaussianBlurTile<T, Line> tile = {
      .vertical = HWY_NAMESPACE::vertical<T, Line>,
      .horizontal = HWY_NAMESPACE::horizontal<T, Line>,
      .scratch_bytes = HWY_NAMESPACE::turning_bytes<T>,
      .rows = HWY_NAMESPACE::rows_at_once,
      .wide_rows = HWY_NAMESPACE::can_turn<T> ? HWY_NAMESPACE::column_lanes : HWY_NAMESPACE::rows_at_once,
      .narrow = HWY_NAMESPACE::narrow<T>};
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cmath>
#include <cstdlib>
#include <type_traits>

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

// Integers out of `whole`, a power of two, that sum to it: each is rounded and carries its error on to the next, from
// the edge to the centre, which takes the rest.
template <class Weights>
void make_fixed_point_taps(Weights& weights, double sigma, int size, int whole) {
  const int radius = size / 2;
  const double scale = whole / bell_sum(radius, sigma);
  weights.radius = radius;
  int rest = whole;
  double carried = 0;
  for (int t = radius; t > 0; --t) {
    const double exact = scale * bell(t, sigma) + carried;
    const double rounded = std::nearbyint(exact);
    carried = exact - rounded;
    weights.tap[t] = static_cast<std::remove_reference_t<decltype(weights.tap[t])>>(rounded);
    rest -= 2 * static_cast<int>(rounded);
  }
  // Never negative: it is even, and more than -1, because what was carried is at most a half on each side.
  weights.tap[0] = static_cast<std::remove_reference_t<decltype(weights.tap[0])>>(rest);
}

}  // namespace

template <>
void make_gaussian_weights(GaussianWeights<std::uint8_t>& weights, double sigma, int size) {
  make_fixed_point_taps(weights, sigma, size, 256);
  const int radius = weights.radius;
  for (int p = 0; p <= radius; ++p) {
    const int low = weights.tap[std::abs(2 * p - radius)];
    const int high = p < radius ? weights.tap[std::abs(2 * p + 1 - radius)] : 0;
    weights.pair[p] = high * 65536 + low;
  }
}

template <>
void make_gaussian_weights(GaussianWeights<std::uint16_t>& weights, double sigma, int size) {
  make_fixed_point_taps(weights, sigma, size, 65536);
}

template <>
void make_gaussian_weights(GaussianWeights<float>& weights, double sigma, int size) {
  weights.radius = size / 2;
  const double sum = bell_sum(weights.radius, sigma);
  for (int t = 0; t <= weights.radius; ++t) weights.tap[t] = static_cast<float>(bell(t, sigma) / sum);
}

template <class T, class Line>
const GaussianBlurTile<T, Line>& gaussian_blur_tile() {
  return *runtime::select_target(
      []<std::int64_t target>() { return &GaussianBlurTiles<target>::template tile<T, Line>; });
}

template const GaussianBlurTile<std::uint8_t, std::int16_t>& gaussian_blur_tile();
template const GaussianBlurTile<std::uint16_t, std::uint32_t>& gaussian_blur_tile();
template const GaussianBlurTile<float, float>& gaussian_blur_tile();

}  // namespace speedwell::image_filter
#endif
