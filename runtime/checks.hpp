// SPDX-License-Identifier: Apache-2.0
// The checks that every kernel makes at its entry. Each throws InvalidArgument with a message that begins with
// `function`, the kernel's name, names the view by `name`, and says what was given and what was expected.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

#include <speedwell/view.hpp>

namespace speedwell::runtime {

// Where a view's elements lie: element (i, j) is the `element` bytes at first + i * row_step + j * col_step bytes.
struct Lattice {
  const void* first = nullptr;
  std::ptrdiff_t rows = 0;
  std::ptrdiff_t cols = 0;
  std::ptrdiff_t row_step = 0;
  std::ptrdiff_t col_step = 0;
  std::ptrdiff_t element = 1;
};

// Whether some element of `a` shares a byte with some element of `b`. Exact. Constant time if their extents are apart,
// or if their strides are the same (two blocks of one matrix); otherwise at most about a pair of rows at a time.
bool overlap(const Lattice& a, const Lattice& b);

// Whether two different elements of `a` share a byte, as with a stride of zero. Exact, in constant time.
bool overlaps_itself(const Lattice& a);

// Where the elements of `count` equal lattices lie that begin `step` bytes apart.
struct LatticeBatch {
  Lattice first;
  std::ptrdiff_t count = 0;
  std::ptrdiff_t step = 0;
};

// The same of batches, which may be interleaved in any way. Exact. Constant time if their extents are apart, or if each
// can be described by two distances (rows without gaps, or matrices that continue each other's rows or columns); else
// along the shortest dimension of both.
bool overlap(const LatticeBatch& a, const LatticeBatch& b);

// Whether two different elements of `a` share a byte. Constant time if one of its distances is beyond all that repeats
// at the shorter ones, as nearly always; else along its shortest dimension.
bool overlaps_itself(const LatticeBatch& a);

// Strides in elements. Null data with a non-empty size, negative sizes, and extents that overflow.
void check_matrix(std::string_view function, std::string_view name, const void* data, std::size_t element,
                  std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t row_stride, std::ptrdiff_t col_stride);
void check_batch(std::string_view function, std::string_view name, const void* data, std::size_t element,
                 std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t row_stride, std::ptrdiff_t col_stride,
                 std::ptrdiff_t count, std::ptrdiff_t step);
void check_image(std::string_view function, std::string_view name, const void* data, std::size_t element,
                 std::ptrdiff_t width, std::ptrdiff_t height, std::ptrdiff_t channels, std::ptrdiff_t row_stride);
void check_span(std::string_view function, std::string_view name, const void* data, std::size_t element,
                std::size_t count);
void check_output(std::string_view function, std::string_view name, const Lattice& output);
void check_output(std::string_view function, std::string_view name, const LatticeBatch& output);
void check_apart(std::string_view function, std::string_view output_name, const Lattice& output,
                 std::string_view input_name, const Lattice& input);
void check_apart(std::string_view function, std::string_view output_name, const LatticeBatch& output,
                 std::string_view input_name, const LatticeBatch& input);

// The lattice of a view that passed check_matrix or check_image. A row of an image is one long element of it.
template <class T>
Lattice lattice(MatrixView<T> view) {
  constexpr std::ptrdiff_t size = sizeof(T);
  if (view.rows == 0 || view.cols == 0) return {};  // its strides weren't checked
  return {view.data, view.rows, view.cols, view.row_stride * size, view.col_stride * size, size};
}

template <class T>
LatticeBatch lattice(MatrixBatchView<T> batch) {
  const Lattice first = lattice(batch.first);
  if (first.rows == 0 || batch.count == 0) return {};
  return {first, batch.count, batch.step * std::ptrdiff_t{sizeof(T)}};
}

template <class T>
Lattice lattice(ImageView<T> view) {
  constexpr std::ptrdiff_t size = sizeof(T);
  if (view.width == 0 || view.height == 0) return {};
  return {view.data, view.height, 1, view.row_stride * size, 0, view.width * view.channels * size};
}

// A span that passed check_span: one long element.
template <class T>
Lattice lattice(std::span<T> span) {
  if (span.empty()) return {};
  return {span.data(), 1, 1, 0, 0, static_cast<std::ptrdiff_t>(span.size_bytes())};
}

// Whether views need no closer look for what their numbers may do: some elements, and strides forward, with extents far
// from overflow. Most views are such, and in products of a few elements the closer look would take the longest. By
// reference: a copy of a view that has just been made waits for its stores.
template <class... Ts>
[[gnu::always_inline]] constexpr bool are_plain(const MatrixView<Ts>&... views) {
  const auto bits = [](std::ptrdiff_t value) { return static_cast<std::size_t>(value); };
  const std::size_t lengths = ((bits(views.rows - 1) | bits(views.cols - 1)) | ...);
  const std::size_t strides = ((bits(views.row_stride) | bits(views.col_stride)) | ...);
  return lengths >> 20 == 0 && strides >> 31 == 0 && ((views.data != nullptr) && ...);
}

// Whether all elements of one plain view lie behind all of the other.
template <class T, class U>
[[gnu::always_inline]] inline bool lie_apart(const MatrixView<T>& x, const MatrixView<U>& y) {
  const auto end_of = [](const auto& view) {
    return view.data + (view.rows - 1) * view.row_stride + (view.cols - 1) * view.col_stride + 1;
  };
  return std::less_equal<const void*>()(end_of(x), y.data) || std::less_equal<const void*>()(end_of(y), x.data);
}

// A view that the kernel reads or writes: data not null unless it is empty, no negative size, no extent that overflows.
template <class T>
void check_matrix(std::string_view function, std::string_view name, MatrixView<T> view) {
  check_matrix(function, name, view.data, sizeof(T), view.rows, view.cols, view.row_stride, view.col_stride);
}

// The same of every matrix; no negative count.
template <class T>
void check_batch(std::string_view function, std::string_view name, MatrixBatchView<T> batch) {
  const MatrixView<T>& view = batch.first;
  check_batch(function, name, view.data, sizeof(T), view.rows, view.cols, view.row_stride, view.col_stride, batch.count,
              batch.step);
}

template <class T>
void check_image(std::string_view function, std::string_view name, ImageView<T> view) {
  check_image(function, name, view.data, sizeof(T), view.width, view.height, view.channels, view.row_stride);
}

template <class T>
void check_span(std::string_view function, std::string_view name, std::span<T> span) {
  check_span(function, name, span.data(), sizeof(T), span.size());
}

// A checked view that the kernel writes: no element twice.
template <class View>
void check_output(std::string_view function, std::string_view name, View output) {
  check_output(function, name, lattice(output));
}

// Two checked views: no byte in both.
template <class Output, class Input>
void check_apart(std::string_view function, std::string_view output_name, Output output, std::string_view input_name,
                 Input input) {
  check_apart(function, output_name, lattice(output), input_name, lattice(input));
}

}  // namespace speedwell::runtime
