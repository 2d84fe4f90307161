// SPDX-License-Identifier: Apache-2.0
// The arithmetic of inclusive_scan on one chunk, in the order that the public header states. Knows nothing of threads.
#pragma once

#include <cstddef>

namespace speedwell {

// T is float, double, std::uint32_t or std::uint64_t: signed integers are scanned as unsigned ones, which wrap.
template <class T>
struct InclusiveScanTile {
  // Elements of a chunk: 16 KiB, so that what total() has read is still in the first-level cache when scan() comes.
  static constexpr std::ptrdiff_t chunk = 16384 / sizeof(T);

  // Of a whole chunk.
  T (*total)(const T* in) noexcept;

  // out[i] = offset + in[0] + ... + in[i] for `count` elements, 0 to `chunk`. `out` may be `in`.
  using Scan = void (*)(const T* in, T* out, std::ptrdiff_t count, T offset) noexcept;
  Scan scan;
  // The same past the caches; other threads see it as soon as it returns. `out` must be apart from `in`.
  Scan scan_streamed;
};

// The tile for the instruction set in use.
template <class T>
const InclusiveScanTile<T>& inclusive_scan_tile();

}  // namespace speedwell
