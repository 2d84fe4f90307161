// SPDX-License-Identifier: Apache-2.0
// Compiled once for each instruction set: foreach_target.h includes this file again and again.
#include "kernels/matmul/matmul_tile.hpp"

#include <hwy/cache_control.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/matmul_tile.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

#include "kernels/matmul/narrow_tile-inl.hpp"
#include "kernels/matmul/resident_tile-inl.hpp"
#include "kernels/matmul/row_vectors-inl.hpp"
#include "kernels/matmul/shallow_tile-inl.hpp"
#include "kernels/matmul/slim_tile-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace speedwell {

template <std::int64_t target, class T>
struct MatmulTiles;

namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using std::ptrdiff_t;

// The register tile is `rows` rows by `vectors` vectors of C; it needs `vectors` registers more for B and one for a
// broadcast element of A. At least latency (4 to 5) x throughput (2) of the FMA units, 10, independent chains. Of the
// shapes that fit the registers, those that load least for an FMA, and are not so wide that small products are mostly
// padding (8 x 3 is a little better in that on AVX-512, but 48 floats wide).
struct TileShape {
  ptrdiff_t rows;
  ptrdiff_t vectors;
};
constexpr TileShape shape = HWY_TARGET == HWY_AVX3 ? TileShape{12, 2}  // 32 registers: 24 + 2 + 1; 12 x 32 floats
                            : HWY_ARCH_ARM_A64     ? TileShape{8, 3}   // 32 registers: 24 + 3 + 1; 8 x 12 floats
                                                   : TileShape{6, 2};      // 16 registers: 12 + 2 + 1; AVX2 6 x 16 floats
constexpr ptrdiff_t tile_rows = shape.rows;
constexpr ptrdiff_t tile_vectors = shape.vectors;

// Of factors in place there are tiles of up to four vectors and so many rows: what the registers hold. Few rows take
// more vectors, and a single vector more rows, for as many chains. Two or three rows take more still where factors are
// near.
constexpr ptrdiff_t most_vectors = 4;
constexpr ptrdiff_t most_near_vectors = HWY_TARGET == HWY_AVX3 ? 8 : most_vectors;
constexpr ptrdiff_t most_rows(ptrdiff_t vectors) {
  constexpr bool many_registers = HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM_A64;
  constexpr std::array<ptrdiff_t, 8> rows =
      many_registers ? std::array<ptrdiff_t, 8>{16, 12, 8, 6, 3, 3, 2, 2} : std::array<ptrdiff_t, 8>{12, 6, 3, 2};
  return rows[static_cast<std::size_t>(vectors - 1)];
}

// How many of up to `most` vectors wide tiles in place are, for a block's rows shared out evenly among as few tiles as
// can be. In a product of little depth it is mostly C that passes by, best a long piece of each row at a time.
constexpr ptrdiff_t vectors_for(ptrdiff_t height, ptrdiff_t depth, ptrdiff_t most) {
  constexpr ptrdiff_t shallow = 16;
  ptrdiff_t rows = HWY_MIN(height, most_rows(most_vectors));
  if (depth > shallow) {
    const ptrdiff_t together = most_rows(tile_vectors);
    const ptrdiff_t parts = (height + together - 1) / together;
    rows = (height + parts - 1) / parts;
  }
  ptrdiff_t vectors = most;
  while (rows > most_rows(vectors)) --vectors;
  return vectors;
}

template <class T>
constexpr ptrdiff_t tile_cols = tile_vectors* lanes<T>;

template <class T>
constexpr ptrdiff_t cache_line = 64 / sizeof(T);  // in elements

// C's next tile is fetched in the last so many steps of one: in time, and not so early that other lines push it out
// again. With rows a power of two apart a tile of C has only a few places in the first-level cache. (2048 x 2048 floats
// on Zen 5: 90 % of the FMA peak, 82 % where it was fetched in the beginning.)
constexpr ptrdiff_t fetch_late = 64;

// A pointer for every four rows of A: the strides of three rows and the pointers are all that its addresses take.
template <class T, ptrdiff_t rows>
struct RowPointers {
  RowPointers<T, rows - 4> above;
  const T* fourth;

  HWY_INLINE void set(const T* a, ptrdiff_t stride) {
    above.set(a, stride);
    fourth = a + (rows - 1) / 4 * 4 * stride;
  }
  HWY_INLINE void advance(ptrdiff_t step) {
    above.advance(step);
    fourth += step;
  }
  template <ptrdiff_t row>
  HWY_INLINE T at(ptrdiff_t stride) const {
    if constexpr (row >= (rows - 1) / 4 * 4) {
      return fourth[row % 4 * stride];
    } else {
      return above.template at<row>(stride);
    }
  }
};

