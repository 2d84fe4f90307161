// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul/matmul_tile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "tests/every_backend.hpp"
#include "tests/fenced_matrix.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;
using tests::Fence;
using tests::FencedMatrix;
using tests::generator;

template <class T>
std::vector<T> random_values(ptrdiff_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  std::uniform_real_distribution<T> value(-1, 1);
  for (T& x : values) x = value(generator());
  return values;
}

ptrdiff_t one_of(std::initializer_list<ptrdiff_t> choices) {
  std::uniform_int_distribution<std::size_t> index(0, choices.size() - 1);
  return *(choices.begin() + index(generator()));
}

Fence either_fence() { return one_of({0, 1}) == 0 ? Fence::before : Fence::behind; }

// The upper left corner of a matrix of contiguous rows.
template <class T>
void copy(const std::vector<T>& from, ptrdiff_t from_stride, const MatrixView<T>& to) {
  for (ptrdiff_t i = 0; i < to.rows; ++i) {
    for (ptrdiff_t j = 0; j < to.cols; ++j) to(i, j) = from[static_cast<std::size_t>(i * from_stride + j)];
  }
}

// The tallest tile of packed factors of any instruction set.
constexpr ptrdiff_t most_rows = 12;
constexpr ptrdiff_t most_height = 2 * most_rows + 1;
constexpr double betas[] = {0, 1, -0.75};

// Factors of the largest block, and what comes out for each beta: what a smaller block gives is in its corner.
template <class T>
struct Products {
  Products(ptrdiff_t height, ptrdiff_t width, ptrdiff_t depth)
      : width(width),
        depth(depth),
        a(random_values<T>(height * depth)),
        b(random_values<T>(depth * width)),
        c(random_values<T>(height * width)) {
    for (const double beta : betas) {
      std::vector<T> sums(c.size());
      for (ptrdiff_t i = 0; i < height; ++i) {
        for (ptrdiff_t j = 0; j < width; ++j) {
          const auto at = static_cast<std::size_t>(i * width + j);
          T sum = beta == 0 ? T{0} : static_cast<T>(beta) * c[at];
          for (ptrdiff_t k = 0; k < depth; ++k) {
            const T x = a[static_cast<std::size_t>(i * depth + k)], y = b[static_cast<std::size_t>(k * width + j)];
            const T product = x * y;
            sum = tests::has_fma() ? std::fma(x, y, sum) : sum + product;
          }
          sums[at] = sum;
        }
      }
      expected.push_back(sums);
    }
  }

  ptrdiff_t width;
  ptrdiff_t depth;
  std::vector<T> a, b, c;
  std::vector<std::vector<T>> expected;
};

enum class Factor { along_rows, along_cols, packed };

