// SPDX-License-Identifier: Apache-2.0
// The entry checks: what they accept, what they reject and how they say it, and overlap against plain enumeration.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "runtime/checks.hpp"

namespace {

using speedwell::ImageView;
using speedwell::InvalidArgument;
using speedwell::MatrixView;
using speedwell::runtime::check_apart;
using speedwell::runtime::check_image;
using speedwell::runtime::check_matrix;
using speedwell::runtime::check_output;
using speedwell::runtime::Lattice;
using speedwell::runtime::lattice;
using speedwell::runtime::LatticeBatch;
using speedwell::runtime::overlap;
using speedwell::runtime::overlaps_itself;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr std::ptrdiff_t most = std::numeric_limits<std::ptrdiff_t>::max();

// Every byte of the lattice, with how often it occurs.
std::map<std::intptr_t, int> bytes_of(const Lattice& lattice) {
  std::map<std::intptr_t, int> bytes;
  for (std::ptrdiff_t i = 0; i < lattice.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < lattice.cols; ++j) {
      const auto first = reinterpret_cast<std::intptr_t>(lattice.first) + i * lattice.row_step + j * lattice.col_step;
      for (std::ptrdiff_t k = 0; k < lattice.element; ++k) ++bytes[first + k];
    }
  }
  return bytes;
}

std::map<std::intptr_t, int> bytes_of(const LatticeBatch& batch) {
  std::map<std::intptr_t, int> bytes;
  for (std::ptrdiff_t i = 0; i < batch.count; ++i) {
    for (const auto& [byte, times] : bytes_of(batch.first)) bytes[byte + i * batch.step] += times;
  }
  return bytes;
}

template <class Bytes>
bool overlap_by_enumeration(const Bytes& a, const Bytes& b) {
  const auto bytes = bytes_of(a);
  for (const auto& [byte, times] : bytes_of(b)) {
    if (bytes.contains(byte)) return true;
  }
  return false;
}

template <class Bytes>
bool overlaps_itself_by_enumeration(const Bytes& a) {
  for (const auto& [byte, times] : bytes_of(a)) {
    if (times > 1) return true;
  }
  return false;
}

std::string describe(const Lattice& a) {
  return "at " + std::to_string(reinterpret_cast<std::intptr_t>(a.first)) + ": " + std::to_string(a.rows) + " x " +
         std::to_string(a.cols) + ", steps " + std::to_string(a.row_step) + ", " + std::to_string(a.col_step) +
         ", element " + std::to_string(a.element);
}

std::string describe(const LatticeBatch& a) {
  return std::to_string(a.count) + " of a step of " + std::to_string(a.step) + " " + describe(a.first);
}

class RandomLattices {
 public:
  explicit RandomLattices(unsigned seed) : random_(seed) {}

  // Steps up to `reach` bytes either way, elements of one size.
  Lattice next(std::ptrdiff_t element, int reach) {
    const std::intptr_t first = 100000 + between(-3 * reach, 3 * reach);
    return {reinterpret_cast<const void*>(first),
            between(0, 7),
            between(0, 7),
            between(-reach, reach),
            between(-reach, reach),
            element};
  }

  // Of elements of four bytes, as matrices have them: often without gaps, or interleaved.
  LatticeBatch next_batch() {
    LatticeBatch batch = {next(4, 40), between(0, 6), between(-160, 160)};
    Lattice& first = batch.first;
    std::ptrdiff_t step = between(0, 3) == 0 ? 8 : 4;
    switch (between(0, 4)) {
      case 0:  // no order at all
        break;
      case 1:
        first.col_step = step;
        first.row_step = first.cols * step + between(-1, 1) * 4;
        batch.step = first.rows * first.row_step + between(-1, 1) * 4;
        break;
      case 2:
        batch.step = step;
        first.col_step = batch.count * step + between(-1, 1) * 4;
        first.row_step = first.cols * first.col_step + between(-1, 1) * 4;
        break;
      case 3:
        first.row_step = -step;
        batch.step = first.rows * step + between(0, 1) * 4;
        first.col_step = batch.count * batch.step + between(-1, 1) * 4;
        break;
      case 4:
        first.col_step = step;
        batch.step = -(first.cols * step + between(0, 1) * 4);
        first.row_step = -batch.count * batch.step + between(-1, 1) * 4;
        break;
    }
    return batch;
  }
  int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

