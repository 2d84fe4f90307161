/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speedwell for C, and for every language that can call C: matrix multiplication, the triad and the main image filters.
 *
 *   float a[6] = {1, 2, 3, 4, 5, 6}, c[4];                          A is 2 x 3, C = A * transpose(A) is 2 x 2
 *   speedwell_matrix layout = speedwell_rows(2, 3);
 *   speedwell_backend anything = {SPEEDWELL_AUTOMATIC, 0};
 *   if (speedwell_matmul_f32(1, a, layout, a, speedwell_transposed(layout), 0, c, speedwell_rows(2, 2), anything)) {
 *     fprintf(stderr, "%s\n", speedwell_last_error());
 *   }
 *
 * What each function computes, to the bit, is what the C++ function of the same name says in <speedwell/matmul.hpp>,
 * <speedwell/stream.hpp> and <speedwell/image_filter.hpp>. The same bits come from every backend and thread count, and
 * from every instruction set that has fused multiply-add.
 *
 * Errors. Every function that can fail returns a speedwell_status, and speedwell_last_error() then says what was given
 * and what was expected. With SPEEDWELL_INVALID_ARGUMENT nothing has been written. No C++ exception leaves the library.
 *
 * Threads. Every function may be called from many threads at once, speedwell_shutdown() excepted. In a child that was
 * forked after the library had run in parallel, calls run sequentially.
 *
 * Memory. The caller owns all of it; the library keeps no pointer after a call. Sizes and strides count elements, never
 * bytes.
 */
#ifndef SPEEDWELL_H
#define SPEEDWELL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum speedwell_status {
  SPEEDWELL_OK = 0,
  SPEEDWELL_INVALID_ARGUMENT = 1, /* shapes, overlap, null data, a size, a backend or a thread count: see the text */
  SPEEDWELL_OUT_OF_MEMORY = 2,
  SPEEDWELL_FAILED = 3 /* anything else, such as a thread that can't be made */
} speedwell_status;

/* The version of the library that is loaded, "major.minor.patch". Never fails. */
const char *speedwell_version(void);

/*
 * What the calling thread's most recent failure was, in words; empty if none of its calls has failed. A call that
 * succeeds leaves the text as it is. Valid until the thread's next failure, or its end; 511 characters at most.
 */
const char *speedwell_last_error(void);

/*
 * Ends the threads that the library made and frees what it holds. Call it before the library is unloaded (dlclose),
 * while none of its functions is running. A later call starts afresh.
 */
speedwell_status speedwell_shutdown(void);

/* Which parallel model a call runs on. All zeros let the library choose both. */
enum {
  SPEEDWELL_AUTOMATIC = 0,  /* the library chooses the model and the number of threads */
  SPEEDWELL_SEQUENTIAL = 1, /* the calling thread alone */
  SPEEDWELL_THREADS = 2,    /* the library's own pool; the calling thread works too */
  SPEEDWELL_OPENMP = 3,
  SPEEDWELL_TBB = 4
};

typedef struct speedwell_backend {
  int model;   /* SPEEDWELL_AUTOMATIC ... SPEEDWELL_TBB */
  int threads; /* of the last three: 1 to 1024; 0: as many as there are cores for this process */
} speedwell_backend;

/* How the calling thread's most recent kernel ran. */
typedef struct speedwell_run {
  int model;   /* SPEEDWELL_SEQUENTIAL ... SPEEDWELL_TBB; SPEEDWELL_AUTOMATIC before any call */
  int threads; /* that took part */
} speedwell_run;

speedwell_run speedwell_last_run(void);

/*
 * Where the elements of a matrix lie: (i, j) is data[i * row_stride + j * col_stride]. Any strides, also negative, so a
 * transpose or a block costs nothing; 0 repeats an input's row or column.
 */
typedef struct speedwell_matrix {
  ptrdiff_t rows;
  ptrdiff_t cols;
  ptrdiff_t row_stride;
  ptrdiff_t col_stride;
} speedwell_matrix;

/* Rows that follow each other without a gap (C's order). */
static inline speedwell_matrix speedwell_rows(ptrdiff_t rows, ptrdiff_t cols) {
  speedwell_matrix layout;
  layout.rows = rows;
  layout.cols = cols;
  layout.row_stride = cols;
  layout.col_stride = 1;
  return layout;
}

/* Columns that follow each other without a gap (Fortran's order). */
static inline speedwell_matrix speedwell_columns(ptrdiff_t rows, ptrdiff_t cols) {
  speedwell_matrix layout;
  layout.rows = rows;
  layout.cols = cols;
  layout.row_stride = 1;
  layout.col_stride = rows;
  return layout;
}

