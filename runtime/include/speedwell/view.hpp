// SPDX-License-Identifier: Apache-2.0
// Views of matrices and images that the caller owns. A view never allocates or frees.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include <speedwell/error.hpp>

namespace speedwell {

namespace detail {

// `value` as std::ptrdiff_t. Throws InvalidArgument if it doesn't fit.
template <std::integral I>
constexpr std::ptrdiff_t to_index(I value, const char* what) {
  if (!std::in_range<std::ptrdiff_t>(value)) {
    throw InvalidArgument(std::string(what) + " is " + std::to_string(value) + ", expected at most " +
                          std::to_string(std::numeric_limits<std::ptrdiff_t>::max()));
  }
  return static_cast<std::ptrdiff_t>(value);
}

template <class From, class To>
concept PointsTo = std::is_convertible_v<From (*)[], To (*)[]>;

// What every Eigen matrix, map, block and transpose with direct access offers.
template <class M, class T>
concept EigenLike = requires(M& matrix) {
  { *matrix.data() } -> std::same_as<std::remove_reference_t<decltype(*matrix.data())>&>;
  { matrix.rows() } -> std::integral;
  { matrix.cols() } -> std::integral;
  { matrix.rowStride() } -> std::integral;
  { matrix.colStride() } -> std::integral;
  requires PointsTo<std::remove_reference_t<decltype(*matrix.data())>, T>;
};

// What cv::Mat offers: untyped bytes, with the element type known at run time only.
template <class M>
concept OpenCvLike = requires(M& matrix) {
  { matrix.data } -> std::convertible_to<const unsigned char*>;
  { matrix.rows } -> std::convertible_to<int>;
  { matrix.cols } -> std::convertible_to<int>;
  { matrix.channels() } -> std::integral;
  { matrix.depth() } -> std::integral;
  {static_cast<std::size_t>(matrix.step)};
};

// OpenCV's number for an element type (CV_8U, CV_16U, CV_16S, CV_32F, CV_64F), -1 for any other.
template <class T>
inline constexpr int opencv_depth = std::same_as<T, std::uint8_t>    ? 0
                                    : std::same_as<T, std::uint16_t> ? 2
                                    : std::same_as<T, std::int16_t>  ? 3
                                    : std::same_as<T, float>         ? 5
                                    : std::same_as<T, double>        ? 6
                                                                     : -1;

}  // namespace detail

// A matrix: element (i, j) is data[i * row_stride + j * col_stride]. Strides count elements; both are free, so a
// transpose is a view too. A stride may be negative, and zero in an input. Converts implicitly from any Eigen matrix,
// map, block or transpose of T, in either storage order.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::ptrdiff_t rows = 0;
  std::ptrdiff_t cols = 0;
  std::ptrdiff_t row_stride = 0;
  std::ptrdiff_t col_stride = 1;

  constexpr MatrixView() = default;

  // Rows that follow each other without a gap.
  template <std::integral R, std::integral C>
  constexpr MatrixView(T* data, R rows, C cols)
      : MatrixView(data, rows, cols, detail::to_index(cols, "the number of columns"), 1) {}

  template <std::integral R, std::integral C, std::integral RS, std::integral CS>
  constexpr MatrixView(T* data, R rows, C cols, RS row_stride, CS col_stride)
      : data(data),
        rows(detail::to_index(rows, "the number of rows")),
        cols(detail::to_index(cols, "the number of columns")),
        row_stride(detail::to_index(row_stride, "the row stride")),
        col_stride(detail::to_index(col_stride, "the column stride")) {}

  template <class U>
  requires(!std::same_as<U, T> && detail::PointsTo<U, T>) constexpr MatrixView(MatrixView<U> other)
      : MatrixView(other.data, other.rows, other.cols, other.row_stride, other.col_stride) {}

  template <class M>
  requires detail::EigenLike<M, T>
  constexpr MatrixView(M&& matrix)
      : MatrixView(matrix.data(), matrix.rows(), matrix.cols(), matrix.rowStride(), matrix.colStride()) {}

  constexpr T& operator()(std::ptrdiff_t i, std::ptrdiff_t j) const { return data[i * row_stride + j * col_stride]; }
};

template <class M>
requires detail::EigenLike<M, std::remove_reference_t<decltype(*std::declval<M&>().data())>> MatrixView(M&&)
->MatrixView<std::remove_reference_t<decltype(*std::declval<M&>().data())>>;

// The transpose of `matrix`, without moving an element. Takes a view or whatever converts to one.
template <class M>
constexpr auto transposed(M&& matrix) {
  const MatrixView view(std::forward<M>(matrix));
  return decltype(view)(view.data, view.cols, view.rows, view.col_stride, view.row_stride);
}

// The rows x cols block of `matrix` whose first element is (row, col). Takes a view or whatever converts to one.
// Throws InvalidArgument if the block isn't inside the matrix.
template <class M, std::integral R, std::integral C, std::integral NR, std::integral NC>
constexpr auto block(M&& matrix, R row, C col, NR rows, NC cols) {
  const MatrixView view(std::forward<M>(matrix));
  const std::ptrdiff_t i = detail::to_index(row, "the block's first row");
  const std::ptrdiff_t j = detail::to_index(col, "the block's first column");
  const std::ptrdiff_t m = detail::to_index(rows, "the block's number of rows");
  const std::ptrdiff_t n = detail::to_index(cols, "the block's number of columns");
  if (i < 0 || j < 0 || m < 0 || n < 0 || i > view.rows || j > view.cols || m > view.rows - i || n > view.cols - j) {
    throw InvalidArgument("block: " + std::to_string(m) + " x " + std::to_string(n) + " at (" + std::to_string(i) +
                          ", " + std::to_string(j) + ") is not inside a " + std::to_string(view.rows) + " x " +
                          std::to_string(view.cols) + " matrix");
  }
  return decltype(view)(view.data + (m > 0 && n > 0 ? i * view.row_stride + j * view.col_stride : 0), m, n,
                        view.row_stride, view.col_stride);
}

