// SPDX-License-Identifier: Apache-2.0
#include "kernels/matmul/matmul_blocking.hpp"

#include <cstdlib>
#include <new>
#include <numeric>
#include <tuple>
#include <utility>

#include "runtime/caches.hpp"
#include "runtime/once.hpp"

namespace speedwell {

namespace {

using std::ptrdiff_t;

constexpr ptrdiff_t cache_line = 64;

// In as few parts as hold at most `most` each.
constexpr MatmulCut cut_into(ptrdiff_t count, ptrdiff_t most, ptrdiff_t unit) {
  const ptrdiff_t units = ceil_div(count, unit);
  return {count, unit, std::max<ptrdiff_t>(ceil_div(units, std::max<ptrdiff_t>(most / unit, 1)), 1)};
}

double flops_of(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k) {
  return 2 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

// Rows of a matrix that lie a multiple of a large power of two apart share few sets of a cache. A way of the
// first-level cache is 4 KiB and one of the second 64 KiB on nearly every processor; `rows` lines, one of each row,
// need as many ways as fall on the same set.
bool crowds(ptrdiff_t rows, ptrdiff_t row_bytes, ptrdiff_t way_bytes, ptrdiff_t cache_bytes) {
  return rows * std::gcd(row_bytes, way_bytes) > cache_bytes;
}
constexpr ptrdiff_t first_way = 4 << 10;
constexpr ptrdiff_t second_way = 64 << 10;

// A packed element of A saves little where the rows lie well: the tile reads it from the first level anyhow. Packing
// one takes 1 to 2 cycles, when it comes from far; multiplying it n / tile_cols steps of the tile.
bool packs_a(const MatmulProblem& problem, const MatmulCaches& caches) {
  const ptrdiff_t slivers = ceil_div(problem.n, problem.tile_cols);
  if (!problem.a_in_place) return true;
  if (problem.b_in_place && problem.k <= matmul_shallow_depth) return false;
  // Each row's elements along k: a line of each row lasts for many steps of the tile, and all of a block's come again
  // for the next sliver of B. Of few rows tiles in place are more vectors wide, which is worth more.
  if (problem.a_col_stride == 1) {
    const ptrdiff_t row_bytes = problem.a_row_stride * problem.element_bytes;
    const bool few_rows = 3 * problem.m <= 2 * problem.tile_rows;
    return (slivers > 64 && !few_rows) ||
           (slivers > 1 && (crowds(problem.tile_rows, row_bytes, first_way, caches.first) ||
                            crowds(problem.m, row_bytes, second_way, caches.second)));
  }
  // Each step reads a line of its own, of which the tile uses a part.
  return slivers > (problem.a_row_stride == 1 ? 8 : 1);
}

// Packing an element of B takes about a cycle, multiplying it m / tile_rows steps of 2 cycles or less: 4 % at 64.
bool packs_b(const MatmulProblem& problem, ptrdiff_t depth, const MatmulCaches& caches) {
  if (!problem.b_in_place) return true;
  if (problem.a_in_place && problem.k <= matmul_shallow_depth) return false;
  if (problem.a_in_place && problem.a_col_stride == 1 && problem.n <= problem.narrow_cols) return false;
  // Read once or twice only.
  if (problem.m <= 2 * problem.tile_rows) return false;
  // A sliver in place must stay in the second level while all of A passes by.
  return crowds(depth, problem.b_row_stride * problem.element_bytes, second_way, caches.second) ||
         problem.m > 64 * problem.tile_rows;
}

// About the cycles that strides cost beyond the product itself, when C = A * B is computed as it stands: packing an
// element of B that doesn't lie along its row, reading A across its rows, and scattering an element of C.
template <class T>
double strides_cost(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c) {
  const auto size = [](const auto& matrix) {
    return static_cast<double>(matrix.rows) * static_cast<double>(matrix.cols);
  };
  return (b.col_stride != 1 ? 1.5 * size(b) : 0) + (a.col_stride != 1 ? 0.75 * size(a) : 0) +
         (c.col_stride != 1 ? 4 * size(c) : 0);
}

// Splits rows and columns so that threads have blocks to share.
void split_for_threads(const MatmulProblem& problem, int threads, MatmulCuts& cuts) {
  // Of a panel: threads wait for each other between panels.
  const double flops = flops_of(problem.m, cuts.cols.part(0).size, cuts.depth.part(0).size);
  const auto most = static_cast<ptrdiff_t>(std::min(flops / matmul_least_block_flops, 1e9));
  const ptrdiff_t wanted = std::clamp<ptrdiff_t>(most, 1, matmul_blocks_per_thread * threads);
  const auto split = [&](ptrdiff_t parts, ptrdiff_t units) {
    if (parts > threads) parts = ceil_div(parts, threads) * threads;
    parts = std::min(parts, units);
    return parts > threads ? parts / threads * threads : std::max<ptrdiff_t>(parts, 1);
  };
  const ptrdiff_t row_units = ceil_div(problem.m, problem.tile_rows);
  const ptrdiff_t col_units = ceil_div(cuts.cols.largest(), cuts.col_unit);
  // Parts of rows read all of B each, parts of columns all of A. A block packs its rows of A itself: rows first, unless
  // they are few.
  const ptrdiff_t cached_parts = cuts.block_rows.parts;
  if (problem.m >= problem.n / 4) {
    cuts.block_rows.parts = wanted > 1 ? split(std::max(wanted, cached_parts), row_units) : cached_parts;
    cuts.block_cols = std::min(ceil_div(wanted, cuts.block_rows.parts), col_units);
  } else {
    cuts.block_cols = wanted > 1 ? split(wanted, col_units) : 1;
    cuts.block_rows.parts = std::max(cached_parts, std::min(ceil_div(wanted, cuts.block_cols), row_units));
  }
  if (cuts.pack_b) cuts.b_slices = std::min(matmul_blocks_per_thread * threads, col_units);
}

}  // namespace

const MatmulCaches& matmul_caches() {
  constinit static runtime::Once<MatmulCaches> caches;
  return caches.get([] {
    MatmulCaches known;
    const auto replace = [](ptrdiff_t& bytes, int level) {
      if (const auto read = static_cast<ptrdiff_t>(runtime::cache_bytes(level)); read > 0) bytes = read;
    };
    replace(known.first, 1);
    replace(known.second, 2);
    replace(known.last, 3);
    return known;
  });
}

MatmulCuts matmul_cuts(const MatmulProblem& problem, const MatmulCaches& caches, int threads) {
  const auto [m, n, k] = std::tuple(problem.m, problem.n, problem.k);
  const ptrdiff_t element = problem.element_bytes;
  MatmulCuts cuts;

  // A sliver of B is read once for every sliver of A: from the first-level cache, if it takes no more than half of it.
  // A tile of 12 rows or more reads it so rarely that the second level is near enough. C is loaded and stored once in a
  // panel's depth: beyond 512 that costs nothing any more.
  constexpr ptrdiff_t most_depth = 512;
  const ptrdiff_t resident = problem.tile_rows >= 12 ? most_depth : caches.first / 2 / (problem.tile_cols * element);
  const ptrdiff_t depth = std::clamp<ptrdiff_t>(resident, 64, most_depth);

  cuts.pack_a = packs_a(problem, caches);
  cuts.pack_b = packs_b(problem, std::min(k, depth), caches);
  // A single tile of rows reads B once, at the second level's speed where all of it is there: fetching ahead only takes
  // the loads' turn then (8 x 500 x 200 doubles: 1.25 times as fast without).
  const ptrdiff_t near_bytes = m <= problem.tile_rows ? caches.second : caches.second / 2;
  cuts.near = !cuts.pack_a && !cuts.pack_b && (m * k + k * n + m * n) * element <= near_bytes;

  // B in place isn't reused by a single tile of rows: C stays in the registers for all of k, a ragged line included, or
  // for what A's block holds.
  const ptrdiff_t line = cache_line / element;
  const ptrdiff_t a_block_bytes = caches.second / 2;
  const ptrdiff_t single_depth = cuts.pack_a ? a_block_bytes / (problem.tile_rows * element) : ceil_div(k, line) * line;
  const MatmulCut steps = cut_into(k, cuts.pack_b || m > problem.tile_rows ? depth : single_depth, line);
  cuts.step_depth = std::max<ptrdiff_t>(steps.largest(), 1);
  cuts.depth = cuts.pack_b ? steps : MatmulCut{k, line, 1};
  cuts.steps = cuts.pack_b ? 1 : steps.parts;

  // A's block: half of the second-level cache, so that what passes by of B and C doesn't push it out. B's panel: a
  // quarter of the last one, which C and other cores use too; cut where C's cache lines end, if its rows begin on one.
  const ptrdiff_t column_bytes = cuts.step_depth * element;
  cuts.col_unit = std::lcm(problem.tile_cols, line);
  cuts.cols = cuts.pack_b ? cut_into(n, caches.last / 4 / column_bytes, cuts.col_unit) : MatmulCut{n, cuts.col_unit, 1};
  cuts.block_rows = cut_into(m, a_block_bytes / column_bytes, problem.tile_rows);
  if (threads > 1) split_for_threads(problem, threads, cuts);
  return cuts;
}

template <class T>
MatmulBlocking<T>::MatmulBlocking(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, T alpha, T beta)
    : a_(a),
      b_(b),
      c_(c),
      scale_a_(alpha),
      scale_b_(1),
      beta_(beta),
      tile_(matmul_tile<T>()),
      vector_(c.rows == 1 || c.cols == 1),
      depth_(alpha == 0 ? 0 : a.cols) {
  // The transposed product is the same chains, and often the better one to compute: where C's columns are contiguous,
  // or where C is small and a large factor lies well only then.
  if (vector_ ? c.cols != 1 : strides_cost(transposed(b), transposed(a), transposed(c)) < strides_cost(a, b, c)) {
    a_ = transposed(b);
    b_ = transposed(a);
    c_ = transposed(c);
    std::swap(scale_a_, scale_b_);
    transposed_ = true;
  }
}

template <class T>
void MatmulBlocking<T>::cut(int threads) {
  if (vector_) {
    // Packed is the vector, if it isn't contiguous. Threads share the outputs.
    cuts_ = {};
    cuts_.pack_b = b_.row_stride != 1;
    cuts_.depth = {depth_, 1, 1};
    cuts_.step_depth = std::max<ptrdiff_t>(depth_, 1);
    cuts_.cols = {1, 1, 1};
    cuts_.block_rows = {c_.rows, cache_line / ptrdiff_t{sizeof(T)}, 1};
    const double most = flops_of(c_.rows, 1, depth_) / (matmul_least_block_flops / 16);  // of memory's speed
    const auto wanted =
        static_cast<ptrdiff_t>(std::min<double>(most, static_cast<double>(matmul_blocks_per_thread * threads)));
    if (threads > 1) cuts_.block_rows.parts = std::clamp<ptrdiff_t>(wanted, 1, cuts_.block_rows.units());
    return;
  }
  cuts_ = matmul_cuts({.m = c_.rows,
                       .n = c_.cols,
                       .k = depth_,
                       .tile_rows = tile_.rows,
                       .tile_cols = tile_.cols,
                       .narrow_cols = tile_.narrow_cols,
                       .element_bytes = sizeof(T),
                       .a_row_stride = a_.row_stride,
                       .a_col_stride = a_.col_stride,
                       .b_row_stride = b_.row_stride,
                       .a_in_place = scale_a_ == 1,
                       .b_in_place = scale_b_ == 1 && b_.col_stride == 1 && c_.cols % tile_.in_place_cols == 0},
                      matmul_caches(), threads);
}

template <class T>
MatmulBlocking<T>::MatmulBlocking(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, T alpha, T beta,
                                  runtime::Choice& choice)
    : MatmulBlocking(a, b, c, alpha, beta) {
  if (!choice.exact && choice.threads > 1) {
    const double flops = flops_of(c_.rows, c_.cols, depth_) * (vector_ ? 16 : 1);
    choice.limit_threads(static_cast<ptrdiff_t>(std::min(flops / matmul_least_thread_flops, 1e9)));
  }
  cut(choice.threads);
  choice.limit_threads(panel_count() > 0 ? blocks() : 0);
  const std::size_t bytes = workspace_bytes(choice.threads);
  if (bytes == 0) return;
  place(choice.threads == 1 ? runtime::thread_workspace(bytes) : leased_.emplace(bytes).data(), choice.threads);
}

template <class T>
MatmulBlocking<T>::MatmulBlocking(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, T alpha, T beta,
                                  std::byte* workspace)
    : MatmulBlocking(a, b, c, alpha, beta) {
  cut(1);
  place(workspace, 1);
}

template <class T>
std::size_t MatmulBlocking<T>::workspace_bytes(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c, T alpha) {
  MatmulBlocking blocking(a, b, c, alpha, 0);
  blocking.cut(1);
  return blocking.workspace_bytes(1);
}

namespace {

template <class T>
ptrdiff_t whole_lines(ptrdiff_t elements) {
  return ceil_div(elements * ptrdiff_t{sizeof(T)}, cache_line) * cache_line;
}

}  // namespace

template <class T>
ptrdiff_t MatmulBlocking<T>::b_bytes() const {
  return cuts_.pack_b ? whole_lines<T>(cuts_.step_depth * cuts_.cols.largest()) : 0;
}

template <class T>
ptrdiff_t MatmulBlocking<T>::a_bytes() const {
  return cuts_.pack_a ? whole_lines<T>(cuts_.step_depth * ceil_div(cuts_.block_rows.largest(), tile_.rows) * tile_.rows)
                      : 0;
}

template <class T>
std::size_t MatmulBlocking<T>::workspace_bytes(int threads) const {
  const ptrdiff_t busy = cuts_.pack_a ? threads * ptrdiff_t{sizeof(std::atomic<bool>)} : 0;
  return static_cast<std::size_t>(b_bytes() + threads * a_bytes() + busy);
}

template <class T>
void MatmulBlocking<T>::place(std::byte* workspace, int threads) {
  packed_b_ = reinterpret_cast<T*>(workspace);
  if (!cuts_.pack_a) return;
  workspace += b_bytes();
  packed_a_ = reinterpret_cast<T*>(workspace);
  packed_a_size_ = a_bytes() / ptrdiff_t{sizeof(T)};
  packed_a_busy_ = reinterpret_cast<std::atomic<bool>*>(workspace + threads * a_bytes());
  for (int i = 0; i < threads; ++i) new (packed_a_busy_ + i) std::atomic<bool>(false);
}

template <class T>
MatmulPanel<T> MatmulBlocking<T>::panel(ptrdiff_t index) const {
  const MatmulCut::Range depth = cuts_.depth.part(index % cuts_.depth.parts);
  const MatmulCut::Range cols = cuts_.cols.part(index / cuts_.depth.parts);
  return {this, depth.size > 0 && cuts_.pack_b ? cuts_.b_slices : 0, blocks(), depth, cols};
}

template <class T>
void pack_b(const MatmulPanel<T>& panel, ptrdiff_t slice) noexcept {
  const MatmulBlocking<T>& to = *panel.blocking;
  if (to.vector_) {
    for (ptrdiff_t k = 0; k < to.depth_; ++k) to.packed_b_[k] = to.b_(k, 0);
    return;
  }
  const MatmulCut slices{panel.cols.size, to.cuts_.col_unit, to.cuts_.b_slices};
  const MatmulCut::Range cols = slices.part(slice);
  if (cols.size == 0) return;
  to.tile_.pack_b(&to.b_(panel.depth.first, panel.cols.first + cols.first), cols.size, panel.depth.size,
                  to.b_.col_stride, to.b_.row_stride, to.scale_b_, to.packed_b_ + cols.first * panel.depth.size);
}

template <class T>
void MatmulBlocking<T>::multiply_vector(ptrdiff_t block) const noexcept {
  const MatmulCut::Range rows = cuts_.block_rows.part(block);
  if (rows.size == 0) return;
  const T* x = cuts_.pack_b ? packed_b_ : b_.data;
  // Without any k there may be no A to point to.
  const bool empty = depth_ == 0;
  matvec_tile<T>().multiply(empty ? nullptr : &a_(rows.first, 0), empty ? 0 : a_.row_stride, empty ? 0 : a_.col_stride,
                            x, rows.size, depth_, scale_a_ * scale_b_, beta_, &c_(rows.first, 0), c_.row_stride);
}

template <class T>
void multiply_block(const MatmulPanel<T>& panel, ptrdiff_t block) noexcept {
  const MatmulBlocking<T>& of = *panel.blocking;
  of.participants_.note();
  if (of.vector_) return of.multiply_vector(block);
  const MatmulCuts& cuts = of.cuts_;
  const MatmulCut::Range rows = cuts.block_rows.part(block % cuts.block_rows.parts);
  const MatmulCut::Range cols =
      MatmulCut{panel.cols.size, cuts.col_unit, cuts.block_cols}.part(block / cuts.block_rows.parts);
  if (rows.size == 0 || cols.size == 0) return;
  const auto multiply = [&](T* packed_a) {
    for (ptrdiff_t step = 0; step < cuts.steps; ++step) {
      const MatmulCut::Range depth = MatmulCut{panel.depth.size, cuts.depth.unit, cuts.steps}.part(step);
      const ptrdiff_t k = panel.depth.first + depth.first;
      const T* a = nullptr;
      const T* b = cuts.pack_b ? of.packed_b_ + cols.first * depth.size : nullptr;
      if (depth.size > 0) {
        a = &of.a_(rows.first, k);
        if (!cuts.pack_b) b = &of.b_(k, cols.first);
      }
      if (cuts.pack_a) {
        of.tile_.pack_a(a, rows.size, depth.size, of.a_.row_stride, of.a_.col_stride, of.scale_a_, packed_a);
        a = packed_a;
      }
      of.tile_.multiply({.a = a,
                         .a_stride = of.a_.row_stride,
                         .a_depth_stride = of.a_.col_stride,
                         .a_packed = cuts.pack_a,
                         .b = b,
                         .b_depth_stride = of.b_.row_stride,
                         .b_packed = cuts.pack_b,
                         .height = rows.size,
                         .width = cols.size,
                         .depth = depth.size,
                         .beta = k == 0 ? of.beta_ : T{1},
                         .c = &of.c_(rows.first, panel.cols.first + cols.first),
                         .c_row_stride = of.c_.row_stride,
                         .c_col_stride = of.c_.col_stride,
                         .near = cuts.near});
    }
  };
  if (!cuts.pack_a) return multiply(nullptr);
  const MatmulTurn turn(of.packed_a_busy_);
  multiply(of.packed_a_ + turn.index() * of.packed_a_size_);
}

namespace {

template <class T>
const MatmulTile<T>& known_tile() {
  constinit static runtime::Once<const MatmulTile<T>*> tile;
  return *tile.get([] { return &matmul_tile<T>(); });
}

}  // namespace

template <class T>
bool is_direct(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c, T alpha) {
  const MatmulTile<T>& tile = known_tile<T>();
  const ptrdiff_t most_elements = matmul_caches().second / 2 / ptrdiff_t{sizeof(T)};
  // No dimension so long that a product of two overflows.
  constexpr ptrdiff_t most_length = 1 << 20;
  const ptrdiff_t m = c.rows, n = c.cols, k = a.cols;
  if (m < 2 || n < 2 || alpha != 1 || b.col_stride != 1 || c.col_stride != 1 || n % tile.in_place_cols != 0 ||
      m > most_length || n > most_length || k > most_length || m * k + k * n + m * n > most_elements) {
    return false;
  }
  // Where packing may pay after all, the blocking looks closer.
  const ptrdiff_t element = sizeof(T);
  const bool a_lies_well = a.col_stride == 1 ? n <= tile.cols || a.row_stride * element % 2048 != 0
                                             : a.row_stride == 1 && n <= 4 * tile.cols;
  const bool b_lies_well = m <= 2 * tile.rows || b.row_stride * element % 8192 != 0;
  return a_lies_well && b_lies_well;
}

template <class T>
MatmulBlock<T> whole_block(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
                           T beta) noexcept {
  return {.a = a.data,
          .a_stride = a.row_stride,
          .a_depth_stride = a.col_stride,
          .a_packed = false,
          .b = b.data,
          .b_depth_stride = b.row_stride,
          .b_packed = false,
          .height = c.rows,
          .width = c.cols,
          .depth = a.cols,
          .beta = beta,
          .c = c.data,
          .c_row_stride = c.row_stride,
          .c_col_stride = 1,
          .near = true};
}

namespace {

// A matrix-vector product as it lies, if its vector is contiguous.
template <class T>
bool multiply_vector_directly(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c,
                              T alpha, T beta) {
  constinit static runtime::Once<const MatvecTile<T>*> known;
  const MatvecTile<T>& tile = *known.get([] { return &matvec_tile<T>(); });
  const bool is_row = c.cols != 1;
  const ptrdiff_t x_stride = is_row ? a.col_stride : b.row_stride;
  if (alpha == 0 || a.cols == 0 || (x_stride != 1 && a.cols > 1)) return false;
  if (is_row) {
    tile.multiply(b.data, b.col_stride, b.row_stride, a.data, c.cols, a.cols, alpha, beta, c.data, c.col_stride);
  } else {
    tile.multiply(a.data, a.row_stride, a.col_stride, b.data, c.rows, a.cols, alpha, beta, c.data, c.row_stride);
  }
  return true;
}

}  // namespace

template <class T>
bool multiply_directly(const MatrixView<const T>& a, const MatrixView<const T>& b, const MatrixView<T>& c, T alpha,
                       T beta) {
  if (c.rows == 1 || c.cols == 1) return multiply_vector_directly(a, b, c, alpha, beta);
  if (!is_direct(a, b, c, alpha)) return false;
  known_tile<T>().multiply(whole_block(a, b, c, beta));
  return true;
}

template bool is_direct(const MatrixView<const float>&, const MatrixView<const float>&, const MatrixView<float>&,
                        float);
template bool is_direct(const MatrixView<const double>&, const MatrixView<const double>&, const MatrixView<double>&,
                        double);
template MatmulBlock<float> whole_block(const MatrixView<const float>&, const MatrixView<const float>&,
                                        const MatrixView<float>&, float) noexcept;
template MatmulBlock<double> whole_block(const MatrixView<const double>&, const MatrixView<const double>&,
                                         const MatrixView<double>&, double) noexcept;
template bool multiply_directly(const MatrixView<const float>&, const MatrixView<const float>&,
                                const MatrixView<float>&, float, float);
template bool multiply_directly(const MatrixView<const double>&, const MatrixView<const double>&,
                                const MatrixView<double>&, double, double);
template class MatmulBlocking<float>;
template class MatmulBlocking<double>;
template void pack_b(const MatmulPanel<float>&, ptrdiff_t) noexcept;
template void pack_b(const MatmulPanel<double>&, ptrdiff_t) noexcept;
template void multiply_block(const MatmulPanel<float>&, ptrdiff_t) noexcept;
template void multiply_block(const MatmulPanel<double>&, ptrdiff_t) noexcept;

}  // namespace speedwell