template <class T>
class Blocks {
 public:
  // One block, with strides and signs of strides at random; of a `dense` one C has neither gaps nor another sign, and
  // A has gaps or another sign at times.
  void check(const Products<T>& products, ptrdiff_t height, ptrdiff_t width, Factor a_form, Factor b_form,
             std::size_t which_beta, bool near, bool dense = false) {
    const ptrdiff_t depth = products.depth;
    MatmulBlock<T> block = {};
    block.height = height;
    block.width = width;
    block.depth = depth;
    block.beta = static_cast<T>(betas[which_beta]);
    block.near = near;

    const bool along = a_form == Factor::along_rows || (a_form == Factor::packed && one_of({0, 1}) == 0);
    ptrdiff_t a_stride = (along ? depth : 1) * one_of({1, 2}) + (along ? one_of({0, 3}) : 0);
    ptrdiff_t a_depth_stride = along ? 1 : 2 * height + one_of({0, 3});
    if (dense) {
      a_stride = along ? depth + one_of({0, 0, 1, 3, 8}) : one_of({1, 1, 1, -1});
      a_depth_stride = along ? one_of({1, 1, 1, -1}) : height + one_of({0, 0, 1});
      if (a_depth_stride == -1) a_stride = -a_stride;
    } else {
      a_stride *= one_of({-1, 1});
      a_depth_stride *= one_of({-1, 1});
    }
    const auto a = a_.lay(height, depth, a_stride, a_depth_stride, either_fence());
    copy(products.a, depth, a);
    block.a = a.data;
    block.a_stride = a.row_stride;
    block.a_depth_stride = a.col_stride;
    if (a_form == Factor::packed) {
      block.a_packed = true;
      const ptrdiff_t slivers = (height + tile.rows - 1) / tile.rows * tile.rows;
      const auto packed = packed_a_.lay(slivers, depth, depth, 1, Fence::behind);
      tile.pack_a(a.data, height, depth, a.row_stride, a.col_stride, 1, packed.data);
      block.a = packed.data;
      block.a_stride = block.a_depth_stride = unused;
    }

    const bool b_cols_apart = b_form == Factor::packed && one_of({0, 1}) == 0;
    const ptrdiff_t b_col_stride = b_cols_apart ? one_of({-2, -1, 2}) : 1;
    const ptrdiff_t b_stride = (2 * width + one_of({0, 5})) * one_of({-1, 1});
    const auto b = b_.lay(depth, width, b_form == Factor::packed ? b_stride : b_stride - width * (b_stride > 0),
                          b_col_stride, either_fence());
    copy(products.b, products.width, b);
    block.b = b.data;
    block.b_depth_stride = b.row_stride;
    if (b_form == Factor::packed) {
      block.b_packed = true;
      const ptrdiff_t slivers = (width + tile.cols - 1) / tile.cols * tile.cols;
      const auto packed = packed_b_.lay(slivers, depth, depth, 1, Fence::behind);
      tile.pack_b(b.data, width, depth, b.col_stride, b.row_stride, 1, packed.data);
      block.b = packed.data;
      block.b_depth_stride = unused;
    }

    const ptrdiff_t c_col_stride = one_of({1, 1, 1, -1, 2, -2});
    const ptrdiff_t c_stride = (width * std::abs(c_col_stride) + one_of({0, 3})) * one_of({1, -1});
    const bool columns = one_of({0, 1, 2, 3}) == 0;
    const auto c = dense     ? c_.lay(height, width, width, 1, either_fence())
                   : columns ? c_.lay(height, width, one_of({-1, 1}), height + one_of({0, 3}), either_fence())
                             : c_.lay(height, width, c_stride, c_col_stride, either_fence());
    block.c = c.data;
    block.c_row_stride = c.row_stride;
    block.c_col_stride = c.col_stride;
    std::vector<T> expected = c_.memory();
    const MatrixView<T> expected_c(expected.data() + (c.data - c_.begin()), height, width, c.row_stride, c.col_stride);
    copy(products.expected[which_beta], products.width, expected_c);
    // Where beta is 0, C stays NaN.
    if (block.beta != 0) copy(products.c, products.width, c);

    const MultiplyTile<T> single = single_of(block);
    const bool at_once = single != nullptr && one_of({0, 1}) == 0;
    if (at_once) {
      single(block.a, block.a_stride, block.a_depth_stride, block.b, block.b_depth_stride, depth, block.beta, block.c,
             block.c_row_stride, width);
    } else {
      tile.multiply(block);
    }

    const std::vector<T> memory = c_.memory();
    ASSERT_TRUE(tests::same_bits(std::span<const T>(memory), std::span<const T>(expected)))
        << height << " x " << width << " x " << depth << ", a " << (block.a_packed ? "packed" : "in place") << " from "
        << a.row_stride << ", " << a.col_stride << ", b " << (block.b_packed ? "packed" : "in place") << " from "
        << b.row_stride << ", " << b.col_stride << ", c " << c.row_stride << ", " << c.col_stride << ", beta "
        << block.beta << (near ? ", near" : "") << (at_once ? ", by a single tile" : "") << ", seed " << tests::seed();
  }