template <class T, ptrdiff_t rows>
requires(rows <= 0) struct RowPointers<T, rows> {
  HWY_INLINE void set(const T*, ptrdiff_t) {}
  HWY_INLINE void advance(ptrdiff_t) {}
};

// `rows` rows of the register tile.
template <class T, ptrdiff_t rows, ptrdiff_t vectors, bool ragged>
struct Accumulators {
  using D = hn::ScalableTag<T>;
  using Mask = hn::Mask<D>;
  Accumulators<T, rows - 1, vectors, ragged> above;
  Vectors<T, vectors, ragged> last;

  HWY_INLINE void set_zero() {
    above.set_zero();
    last.set_zero();
  }
  HWY_INLINE void load(const T* c, ptrdiff_t stride, Mask mask) {
    above.load(c, stride, mask);
    last.load(c + (rows - 1) * stride, mask);
  }
  HWY_INLINE void store(T* c, ptrdiff_t stride, Mask mask) const {
    above.store(c, stride, mask);
    last.store(c + (rows - 1) * stride, mask);
  }
  HWY_INLINE void multiply(T factor) {
    above.multiply(factor);
    last.multiply(hn::Set(D(), factor));
  }
  template <class Pointers, class B>
  HWY_INLINE void multiply_add(const Pointers& a, ptrdiff_t stride, const B& b) {
    above.multiply_add(a, stride, b);
    last.multiply_add(hn::Set(D(), a.template at<rows - 1>(stride)), b);
  }
};

template <class T, ptrdiff_t vectors, bool ragged>
struct Accumulators<T, 0, vectors, ragged> {
  HWY_INLINE void set_zero() {}
  template <class Mask>
  HWY_INLINE void load(const T*, ptrdiff_t, Mask) {}
  template <class Mask>
  HWY_INLINE void store(T*, ptrdiff_t, Mask) const {}
  HWY_INLINE void multiply(T) {}
  template <class Pointers, class B>
  HWY_INLINE void multiply_add(const Pointers&, ptrdiff_t, const B&) {}
};

// Register tiles of the same shape below each other: a sliver of B, or as many of its columns, with one sliver of A
// after the other.
template <class T>
struct Column {
  const T* a;
  ptrdiff_t a_step;  // from tile to tile
  ptrdiff_t a_stride;
  ptrdiff_t a_depth_stride;
  const T* b;
  ptrdiff_t b_depth_stride;
  ptrdiff_t depth;
  T beta;
  T* c;
  ptrdiff_t c_step;
  ptrdiff_t c_stride;
  ptrdiff_t cols;  // not more than the tile has
  ptrdiff_t tiles;
  const T* ahead;  // the next columns of B, nullptr where there are none
};

template <class T>
using MultiplyColumn = void (*)(const Column<T>& column);

template <class T, ptrdiff_t rows, ptrdiff_t vectors, bool ragged>
struct Steps {
  using Mask = hn::Mask<hn::ScalableTag<T>>;
  RowPointers<T, rows> a;
  const T* b;
  Accumulators<T, rows, vectors, ragged> sum;

  // `count` steps of k, with something fetched ahead in each.
  template <class... Ahead>
  HWY_INLINE void run(ptrdiff_t count, ptrdiff_t b_stride, ptrdiff_t stride, ptrdiff_t depth_stride, Mask mask,
                      Ahead&... ahead) {
    // Not unrolled: as fast so, and 4 steps at once make GCC spill accumulators
    for (; count > 0; --count) {
      (ahead.next(), ...);
      Vectors<T, vectors, ragged> columns;
      columns.load(b, mask);
      // Else loads would take longer than the arithmetic, the more so those from two cache lines
      if constexpr (rows == 2 || rows == 3) columns.keep_in_registers();
      sum.multiply_add(a, stride, columns);
      a.advance(depth_stride);
      b += b_stride;
    }
  }
};

// Fetches `lines` cache lines a step, each step a stride further.
template <class T, ptrdiff_t lines>
struct Ahead {
  const T* p;
  ptrdiff_t stride;
  HWY_INLINE void next() {
    for (ptrdiff_t line = 0; line < lines; ++line) hwy::Prefetch(p + line * cache_line<T>);
    p += stride;
  }
};

template <class T, ptrdiff_t vectors>
constexpr ptrdiff_t lines_of = (vectors * lanes<T> + cache_line<T> - 1) / cache_line<T>;

