// SPDX-License-Identifier: Apache-2.0
// A reduction's tree over the chunks as the parallel models see it. Any subtree can be reduced by any thread at any
// time; what comes out is the same wherever the tree is cut.
#pragma once

#include <cstddef>
#include <optional>

#include <speedwell/backend.hpp>

#include "kernels/reduce/reduce_tile.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/workspace.hpp"

namespace speedwell {

template <class T>
class ReduceTree {
 public:
  // Of `count` elements, at least one. Lowers the choice's threads if there are fewer subtrees.
  ReduceTree(typename ReduceTile<T>::Reduce reduce, const T* x, const T* y, std::ptrdiff_t count,
             runtime::Choice& choice);
  ReduceTree(const ReduceTree&) = delete;
  ReduceTree& operator=(const ReduceTree&) = delete;

  // The value of the node over the chunks first .. last - 1. Every thread that reduces comes by here.
  T reduce(std::ptrdiff_t first, std::ptrdiff_t last) const noexcept;

  // For a model that halves ranges of chunks itself, as the tree does: down to `grain` chunks.
  std::ptrdiff_t chunks() const { return chunks_; }
  std::ptrdiff_t grain() const { return chunks_ / subtrees_; }

  // For one that counts: the nodes of one level of the tree, and what is above them.
  std::ptrdiff_t subtrees() const { return subtrees_; }
  void reduce_subtree(std::ptrdiff_t i) const noexcept;
  T add_subtrees() const noexcept;

  const runtime::Participants& participants() const { return participants_; }

 private:
  typename ReduceTile<T>::Reduce reduce_;
  const T* x_;
  const T* y_;
  std::ptrdiff_t count_;
  std::ptrdiff_t chunks_;
  std::ptrdiff_t subtrees_ = 1;  // a power of two
  std::optional<runtime::LeasedBuffer> leased_;
  T one_value_ = 0;
  T* values_ = &one_value_;  // of the subtrees
  mutable runtime::Participants participants_;
};

template <class T>
T reduce_on(Sequential model, const ReduceTree<T>& tree);
template <class T>
T reduce_on(Threads model, const ReduceTree<T>& tree);
template <class T>
T reduce_on(OpenMp model, const ReduceTree<T>& tree);
template <class T>
T reduce_on(Tbb model, const ReduceTree<T>& tree);

}  // namespace speedwell
