// SPDX-License-Identifier: Apache-2.0
#include "kernels/reduce/reduce_tree.hpp"

#include <algorithm>
#include <bit>

namespace speedwell {

namespace {

using std::ptrdiff_t;

// Where the threads aren't a power of two, some get one more than others: with 16 each, a 16th more at most.
constexpr ptrdiff_t subtrees_per_thread = 16;

ptrdiff_t ceil_power(ptrdiff_t n) { return static_cast<ptrdiff_t>(std::bit_ceil(static_cast<std::size_t>(n))); }
ptrdiff_t floor_power(ptrdiff_t n) { return static_cast<ptrdiff_t>(std::bit_floor(static_cast<std::size_t>(n))); }

}  // namespace

template <class T>
ReduceTree<T>::ReduceTree(typename ReduceTile<T>::Reduce reduce, const T* x, const T* y, ptrdiff_t count,
                          runtime::Choice& choice)
    : reduce_(reduce), x_(x), y_(y), count_(count), chunks_((count + reduce_chunk<T> - 1) / reduce_chunk<T>) {
  if (choice.threads == 1) return;
  subtrees_ = std::min(ceil_power(subtrees_per_thread * choice.threads), floor_power(chunks_));
  choice.limit_threads(subtrees_);
  leased_.emplace(static_cast<std::size_t>(subtrees_) * sizeof(T));
  values_ = reinterpret_cast<T*>(leased_->data());
}

template <class T>
T ReduceTree<T>::reduce(ptrdiff_t first, ptrdiff_t last) const noexcept {
  participants_.note();
  const ptrdiff_t begin = first * reduce_chunk<T>;
  return reduce_(x_ + begin, y_ + begin, std::min(last * reduce_chunk<T>, count_) - begin);
}

template <class T>
void ReduceTree<T>::reduce_subtree(ptrdiff_t i) const noexcept {
  ptrdiff_t first = 0, last = chunks_;
  for (ptrdiff_t bit = subtrees_ / 2; bit > 0; bit /= 2) {
    const ptrdiff_t middle = first + (last - first) / 2;
    ((i & bit) == 0 ? last : first) = middle;
  }
  values_[i] = reduce(first, last);
}

template <class T>
T ReduceTree<T>::add_subtrees() const noexcept {
  for (ptrdiff_t count = subtrees_; count > 1; count /= 2) {
    for (ptrdiff_t i = 0; i < count / 2; ++i) values_[i] = values_[2 * i] + values_[2 * i + 1];
  }
  return values_[0];
}

template class ReduceTree<float>;
template class ReduceTree<double>;

}  // namespace speedwell