// A single register tile, of factors that are near already: it fetches nothing ahead.
template <class T, ptrdiff_t rows, ptrdiff_t vectors, bool ragged>
void multiply_near(const T* a, ptrdiff_t a_stride, ptrdiff_t a_depth_stride, const T* b, ptrdiff_t b_depth_stride,
                   ptrdiff_t depth, T beta, T* c, ptrdiff_t c_stride, ptrdiff_t cols) noexcept {
  if constexpr (most_slim_cols > 0 && vectors == 1) {
    if (is_slim<T>(rows, cols, depth, a_depth_stride)) {
      return multiply_slim(a, a_stride, b, b_depth_stride, depth, beta, c, c_stride, rows, cols);
    }
  }
  if constexpr (most_narrow_vectors > 0 && vectors == 1) {
    if (is_narrow<T>(rows, cols, depth, a_depth_stride)) {
      return multiply_narrow_rows(a, a_stride, b, b_depth_stride, depth, beta, c, c_stride, rows, cols);
    }
  }
  using D = hn::ScalableTag<T>;
  const auto mask = hn::FirstN(D(), static_cast<std::size_t>(cols - (vectors - 1) * lanes<T>));
  Steps<T, rows, vectors, ragged> steps;
  steps.a.set(a, a_stride);
  steps.b = b;
  if (beta == 0) {
    steps.sum.set_zero();
  } else {
    steps.sum.load(c, c_stride, mask);
    if (beta != 1) steps.sum.multiply(beta);
  }
  steps.run(depth, b_depth_stride, a_stride, a_depth_stride, mask);
  steps.sum.store(c, c_stride, mask);
}

// A packed has its strides known, which saves instructions.
template <class T, ptrdiff_t rows, ptrdiff_t vectors, bool ragged, bool a_packed>
void multiply_column(const Column<T>& column) {
  using D = hn::ScalableTag<T>;
  const auto mask = hn::FirstN(D(), static_cast<std::size_t>(column.cols - (vectors - 1) * lanes<T>));
  const ptrdiff_t b_stride = column.b_depth_stride;
  const ptrdiff_t stride = a_packed ? 1 : column.a_stride;
  const ptrdiff_t depth_stride = a_packed ? tile_rows : column.a_depth_stride;
  for (ptrdiff_t tile = 0; tile < column.tiles; ++tile) {
    T* const c = column.c + tile * column.c_step;
    const T* const next_a = column.a + (tile + 1) * column.a_step;
    Steps<T, rows, vectors, ragged> steps;
    steps.a.set(column.a + tile * column.a_step, stride);
    steps.b = column.b;
    if (column.beta == 0) {
      steps.sum.set_zero();
    } else {
      steps.sum.load(c, column.c_stride, mask);
      if (column.beta != 1) steps.sum.multiply(column.beta);
    }
    const ptrdiff_t late = HWY_MIN(column.depth, fetch_late);
    const ptrdiff_t early = column.depth - late;
    Ahead<T, lines_of<T, vectors>> next_c = {c + column.c_step, column.c_stride};
    constexpr ptrdiff_t lines = lines_of<T, vectors>;
    const bool spread = column.tiles >= lines;
    const bool fetches_b = column.ahead != nullptr && tile < (spread ? lines : 1);
    if (fetches_b && !spread) {
      Ahead<T, lines> next_b = {column.ahead, b_stride};
      steps.run(early, b_stride, stride, depth_stride, mask, next_b);
      steps.run(late, b_stride, stride, depth_stride, mask, next_b, next_c);
    } else {
      // A line of each of B's rows in each of the first tiles; then A's next rows: step by step, or a line of each,
      // then the next line of each.
      const bool by_lines = !fetches_b && !a_packed && depth_stride == 1;
      Ahead<T, 1> next = fetches_b ? Ahead<T, 1>{column.ahead + tile * cache_line<T>, b_stride}
                                   : Ahead<T, 1>{next_a, by_lines ? stride : depth_stride};
      const ptrdiff_t part = by_lines ? rows : early;
      for (ptrdiff_t k = 0; k < early; k += part) {
        if (by_lines) next.p = next_a + k / rows * cache_line<T>;
        steps.run(HWY_MIN(early - k, part), b_stride, stride, depth_stride, mask, next);
      }
      // Where A's lines have been fetched, C's twice: as good as a loop without
      if (by_lines) next = {next_c.p, next_c.stride};
      steps.run(late, b_stride, stride, depth_stride, mask, next, next_c);
    }
    steps.sum.store(c, column.c_stride, mask);
  }
}