  // nullptr where none does all of it.
  MultiplyTile<T> single_of(const MatmulBlock<T>& block) const {
    const bool fits = block.height <= matmul_most_rows && block.width <= tile.most_single_cols;
    if (block.a_packed || block.b_packed || block.c_col_stride != 1 || !fits) return nullptr;
    return tile.singles[(block.width - 1) * matmul_most_rows + block.height - 1];
  }

  const MatmulTile<T>& tile = matmul_tile<T>();

 private:
  // If a stride were used after all, the tile would leave the pages.
  static constexpr ptrdiff_t unused = ptrdiff_t{1} << 40;

  FencedMatrix<T> a_{1 << 15}, b_{1 << 15}, c_{1 << 15}, packed_a_{1 << 15}, packed_b_{1 << 15};
};

template <class T>
class MatmulTileOf : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(MatmulTileOf, Elements, );

// Depths of less and more than the steps in which the next tile of C is fetched, and a few rows more for the next rows
// of A. Few rows take tiles twice as wide, two rows tiles up to four times as wide.
TYPED_TEST(MatmulTileOf, EveryHeightAndWidth) {
  Blocks<TypeParam> blocks;
  const ptrdiff_t cols = blocks.tile.cols;
  for (const ptrdiff_t depth : {0, 1, 3, 101}) {
    const Products<TypeParam> products(most_height, 4 * cols + 1, depth);
    for (ptrdiff_t height = 1; height <= most_height; ++height) {
      for (ptrdiff_t width = 1; width <= (height <= most_rows / 2 ? 4 : 2) * cols + 1; ++width) {
        for (const Factor a : {Factor::along_rows, Factor::along_cols, Factor::packed}) {
          for (std::size_t beta = 0; beta < std::size(betas); ++beta) {
            const bool near = one_of({0, 1}) == 0;
            ASSERT_NO_FATAL_FAILURE(blocks.check(products, height, width, a, Factor::packed, beta, near));
            if (width % blocks.tile.in_place_cols != 0) continue;
            ASSERT_NO_FATAL_FAILURE(blocks.check(products, height, width, a, Factor::along_rows, beta, near));
            ASSERT_NO_FATAL_FAILURE(blocks.check(products, height, width, a, Factor::along_rows, beta, !near));
          }
        }
      }
    }
  }
}

// The fewest rows take the widest tiles: of one such tile, of the last two, which are as wide as each other, and of a
// whole one before them; on both sides of the depth up to which C matters more than A.
TYPED_TEST(MatmulTileOf, FewRows) {
  Blocks<TypeParam> blocks;
  constexpr ptrdiff_t height = 7;
  const ptrdiff_t most_width = 9 * blocks.tile.cols + 1;
  for (const ptrdiff_t depth : {5, 16, 17}) {
    const Products<TypeParam> products(height, most_width, depth);
    for (ptrdiff_t rows = 1; rows <= height; ++rows) {
      for (ptrdiff_t width = 1; width <= most_width; ++width) {
        if (width % blocks.tile.in_place_cols != 0) continue;
        const Factor a = one_of({0, 1}) == 0 ? Factor::along_rows : Factor::along_cols;
        const auto beta = static_cast<std::size_t>(one_of({0, 1, 2}));
        ASSERT_NO_FATAL_FAILURE(blocks.check(products, rows, width, a, Factor::along_rows, beta, true));
      }
    }
  }
}

