// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul/matvec_tile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/allocations.hpp"
#include "tests/every_backend.hpp"

namespace speedwell {
namespace {

using std::ptrdiff_t;
using tests::generator;
using tests::has_fma;

template <class T>
bool same(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b) || (std::isnan(a) && std::isnan(b));
}

template <class T>
T random_value() {
  return std::uniform_real_distribution<T>(-1, 1)(generator());
}

// A vector with a stride in memory that is exactly as large as it needs, so that a sanitizer sees each step outside;
// what lies between its elements is NaN.
template <class T>
class Strided {
 public:
  Strided(ptrdiff_t count, ptrdiff_t stride, ptrdiff_t inner_count = 1, ptrdiff_t inner_stride = 0)
      : stride_(stride), inner_stride_(inner_stride) {
    const ptrdiff_t last = (count - 1) * stride, inner_last = (inner_count - 1) * inner_stride;
    first_ = -std::min<ptrdiff_t>(last, 0) - std::min<ptrdiff_t>(inner_last, 0);
    const bool empty = count == 0 || inner_count == 0;
    memory_.assign(empty ? 0 : static_cast<std::size_t>(std::abs(last) + std::abs(inner_last) + 1),
                   std::numeric_limits<T>::quiet_NaN());
    if (empty) return;
    for (ptrdiff_t i = 0; i < count; ++i) {
      for (ptrdiff_t j = 0; j < inner_count; ++j) (*this)(i, j) = random_value<T>();
    }
  }

  T& operator()(ptrdiff_t i, ptrdiff_t j = 0) { return data()[i * stride_ + j * inner_stride_]; }
  T operator()(ptrdiff_t i, ptrdiff_t j = 0) const { return memory_.data()[first_ + i * stride_ + j * inner_stride_]; }
  T* data() { return memory_.empty() ? nullptr : memory_.data() + first_; }
  ptrdiff_t stride() const { return stride_; }
  ptrdiff_t inner_stride() const { return inner_stride_; }
  const std::vector<T>& memory() const { return memory_; }

 private:
  std::vector<T> memory_;
  ptrdiff_t first_ = 0;
  ptrdiff_t stride_;
  ptrdiff_t inner_stride_;
};

struct Shape {
  ptrdiff_t count, depth, stride, depth_stride, y_stride = 1;
};

std::string text(const Shape& shape) {
  return "count " + std::to_string(shape.count) + ", depth " + std::to_string(shape.depth) + ", strides " +
         std::to_string(shape.stride) + " and " + std::to_string(shape.depth_stride) + ", stride of y " +
         std::to_string(shape.y_stride);
}

template <class T>
struct Product {
  Shape shape;
  Strided<T> a;
  Strided<T> x;
  Strided<T> y;
  T alpha = 1, beta = 0;

  explicit Product(const Shape& shape)
      : shape(shape),
        a(shape.count, shape.stride, shape.depth, shape.depth_stride),
        x(shape.depth, 1),
        y(shape.count, shape.y_stride) {}

  // The order that the header states, term by term.
  T in_order(ptrdiff_t i) const {
    const bool fused = has_fma();
    T lanes[16] = {};
    for (ptrdiff_t k = 0; k < shape.depth; ++k) {
      const T product = a(i, k) * x(k);
      lanes[k % 16] = fused ? std::fma(a(i, k), x(k), lanes[k % 16]) : lanes[k % 16] + product;
    }
    for (const int half : {8, 4, 2, 1}) {
      for (int l = 0; l < half; ++l) lanes[l] = lanes[l] + lanes[l + half];
    }
    if (beta == 0) return alpha * lanes[0];
    const T scaled = beta * y(i), product = alpha * lanes[0];
    return fused ? std::fma(alpha, lanes[0], scaled) : product + scaled;
  }

  void multiply(ptrdiff_t first, ptrdiff_t count) {
    T* const from = a.data() ? a.data() + first * a.stride() : nullptr;
    T* const to = y.data() ? y.data() + first * y.stride() : nullptr;
    matvec_tile<T>().multiply(from, a.stride(), a.inner_stride(), x.data(), count, shape.depth, alpha, beta, to,
                              y.stride());
  }
};

// All outputs in one call, and nothing but the outputs.
template <class T>
void check(Product<T>& product) {
  Strided<T> expected = product.y;
  for (ptrdiff_t i = 0; i < product.shape.count; ++i) expected(i) = product.in_order(i);
  product.multiply(0, product.shape.count);
  for (ptrdiff_t i = 0; i < product.shape.count; ++i) {
    ASSERT_TRUE(same(product.y(i), expected(i)))
        << text(product.shape) << ", alpha " << product.alpha << ", beta " << product.beta << ": output " << i << " is "
        << product.y(i) << ", not " << expected(i);
  }
  for (ptrdiff_t i = 0; i < product.shape.count; ++i) expected(i) = product.y(i);
  ASSERT_TRUE(tests::same_bits(std::span<const T>(product.y.memory()), std::span<const T>(expected.memory())))
      << text(product.shape) << ": written between the outputs";
}

template <class T>
void check_random(const Shape& shape, T alpha = T(0.75), T beta = T(-1.25)) {
  Product<T> product(shape);
  product.alpha = alpha;
  product.beta = beta;
  check(product);
}

// Rows along k, outputs side by side, and neither, with room between them.
std::vector<Shape> layouts(ptrdiff_t count, ptrdiff_t depth) {
  return {{count, depth, depth, 1},
          {count, depth, depth + 3, 1, 2},
          {count, depth, 1, count},
          {count, depth, 1, count + 5, -1},
          {count, depth, 2, 2 * count + 1}};
}

template <class T>
class Matvec : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Matvec, Elements, );