// By rows, vectors, and whether the last vector is ragged.
template <class T, ptrdiff_t vectors, bool ragged>
struct Columns {
  static constexpr std::size_t most = static_cast<std::size_t>(most_rows(vectors));
  template <std::size_t... rows>
  static constexpr std::array<MultiplyColumn<T>, most> make(std::index_sequence<rows...>) {
    return {multiply_column<T, static_cast<ptrdiff_t>(rows) + 1, vectors, ragged, false>...};
  }
  static constexpr std::array<MultiplyColumn<T>, most> in_place = make(std::make_index_sequence<most>());
  static constexpr MultiplyColumn<T> packed = multiply_column<T, tile_rows, vectors, ragged, true>;

  static MultiplyColumn<T> find(ptrdiff_t rows, bool a_packed) {
    if constexpr (vectors <= tile_vectors) {
      if (a_packed && rows == tile_rows) return packed;
    }
    return in_place[static_cast<std::size_t>(rows - 1)];
  }
};

template <class T, ptrdiff_t vectors = most_vectors>
MultiplyColumn<T> find_column(ptrdiff_t rows, ptrdiff_t cols, bool a_packed) {
  if constexpr (vectors > 1) {
    if (cols <= (vectors - 1) * lanes<T>) return find_column<T, vectors - 1>(rows, cols, a_packed);
  }
  const bool whole = cols == vectors * lanes<T>;
  if constexpr (vectors <= tile_vectors) {
    if (a_packed && rows == tile_rows && whole) return multiply_column<T, tile_rows, vectors, false, true>;
  }
  if constexpr (has_masks) {
    if (always_ragged || !whole) return Columns<T, vectors, true>::find(rows, a_packed);
  }
  if constexpr (!always_ragged) return Columns<T, vectors, false>::find(rows, a_packed);
}

// The tiles of near factors that there are, by columns and rows: nullptr where one has too many rows for its columns,
// or a ragged vector that it can't load.
template <class T>
constexpr ptrdiff_t most_near_cols = most_near_vectors* lanes<T>;

template <class T>
using NearTiles = std::array<MultiplyTile<T>, static_cast<std::size_t>(most_near_cols<T>* matmul_most_rows)>;

template <class T, ptrdiff_t vectors, bool ragged, std::size_t... rows>
constexpr void add_near_tiles(NearTiles<T>& tiles, std::index_sequence<rows...>) {
  constexpr MultiplyTile<T> with_rows[] = {multiply_near<T, static_cast<ptrdiff_t>(rows) + 1, vectors, ragged>...};
  const ptrdiff_t whole = vectors * lanes<T>;
  const ptrdiff_t last = ragged && !always_ragged ? whole - 1 : whole;
  for (ptrdiff_t cols = ragged ? whole - lanes<T> + 1 : whole; cols <= last; ++cols) {
    const auto at = static_cast<std::size_t>((cols - 1) * matmul_most_rows);
    ((tiles[at + rows] = with_rows[rows]), ...);
  }
}

template <class T, std::size_t... vectors>
constexpr NearTiles<T> make_near_tiles(std::index_sequence<vectors...>) {
  NearTiles<T> tiles = {};
  const auto add = [&]<std::size_t count> {
    constexpr auto rows = std::make_index_sequence<static_cast<std::size_t>(most_rows(count))>();
    if constexpr (!always_ragged) add_near_tiles<T, count, false>(tiles, rows);
    if constexpr (has_masks) add_near_tiles<T, count, true>(tiles, rows);
  };
  (add.template operator()<vectors + 1>(), ...);
  return tiles;
}

template <class T>
constexpr NearTiles<T> near_tiles = make_near_tiles<T>(std::make_index_sequence<most_near_vectors>());

template <class T>
MultiplyTile<T> find_near(ptrdiff_t rows, ptrdiff_t cols) {
  return near_tiles<T>[static_cast<std::size_t>((cols - 1) * matmul_most_rows + rows - 1)];
}

