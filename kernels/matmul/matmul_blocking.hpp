// SPDX-License-Identifier: Apache-2.0
// How a product is cut into work that threads can share.
//
//   for each panel: a range of k and a range of columns of C
//     pack_b(panel, i)           each slice of B in the panel, in any order, at the same time
//     multiply_block(panel, i)   each block of C in the panel, in any order, at the same time
//
// Panels follow each other, and within one every slice is packed before a block is multiplied. k is never split among
// threads, and panels of the same columns come in ascending k, so that each element stays one chain in ascending k.
// Where B is read in place there are no slices, and one panel for the whole product.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <optional>

#include <speedwell/backend.hpp>
#include <speedwell/view.hpp>

#include "kernels/matmul/matmul_tile.hpp"
#include "kernels/matmul/matvec_tile.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/workspace.hpp"

namespace speedwell {

// With 4 equal blocks each, a thread that is held up for a quarter of its time leaves the others waiting for a block at
// most, and they have taken the rest of its share.
inline constexpr std::ptrdiff_t matmul_blocks_per_thread = 4;

// A block isn't made smaller for the sake of threads: 5 to 20 us of a core's work, several times a fork-join among
// threads that still spin.
inline constexpr double matmul_least_block_flops = 1e6;

// Where the number of threads is ours to choose, each has at least so much: 25 us and more, against a fork-join of 2 to
// 20 us with threads that sleep.
inline constexpr double matmul_least_thread_flops = 2.5e6;

constexpr std::ptrdiff_t ceil_div(std::ptrdiff_t count, std::ptrdiff_t size) { return (count + size - 1) / size; }

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
  std::ptrdiff_t units() const { return ceil_div(count, unit); }
  std::ptrdiff_t largest() const { return ceil_div(units(), parts) * unit; }  // counts a ragged unit as whole

 private:
  std::ptrdiff_t begin(std::ptrdiff_t i) const { return i * (units() / parts) + std::min(i, units() % parts); }
};

// Bytes of a core's data caches. What nearly every processor has at least, where the machine doesn't tell.
struct MatmulCaches {
  std::ptrdiff_t first = 32 << 10;
  std::ptrdiff_t second = 256 << 10;
  std::ptrdiff_t last = 16 << 20;
};

// This machine's.
const MatmulCaches& matmul_caches();

// A product as its cuts see it.
struct MatmulProblem {
  std::ptrdiff_t m = 0;
  std::ptrdiff_t n = 0;
  std::ptrdiff_t k = 0;
  std::ptrdiff_t tile_rows = 1;
  std::ptrdiff_t tile_cols = 1;
  std::ptrdiff_t narrow_cols = 0;
  std::ptrdiff_t element_bytes = 4;
  // From an element of A to the next one in its column, and in its row; from a row of B to the next. In elements.
  std::ptrdiff_t a_row_stride = 1;
  std::ptrdiff_t a_col_stride = 1;
  std::ptrdiff_t b_row_stride = 1;
  // Whether the tile could read them where they are.
  bool a_in_place = true;
  bool b_in_place = true;
};

// All the cuts of a product, from the problem, the caches and the number of threads. They decide how fast it goes,
// never what comes out.
struct MatmulCuts {
  MatmulCut depth;                // k into panels
  MatmulCut cols;                 // columns into panels
  MatmulCut block_rows;           // rows into blocks
  std::ptrdiff_t block_cols = 1;  // a panel's columns into blocks: so many parts
  std::ptrdiff_t b_slices = 1;    // a panel's columns into slices: so many parts
  std::ptrdiff_t col_unit = 1;
  std::ptrdiff_t steps = 1;  // a panel's depth within a block: so many parts, one after the other
  std::ptrdiff_t step_depth = 1;
  bool pack_a = false;
  bool pack_b = false;
  bool near = false;  // all of it is in the second-level cache: nothing is fetched ahead
};

MatmulCuts matmul_cuts(const MatmulProblem& problem, const MatmulCaches& caches, int threads);

