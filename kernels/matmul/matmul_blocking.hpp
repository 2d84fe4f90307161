// SPDX-License-Identifier: Apache-2.0
// How a product is cut into work that threads can share.
//
//   for each panel: a range of k and a range of columns of C
//     pack_b(panel, i)           each slice of B in the panel, in any order, at the same time
//     multiply_block(panel, i)   each block of C in the panel, in any order, at the same time
//
// Panels follow each other, and within one every slice is packed before a block is multiplied. k is never split among
// threads, and panels of the same columns come in ascending k, so that each element stays one chain in ascending k.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <optional>

#include <speedwell/backend.hpp>
#include <speedwell/view.hpp>

#include "kernels/matmul/matmul_tile.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/workspace.hpp"

namespace speedwell {

// 0 .. count - 1 cut into `parts` parts of whole units, the last unit as ragged as the count; parts differ by one unit.
struct MatmulCut {
  struct Range {
    std::ptrdiff_t first = 0;
    std::ptrdiff_t size = 0;
  };

  std::ptrdiff_t count = 0;
  std::ptrdiff_t unit = 1;
  std::ptrdiff_t parts = 1;

  Range part(std::ptrdiff_t i) const {
    const std::ptrdiff_t first = std::min(begin(i) * unit, count);
    return {first, std::min(begin(i + 1) * unit, count) - first};
  }
  std::ptrdiff_t units() const { return (count + unit - 1) / unit; }
  std::ptrdiff_t largest() const { return (units() + parts - 1) / parts * unit; }  // counts a ragged unit as whole

 private:
  std::ptrdiff_t begin(std::ptrdiff_t i) const { return i * (units() / parts) + std::min(i, units() % parts); }
};

// All the cuts of a product, from its shape and the tile's, the caches and the number of threads. They decide how fast
// it goes, never what comes out.
struct MatmulCuts {
  MatmulCut depth;                // k into panels
  MatmulCut cols;                 // columns into panels
  MatmulCut block_rows;           // rows into blocks
  std::ptrdiff_t block_cols = 1;  // a panel's columns into blocks: so many parts
  std::ptrdiff_t b_slices = 1;    // a panel's columns into slices: so many parts
  std::ptrdiff_t col_unit = 1;
};

MatmulCuts matmul_cuts(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, std::ptrdiff_t tile_rows,
                       std::ptrdiff_t tile_cols, std::size_t element_bytes, int threads);

template <class T>
class MatmulBlocking;

template <class T>
struct MatmulPanel {
  const MatmulBlocking<T>* blocking;
  std::ptrdiff_t b_slices;
  std::ptrdiff_t blocks;
  MatmulCut::Range depth;  // of k
  MatmulCut::Range cols;   // of C
};

template <class T>
void pack_b(const MatmulPanel<T>& panel, std::ptrdiff_t slice) noexcept;

template <class T>
void multiply_block(const MatmulPanel<T>& panel, std::ptrdiff_t block) noexcept;

template <class T>
class MatmulBlocking {
 public:
  // C = alpha * A * B + beta * C for shapes that match. Lowers the choice's threads if there are fewer blocks.
  MatmulBlocking(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, T alpha, T beta,
                 runtime::Choice& choice);

  class Panels;
  Panels panels() const { return Panels(*this); }
  const runtime::Participants& participants() const { return participants_; }

 private:
  friend void pack_b<T>(const MatmulPanel<T>& panel, std::ptrdiff_t slice) noexcept;
  friend void multiply_block<T>(const MatmulPanel<T>& panel, std::ptrdiff_t block) noexcept;

  MatmulPanel<T> panel(std::ptrdiff_t index) const;
  std::ptrdiff_t panel_count() const { return c_.rows > 0 && c_.cols > 0 ? cuts_.depth.parts * cuts_.cols.parts : 0; }

  MatrixView<const T> a_;
  MatrixView<const T> b_;
  MatrixView<T> c_;
  T scale_a_;
  T scale_b_;
  T beta_;
  const MatmulTile<T>& tile_;
  MatmulCuts cuts_;
  // Packed B, then a packed block of A for each thread. A call on one thread has it from that thread's own scratch.
  std::optional<runtime::LeasedBuffer> leased_;
  T* packed_b_ = nullptr;
  T* packed_a_ = nullptr;
  std::ptrdiff_t packed_a_size_ = 0;
  std::atomic<bool>* packed_a_busy_ = nullptr;
  mutable runtime::Participants participants_;
};

template <class T>
class MatmulBlocking<T>::Panels {
 public:
  class Iterator {
   public:
    Iterator(const MatmulBlocking& blocking, std::ptrdiff_t index) : blocking_(&blocking), index_(index) {}
    MatmulPanel<T> operator*() const { return blocking_->panel(index_); }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    const MatmulBlocking* blocking_;
    std::ptrdiff_t index_;
  };

  explicit Panels(const MatmulBlocking& blocking) : blocking_(&blocking) {}
  Iterator begin() const { return {*blocking_, 0}; }
  Iterator end() const { return {*blocking_, blocking_->panel_count()}; }

 private:
  const MatmulBlocking* blocking_;
};

template <class T>
void matmul_on(Sequential backend, const MatmulBlocking<T>& blocking);
template <class T>
void matmul_on(Threads backend, const MatmulBlocking<T>& blocking);
template <class T>
void matmul_on(OpenMp backend, const MatmulBlocking<T>& blocking);
template <class T>
void matmul_on(Tbb backend, const MatmulBlocking<T>& blocking);

}  // namespace speedwell