// Tiles of one column whose elements of C aren't whole vectors in memory: by way of a tile that is.
template <class T>
void multiply_scattered(Column<T> column, ptrdiff_t rows, ptrdiff_t col_stride, MultiplyColumn<T> multiply) {
  constexpr ptrdiff_t stride = most_vectors * lanes<T>;
  alignas(64) T edge[most_rows(1) * stride] = {};
  Column<T> one = column;
  one.tiles = 1;
  one.c = edge;
  one.c_stride = stride;
  for (ptrdiff_t tile = 0; tile < column.tiles; ++tile) {
    T* const c = column.c + tile * column.c_step;
    if (column.beta != 0) {
      for (ptrdiff_t r = 0; r < rows; ++r) {
        for (ptrdiff_t s = 0; s < column.cols; ++s) {
          edge[r * stride + s] = c[r * column.c_stride + s * col_stride];
        }
      }
    }
    multiply(one);
    for (ptrdiff_t r = 0; r < rows; ++r) {
      for (ptrdiff_t s = 0; s < column.cols; ++s) {
        c[r * column.c_stride + s * col_stride] = edge[r * stride + s];
      }
    }
    one.a += column.a_step;
  }
}

struct RowTiles {
  ptrdiff_t rows;
  ptrdiff_t tiles;
};

// The next tiles of one height, for rows that are left. In place, as equal as can be, as a short tile has too few
// chains; packed, whole slivers and then the rest.
RowTiles next_tiles(ptrdiff_t left, ptrdiff_t most, bool packed) {
  if (left <= most) return {left, 1};
  if (packed) return {most, left / most};
  const ptrdiff_t parts = (left + most - 1) / most;
  const ptrdiff_t rows = (left + parts - 1) / parts;
  return {rows, left - parts * (rows - 1)};
}

// With fewer chains of fused multiply-adds than two units begin in the 4 cycles that one takes, the units wait.
constexpr ptrdiff_t least_chains = 8;

// Everything is in the first or second-level cache, and C's rows are contiguous: one tile after the other. Where the
// last would have too few chains, it and the one before are equally wide.
template <class T>
void multiply_tiles_near(const MatmulBlock<T>& block) noexcept {
  const ptrdiff_t most_wide = vectors_for(block.height, block.depth, most_near_vectors);
  for (ptrdiff_t j = 0; j < block.width;) {
    const ptrdiff_t vectors = (block.width - j + lanes<T> - 1) / lanes<T>;
    const ptrdiff_t rest = vectors - most_wide;
    const bool halves = rest > 0 && rest * block.height < least_chains;
    const ptrdiff_t wide = HWY_MIN(halves ? (vectors + 1) / 2 : vectors, most_wide);
    const ptrdiff_t cols = HWY_MIN(block.width - j, wide * lanes<T>);
    const ptrdiff_t most = most_rows(wide);
    for (ptrdiff_t i = 0; i < block.height;) {
      const auto [rows, tiles] = next_tiles(block.height - i, most, false);
      const MultiplyTile<T> multiply_tile = find_near<T>(rows, cols);
      for (ptrdiff_t tile = 0; tile < tiles; ++tile, i += rows) {
        multiply_tile(block.a + i * block.a_stride, block.a_stride, block.a_depth_stride, block.b + j,
                      block.b_depth_stride, block.depth, block.beta, block.c + i * block.c_row_stride + j,
                      block.c_row_stride, cols);
      }
    }
    j += cols;
  }
}

