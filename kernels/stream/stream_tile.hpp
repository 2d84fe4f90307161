// SPDX-License-Identifier: Apache-2.0
// The arithmetic of copy and triad on a run of elements. Knows nothing of threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace speedwell::stream {

// How results are written: through the caches, or past them, where it spares the fetch of lines that will be
// overwritten. Past them, what is written is visible to other threads when the function returns.
enum class Store { cached, streaming };

template <class T>
struct StreamTile {
  // out[i] = in[i]
  void (*copy)(const T* in, T* out, std::ptrdiff_t count, Store store) noexcept;

  // a[i] = fma(scale, c[i], b[i])
  void (*triad)(const T* b, const T* c, T* a, std::ptrdiff_t count, T scale, Store store) noexcept;
};

// What was compiled for each of Highway's targets.
template <std::int64_t target, class T>
struct StreamTiles;

// The tile for the instruction set in use.
template <class T>
const StreamTile<T>& stream_tile();

}  // namespace speedwell::stream
