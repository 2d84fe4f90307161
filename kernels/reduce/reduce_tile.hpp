// SPDX-License-Identifier: Apache-2.0
// The arithmetic of reduce, on one thread.
#pragma once

#include <cstddef>

namespace speedwell {

inline constexpr std::ptrdiff_t reduce_chunk_bytes = 16 << 10;

template <class T>
inline constexpr std::ptrdiff_t reduce_chunk = reduce_chunk_bytes / sizeof(T);  // in elements

// The sum of a number of elements in the order that the header states: of a whole input, or of any range of its chunks
// that is a subtree. `sum` doesn't look at y, which is x then.
template <class T>
struct ReduceTile {
  using Reduce = T (*)(const T* x, const T* y, std::ptrdiff_t count) noexcept;
  Reduce sum;
  Reduce dot;
};

// The tile for the instruction set in use.
template <class T>
const ReduceTile<T>& reduce_tile();

}  // namespace speedwell