 private:
  std::mt19937 random_;
};

TEST(Overlap, AgreesWithEnumeration) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomLattices random(seed);
  int overlapping = 0, apart_within_extent = 0;
  for (int trial = 0; trial < 60000; ++trial) {
    const int reach = random.between(1, 60);
    const Lattice a = random.next(random.between(1, 8), reach);
    Lattice b = random.next(random.between(1, 8), reach);
    if (trial % 3 == 0) {  // two blocks of one matrix
      b.row_step = a.row_step;
      b.col_step = a.col_step;
      b.element = a.element;
    }
    const bool expected = overlap_by_enumeration(a, b);
    ASSERT_EQ(overlap(a, b), expected) << describe(a) << "\n" << describe(b);
    ASSERT_EQ(overlap(b, a), expected) << describe(a) << "\n" << describe(b);
    (expected ? overlapping : apart_within_extent) += 1;
  }
  EXPECT_GT(overlapping, 5000);
  EXPECT_GT(apart_within_extent, 5000);
}

TEST(Overlap, WithItselfAgreesWithEnumeration) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomLattices random(seed);
  int overlapping = 0, apart = 0;
  for (int trial = 0; trial < 60000; ++trial) {
    const Lattice a = random.next(random.between(1, 8), random.between(1, 60));
    const bool expected = overlaps_itself_by_enumeration(a);
    ASSERT_EQ(overlaps_itself(a), expected) << describe(a);
    (expected ? overlapping : apart) += 1;
  }
  EXPECT_GT(overlapping, 5000);
  EXPECT_GT(apart, 5000);
}

TEST(Overlap, OfBatchesAgreesWithEnumeration) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomLattices random(seed);
  int overlapping = 0, apart = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    const LatticeBatch a = random.next_batch();
    LatticeBatch b = random.next_batch();
    if (trial % 2 == 0) {  // the same strides, a few elements further
      b = a;
      b.first.first = static_cast<const char*>(a.first.first) + random.between(-80, 80) * 4;
      b.first.rows = random.between(1, 7);
    }
    const bool expected = overlap_by_enumeration(a, b);
    ASSERT_EQ(overlap(a, b), expected) << describe(a) << "\n" << describe(b);
    ASSERT_EQ(overlap(b, a), expected) << describe(a) << "\n" << describe(b);
    (expected ? overlapping : apart) += 1;
  }
  EXPECT_GT(overlapping, 2000);
  EXPECT_GT(apart, 2000);
}

TEST(Overlap, OfABatchWithItselfAgreesWithEnumeration) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomLattices random(seed);
  int overlapping = 0, apart = 0;
  for (int trial = 0; trial < 40000; ++trial) {
    const LatticeBatch a = random.next_batch();
    const bool expected = overlaps_itself_by_enumeration(a);
    ASSERT_EQ(overlaps_itself(a), expected) << describe(a);
    (expected ? overlapping : apart) += 1;
  }
  EXPECT_GT(overlapping, 5000);
  EXPECT_GT(apart, 5000);
}