template <class T>
void multiply(const MatmulBlock<T>& block) noexcept {
  const bool in_place = !block.a_packed && !block.b_packed && block.c_col_stride == 1;
  if (in_place && (has_masks || block.width % lanes<T> == 0)) {
    if constexpr (most_resident_vectors > 0) {
      if (multiply_resident(block)) return;
    }
    const bool shallow = block.depth > 0 && block.depth <= matmul_shallow_depth;
    if (shallow && block.width > most_vectors * lanes<T>) return multiply_shallow(block);
    if constexpr (most_slim_cols > 0) {
      if (is_slim<T>(block.height, block.width, block.depth, block.a_depth_stride)) {
        return multiply_slim(block.a, block.a_stride, block.b, block.b_depth_stride, block.depth, block.beta, block.c,
                             block.c_row_stride, block.height, block.width);
      }
    }
    if constexpr (most_narrow_vectors > 0) {
      if (is_narrow<T>(block.height, block.width, block.depth, block.a_depth_stride)) return multiply_narrow(block);
    }
    if (block.near) return multiply_tiles_near(block);
  }
  // B's sliver stays in the first-level cache while all of A's pass by
  const ptrdiff_t wide =
      block.a_packed || block.b_packed ? tile_cols<T> : vectors_for(block.height, block.depth, most_vectors) * lanes<T>;
  for (ptrdiff_t j = 0; j < block.width; j += wide) {
    const ptrdiff_t cols = HWY_MIN(block.width - j, wide);
    const T* b = block.b + (block.b_packed ? j * block.depth : j);
    Column<T> column = {.a = block.a,
                        .a_step = 0,
                        .a_stride = block.a_packed ? 1 : block.a_stride,
                        .a_depth_stride = block.a_packed ? tile_rows : block.a_depth_stride,
                        .b = b,
                        .b_depth_stride = block.b_packed ? tile_cols<T> : block.b_depth_stride,
                        .depth = block.depth,
                        .beta = block.beta,
                        .c = block.c + j * block.c_col_stride,
                        .c_step = 0,
                        .c_stride = block.c_row_stride,
                        .cols = cols,
                        .tiles = 0,
                        .ahead = j + wide >= block.width ? nullptr
                                 : block.b_packed        ? b + wide * block.depth
                                                         : b + wide};
    const ptrdiff_t most = block.a_packed ? tile_rows : most_rows((cols + lanes<T> - 1) / lanes<T>);
    const ptrdiff_t a_row = block.a_packed ? block.depth : block.a_stride;
    for (ptrdiff_t i = 0; i < block.height;) {
      const auto [rows, tiles] = next_tiles(block.height - i, most, block.a_packed);
      column.tiles = tiles;
      column.a = block.a + i * a_row;
      column.a_step = rows * a_row;
      column.c = block.c + i * block.c_row_stride + j * block.c_col_stride;
      column.c_step = rows * block.c_row_stride;
      i += rows * tiles;
      const MultiplyColumn<T> multiply_tiles = find_column<T>(rows, cols, block.a_packed);
      if (block.c_col_stride == 1 && (has_masks || cols % lanes<T> == 0)) {
        multiply_tiles(column);
      } else {
        multiply_scattered(column, rows, block.c_col_stride, multiply_tiles);
      }
    }
  }
}

// Fetches `count` elements in so many parts, in whole cache lines.
template <class T>
struct Fetching {
  const T* next;
  ptrdiff_t lines;
  ptrdiff_t lines_of_part;

  HWY_INLINE Fetching(const T* first, ptrdiff_t count, ptrdiff_t parts)
      : next(first),
        lines((count + cache_line<T> - 1) / cache_line<T>),
        lines_of_part(count > 0 ? (lines + parts - 1) / parts : 0) {}

  HWY_INLINE void fetch_part() {
    const ptrdiff_t count = HWY_MIN(lines_of_part, lines);
    for (ptrdiff_t line = 0; line < count; ++line, next += cache_line<T>) hwy::Prefetch(next);
    lines -= count;
  }
};

template <class T>
void multiply_batch(const MatmulBlock<T>& first, const MatmulSteps& steps, ptrdiff_t count,
                    const MatmulFetch<T>& next) noexcept {
  const ptrdiff_t parts =
      ((first.width + tile_cols<T> - 1) / tile_cols<T>)*((first.height + tile_rows - 1) / tile_rows);
  Fetching<T> a(next.a, next.a_count, parts), b(next.b, next.b_count, parts), c(next.c, next.c_count, parts);
  for (ptrdiff_t j = 0; j < first.width; j += tile_cols<T>) {
    const ptrdiff_t cols = HWY_MIN(first.width - j, tile_cols<T>);
    const ptrdiff_t most = most_rows((cols + lanes<T> - 1) / lanes<T>);
    for (ptrdiff_t i = 0; i < first.height;) {
      a.fetch_part();
      b.fetch_part();
      c.fetch_part();
      const ptrdiff_t rows = next_tiles(first.height - i, most, false).rows;
      const MultiplyTile<T> multiply_tile = find_near<T>(rows, cols);
      const T* tile_a = first.a + i * first.a_stride;
      const T* tile_b = first.b + j;
      T* tile_c = first.c + i * first.c_row_stride + j;
      for (ptrdiff_t product = 0; product < count; ++product) {
        multiply_tile(tile_a, first.a_stride, first.a_depth_stride, tile_b, first.b_depth_stride, first.depth,
                      first.beta, tile_c, first.c_row_stride, cols);
        tile_a += steps.a;
        tile_b += steps.b;
        tile_c += steps.c;
      }
      i += rows;
    }
  }
}

