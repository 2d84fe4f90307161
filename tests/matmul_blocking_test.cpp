// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul/matmul_blocking.hpp"

#include <gtest/gtest.h>

#include <cstddef>

namespace speedwell {
namespace {

using std::ptrdiff_t;

// The parts cover every index once, in whole units, and differ by one unit at most.
TEST(MatmulCut, PartsCoverEverythingOnce) {
  for (const ptrdiff_t count : {0, 1, 5, 16, 17, 100, 1000, 4099}) {
    for (const ptrdiff_t unit : {1, 6, 16}) {
      for (const ptrdiff_t parts : {1, 2, 3, 7, 40}) {
        const MatmulCut cut{count, unit, parts};
        ptrdiff_t next = 0;
        for (ptrdiff_t i = 0; i < parts; ++i) {
          const MatmulCut::Range part = cut.part(i);
          ASSERT_EQ(part.first, next);
          ASSERT_GE(part.size, 0);
          ASSERT_LE(part.size, cut.largest());
          ASSERT_GT(part.size, cut.largest() - 2 * unit);
          ASSERT_TRUE(part.first % unit == 0 || part.size == 0);
          next += part.size;
        }
        ASSERT_EQ(next, count);
      }
    }
  }
}

}  // namespace
}  // namespace speedwell