TEST(Overlap, BlocksOfOneMatrix) {
  std::vector<float> memory(100 * 100);
  const MatrixView<float> all(memory.data(), 100, 100);
  const auto expect_apart = [](auto output, auto input) {
    EXPECT_NO_THROW(check_apart("f", "c", output, "a", input));
    EXPECT_NO_THROW(check_apart("f", "c", input, "a", output));
  };
  expect_apart(block(all, 0, 0, 100, 50), block(all, 0, 50, 100, 50));
  expect_apart(block(all, 0, 0, 50, 100), block(all, 50, 0, 50, 100));
  expect_apart(block(all, 0, 0, 50, 50), transposed(block(all, 50, 50, 50, 50)));
  expect_apart(transposed(block(all, 0, 1, 99, 1)), block(all, 0, 0, 99, 1));
  // Even and odd columns; even and odd rows.
  expect_apart(MatrixView<float>(memory.data(), 100, 50, 100, 2),
               MatrixView<float>(memory.data() + 1, 100, 50, 100, 2));
  expect_apart(MatrixView<float>(memory.data(), 50, 100, 200, 1),
               MatrixView<float>(memory.data() + 100, 50, 100, 200, 1));
  // Even columns beside every fourth, from the third or the second.
  expect_apart(MatrixView<float>(memory.data(), 100, 50, 100, 2),
               MatrixView<float>(memory.data() + 3, 100, 24, 100, 4));
  EXPECT_TRUE(overlap(lattice(MatrixView<float>(memory.data(), 100, 50, 100, 2)),
                      lattice(MatrixView<float>(memory.data() + 2, 100, 24, 100, 4))));
  EXPECT_TRUE(overlap(lattice(block(all, 0, 0, 51, 51)), lattice(block(all, 50, 50, 50, 50))));
  EXPECT_TRUE(overlap(lattice(all), lattice(transposed(all))));
}

TEST(Overlap, CostsLittleForLargeMatrices) {
  // Interleaved with unequal strides, the slow way: 8192 rows each. Also huge extents, which must not overflow.
  const auto at = [](std::intptr_t address) { return reinterpret_cast<const void*>(address); };
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(
      overlap(Lattice{at(1 << 20), 8192, 4096, 65536, 8, 4}, Lattice{at((1 << 20) + 4), 8192, 2048, 65536, 16, 4}));
  EXPECT_FALSE(overlap(Lattice{at(1 << 20), most / 1024, 1, 512, 0, 256},
                       Lattice{at((1 << 20) + 256), most / 1024, 1, 512, 0, 256}));
  EXPECT_TRUE(overlap(Lattice{at(1 << 20), most / 1024, 1, 512, 0, 257},
                      Lattice{at((1 << 20) + 256), most / 1024, 1, 512, 0, 256}));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(seconds.count(), 1.0);
}

TEST(Overlap, RowsOfAnImage) {
  std::vector<std::uint8_t> memory(64 * 64 * 3);
  const ImageView<std::uint8_t> left(memory.data(), 32, 64, 3, 64 * 3);
  const ImageView<std::uint8_t> right(memory.data() + 32 * 3, 32, 64, 3, 64 * 3);
  const ImageView<std::uint8_t> middle(memory.data() + 31 * 3, 32, 64, 3, 64 * 3);
  EXPECT_NO_THROW(check_apart("f", "dst", left, "src", right));
  EXPECT_THAT([&] { check_apart("gaussian_blur", "dst", left, "src", middle); },
              ThrowsMessage<InvalidArgument>(AllOf(HasSubstr("gaussian_blur: dst"), HasSubstr("src"))));
  // Upside down, it is the same memory.
  const ImageView<std::uint8_t> flipped(memory.data() + 63 * 64 * 3, 32, 64, 3, -64 * 3);
  EXPECT_TRUE(overlap(lattice(left), lattice(flipped)));
  EXPECT_NO_THROW(check_apart("f", "dst", right, "src", flipped));
  EXPECT_NO_THROW(check_output("f", "dst", flipped));
  EXPECT_THROW(check_output("f", "dst", ImageView<std::uint8_t>(memory.data(), 32, 64, 3, 32 * 3 - 1)),
               InvalidArgument);
}

TEST(CheckMatrix, AcceptsWhatIsValid) {
  float element = 0;
  EXPECT_NO_THROW(check_matrix("f", "a", MatrixView<float>(&element, 1, 1)));
  EXPECT_NO_THROW(check_matrix("f", "a", MatrixView<float>(nullptr, 0, 7)));
  EXPECT_NO_THROW(check_matrix("f", "a", MatrixView<float>(nullptr, most, 0)));
  EXPECT_NO_THROW(check_matrix("f", "a", MatrixView<float>(&element, 5, 5, 0, 0)));
  std::vector<float> memory(100);
  EXPECT_NO_THROW(check_matrix("f", "a", MatrixView<float>(memory.data() + 99, 10, 10, -10, -1)));
}

