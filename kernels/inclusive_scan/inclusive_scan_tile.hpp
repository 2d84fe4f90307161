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
  static constexpr std::size_t stream_alignment = 16;

  // Of a whole chunk.
  T (*total)(const T* in) noexcept;

  // out[i] = offset + in[0] + ... + in[i] for `count` elements, 0 to `chunk`. `out` may be `in`. Meanwhile fetches the
  // `count` elements at `ahead`, which the caller is going to read next.
  using Scan = void (*)(const T* in, T* out, std::ptrdiff_t count, T offset, const T* ahead) noexcept;
  Scan scan;
  // The same past the caches, to an `out` that is apart from `in` and begins at a multiple of `stream_alignment` bytes.
  // Other threads may read it as soon as this returns.
  Scan scan_streamed;
};

// The tile for the instruction set in use.
template <class T>
const InclusiveScanTile<T>& inclusive_scan_tile();

}  // namespace speedwell
