// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul/matmul_batch.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "kernels/matmul/matmul_blocking.hpp"

namespace speedwell {

namespace {

using std::ptrdiff_t;

// In the time in which it moves a byte from memory, a fast core does so many operations: the ratio of the speeds by
// which the runtime chooses. The smallest products take as long as their memory traffic.
constexpr double operations_per_byte = 5;

// Products that come from further than the second-level cache go to the tile about so many bytes at a time, and the
// next ones are fetched meanwhile: as many cache lines as a core has requests under way at once.
constexpr ptrdiff_t fetched_bytes = 4 << 10;

ptrdiff_t to_count(double value) { return static_cast<ptrdiff_t>(std::min(value, 1e9)); }

}  // namespace

template <class T>
MatmulBatch<T>::MatmulBatch(MatrixBatchView<const T> a, MatrixBatchView<const T> b, MatrixBatchView<T> c, T alpha,
                            T beta, runtime::Work work, runtime::Choice& choice)
    : a_(a), b_(b), c_(c), alpha_(alpha), beta_(beta), tile_(matmul_tile<T>()) {
  if (c.count == 0 || c.first.rows == 0 || c.first.cols == 0) {
    choice.limit_threads(0);
    return;
  }
  // Nothing is read of them, and there may be no data to step from
  if (a.first.cols == 0) a_.step = b_.step = 0;
  choose_way();
  cut(work, choice);
  if (together_ == 0) place(choice.threads);
}

template <class T>
void MatmulBatch<T>::choose_way() {
  bool direct = is_direct(a_.first, b_.first, c_.first, alpha_);
  if (!direct && is_direct(transposed(b_.first), transposed(a_.first), transposed(c_.first), alpha_)) {
    // The tile wants the rows of C contiguous. If its columns are instead, the transposed product is the same chains.
    direct = true;
    std::swap(a_, b_);
    for (MatrixBatchView<const T>* batch : {&a_, &b_}) batch->first = transposed(batch->first);
    c_.first = transposed(c_.first);
  }
  if (!direct) return;
  const auto size = [](const auto& matrix) { return matrix.rows * matrix.cols; };
  const ptrdiff_t bytes = (size(a_.first) + size(b_.first) + size(c_.first)) * ptrdiff_t{sizeof(T)};
  const MatmulCaches& caches = matmul_caches();
  if (c_.count > caches.second / 2 / bytes) {
    const auto flat = [&](const auto& batch) {
      const bool rows = batch.first.row_stride == batch.first.cols && batch.first.col_stride == 1;
      const bool cols = batch.first.col_stride == batch.first.rows && batch.first.row_stride == 1;
      return (rows || cols) && batch.step == size(batch.first) ? batch.step : 0;
    };
    fetched_ = {flat(a_), flat(b_), flat(c_)};
    together_ = std::max<ptrdiff_t>(fetched_bytes / bytes, 1);
    return;
  }
  const bool one_tile = c_.first.rows <= tile_.rows && c_.first.cols <= tile_.cols;
  together_ = one_tile ? c_.count : std::max<ptrdiff_t>(caches.first / 2 / bytes, 1);
}

template <class T>
void MatmulBatch<T>::cut(runtime::Work work, runtime::Choice& choice) {
  const double operations = std::max(work.flops, operations_per_byte * work.bytes);
  if (!choice.exact) choice.limit_threads(to_count(operations / matmul_least_thread_flops));
  chunks_ = 1;
  if (choice.threads > 1) {
    const ptrdiff_t wanted =
        std::min(to_count(operations / matmul_least_block_flops), matmul_blocks_per_thread * choice.threads);
    if (wanted > 1) chunks_ = std::min(ceil_div(wanted, choice.threads) * choice.threads, c_.count);
  }
  choice.limit_threads(chunks_);
}

template <class T>
void MatmulBatch<T>::place(int threads) {
  constexpr ptrdiff_t line = 64;
  const std::size_t bytes = MatmulBlocking<T>::workspace_bytes(a_.first, b_.first, c_.first, alpha_);
  workspace_size_ = ceil_div(static_cast<ptrdiff_t>(bytes), line) * line;
  const ptrdiff_t busy = threads * ptrdiff_t{sizeof(std::atomic<bool>)};
  const auto all = static_cast<std::size_t>(threads * workspace_size_ + busy);
  workspace_ = threads == 1 ? runtime::thread_workspace(all) : leased_.emplace(all).data();
  workspace_busy_ = reinterpret_cast<std::atomic<bool>*>(workspace_ + threads * workspace_size_);
  for (int i = 0; i < threads; ++i) new (workspace_busy_ + i) std::atomic<bool>(false);
}

template <class T>
void MatmulBatch<T>::multiply_directly(ptrdiff_t first, ptrdiff_t end) const noexcept {
  const MatmulSteps steps = {a_.step, b_.step, c_.step};
  MatmulBlock<T> block = whole_block(a_[first], b_[first], c_[first], beta_);
  while (first < end) {
    const ptrdiff_t count = std::min(together_, end - first);
    first += count;
    const T* const next_a = block.a + count * steps.a;
    const T* const next_b = block.b + count * steps.b;
    T* const next_c = block.c + count * steps.c;
    if (count == 1 && fetched_.c == 0) {
      tile_.multiply(block);
    } else {
      const ptrdiff_t next = std::min(together_, end - first);
      tile_.multiply_batch(block, steps, count,
                           {next_a, next * fetched_.a, next_b, next * fetched_.b, next_c, next * fetched_.c});
    }
    block.a = next_a;
    block.b = next_b;
    block.c = next_c;
  }
}

template <class T>
void MatmulBatch<T>::multiply_with_cuts(ptrdiff_t first, ptrdiff_t end) const noexcept {
  const MatmulTurn turn(workspace_busy_);
  MatmulBlocking<T> product(a_.first, b_.first, c_.first, alpha_, beta_, workspace_ + turn.index() * workspace_size_);
  for (ptrdiff_t i = first; i < end; ++i) {
    product.move_to(a_[i].data, b_[i].data, c_[i].data);
    matmul_on(Sequential{}, product);
  }
  // Each product is a call of its own to those who count.
  participants_.back();
}

template <class T>
void multiply_chunk(const MatmulBatch<T>& batch, ptrdiff_t chunk) noexcept {
  batch.participants_.note();
  const MatmulCut::Range products = MatmulCut{batch.c_.count, 1, batch.chunks_}.part(chunk);
  const ptrdiff_t end = products.first + products.size;
  if (batch.together_ > 0) return batch.multiply_directly(products.first, end);
  batch.multiply_with_cuts(products.first, end);
}

template class MatmulBatch<float>;
template class MatmulBatch<double>;
template void multiply_chunk(const MatmulBatch<float>&, ptrdiff_t) noexcept;
template void multiply_chunk(const MatmulBatch<double>&, ptrdiff_t) noexcept;

}  // namespace speedwell