TYPED_TEST(Matvec, EverySmallSize) {
  for (ptrdiff_t count = 0; count <= 35; ++count) {
    for (ptrdiff_t depth = 0; depth <= 35; ++depth) {
      for (const Shape& shape : layouts(count, depth)) ASSERT_NO_FATAL_FAILURE(check_random<TypeParam>(shape));
    }
  }
}

TYPED_TEST(Matvec, SizesAroundEveryThreshold) {
  // A vector, a step of rows, a cache line, a block of outputs; a round of lanes, a group of rounds.
  constexpr ptrdiff_t block = 2048 / sizeof(TypeParam);
  for (const ptrdiff_t count : {ptrdiff_t{1}, ptrdiff_t{3}, ptrdiff_t{63}, ptrdiff_t{64}, ptrdiff_t{66}, block / 2,
                                block - 1, block, block + 1, 2 * block + 19}) {
    for (const ptrdiff_t depth : {1, 16, 47, 63, 64, 65, 79, 80, 81, 127, 128, 129, 200, 255, 256, 257}) {
      for (const Shape& shape : layouts(count, depth)) ASSERT_NO_FATAL_FAILURE(check_random<TypeParam>(shape));
    }
  }
}

// Outputs side by side, from the beginning of a cache line on in each row; also in rows a power of two apart.
TYPED_TEST(Matvec, RowsOfWholeCacheLines) {
  using T = TypeParam;
  constexpr ptrdiff_t outputs = 150;
  for (const ptrdiff_t row : {176, 256, 1024}) {
    for (const ptrdiff_t depth : {128, 129, 300}) {
      Product<T> product({row, depth, 1, row});
      ptrdiff_t first = 0;
      while (reinterpret_cast<std::uintptr_t>(product.a.data() + first) % 64 != 0) ++first;
      product.multiply(first, outputs);
      for (ptrdiff_t i = first; i < first + outputs; ++i) {
        ASSERT_TRUE(same(product.y(i), product.in_order(i)))
            << "output " << i << " from " << first << " of " << row << ", depth " << depth;
      }
    }
  }
}

// Outputs side by side that begin at every place of a cache line: in rows that each begin at another, or all at the
// same; a few vectors of them, and as many as a block has.
TYPED_TEST(Matvec, RowsFromEveryPlaceOfACacheLine) {
  using T = TypeParam;
  constexpr ptrdiff_t line = 64 / sizeof(T), block = 2048 / sizeof(T);
  const auto infinity = std::numeric_limits<T>::infinity();
  for (const ptrdiff_t row : {2 * block + 3 * line, 2 * block + 3 * line + 1, 2 * block + 3 * line - 2}) {
    for (const ptrdiff_t depth : {17, 129, 145}) {
      for (const ptrdiff_t count : {ptrdiff_t{60}, block - 1, block, block + 1}) {
        Product<T> product({row, depth, 1, row});
        product.alpha = T(0.5);
        // What lies beside the outputs would show in them.
        for (ptrdiff_t k = 0; k < depth; ++k) {
          for (ptrdiff_t i = count + line; i < row; ++i) product.a(i, k) = i % 2 == 0 ? infinity : -infinity;
        }
        for (ptrdiff_t first = 0; first < line; ++first) {
          const std::vector<T> before = product.y.memory();
          product.multiply(first, count);
          for (ptrdiff_t i = 0; i < row; ++i) {
            const bool is_output = i >= first && i < first + count;
            ASSERT_TRUE(same(product.y(i), is_output ? product.in_order(i) : before[static_cast<std::size_t>(i)]))
                << "element " << i << " of " << count << " outputs from " << first << ", row " << row << ", depth "
                << depth;
          }
        }
      }
    }
  }
}

TYPED_TEST(Matvec, LongSides) {
  for (const ptrdiff_t size : {4096, 5003}) {
    for (const ptrdiff_t other : {1, 2, 4, 5, 17, 50}) {
      for (const Shape& shape : layouts(size, other)) ASSERT_NO_FATAL_FAILURE(check_random<TypeParam>(shape));
      for (const Shape& shape : layouts(other, size)) ASSERT_NO_FATAL_FAILURE(check_random<TypeParam>(shape));
    }
  }
}