// Takes turns on the threads' buffers to pack into. No more blocks run at the same time than there are buffers.
class MatmulTurn {
 public:
  explicit MatmulTurn(std::atomic<bool>* busy) noexcept : busy_(busy) {
    while (busy_[index_].exchange(true, std::memory_order_acquire)) ++index_;
  }
  ~MatmulTurn() { busy_[index_].store(false, std::memory_order_release); }
  MatmulTurn(const MatmulTurn&) = delete;
  MatmulTurn& operator=(const MatmulTurn&) = delete;
  std::ptrdiff_t index() const noexcept { return index_; }

 private:
  std::atomic<bool>* busy_;
  std::ptrdiff_t index_ = 0;
};

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
  // C = alpha * A * B + beta * C for shapes that match. Lowers the choice's threads if there are fewer blocks, or if
  // more would hurt and the caller left the number open.
  MatmulBlocking(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, T alpha, T beta,
                 runtime::Choice& choice);

  // The same for one thread, packing into memory of at least workspace_bytes() aligned to 64.
  MatmulBlocking(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, T alpha, T beta, std::byte* workspace);
  static std::size_t workspace_bytes(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, T alpha);

  // The same product of other matrices, with the shapes and strides of those that it was made for.
  void move_to(const T* a, const T* b, T* c) {
    a_.data = transposed_ ? b : a;
    b_.data = transposed_ ? a : b;
    c_.data = c;
  }

  class Panels;
  Panels panels() const { return Panels(*this); }
  const runtime::Participants& participants() const { return participants_; }

 private:
  friend void pack_b<T>(const MatmulPanel<T>& panel, std::ptrdiff_t slice) noexcept;
  friend void multiply_block<T>(const MatmulPanel<T>& panel, std::ptrdiff_t block) noexcept;

  MatmulBlocking(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, T alpha, T beta);
  void cut(int threads);
  std::ptrdiff_t blocks() const { return cuts_.block_rows.parts * cuts_.block_cols; }
  std::ptrdiff_t b_bytes() const;
  std::ptrdiff_t a_bytes() const;
  std::size_t workspace_bytes(int threads) const;
  void place(std::byte* workspace, int threads);

  MatmulPanel<T> panel(std::ptrdiff_t index) const;
  std::ptrdiff_t panel_count() const { return c_.rows > 0 && c_.cols > 0 ? cuts_.depth.parts * cuts_.cols.parts : 0; }
  void multiply_vector(std::ptrdiff_t block) const noexcept;

  MatrixView<const T> a_;
  MatrixView<const T> b_;
  MatrixView<T> c_;
  T scale_a_;
  T scale_b_;
  T beta_;
  const MatmulTile<T>& tile_;
  // C is one column, after a transposition if need be: a product of a matrix and a vector, with an order of its own.
  bool vector_;
  bool transposed_ = false;  // a_, b_ and c_ are of the transposed product
  std::ptrdiff_t depth_;
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

// Whether a product is small enough to need neither packing nor cuts: 4^3 to about 128^3. It depends on shapes, strides
// and alpha alone.
template <class T>
bool is_direct(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c, T alpha);

// Such a product, for the tile.
template <class T>
MatmulBlock<T> whole_block(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
                           T beta) noexcept;

// C = alpha * A * B + beta * C by one thread, at once, if that takes neither packing nor cuts: products of 2^3 to about
// 150^3 that lie well, and matrix-vector products. False where it doesn't do it, and nothing is done then.
template <class T>
bool multiply_directly(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c, T alpha,
                       T beta);

template <class T>
void matmul_on(Sequential backend, const MatmulBlocking<T>& blocking);
template <class T>
void matmul_on(Threads backend, const MatmulBlocking<T>& blocking);
template <class T>
void matmul_on(OpenMp backend, const MatmulBlocking<T>& blocking);
template <class T>
void matmul_on(Tbb backend, const MatmulBlocking<T>& blocking);

}  // namespace speedwell