static inline speedwell_matrix speedwell_transposed(speedwell_matrix matrix) {
  speedwell_matrix layout;
  layout.rows = matrix.cols;
  layout.cols = matrix.rows;
  layout.row_stride = matrix.col_stride;
  layout.col_stride = matrix.row_stride;
  return layout;
}

/* C = alpha A B + beta C. A is m x k, B is k x n, C is m x n and overlaps neither. beta = 0 never reads C. */
speedwell_status speedwell_matmul_f32(double alpha, const float *a, speedwell_matrix a_layout, const float *b,
                                      speedwell_matrix b_layout, double beta, float *c, speedwell_matrix c_layout,
                                      speedwell_backend backend);
speedwell_status speedwell_matmul_f64(double alpha, const double *a, speedwell_matrix a_layout, const double *b,
                                      speedwell_matrix b_layout, double beta, double *c, speedwell_matrix c_layout,
                                      speedwell_backend backend);

/* a[i] = b[i] + scale c[i], for i from 0 to count - 1. a may be b or c itself. */
speedwell_status speedwell_triad_f32(const float *b, double scale, const float *c, float *a, size_t count,
                                     speedwell_backend backend);
speedwell_status speedwell_triad_f64(const double *b, double scale, const double *c, double *a, size_t count,
                                     speedwell_backend backend);

/*
 * Where the samples of an image lie: channel k of the pixel in column x of row y is
 * data[y * row_stride + x * channels + k]. 1, 3 or 4 channels. The stride may be negative: an image from bottom to top.
 *
 * Of every filter, source and destination have the same size and number of channels, where nothing else is said, and
 * must not overlap.
 */
typedef struct speedwell_image {
  ptrdiff_t width;
  ptrdiff_t height;
  ptrdiff_t channels;
  ptrdiff_t row_stride;
} speedwell_image;

/* Rows that follow each other without a gap. Negative sizes, and those whose product overflows, are refused by the
   filters. */
static inline speedwell_image speedwell_pixels(ptrdiff_t width, ptrdiff_t height, ptrdiff_t channels) {
  speedwell_image layout;
  layout.width = width;
  layout.height = height;
  layout.channels = channels;
  layout.row_stride = 0;
  if (width > 0 && channels > 0) layout.row_stride = width > PTRDIFF_MAX / channels ? PTRDIFF_MAX : width * channels;
  return layout;
}

/* What stands beyond the edge of an image `abcdefgh`. */
enum {
  SPEEDWELL_BORDER_REFLECT_101 = 0, /* gfedcb|abcdefgh|gfedcba */
  SPEEDWELL_BORDER_REFLECT = 1,     /* fedcba|abcdefgh|hgfedcb */
  SPEEDWELL_BORDER_REPLICATE = 2,   /* aaaaaa|abcdefgh|hhhhhhh */
  SPEEDWELL_BORDER_WRAP = 3,        /* cdefgh|abcdefgh|abcdefg */
  SPEEDWELL_BORDER_CONSTANT = 4     /* vvvvvv|abcdefgh|vvvvvvv    v = value, rounded and saturated to the type */
};

typedef struct speedwell_border {
  int mode;     /* SPEEDWELL_BORDER_REFLECT_101 ... SPEEDWELL_BORDER_CONSTANT */
  double value; /* of SPEEDWELL_BORDER_CONSTANT */
} speedwell_border;

/* sigma along x and y, in pixels; sigma_y = 0: the same as sigma_x. The window reaches as far as the weights matter. */
speedwell_status speedwell_gaussian_blur_u8(const uint8_t *src, speedwell_image src_layout, uint8_t *dst,
                                            speedwell_image dst_layout, double sigma_x, double sigma_y,
                                            speedwell_border border, speedwell_backend backend);
speedwell_status speedwell_gaussian_blur_f32(const float *src, speedwell_image src_layout, float *dst,
                                             speedwell_image dst_layout, double sigma_x, double sigma_y,
                                             speedwell_border border, speedwell_backend backend);

/* The mean of a window of width x height pixels, both odd, from 1 to 4095. */
speedwell_status speedwell_box_blur_u8(const uint8_t *src, speedwell_image src_layout, uint8_t *dst,
                                       speedwell_image dst_layout, int width, int height, speedwell_border border,
                                       speedwell_backend backend);
speedwell_status speedwell_box_blur_f32(const float *src, speedwell_image src_layout, float *dst,
                                        speedwell_image dst_layout, int width, int height, speedwell_border border,
                                        speedwell_backend backend);