TEST(CheckMatrix, EmptyViewsOverlapNothing) {
  std::vector<float> memory(100);
  const MatrixView<float> all(memory.data(), 10, 10);
  for (const MatrixView<float> nothing :
       {MatrixView<float>(nullptr, 0, most), MatrixView<float>(memory.data(), most, 0)}) {
    EXPECT_NO_THROW(check_output("f", "c", nothing));
    EXPECT_NO_THROW(check_apart("f", "c", all, "a", nothing));
    EXPECT_NO_THROW(check_apart("f", "c", nothing, "a", all));
  }
  EXPECT_NO_THROW(check_output("f", "dst", ImageView<float>(nullptr, 0, 5, 3, most)));
}

TEST(CheckMatrix, RejectsAndSaysWhat) {
  float element = 0;
  const auto message = [](const MatrixView<float>& view, const auto& matcher) {
    EXPECT_THAT(([&] { check_matrix("matmul", "b", view); }), ThrowsMessage<InvalidArgument>(matcher));
  };
  message({nullptr, 3, 4}, AllOf(HasSubstr("matmul: b"), HasSubstr("3 x 4"), HasSubstr("null")));
  message({&element, -1, 4}, HasSubstr("-1 x 4"));
  message({&element, 4, -1}, HasSubstr("4 x -1"));
  message({&element, 0, -1}, HasSubstr("0 x -1"));
  message({&element, most, most}, HasSubstr("extent"));
  message({&element, most, 2, 1, 1}, HasSubstr("extent"));
  message({&element, 2, 2, most, 1}, HasSubstr(std::to_string(most)));
  message({&element, 2, 2, std::numeric_limits<std::ptrdiff_t>::min(), 1}, HasSubstr("extent"));
  message({&element, 3, 3, most / 4, most / 4}, HasSubstr("extent"));
}

TEST(CheckMatrix, OutputHoldsNoElementTwice) {
  std::vector<float> memory(100);
  EXPECT_NO_THROW(check_output("f", "c", MatrixView<float>(memory.data(), 10, 10)));
  EXPECT_NO_THROW(check_output("f", "c", MatrixView<float>(memory.data(), 1, 10, 0, 1)));
  EXPECT_NO_THROW(check_output("f", "c", MatrixView<float>(memory.data(), 7, 5, 5, 7)));
  EXPECT_THAT(([&] { check_output("matmul", "c", MatrixView<float>(memory.data(), 10, 10, 0, 1)); }),
              ThrowsMessage<InvalidArgument>(AllOf(HasSubstr("matmul: c"), HasSubstr("twice"))));
  EXPECT_THROW(check_output("f", "c", MatrixView<float>(memory.data(), 10, 10, 1, 0)), InvalidArgument);
  EXPECT_THROW(check_output("f", "c", MatrixView<float>(memory.data(), 10, 10, 9, 1)), InvalidArgument);
  EXPECT_THROW(check_output("f", "c", MatrixView<float>(memory.data(), 8, 6, 5, 7)), InvalidArgument);
}

TEST(CheckImage, RejectsAndSaysWhat) {
  std::uint8_t element = 0;
  const auto message = [](ImageView<std::uint8_t> view, auto matcher) {
    EXPECT_THAT(([&] { check_image("sobel", "src", view); }), ThrowsMessage<InvalidArgument>(matcher));
  };
  EXPECT_NO_THROW(check_image("sobel", "src", ImageView<std::uint8_t>(&element, 1, 1)));
  EXPECT_NO_THROW(check_image("sobel", "src", ImageView<std::uint8_t>(nullptr, 0, 5)));
  message({nullptr, 3, 4, 3}, AllOf(HasSubstr("sobel: src"), HasSubstr("3 x 4 with 3 channels"), HasSubstr("null")));
  message({&element, -3, 4, 3}, HasSubstr("-3 x 4"));
  message({&element, 3, -4, 3}, HasSubstr("3 x -4"));
  message({&element, 3, 4, 0}, HasSubstr("0 channels"));
  message({&element, 3, 4, -1}, HasSubstr("-1 channels"));
  message({&element, most, 4, 4}, HasSubstr("extent"));
  message({&element, 4, most, 4}, HasSubstr("extent"));
}

}  // namespace
