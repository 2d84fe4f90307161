// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul/matmul_blocking.hpp"

#include <cstdlib>
#include <new>
#include <numeric>
#include <utility>

#include "runtime/caches.hpp"

namespace speedwell {

namespace {

using std::ptrdiff_t;

constexpr ptrdiff_t cache_line = 64;

// With 4 equal blocks each, a thread that is held up for a quarter of its time leaves the others waiting for a block at
// most, and they have taken the rest of its share.
constexpr ptrdiff_t blocks_per_thread = 4;

// A block isn't made smaller than 4 by 4 tiles for the sake of threads: 10 us of work, of which fetching its parts of A
// and B is a small part.
constexpr ptrdiff_t least_tiles = 4;

constexpr ptrdiff_t ceil_div(ptrdiff_t count, ptrdiff_t size) { return (count + size - 1) / size; }

// In as few parts as hold at most `most` each.
constexpr MatmulCut cut(ptrdiff_t count, ptrdiff_t most, ptrdiff_t unit) {
  const ptrdiff_t units = ceil_div(count, unit);
  return {count, unit, std::max<ptrdiff_t>(ceil_div(units, std::max<ptrdiff_t>(most / unit, 1)), 1)};
}

// Bytes of the data cache of a level. What nearly every processor has at least, where the machine doesn't tell.
ptrdiff_t cache_bytes(int level) {
  constexpr ptrdiff_t usual[] = {0, 32 << 10, 256 << 10, 2 << 20};
  const auto known = static_cast<ptrdiff_t>(runtime::cache_bytes(level));
  return known > 0 ? known : usual[level];
}

// Takes turns on the threads' buffers for packed A. No more blocks run at the same time than there are buffers.
class Turn {
 public:
  explicit Turn(std::atomic<bool>* busy) noexcept : busy_(busy) {
    while (busy_[index_].exchange(true, std::memory_order_acquire)) ++index_;
  }
  ~Turn() { busy_[index_].store(false, std::memory_order_release); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ptrdiff_t index() const noexcept { return index_; }

 private:
  std::atomic<bool>* busy_;
  ptrdiff_t index_ = 0;
};

}  // namespace

MatmulCuts matmul_cuts(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, ptrdiff_t tile_rows, ptrdiff_t tile_cols,
                       std::size_t element_bytes, int threads) {
  const auto element = static_cast<ptrdiff_t>(element_bytes);
  MatmulCuts cuts;

  // A sliver of B is read once for every sliver of A: from the first-level cache, if it takes no more than half of it.
  // A tile of 12 rows or more reads it so rarely that the second level is near enough. C is loaded and stored once in a
  // panel's depth: beyond 512 that costs nothing any more.
  constexpr ptrdiff_t most_depth = 512;
  const ptrdiff_t resident = tile_rows >= 12 ? most_depth : cache_bytes(1) / 2 / (tile_cols * element);
  cuts.depth = cut(k, std::clamp<ptrdiff_t>(resident, 64, most_depth), cache_line / element);
  const ptrdiff_t column_bytes = std::max<ptrdiff_t>(cuts.depth.largest(), 1) * element;

  // A's block: half of the second-level cache, so that what passes by of B and C doesn't push it out. B's panel: a
  // quarter of the last one, which C and other cores use too; cut where C's cache lines end, if its rows begin on one.
  cuts.col_unit = std::lcm(tile_cols, cache_line / element);
  cuts.cols = cut(n, cache_bytes(3) / 4 / column_bytes, cuts.col_unit);
  cuts.block_rows = cut(m, cache_bytes(2) / 2 / column_bytes, tile_rows);
  if (threads == 1) return cuts;

  // Blocks in multiples of the threads, split along m first: a block packs its rows of A itself.
  const ptrdiff_t wanted = blocks_per_thread * threads;
  const auto split = [threads](ptrdiff_t parts, ptrdiff_t most) {
    parts = std::min(ceil_div(parts, threads) * threads, most);
    return parts > threads ? parts / threads * threads : std::max<ptrdiff_t>(parts, 1);
  };
  cuts.block_rows.parts = split(std::max(wanted, cuts.block_rows.parts), m / (least_tiles * tile_rows));
  const ptrdiff_t cols = cuts.cols.largest();
  const ptrdiff_t most_cols = std::max<ptrdiff_t>(cols / (least_tiles * tile_cols), 1);
  cuts.block_cols = std::min(ceil_div(wanted, cuts.block_rows.parts), most_cols);
  cuts.b_slices = std::min(wanted, ceil_div(cols, cuts.col_unit));
  return cuts;
}

template <class T>
MatmulBlocking<T>::MatmulBlocking(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, T alpha, T beta,
                                  runtime::Choice& choice)
    : a_(a), b_(b), c_(c), scale_a_(alpha), scale_b_(1), beta_(beta), tile_(matmul_tile<T>()) {
  // Tiles want the rows of C contiguous. If its columns are instead, the transposed product is the same chains.
  if (std::abs(c.row_stride) < std::abs(c.col_stride)) {
    a_ = transposed(b);
    b_ = transposed(a);
    c_ = transposed(c);
    std::swap(scale_a_, scale_b_);
  }
  const ptrdiff_t depth = alpha == 0 ? 0 : a.cols;
  cuts_ = matmul_cuts(c_.rows, c_.cols, depth, tile_.rows, tile_.cols, sizeof(T), choice.threads);
  choice.limit_threads(panel_count() > 0 ? cuts_.block_rows.parts * cuts_.block_cols : 0);

  const auto bytes_of = [](ptrdiff_t elements) {
    return ceil_div(elements * ptrdiff_t{sizeof(T)}, cache_line) * cache_line;
  };
  const ptrdiff_t b_bytes = bytes_of(cuts_.depth.largest() * cuts_.cols.largest());
  const ptrdiff_t a_bytes = bytes_of(cuts_.depth.largest() * cuts_.block_rows.largest());
  const ptrdiff_t busy_bytes = choice.threads * ptrdiff_t{sizeof(std::atomic<bool>)};
  const auto bytes = static_cast<std::size_t>(b_bytes + choice.threads * a_bytes + busy_bytes);
  std::byte* memory = choice.threads == 1 ? runtime::thread_workspace(bytes) : leased_.emplace(bytes).data();
  packed_b_ = reinterpret_cast<T*>(memory);
  memory += b_bytes;
  packed_a_ = reinterpret_cast<T*>(memory);
  packed_a_size_ = a_bytes / ptrdiff_t{sizeof(T)};
  memory += choice.threads * a_bytes;
  packed_a_busy_ = reinterpret_cast<std::atomic<bool>*>(memory);
  for (int i = 0; i < choice.threads; ++i) new (packed_a_busy_ + i) std::atomic<bool>(false);
}

template <class T>
MatmulPanel<T> MatmulBlocking<T>::panel(ptrdiff_t index) const {
  const MatmulCut::Range depth = cuts_.depth.part(index % cuts_.depth.parts);
  const MatmulCut::Range cols = cuts_.cols.part(index / cuts_.depth.parts);
  return {this, depth.size > 0 ? cuts_.b_slices : 0, cuts_.block_rows.parts * cuts_.block_cols, depth, cols};
}

template <class T>
void pack_b(const MatmulPanel<T>& panel, ptrdiff_t slice) noexcept {
  const MatmulBlocking<T>& to = *panel.blocking;
  const MatmulCut slices{panel.cols.size, to.cuts_.col_unit, to.cuts_.b_slices};
  const MatmulCut::Range cols = slices.part(slice);
  to.tile_.pack_b(&to.b_(panel.depth.first, panel.cols.first + cols.first), cols.size, panel.depth.size,
                  to.b_.col_stride, to.b_.row_stride, to.scale_b_, to.packed_b_ + cols.first * panel.depth.size);
}

template <class T>
void multiply_block(const MatmulPanel<T>& panel, ptrdiff_t block) noexcept {
  const MatmulBlocking<T>& of = *panel.blocking;
  of.participants_.note();
  const ptrdiff_t row_parts = of.cuts_.block_rows.parts;
  const MatmulCut::Range rows = of.cuts_.block_rows.part(block % row_parts);
  const MatmulCut::Range cols =
      MatmulCut{panel.cols.size, of.cuts_.col_unit, of.cuts_.block_cols}.part(block / row_parts);
  const Turn turn(of.packed_a_busy_);
  T* const packed_a = of.packed_a_ + turn.index() * of.packed_a_size_;
  if (panel.depth.size > 0) {
    of.tile_.pack_a(&of.a_(rows.first, panel.depth.first), rows.size, panel.depth.size, of.a_.row_stride,
                    of.a_.col_stride, of.scale_a_, packed_a);
  }
  const T beta = panel.depth.first == 0 ? of.beta_ : T{1};
  of.tile_.multiply(packed_a, of.packed_b_ + cols.first * panel.depth.size, rows.size, cols.size, panel.depth.size,
                    beta, &of.c_(rows.first, panel.cols.first + cols.first), of.c_.row_stride, of.c_.col_stride);
}

template class MatmulBlocking<float>;
template class MatmulBlocking<double>;
template void pack_b(const MatmulPanel<float>&, ptrdiff_t) noexcept;
template void pack_b(const MatmulPanel<double>&, ptrdiff_t) noexcept;
template void multiply_block(const MatmulPanel<float>&, ptrdiff_t) noexcept;
template void multiply_block(const MatmulPanel<double>&, ptrdiff_t) noexcept;

}  // namespace speedwell
