// SPDX-License-Identifier: Apache-2.0
// A reduction of the caller's own in all four parallel models, with the same bits from each.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <speedwell/backend.hpp>
#include <speedwell/parallel_for.hpp>

namespace speedwell {

struct ParallelReduceOptions {
  // Indices in a block, which one thread reduces by itself: some ten microseconds' worth, against what handing a block
  // out costs. 0: up to 256 blocks that are as even as can be, which does for most. It decides how terms are grouped,
  // so other grains give other roundings.
  std::ptrdiff_t grain = 0;
  Backend backend = Automatic{};
};

// A body gives the value of one index, or of a range: of its first index and the one after its last, of which there is
// at least one.
template <class Body, class T>
concept IndexTerm =
    std::invocable<Body&, std::ptrdiff_t> && std::convertible_to<std::invoke_result_t<Body&, std::ptrdiff_t>, T>;
template <class Body, class T>
concept RangeTerm = std::invocable<Body&, std::ptrdiff_t, std::ptrdiff_t> &&
    std::convertible_to<std::invoke_result_t<Body&, std::ptrdiff_t, std::ptrdiff_t>, T>;
template <class Combine, class T>
concept Combiner = std::invocable<Combine&, T, T> && std::convertible_to<std::invoke_result_t<Combine&, T, T>, T>;

namespace detail {

// How `count` indices are reduced: in blocks, which are the leaves of a tree; the nodes at one of its levels are what
// threads take. A function of count and grain.
struct ReductionTree {
  std::ptrdiff_t count;
  std::ptrdiff_t grain;   // 0: even blocks
  std::ptrdiff_t blocks;  // leaves
  int levels;             // above the nodes that are handed out

  // Throws InvalidArgument if either is one that can't be.
  ReductionTree(std::ptrdiff_t count, std::ptrdiff_t grain);

  std::ptrdiff_t nodes() const { return blocks == 0 ? 0 : std::ptrdiff_t{1} << levels; }

  std::ptrdiff_t block_begin(std::ptrdiff_t block) const {
    if (grain == 0) return count / blocks * block + std::min(block, count % blocks);
    return block == blocks ? count : grain * block;
  }

  struct Blocks {
    std::ptrdiff_t first, number;
    std::ptrdiff_t lower() const { return number / 2; }
  };
  // The leaves below a node.
  Blocks blocks_of(std::ptrdiff_t node) const;
};

template <class T, class Body, class Combine>
struct BlockReduction {
  const ReductionTree& tree;
  Body& body;
  Combine& combine;

  T operator()(ReductionTree::Blocks of) const {
    if (of.number == 1) return leaf(tree.block_begin(of.first), tree.block_begin(of.first + 1));
    const std::ptrdiff_t lower = of.lower();
    T left = (*this)({of.first, lower});
    return combine(std::move(left), (*this)({of.first + lower, of.number - lower}));
  }

 private:
  T leaf(std::ptrdiff_t first, std::ptrdiff_t last) const {
    if constexpr (RangeTerm<Body, T>) {
      return body(first, last);
    } else {
      T value = body(first);
      for (std::ptrdiff_t i = first + 1; i < last; ++i) value = combine(std::move(value), body(i));
      return value;
    }
  }
};

}  // namespace detail

// Combines the values of 0, 1, ..., count - 1 in their order:
//
//   const double norm = parallel_reduce(n, 0.0, [&](std::ptrdiff_t i) { return x[i] * x[i]; }, std::plus<>());
//   const Extremes all = parallel_reduce(n, Extremes(), [&](std::ptrdiff_t first, std::ptrdiff_t last) { ... }, merge,
//                                        {.grain = 4096, .backend = Tbb{4}});
//
// The order of the operations is a function of count and grain alone, so that every backend and thread count gives the
// same bits if body and combine do:
//
//   - The indices are cut into blocks of `grain`, the last as short as it comes out; with grain = 0 into min(count,
//   256)
//     blocks, the first count % 256 of which have one index more.
//   - A block's value is body(first, last), or from the left: combine(combine(body(first), body(first + 1)), ...).
//   - The blocks are combined by a tree: n blocks are the first n / 2, rounded down, combined with the rest.
//
// So `combine` must be associative as far as the caller minds, and needn't be commutative. Both are called on several
// threads at once. T needs no more than to be movable. `identity` is what comes out for no indices, and isn't combined
// with anything otherwise.
//
// Backends and thread counts, last_run(), exceptions and errors are as for parallel_for(); at most 256 threads, or as
// many as there are blocks, have something to do. Automatic begins alone here too.
//
// Work count bodies and as many combines; span a block, and the logarithm of their number in combines. A call allocates
// room for at most 1024 values.
template <class T, class Body, class Combine>
requires(IndexTerm<Body, T> || RangeTerm<Body, T>) && Combiner<Combine, T> T
    parallel_reduce(std::ptrdiff_t count, T identity, Body&& body, Combine&& combine,
                    const ParallelReduceOptions& options = {}) {
  const detail::ReductionTree tree(count, options.grain);
  const detail::BlockReduction<T, Body, Combine> reduce = {tree, body, combine};
  std::vector<std::optional<T>> values(static_cast<std::size_t>(tree.nodes()));
  parallel_for(
      tree.nodes(),
      [&](std::ptrdiff_t node) { values[static_cast<std::size_t>(node)].emplace(reduce(tree.blocks_of(node))); },
      {.grain = 1, .backend = options.backend});
  if (values.empty()) return identity;
  for (std::size_t apart = 1; apart < values.size(); apart *= 2) {
    for (std::size_t i = 0; i < values.size(); i += 2 * apart) {
      T combined = combine(std::move(*values[i]), std::move(*values[i + apart]));
      values[i].emplace(std::move(combined));
    }
  }
  return std::move(*values[0]);
}

}  // namespace speedwell
