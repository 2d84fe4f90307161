// SPDX-License-Identifier: Apache-2.0
// How a batch of products of one shape is cut into work that threads can share:
//
//   multiply_chunk(batch, i)     each chunk of products, in any order, at the same time
//
// Each product is one thread's, and done as matmul does it on one thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>

#include <speedwell/backend.hpp>
#include <speedwell/view.hpp>

#include "kernels/matmul/matmul_tile.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/workspace.hpp"

namespace speedwell {

template <class T>
class MatmulBatch;

template <class T>
void multiply_chunk(const MatmulBatch<T>& batch, std::ptrdiff_t chunk) noexcept;

template <class T>
class MatmulBatch {
 public:
  // Of batches that match and amount to `work`. Lowers the choice's threads if there are fewer chunks, or if more would
  // hurt and the caller left the number open.
  MatmulBatch(MatrixBatchView<const T> a, MatrixBatchView<const T> b, MatrixBatchView<T> c, T alpha, T beta,
              runtime::Work work, runtime::Choice& choice);

  std::ptrdiff_t chunks() const { return chunks_; }
  const runtime::Participants& participants() const { return participants_; }

 private:
  friend void multiply_chunk<T>(const MatmulBatch<T>& batch, std::ptrdiff_t chunk) noexcept;

  void choose_way();
  void cut(runtime::Work work, runtime::Choice& choice);
  void place(int threads);
  void multiply_directly(std::ptrdiff_t first, std::ptrdiff_t end) const noexcept;
  void multiply_with_cuts(std::ptrdiff_t first, std::ptrdiff_t end) const noexcept;

  MatrixBatchView<const T> a_;
  MatrixBatchView<const T> b_;
  MatrixBatchView<T> c_;
  T alpha_;
  T beta_;
  const MatmulTile<T>& tile_;
  // Products that need neither packing nor cuts go to the tile so many at a time; 0 where they do need them.
  std::ptrdiff_t together_ = 0;
  MatmulSteps fetched_ = {};  // elements of a product to fetch ahead
  std::ptrdiff_t chunks_ = 0;
  // What one product packs into, for each thread.
  std::optional<runtime::LeasedBuffer> leased_;
  std::byte* workspace_ = nullptr;
  std::ptrdiff_t workspace_size_ = 0;
  std::atomic<bool>* workspace_busy_ = nullptr;
  mutable runtime::Participants participants_;
};

template <class T>
void matmul_batch_on(Sequential backend, const MatmulBatch<T>& batch);
template <class T>
void matmul_batch_on(Threads backend, const MatmulBatch<T>& batch);
template <class T>
void matmul_batch_on(OpenMp backend, const MatmulBatch<T>& batch);
template <class T>
void matmul_batch_on(Tbb backend, const MatmulBatch<T>& batch);

}  // namespace speedwell