TYPED_TEST(Matvec, EveryKindOfStride) {
  for (const ptrdiff_t count : {1, 7, 37}) {
    for (const ptrdiff_t depth : {1, 2, 21, 70}) {
      for (const ptrdiff_t stride : {-75, -3, -1, 0, 1, 2, 75}) {
        for (const ptrdiff_t depth_stride : {-40, -2, -1, 0, 1, 3, 40}) {
          for (const ptrdiff_t y_stride : {-3, -1, 1, 2}) {
            ASSERT_NO_FATAL_FAILURE(check_random<TypeParam>({count, depth, stride, depth_stride, y_stride}));
          }
        }
      }
    }
  }
}

TYPED_TEST(Matvec, AlphaAndBeta) {
  using T = TypeParam;
  for (const Shape& shape : layouts(45, 83)) {
    for (const T alpha : {T(1), T(-2.5), T(0)}) {
      for (const T beta : {T(0), T(-0.0), T(1), T(0.3)}) ASSERT_NO_FATAL_FAILURE(check_random<T>(shape, alpha, beta));
    }
  }
}

TYPED_TEST(Matvec, BetaOfZeroDoesNotReadY) {
  using T = TypeParam;
  for (const ptrdiff_t depth : {0, 5, 83}) {
    for (const Shape& shape : layouts(45, depth)) {
      Product<T> product(shape);
      for (ptrdiff_t i = 0; i < shape.count; ++i) product.y(i) = std::numeric_limits<T>::signaling_NaN();
      ASSERT_NO_FATAL_FAILURE(check(product));
      for (ptrdiff_t i = 0; i < shape.count; ++i) ASSERT_FALSE(std::isnan(product.y(i))) << text(shape);
    }
  }
}

// Each of them reaches the one output that it belongs to, also from the last term and with 0 to multiply it.
TYPED_TEST(Matvec, NotANumberAndInfinitySpread) {
  using T = TypeParam;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  for (const ptrdiff_t depth : {1, 3, 16, 37, 67}) {
    for (const Shape& shape : layouts(21, depth)) {
      for (const ptrdiff_t at : {ptrdiff_t{0}, depth / 2, depth - 1}) {
        for (const T special : {std::numeric_limits<T>::quiet_NaN(), infinity, -infinity}) {
          Product<T> in_a(shape);
          in_a.a(at % 21, at) = special;
          ASSERT_NO_FATAL_FAILURE(check(in_a));
          ASSERT_FALSE(std::isfinite(in_a.y(at % 21))) << text(shape);
          Product<T> in_x(shape);
          in_x.x(at) = special;
          in_x.a(at % 21, at) = 0;
          ASSERT_NO_FATAL_FAILURE(check(in_x));
          ASSERT_TRUE(std::isnan(in_x.y(at % 21))) << text(shape);
        }
      }
    }
  }
}

// Products that round to -0 leave lanes of -0, which terms that aren't there must not turn into 0.
TYPED_TEST(Matvec, SignOfZero) {
  using T = TypeParam;
  for (const ptrdiff_t depth : {1, 16, 19, 64, 70}) {
    for (const Shape& shape : layouts(21, depth)) {
      Product<T> product(shape);
      product.beta = 1;
      for (ptrdiff_t k = 0; k < depth; ++k) {
        product.x(k) = std::numeric_limits<T>::denorm_min();
        for (ptrdiff_t i = 0; i < shape.count; ++i) product.a(i, k) = T(-0.25);
      }
      for (ptrdiff_t i = 0; i < shape.count; ++i) product.y(i) = T(-0.0);
      ASSERT_NO_FATAL_FAILURE(check(product));
    }
  }
}

TYPED_TEST(Matvec, TheSameBitsHoweverOutputsAreSplit) {
  using T = TypeParam;
  for (const Shape& shape : {Shape{601, 83, 83, 1}, Shape{601, 83, 1, 601}, Shape{601, 83, 2, 1300}}) {
    Product<T> whole(shape);
    whole.beta = 1;
    for (const ptrdiff_t part : {1, 2, 7, 16, 100, 300}) {
      Product<T> split = whole;
      for (ptrdiff_t i = 0; i < shape.count; i += part) split.multiply(i, std::min(part, shape.count - i));
      Product<T> at_once = whole;
      at_once.multiply(0, shape.count);
      ASSERT_TRUE(tests::same_bits(std::span<const T>(split.y.memory()), std::span<const T>(at_once.y.memory())))
          << text(shape) << " in parts of " << part;
    }
  }
}

TYPED_TEST(Matvec, AllocatesNothing) {
  for (const Shape& shape : layouts(601, 400)) {
    Product<TypeParam> product(shape);
    const long before = tests::allocations();
    product.multiply(0, shape.count);
    EXPECT_EQ(tests::allocations(), before) << text(shape);
  }
}

}  // namespace
}  // namespace speedwell
