// SPDX-License-Identifier: Apache-2.0
// The rungs below the library, on sizes around their vectors and tiles.
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>

#include "bench/cases/matmul_case.hpp"
#include "bench/ladder/rungs.hpp"

namespace speedwell::bench::ladder {
namespace {

using Product = MatmulWorkload<float>;
using Multiply = void (*)(const float* a, const float* b, float* c, std::ptrdiff_t n);

// Against the obvious sum in double. Of n products below 1 each, n roundings of at most n / 2^24.
TEST(LadderRungs, RungsAreRight) {
  constexpr int last = tile_rows;
  for (const std::ptrdiff_t n : {1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 61, last - 1, last, last + 1, last + 6, 150}) {
    const std::shared_ptr<Product> product = make_matmul_f32(n, n, n, 1);
    for (const Multiply multiply : {naive, reordered, vectorised, tiled}) {
      product->spoil(0, 1);
      multiply(product->a().data, product->b().data, product->c().data, n);
      for (std::ptrdiff_t i = 0; i < n; ++i) {
        for (std::ptrdiff_t j = 0; j < n; ++j) {
          double expected = 0;
          for (std::ptrdiff_t k = 0; k < n; ++k) expected += double{product->a()(i, k)} * double{product->b()(k, j)};
          ASSERT_NEAR(product->c()(i, j), expected, static_cast<double>(n * n) * 0x1p-24) << n << " " << i << " " << j;
        }
      }
    }
  }
  // Beyond a tile's width.
  const std::ptrdiff_t n = tile_cols + 19;
  const std::shared_ptr<Product> product = make_matmul_f32(n, n, n, 1);
  product->spoil(0, 1);
  tiled(product->a().data, product->b().data, product->c().data, n);
  EXPECT_EQ(product->verify(), "");
}

}  // namespace
}  // namespace speedwell::bench::ladder