/* The median of a window of size x size pixels: odd, from 3 to 255; 3, 5 or 7 for float. */
speedwell_status speedwell_median_blur_u8(const uint8_t *src, speedwell_image src_layout, uint8_t *dst,
                                          speedwell_image dst_layout, int size, speedwell_border border,
                                          speedwell_backend backend);
speedwell_status speedwell_median_blur_f32(const float *src, speedwell_image src_layout, float *dst,
                                           speedwell_image dst_layout, int size, speedwell_border border,
                                           speedwell_backend backend);

/* The 3 x 3 Sobel derivative, of order dx along x and dy along y: 0 or 1, and not both 0. Bytes give int16_t. */
speedwell_status speedwell_sobel_u8(const uint8_t *src, speedwell_image src_layout, int16_t *dst,
                                    speedwell_image dst_layout, int dx, int dy, speedwell_border border,
                                    speedwell_backend backend);
speedwell_status speedwell_sobel_f32(const float *src, speedwell_image src_layout, float *dst,
                                     speedwell_image dst_layout, int dx, int dy, speedwell_border border,
                                     speedwell_backend backend);

/* The mean of a round window, odd in diameter, weighted by nearness and by likeness: it smooths, and edges stay. */
speedwell_status speedwell_bilateral_filter_u8(const uint8_t *src, speedwell_image src_layout, uint8_t *dst,
                                               speedwell_image dst_layout, int diameter, double sigma_color,
                                               double sigma_space, speedwell_border border, speedwell_backend backend);
speedwell_status speedwell_bilateral_filter_f32(const float *src, speedwell_image src_layout, float *dst,
                                                speedwell_image dst_layout, int diameter, double sigma_color,
                                                double sigma_space, speedwell_border border, speedwell_backend backend);

/* The least and the greatest sample of a window of width x height pixels. What is beyond the edge doesn't count. */
speedwell_status speedwell_erode_u8(const uint8_t *src, speedwell_image src_layout, uint8_t *dst,
                                    speedwell_image dst_layout, int width, int height, speedwell_backend backend);
speedwell_status speedwell_erode_f32(const float *src, speedwell_image src_layout, float *dst,
                                     speedwell_image dst_layout, int width, int height, speedwell_backend backend);
speedwell_status speedwell_dilate_u8(const uint8_t *src, speedwell_image src_layout, uint8_t *dst,
                                     speedwell_image dst_layout, int width, int height, speedwell_backend backend);
speedwell_status speedwell_dilate_f32(const float *src, speedwell_image src_layout, float *dst,
                                      speedwell_image dst_layout, int width, int height, speedwell_backend backend);

/*
 * dst(x, y) = bias + the sum over i, j of kernel(j, i) src(x + i - cols / 2, y + j - rows / 2): the correlation with a
 * kernel of odd sides, at most 63.
 */
speedwell_status speedwell_convolve_u8(const uint8_t *src, speedwell_image src_layout, const float *kernel,
                                       speedwell_matrix kernel_layout, double bias, uint8_t *dst,
                                       speedwell_image dst_layout, speedwell_border border, speedwell_backend backend);
speedwell_status speedwell_convolve_f32(const float *src, speedwell_image src_layout, const float *kernel,
                                        speedwell_matrix kernel_layout, double bias, float *dst,
                                        speedwell_image dst_layout, speedwell_border border, speedwell_backend backend);

enum { SPEEDWELL_NEAREST = 0, SPEEDWELL_LINEAR = 1, SPEEDWELL_AREA = 2 };

/* src in the size of dst, with as many channels, by SPEEDWELL_NEAREST, SPEEDWELL_LINEAR or SPEEDWELL_AREA. */
speedwell_status speedwell_resize_u8(const uint8_t *src, speedwell_image src_layout, uint8_t *dst,
                                     speedwell_image dst_layout, int interpolation, speedwell_backend backend);
speedwell_status speedwell_resize_f32(const float *src, speedwell_image src_layout, float *dst,
                                      speedwell_image dst_layout, int interpolation, speedwell_backend backend);

/* The luma of BT.601. src has 3 channels, red first, or 4, of which the last is ignored; dst has one. */
speedwell_status speedwell_rgb_to_gray_u8(const uint8_t *src, speedwell_image src_layout, uint8_t *dst,
                                          speedwell_image dst_layout, speedwell_backend backend);
speedwell_status speedwell_rgb_to_gray_f32(const float *src, speedwell_image src_layout, float *dst,
                                           speedwell_image dst_layout, speedwell_backend backend);

#ifdef __cplusplus
}
#endif

#endif
