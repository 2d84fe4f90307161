// SPDX-License-Identifier: Apache-2.0
#include "kernels/image_filter/stream_row_tile.hpp"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/image_filter/stream_row_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file again for each target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace speedwell::image_filter {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

void stream_row(const std::uint8_t* from, std::uint8_t* to, std::size_t bytes) {
  constexpr std::size_t line = 64;
  const hn::CappedTag<std::uint8_t, line> d;
  const std::size_t head = std::min(bytes, (line - reinterpret_cast<std::uintptr_t>(to) % line) % line);
  const std::size_t end = head + (bytes - head) / line * line;
  std::memcpy(to, from, head);
  for (std::size_t i = head; i < end; i += hn::Lanes(d)) hn::Stream(hn::LoadU(d, from + i), d, to + i);
  std::memcpy(to + end, from + end, bytes - end);
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <>
struct StreamRowTiles<HWY_TARGET> {
  static constexpr StreamRow copy = HWY_NAMESPACE::stream_row;
};

}  // namespace speedwell::image_filter
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell::image_filter {

StreamRow stream_row_tile() {
  return runtime::select_target([]<std::int64_t target>() { return StreamRowTiles<target>::copy; });
}

}  // namespace speedwell::image_filter
#endif
