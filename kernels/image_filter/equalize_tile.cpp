// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/equalize_tile.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/equalize_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// part[index % 16], or zero for an index with the highest bit set.
template <class V>
HWY_INLINE V find(V part, V index) {
#if HWY_ARCH_X86
  return hn::TableLookupBytesOr0(part, index);  // takes no notice of the bits between
#else
  return hn::TableLookupBytesOr0(part, hn::And(index, hn::Set(hn::DFromV<V>(), 0x8F)));
#endif
}

// Two vectors at once, so that each part of the table is loaded half as often. A shuffle finds one of 16 entries. Part
// k of a half of the table is looked up by the index less 16 k, as a signed number: all parts find something, up to the
// index's own, and the steps that they find add up to its entry; those beyond see a negative number and find zero.
// Indices of seven bits, that is: the others are negative from the start, and saturation keeps them so. The second half
// of the table sees the highest bit inverted.
template <class D>
HWY_INLINE void look_up(D d, const std::uint8_t* step, const std::uint8_t* from, std::uint8_t* to) {
  const hn::RebindToSigned<D> ds;
  const std::size_t lanes = hn::Lanes(d);
  const auto sixteen = hn::Set(ds, 16);
  auto found0 = hn::Zero(d);
  auto found1 = hn::Zero(d);
  const auto half = [&](const std::uint8_t* parts, hn::Vec<D> index0, hn::Vec<D> index1) HWY_ATTR {
    for (int k = 0; k < 8; ++k) {
      const auto part = hn::LoadDup128(d, parts + 16 * k);
      found0 = hn::Xor(found0, find(part, index0));
      found1 = hn::Xor(found1, find(part, index1));
      index0 = hn::BitCast(d, hn::SaturatedSub(hn::BitCast(ds, index0), sixteen));
      index1 = hn::BitCast(d, hn::SaturatedSub(hn::BitCast(ds, index1), sixteen));
    }
  };
  const auto index0 = hn::LoadU(d, from);
  const auto index1 = hn::LoadU(d, from + lanes);
  const auto highest = hn::Set(d, 0x80);
  half(step, index0, index1);
  half(step + 128, hn::Xor(index0, highest), hn::Xor(index1, highest));
  hn::StoreU(found0, d, to);
  hn::StoreU(found1, d, to + lanes);
}

#endif

void look_up_row(const ByteTable& table, const std::uint8_t* from, std::uint8_t* to, std::ptrdiff_t n) {
  std::ptrdiff_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<std::uint8_t> d;
  const auto together = 2 * static_cast<std::ptrdiff_t>(hn::Lanes(d));
  for (; i + together <= n; i += together) look_up(d, table.step, from + i, to + i);
#endif
  for (; i < n; ++i) to[i] = table.entry[from[i]];
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct LookUpRowTiles<HWY_TARGET> {
  static constexpr LookUpRow row = HWY_NAMESPACE::look_up_row;
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

ByteTable byte_table(const std::uint8_t* entries) {
  ByteTable table;
  for (int i = 0; i < 256; ++i) {
    table.entry[i] = entries[i];
    table.step[i] = static_cast<std::uint8_t>(entries[i] ^ (i % 128 < 16 ? 0 : entries[i - 16]));
  }
  return table;
}

LookUpRow look_up_row_tile() {
  return runtime::select_target([]<std::int64_t target>() { return LookUpRowTiles<target>::row; });
}

}  // namespace speedwell::image_filter
#endif