// Four rows of x that lie along k, a cache line of each, woven into a sliver: a square of up to 32 bytes at a time.
template <ptrdiff_t sliver, class T>
HWY_INLINE void pack_four_lines(const T* x, ptrdiff_t stride, T scale, T* packed) {
  constexpr ptrdiff_t step = HWY_MIN(32 / ptrdiff_t{sizeof(T)}, lanes<T>);
  const hn::CappedTag<T, static_cast<std::size_t>(step)> d;
  const hn::Half<decltype(d)> half;
  const auto factor = hn::Set(d, scale);
  for (ptrdiff_t k = 0; k < cache_line<T>; k += step, packed += step * sliver) {
    const auto first = Mul(LoadU(d, x + k), factor);
    const auto second = Mul(LoadU(d, x + stride + k), factor);
    const auto third = Mul(LoadU(d, x + 2 * stride + k), factor);
    const auto fourth = Mul(LoadU(d, x + 3 * stride + k), factor);
    const auto lower_left = InterleaveLower(d, first, second);
    const auto upper_left = InterleaveUpper(d, first, second);
    const auto lower_right = InterleaveLower(d, third, fourth);
    const auto upper_right = InterleaveUpper(d, third, fourth);
    if constexpr (sizeof(T) == 4) {
      const hn::Repartition<double, decltype(d)> pairs;
      // Each has step k in its first 16 bytes and step k + 4 in its last.
      const auto store = [&](auto both, T* to) {
        if constexpr (step == 8) {
          StoreU(LowerHalf(half, both), half, to);
          StoreU(UpperHalf(half, both), half, to + 4 * sliver);
        } else {
          StoreU(both, d, to);
        }
      };
      const auto lower_lefts = BitCast(pairs, lower_left), lower_rights = BitCast(pairs, lower_right);
      const auto upper_lefts = BitCast(pairs, upper_left), upper_rights = BitCast(pairs, upper_right);
      store(BitCast(d, InterleaveLower(pairs, lower_lefts, lower_rights)), packed);
      store(BitCast(d, InterleaveUpper(pairs, lower_lefts, lower_rights)), packed + sliver);
      store(BitCast(d, InterleaveLower(pairs, upper_lefts, upper_rights)), packed + 2 * sliver);
      store(BitCast(d, InterleaveUpper(pairs, upper_lefts, upper_rights)), packed + 3 * sliver);
    } else if constexpr (step == 4) {
      StoreU(ConcatLowerLower(d, lower_right, lower_left), d, packed);
      StoreU(ConcatLowerLower(d, upper_right, upper_left), d, packed + sliver);
      StoreU(ConcatUpperUpper(d, lower_right, lower_left), d, packed + 2 * sliver);
      StoreU(ConcatUpperUpper(d, upper_right, upper_left), d, packed + 3 * sliver);
    } else {
      StoreU(lower_left, d, packed);
      StoreU(lower_right, d, packed + 2);
      StoreU(upper_left, d, packed + sliver);
      StoreU(upper_right, d, packed + sliver + 2);
    }
  }
}

// Two rows.
template <ptrdiff_t sliver, class T>
HWY_INLINE void pack_two_lines(const T* x, ptrdiff_t stride, T scale, T* packed) {
  const hn::CappedTag<T, 16 / sizeof(T)> d;
  const auto factor = hn::Set(d, scale);
  constexpr ptrdiff_t step = 16 / sizeof(T);
  for (ptrdiff_t k = 0; k < cache_line<T>; k += step, packed += step * sliver) {
    const auto first = Mul(LoadU(d, x + k), factor);
    const auto second = Mul(LoadU(d, x + stride + k), factor);
    const auto lower = InterleaveLower(d, first, second);
    const auto upper = InterleaveUpper(d, first, second);
    if constexpr (sizeof(T) == 4) {
      const hn::Half<decltype(d)> half;
      StoreU(LowerHalf(half, lower), half, packed);
      StoreU(UpperHalf(half, lower), half, packed + sliver);
      StoreU(LowerHalf(half, upper), half, packed + 2 * sliver);
      StoreU(UpperHalf(half, upper), half, packed + 3 * sliver);
    } else {
      StoreU(lower, d, packed);
      StoreU(upper, d, packed + sliver);
    }
  }
}