// `count` matrices of one shape with the same strides: each begins `step` elements behind the one before. The step may
// be negative, and zero in an input, which is the same matrix every time then.
template <class T>
struct MatrixBatchView {
  MatrixView<T> first;
  std::ptrdiff_t count = 0;
  std::ptrdiff_t step = 0;

  constexpr MatrixBatchView() = default;

  // Matrices that follow each other without a gap; with the gap between rows (or columns) that `first` has, if any.
  template <std::integral C>
  constexpr MatrixBatchView(MatrixView<T> first, C count) : MatrixBatchView(first, count, following_step(first)) {}

  template <std::integral C, std::integral S>
  constexpr MatrixBatchView(MatrixView<T> first, C count, S step)
      : first(first),
        count(detail::to_index(count, "the number of matrices")),
        step(detail::to_index(step, "the step between matrices")) {}

  template <class U>
  requires(!std::same_as<U, T> && detail::PointsTo<U, T>) constexpr MatrixBatchView(MatrixBatchView<U> other)
      : MatrixBatchView(other.first, other.count, other.step) {}

  constexpr MatrixView<T> operator[](std::ptrdiff_t i) const {
    MatrixView<T> matrix = first;
    matrix.data += i * step;
    return matrix;
  }

 private:
  // A step that overflows is caught by the kernels' checks.
  static constexpr std::ptrdiff_t following_step(const MatrixView<T>& first) {
    const auto reach = [](std::ptrdiff_t count, std::ptrdiff_t stride) {
      constexpr std::ptrdiff_t most = std::numeric_limits<std::ptrdiff_t>::max();
      if (count <= 0) return std::ptrdiff_t{0};
      if (stride < -most) return most;
      const std::ptrdiff_t length = stride < 0 ? -stride : stride;
      return length > most / count ? most : count * length;
    };
    const std::ptrdiff_t rows = reach(first.rows, first.row_stride), cols = reach(first.cols, first.col_stride);
    return rows > cols ? rows : cols;
  }
};

// An image with interleaved channels: channel k of the pixel in column x of row y is
// data[y * row_stride + x * channels + k]. The stride counts elements and may be negative (a bottom-up image). Converts
// implicitly from anything shaped like an OpenCV matrix; throws InvalidArgument if that one's element type isn't T.
template <class T>
struct ImageView {
  T* data = nullptr;
  std::ptrdiff_t width = 0;
  std::ptrdiff_t height = 0;
  std::ptrdiff_t channels = 1;
  std::ptrdiff_t row_stride = 0;

  constexpr ImageView() = default;

  // Rows that follow each other without a gap. `width * channels` that overflows is caught by the kernels' checks.
  template <std::integral W, std::integral H, std::integral C = int>
  constexpr ImageView(T* data, W width, H height, C channels = 1)
      : ImageView(data, width, height, channels,
                  contiguous_stride(detail::to_index(width, "the width"), detail::to_index(channels, "channels"))) {}

  template <std::integral W, std::integral H, std::integral C, std::integral S>
  constexpr ImageView(T* data, W width, H height, C channels, S row_stride)
      : data(data),
        width(detail::to_index(width, "the width")),
        height(detail::to_index(height, "the height")),
        channels(detail::to_index(channels, "the number of channels")),
        row_stride(detail::to_index(row_stride, "the row stride")) {}

  template <class U>
  requires(!std::same_as<U, T> && detail::PointsTo<U, T>) constexpr ImageView(ImageView<U> other)
      : ImageView(other.data, other.width, other.height, other.channels, other.row_stride) {}

  template <class M>
  requires detail::OpenCvLike<M> ImageView(M&& matrix) : ImageView(from_opencv(matrix)) {}

  constexpr T* row(std::ptrdiff_t y) const { return data + y * row_stride; }
  constexpr T& operator()(std::ptrdiff_t x, std::ptrdiff_t y, std::ptrdiff_t channel = 0) const {
    return row(y)[x * channels + channel];
  }

 private:
  static constexpr std::ptrdiff_t contiguous_stride(std::ptrdiff_t width, std::ptrdiff_t channels) {
    constexpr std::ptrdiff_t most = std::numeric_limits<std::ptrdiff_t>::max();
    if (width <= 0 || channels <= 0) return 0;
    return width > most / channels ? most : width * channels;
  }

  template <class M>
  static ImageView from_opencv(M& matrix) {
    using Element = std::remove_const_t<T>;
    constexpr int expected = detail::opencv_depth<Element>;
    const std::size_t step = static_cast<std::size_t>(matrix.step);
    if (static_cast<int>(matrix.depth()) != expected || step % sizeof(T) != 0) {
      throw InvalidArgument("the OpenCV matrix has depth " + std::to_string(matrix.depth()) + " and a step of " +
                            std::to_string(step) + " bytes, expected depth " + std::to_string(expected) +
                            " and a step that is a multiple of " + std::to_string(sizeof(T)));
    }
    return ImageView(reinterpret_cast<T*>(matrix.data), matrix.cols, matrix.rows, matrix.channels(), step / sizeof(T));
  }
};

}  // namespace speedwell