// Heights of one tile for few columns, of two and of three; depths that end with every part of 16 bytes, and with every
// part of half a vector, on both sides of the least for few and many rows that are transposed.
TYPED_TEST(MatmulTileOf, FewColumns) {
  Blocks<TypeParam> blocks;
  constexpr ptrdiff_t height = 70;
  const ptrdiff_t most_width = std::max<ptrdiff_t>(blocks.tile.narrow_cols, 6) + 1;
  for (const ptrdiff_t depth : {7, 8, 9, 10, 11, 12, 15, 31, 32, 33, 34, 35, 36, 37, 38, 39, 63, 64, 101}) {
    const Products<TypeParam> products(height, most_width, depth);
    for (ptrdiff_t rows = 1; rows <= height; ++rows) {
      for (ptrdiff_t width = 1; width <= most_width; ++width) {
        if (width % blocks.tile.in_place_cols != 0) continue;
        const auto beta = static_cast<std::size_t>(one_of({0, 1, 2}));
        const bool near = one_of({0, 1}) == 0;
        ASSERT_NO_FATAL_FAILURE(
            blocks.check(products, rows, width, Factor::along_rows, Factor::along_rows, beta, near));
      }
    }
  }
}

// Little depth: every number of rows that are written together, widths of every part of a vector, and of one piece of B
// that stays in the cache and of two; all of B in registers, and more of it than they hold.
TYPED_TEST(MatmulTileOf, LittleDepth) {
  using T = TypeParam;
  Blocks<T> blocks;
  constexpr ptrdiff_t height = 11;
  for (ptrdiff_t depth = 1; depth <= matmul_resident_depth + 1; ++depth) {
    const ptrdiff_t piece = (16 << 10) / ptrdiff_t{sizeof(T)} / std::max<ptrdiff_t>(depth, 3);
    const Products<T> products(height, piece + 70, depth);
    std::vector<ptrdiff_t> widths;
    for (ptrdiff_t width = 1; width <= 4 * blocks.tile.cols + 1; ++width) widths.push_back(width);
    for (ptrdiff_t width = piece - 17; width <= piece + 1; ++width) widths.push_back(width);
    widths.push_back(piece + 70);
    for (const ptrdiff_t width : widths) {
      if (width % blocks.tile.in_place_cols != 0) continue;
      for (ptrdiff_t rows = 1; rows <= (width < piece - 17 ? height : 1); ++rows) {
        const Factor a = one_of({0, 1}) == 0 ? Factor::along_rows : Factor::along_cols;
        const auto beta = static_cast<std::size_t>(one_of({0, 1, 2}));
        ASSERT_NO_FATAL_FAILURE(blocks.check(products, rows, width, a, Factor::along_rows, beta, one_of({0, 1}) == 0));
      }
    }
  }
}

// Few columns of little depth without gaps: every number of rows that share a vector, and of rows left over, on both
// sides of the widths, depths and strides where they no longer do.
TYPED_TEST(MatmulTileOf, RowsThatFollowEachOther) {
  using T = TypeParam;
  Blocks<T> blocks;
  const ptrdiff_t height = 35;
  for (ptrdiff_t depth = 1; depth <= matmul_resident_depth + 1; ++depth) {
    const Products<T> products(height, 10, depth);
    for (ptrdiff_t width = 1; width <= 10; ++width) {
      if (width % blocks.tile.in_place_cols != 0) continue;
      for (ptrdiff_t rows = 1; rows <= height; ++rows) {
        for (const Factor a : {Factor::along_rows, Factor::along_cols}) {
          for (std::size_t beta = 0; beta < 3; ++beta) {
            ASSERT_NO_FATAL_FAILURE(
                blocks.check(products, rows, width, a, Factor::along_rows, beta, one_of({0, 1}) == 0, true));
          }
        }
        ASSERT_NO_FATAL_FAILURE(blocks.check(products, rows, width, Factor::along_rows, Factor::along_rows,
                                             static_cast<std::size_t>(one_of({0, 1, 2})), true));
      }
    }
  }
}