// Slivers side by side, of an x whose rows lie across them, as B's do: of each row a few slivers' part, fetched so many
// rows ahead into the second-level cache. Rows a power of two apart push each other out of the first one, and out of
// the second as well where each of them is visited again for each sliver.
template <class T, ptrdiff_t sliver>
void pack_across(const T* x, ptrdiff_t slivers, ptrdiff_t depth, ptrdiff_t depth_stride, T scale, T* packed) {
  constexpr ptrdiff_t rows_ahead = 32;
  constexpr int second_level = 2;
  // The widest vector of which a sliver is a whole number.
  constexpr ptrdiff_t part = std::gcd(sliver, lanes<T>);
  const hn::CappedTag<T, static_cast<std::size_t>(part)> d;
  const auto factor = hn::Set(d, scale);
  for (ptrdiff_t k = 0; k < depth; ++k, packed += sliver) {
    const T* const row = x + k * depth_stride;
    // Beyond the last row the address alone may overflow: the stride of a single row may be any.
    if (k + rows_ahead < depth) {
      const T* const ahead = row + rows_ahead * depth_stride;
      for (ptrdiff_t i = 0; i < slivers * sliver; i += cache_line<T>) __builtin_prefetch(ahead + i, 0, second_level);
    }
    for (ptrdiff_t s = 0; s < slivers; ++s) {
      for (ptrdiff_t r = 0; r < sliver; r += part) {
        StoreU(Mul(LoadU(d, row + s * sliver + r), factor), d, packed + s * sliver * depth + r);
      }
    }
  }
}

template <class T, ptrdiff_t sliver>
void pack(const T* x, ptrdiff_t width, ptrdiff_t depth, ptrdiff_t stride, ptrdiff_t depth_stride, T scale,
          T* packed) noexcept {
  ptrdiff_t i = 0;
  if (stride == 1) {
    constexpr ptrdiff_t together = 4;
    while (width - i >= sliver) {
      const ptrdiff_t slivers = HWY_MIN((width - i) / sliver, together);
      pack_across<T, sliver>(x + i, slivers, depth, depth_stride, scale, packed);
      i += slivers * sliver;
      packed += slivers * sliver * depth;
    }
  }
  for (; i < width; i += sliver, packed += sliver * depth) {
    const T* from = x + i * stride;
    const T* ahead = from + sliver * stride;
    const ptrdiff_t filled = HWY_MIN(width - i, sliver);
    if (filled < sliver) std::fill(packed, packed + sliver * depth, T{0});
    ptrdiff_t k = 0;
    if constexpr (HWY_TARGET != HWY_SCALAR) {
      // A cache line of each row at a time: rows a power of two apart push each other out of the cache
      if (depth_stride == 1) {
        for (; k + cache_line<T> <= depth; k += cache_line<T>) {
          if (i + sliver < width) {
            for (ptrdiff_t r = 0; r < sliver; ++r) hwy::Prefetch(ahead + r * stride + k);
          }
          ptrdiff_t r = 0;
          for (; r + 4 <= filled; r += 4) {
            pack_four_lines<sliver>(from + r * stride + k, stride, scale, packed + k * sliver + r);
          }
          for (; r + 2 <= filled; r += 2) {
            pack_two_lines<sliver>(from + r * stride + k, stride, scale, packed + k * sliver + r);
          }
          if (r < filled) {
            for (ptrdiff_t s = 0; s < cache_line<T>; ++s) {
              packed[(k + s) * sliver + r] = scale * from[r * stride + k + s];
            }
          }
        }
      }
    }
    for (; k < depth; ++k) {
      for (ptrdiff_t r = 0; r < filled; ++r) packed[k * sliver + r] = scale * from[r * stride + k * depth_stride];
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE

template <class T>
struct MatmulTiles<HWY_TARGET, T> {
  static constexpr MatmulTile<T> tile = {HWY_NAMESPACE::tile_rows,
                                         HWY_NAMESPACE::tile_cols<T>,
                                         HWY_NAMESPACE::has_masks ? 1 : HWY_NAMESPACE::lanes<T>,
                                         HWY_NAMESPACE::most_narrow_vectors* HWY_NAMESPACE::piece<T>,
                                         HWY_NAMESPACE::pack<T, HWY_NAMESPACE::tile_rows>,
                                         HWY_NAMESPACE::pack<T, HWY_NAMESPACE::tile_cols<T>>,
                                         HWY_NAMESPACE::multiply<T>,
                                         HWY_NAMESPACE::most_near_cols<T>,
                                         HWY_NAMESPACE::near_tiles<T>.data(),
                                         HWY_NAMESPACE::most_resident_cols<T>,
                                         HWY_NAMESPACE::residents<T>.data(),
                                         HWY_NAMESPACE::multiply_batch<T>};
};

}  // namespace speedwell
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "runtime/select_target.hpp"

namespace speedwell {

template <class T>
const MatmulTile<T>& matmul_tile() {
  return *runtime::select_target([]<std::int64_t target> { return &MatmulTiles<target, T>::tile; });
}

template const MatmulTile<float>& matmul_tile();
template const MatmulTile<double>& matmul_tile();

}  // namespace speedwell
#endif
