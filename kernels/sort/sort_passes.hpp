// SPDX-License-Identifier: Apache-2.0
// Sample sort as the parallel models see it: passes over the blocks of the input, and one over the buckets.
#pragma once

#include <cstddef>

#include <speedwell/backend.hpp>

namespace speedwell {

class SortPasses {
 public:
  // Blocks cost about the same. Buckets don't; the large ones come first.
  std::ptrdiff_t blocks() const { return blocks_; }
  std::ptrdiff_t buckets() const { return buckets_; }

  // Whether a few of the keys ascend or descend. Then the blocks are to be examined, and if they are a run to be
  // copied, and that is all.
  bool may_be_a_run() const { return may_be_a_run_; }
  virtual void examine_block(std::ptrdiff_t i) noexcept = 0;
  virtual bool is_a_run() const noexcept = 0;
  virtual void copy_block(std::ptrdiff_t i) noexcept = 0;

  // Otherwise these, one after the other: each for all i, in any order and at the same time.
  virtual void choose_splitters() noexcept = 0;
  virtual void classify_block(std::ptrdiff_t i) noexcept = 0;
  virtual void place_buckets() noexcept = 0;
  virtual void scatter_block(std::ptrdiff_t i) noexcept = 0;
  virtual void sort_bucket(std::ptrdiff_t i) noexcept = 0;

 protected:
  ~SortPasses() = default;

  std::ptrdiff_t blocks_ = 0;
  std::ptrdiff_t buckets_ = 0;
  bool may_be_a_run_ = false;
};

void sort_on(Sequential model, SortPasses& passes);
void sort_on(Threads model, SortPasses& passes);
void sort_on(OpenMp model, SortPasses& passes);
void sort_on(Tbb model, SortPasses& passes);

}  // namespace speedwell