// What is packed is each element times the scale, at the place that the header states, and zero beyond the edge.
template <class T>
void check_packing(typename MatmulTile<T>::Pack pack, ptrdiff_t sliver, ptrdiff_t width, ptrdiff_t depth,
                   ptrdiff_t stride, ptrdiff_t depth_stride, T scale, FencedMatrix<T>& from, FencedMatrix<T>& to) {
  const auto x = from.lay(width, depth, stride, depth_stride, either_fence());
  copy(random_values<T>(width * depth), depth, x);
  const ptrdiff_t slivers = (width + sliver - 1) / sliver;
  const auto packed = to.lay(slivers * sliver, depth, depth, 1, either_fence());
  std::vector<T> expected = to.memory();
  T* const first = expected.data() + (packed.data - to.begin());
  for (ptrdiff_t i = 0; i < slivers * sliver; ++i) {
    for (ptrdiff_t k = 0; k < depth; ++k) {
      first[i / sliver * sliver * depth + k * sliver + i % sliver] = i < width ? scale * x(i, k) : T{0};
    }
  }
  pack(x.data, width, depth, stride, depth_stride, scale, packed.data);
  const std::vector<T> memory = to.memory();
  ASSERT_TRUE(tests::same_bits(std::span<const T>(memory), std::span<const T>(expected)))
      << "slivers of " << sliver << ": " << width << " x " << depth << ", strides " << stride << ", " << depth_stride
      << ", scale " << scale << ", seed " << tests::seed();
}

// More slivers than are packed together, where they are.
TYPED_TEST(MatmulTileOf, PacksManySlivers) {
  using T = TypeParam;
  const MatmulTile<T>& tile = matmul_tile<T>();
  FencedMatrix<T> from(1 << 15), to(1 << 15);
  for (const auto& [pack, sliver] : {std::pair(tile.pack_a, tile.rows), std::pair(tile.pack_b, tile.cols)}) {
    for (ptrdiff_t slivers = 3; slivers <= 9; ++slivers) {
      for (const ptrdiff_t width : {slivers * sliver - 1, slivers * sliver, slivers * sliver + 1}) {
        for (const ptrdiff_t depth : {1, 17}) {
          ASSERT_NO_FATAL_FAILURE(check_packing<T>(pack, sliver, width, depth, 1, width + 2, T(-0.3), from, to));
          ASSERT_NO_FATAL_FAILURE(check_packing<T>(pack, sliver, width, depth, depth, 1, T(-0.3), from, to));
        }
      }
    }
  }
}

TYPED_TEST(MatmulTileOf, PacksEveryWidthAndDepth) {
  using T = TypeParam;
  const MatmulTile<T>& tile = matmul_tile<T>();
  FencedMatrix<T> from(1 << 15), to(1 << 15);
  for (const auto& [pack, sliver] : {std::pair(tile.pack_a, tile.rows), std::pair(tile.pack_b, tile.cols)}) {
    for (ptrdiff_t width = 1; width <= 2 * sliver + 1; ++width) {
      for (const ptrdiff_t depth : {0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 67}) {
        for (const T scale : {T(1), T(-0.3)}) {
          for (const auto& [stride, depth_stride] : {std::pair<ptrdiff_t, ptrdiff_t>(1, width),
                                                     {1, -width - 3},
                                                     {-1, width},
                                                     {depth, 1},
                                                     {-depth - 2, 1},
                                                     {depth, -1},
                                                     {2, 2 * width + 1},
                                                     {2 * depth + 1, -2}}) {
            ASSERT_NO_FATAL_FAILURE(
                check_packing<T>(pack, sliver, width, depth, stride, depth_stride, scale, from, to));
          }
        }
      }
    }
  }
}

// The tile reads whole vectors of B in place, or has masks; and its slivers are whole vectors.
TYPED_TEST(MatmulTileOf, ShapesFitTogether) {
  const MatmulTile<TypeParam>& tile = matmul_tile<TypeParam>();
  EXPECT_GE(tile.rows, 6);
  EXPECT_LE(tile.rows, most_rows);
  EXPECT_EQ(tile.cols % tile.in_place_cols, 0);
}

}  // namespace
}  // namespace speedwell
