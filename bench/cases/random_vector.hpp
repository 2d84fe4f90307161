// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "bench/cases/buffer.hpp"
#include "bench/cases/random.hpp"

namespace speedwell::bench {

// Uniform in (-1, 1), never zero; the same whoever fills it, as each block of elements has a generator of its own.
template <class T>
Buffer<T> random_vector(std::ptrdiff_t count, std::uint64_t seed, int threads) {
  constexpr std::ptrdiff_t block = 1024;
  Buffer<T> vector(count);
  in_shares(threads, (count + block - 1) / block, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    for (std::ptrdiff_t i = first; i < last; ++i) {
      Random random(seed + static_cast<std::uint64_t>(i));
      const auto begin = vector.data() + i * block;
      std::generate(begin, vector.data() + std::min((i + 1) * block, count), [&] { return uniform<T>(random()); });
    }
  });
  return vector;
}

}  // namespace speedwell::bench
