/* SPDX-License-Identifier: Apache-2.0 */
/* The C library from a C program, against the obvious loops. Windows and strides differ in every direction, so that a
   parameter in another's place is seen. */
#include <math.h>
#include <pthread.h>
#include <speedwell.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

static void expect(int holds, const char *what, const char *detail) {
  if (holds) return;
  ++failures;
  fprintf(stderr, "FAILED: %s: %s (last error: '%s')\n", what, detail, speedwell_last_error());
}

static void expect_ok(speedwell_status status, const char *what) { expect(status == SPEEDWELL_OK, what, "refused"); }

static void expect_refused(speedwell_status status, const char *words, const char *what) {
  expect(status == SPEEDWELL_INVALID_ARGUMENT, what, "expected SPEEDWELL_INVALID_ARGUMENT");
  expect(strstr(speedwell_last_error(), words) != NULL, what, words);
}

static const speedwell_backend automatic = {SPEEDWELL_AUTOMATIC, 0};
static const speedwell_backend sequential = {SPEEDWELL_SEQUENTIAL, 0};
static const speedwell_border mirrored = {SPEEDWELL_BORDER_REFLECT_101, 0};

static uint32_t next_random(void) {
  static uint32_t state = 12345;
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

/* Matrices at the beginning of larger arrays, so that a wrong stride reads or writes what it shouldn't. */

enum { m = 7, k = 5, n = 9, gap = 3, room = 200 };

static void test_matmul(void) {
  float a[room], b[room], c[room], c_before[room];
  double a64[room], b64[room], c64[room];
  /* A by rows with a gap, B transposed, C by columns. */
  const speedwell_matrix a_layout = {m, k, k + gap, 1};
  const speedwell_matrix b_layout = speedwell_transposed(speedwell_rows(n, k));
  const speedwell_matrix c_layout = speedwell_columns(m, n);
  int i, j, l, wrong = 0, wrong64 = 0;
  for (i = 0; i < room; ++i) {
    a[i] = (float)(next_random() % 9) - 4;
    b[i] = (float)(next_random() % 9) - 4;
    c[i] = (float)(next_random() % 9) - 4;
    a64[i] = a[i];
    b64[i] = b[i];
    c64[i] = c_before[i] = c[i];
  }
  expect_ok(speedwell_matmul_f32(2, a, a_layout, b, b_layout, -3, c, c_layout, automatic), "matmul_f32");
  expect_ok(speedwell_matmul_f64(2, a64, a_layout, b64, b_layout, -3, c64, c_layout, automatic), "matmul_f64");
  for (i = 0; i < m; ++i) {
    for (j = 0; j < n; ++j) {
      float sum = 0;
      for (l = 0; l < k; ++l) sum += a[i * (k + gap) + l] * b[j * k + l];
      wrong += c[i + j * m] != 2 * sum - 3 * c_before[i + j * m];
      wrong64 += c64[i + j * m] != (double)(2 * sum - 3 * c_before[i + j * m]);
    }
  }
  expect(wrong == 0, "matmul_f32", "another result");
  expect(wrong64 == 0, "matmul_f64", "another result");
  expect(memcmp(c + m * n, c_before + m * n, sizeof(float) * (room - m * n)) == 0, "matmul_f32", "wrote beyond C");
}

static void test_triad(void) {
  enum { count = 1000 };
  float b[count], c[count], a[count + 1];
  double b64[count], c64[count], a64[count];
  int i, wrong = 0;
  for (i = 0; i < count; ++i) {
    b64[i] = b[i] = (float)(next_random() % 100);
    c64[i] = c[i] = (float)(next_random() % 100);
  }
  a[count] = -1;
  expect_ok(speedwell_triad_f32(b, 3, c, a, count, automatic), "triad_f32");
  expect_ok(speedwell_triad_f64(b64, 5, c64, a64, count, automatic), "triad_f64");
  for (i = 0; i < count; ++i) wrong += a[i] != b[i] + 3 * c[i] || a64[i] != b64[i] + 5 * c64[i];
  expect(wrong == 0 && a[count] == -1, "triad", "another result");
}

/* Every model gives the same bits, and with the number of threads that was asked for. */
static void test_backends(void) {
  enum { size = 300 };
  static float a[size * size], b[size * size], c[size * size], expected[size * size];
  const speedwell_matrix layout = speedwell_rows(size, size);
  const int models[] = {SPEEDWELL_THREADS, SPEEDWELL_OPENMP, SPEEDWELL_TBB};
  int i;
  for (i = 0; i < size * size; ++i) {
    a[i] = (float)next_random() / (1 << 24) - 0.5f;
    b[i] = (float)next_random() / (1 << 24) - 0.5f;
  }
  expect_ok(speedwell_matmul_f32(1, a, layout, b, layout, 0, expected, layout, sequential), "sequential");
  expect(speedwell_last_run().model == SPEEDWELL_SEQUENTIAL && speedwell_last_run().threads == 1, "sequential",
         "ran otherwise");
  for (i = 0; i < 3; ++i) {
    speedwell_backend backend;
    speedwell_status status;
    backend.model = models[i];
    backend.threads = 2;
    memset(c, 0xff, sizeof c);
    status = speedwell_matmul_f32(1, a, layout, b, layout, 0, c, layout, backend);
    if (status == SPEEDWELL_INVALID_ARGUMENT && strstr(speedwell_last_error(), "built") != NULL) continue;
    expect_ok(status, "two threads");
    expect(memcmp(c, expected, sizeof c) == 0, "two threads", "other bits");
    expect(speedwell_last_run().model == models[i] && speedwell_last_run().threads <= 2, "two threads",
           "ran otherwise");
  }
}

/* Images: 8 bits and float hold the same whole numbers, in rows with a gap. */

enum { width = 13, height = 10, stride = 17, samples = 170 };

static uint8_t bytes[samples], bytes_out[samples];
static float floats[samples], floats_out[samples];
static int16_t derivative[samples];
static const speedwell_image image = {width, height, 1, stride};

static int mirror(int i, int count) { return i < 0 ? -i : i >= count ? 2 * (count - 1) - i : i; }
static double pixel(int x, int y) { return bytes[mirror(y, height) * stride + mirror(x, width)]; }

static void begin_filter(void) {
  memset(bytes_out, 77, sizeof bytes_out);
  memset(derivative, 77, sizeof derivative);
  memset(floats_out, 0xff, sizeof floats_out);
}

/* `expected(x, y)`, unrounded, within a tolerance for each type; and nothing in the gaps. */
static void end_filter(const char *what, double (*expected)(int x, int y), double byte_error, double float_error) {
  int x, y, wrong_bytes = 0, wrong_floats = 0, gaps = 0;
  for (y = 0; y < height; ++y) {
    for (x = 0; x < stride; ++x) {
      const int i = y * stride + x;
      if (x >= width) {
        gaps += bytes_out[i] != 77 || !isnan(floats_out[i]);
        continue;
      }
      wrong_bytes += !(fabs(bytes_out[i] - expected(x, y)) <= byte_error);
      wrong_floats += !(fabs(floats_out[i] - expected(x, y)) <= float_error);
    }
  }
  expect(wrong_bytes == 0, what, "another result in 8 bits");
  expect(wrong_floats == 0, what, "another result in float");
  expect(gaps == 0, what, "wrote between the rows");
}

static double gaussian(int x, int y) {
  double sum = 0, weights = 0;
  int i, j;
  for (j = -9; j <= 9; ++j) {
    for (i = -9; i <= 9; ++i) {
      const double weight = exp(-i * i / (2 * 0.6 * 0.6) - j * j / (2 * 1.1 * 1.1));
      sum += weight * pixel(x + i, y + j);
      weights += weight;
    }
  }
  return sum / weights;
}

static double mean_5_by_3(int x, int y) {
  double sum = 0;
  int i, j;
  for (j = -1; j <= 1; ++j) {
    for (i = -2; i <= 2; ++i) sum += pixel(x + i, y + j);
  }
  return sum / 15;
}

static int by_value(const void *left, const void *right) {
  const double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static double median_5(int x, int y) {
  double window[25];
  int i;
  for (i = 0; i < 25; ++i) window[i] = pixel(x + i % 5 - 2, y + i / 5 - 2);
  qsort(window, 25, sizeof(double), by_value);
  return window[12];
}

static double sobel_along_y(int x, int y) {
  double sum = 0;
  int i;
  for (i = -1; i <= 1; ++i) sum += (2 - abs(i)) * (pixel(x + i, y + 1) - pixel(x + i, y - 1));
  return sum;
}

static double bilateral(int x, int y) {
  double sum = 0, weights = 0;
  int i, j;
  for (j = -2; j <= 2; ++j) {
    for (i = -2; i <= 2; ++i) {
      const double d = pixel(x + i, y + j) - pixel(x, y);
      const double weight = exp(-d * d / (2 * 30.0 * 30) - (i * i + j * j) / (2 * 1.5 * 1.5));
      if (i * i + j * j > 2 * 2) continue;
      sum += weight * pixel(x + i, y + j);
      weights += weight;
    }
  }
  return sum / weights;
}

/* Of a window of 5 x 3, without what is beyond the edge. */
static double extreme(int x, int y, int greatest) {
  double found = greatest ? -1 : 256;
  int i, j;
  for (j = y - 1; j <= y + 1; ++j) {
    for (i = x - 2; i <= x + 2; ++i) {
      if (i < 0 || i >= width || j < 0 || j >= height) continue;
      if (greatest ? pixel(i, j) > found : pixel(i, j) < found) found = pixel(i, j);
    }
  }
  return found;
}
static double least(int x, int y) { return extreme(x, y, 0); }
static double greatest(int x, int y) { return extreme(x, y, 1); }

static const float kernel[3 * 5] = {0.125f, 0, 0.25f, 0, 0, 0, 0.0625f, 0.125f, 0, 0, 0, 0, 0.0625f, 0.25f, 0};

static double correlated(int x, int y) {
  double sum = 2;
  int i, j;
  for (j = 0; j < 3; ++j) {
    for (i = 0; i < 5; ++i) sum += (double)kernel[j * 5 + i] * pixel(x + i - 2, y + j - 1);
  }
  return sum;
}

static void test_filters(void) {
  const speedwell_matrix kernel_layout = speedwell_rows(3, 5);
  int i, wrong = 0;
  for (i = 0; i < samples; ++i) floats[i] = bytes[i] = (uint8_t)(next_random() & 0xff);

  begin_filter();
  expect_ok(speedwell_gaussian_blur_u8(bytes, image, bytes_out, image, 0.6, 1.1, mirrored, automatic),
            "gaussian_blur_u8");
  expect_ok(speedwell_gaussian_blur_f32(floats, image, floats_out, image, 0.6, 1.1, mirrored, automatic),
            "gaussian_blur_f32");
  end_filter("gaussian_blur", gaussian, 4, 0.1);

  begin_filter();
  expect_ok(speedwell_box_blur_u8(bytes, image, bytes_out, image, 5, 3, mirrored, automatic), "box_blur_u8");
  expect_ok(speedwell_box_blur_f32(floats, image, floats_out, image, 5, 3, mirrored, automatic), "box_blur_f32");
  end_filter("box_blur", mean_5_by_3, 0.5001, 1e-3);

  begin_filter();
  expect_ok(speedwell_median_blur_u8(bytes, image, bytes_out, image, 5, mirrored, automatic), "median_blur_u8");
  expect_ok(speedwell_median_blur_f32(floats, image, floats_out, image, 5, mirrored, automatic), "median_blur_f32");
  end_filter("median_blur", median_5, 0, 0);

  begin_filter();
  expect_ok(speedwell_bilateral_filter_u8(bytes, image, bytes_out, image, 5, 30, 1.5, mirrored, automatic),
            "bilateral_filter_u8");
  expect_ok(speedwell_bilateral_filter_f32(floats, image, floats_out, image, 5, 30, 1.5, mirrored, automatic),
            "bilateral_filter_f32");
  end_filter("bilateral_filter", bilateral, 0.6, 0.01);

  begin_filter();
  expect_ok(speedwell_erode_u8(bytes, image, bytes_out, image, 5, 3, automatic), "erode_u8");
  expect_ok(speedwell_erode_f32(floats, image, floats_out, image, 5, 3, automatic), "erode_f32");
  end_filter("erode", least, 0, 0);

  begin_filter();
  expect_ok(speedwell_dilate_u8(bytes, image, bytes_out, image, 5, 3, automatic), "dilate_u8");
  expect_ok(speedwell_dilate_f32(floats, image, floats_out, image, 5, 3, automatic), "dilate_f32");
  end_filter("dilate", greatest, 0, 0);

  begin_filter();
  expect_ok(speedwell_convolve_u8(bytes, image, kernel, kernel_layout, 2, bytes_out, image, mirrored, automatic),
            "convolve_u8");
  expect_ok(speedwell_convolve_f32(floats, image, kernel, kernel_layout, 2, floats_out, image, mirrored, automatic),
            "convolve_f32");
  end_filter("convolve", correlated, 0.5001, 1e-3);

  begin_filter();
  expect_ok(speedwell_sobel_u8(bytes, image, derivative, image, 0, 1, mirrored, automatic), "sobel_u8");
  expect_ok(speedwell_sobel_f32(floats, image, floats_out, image, 0, 1, mirrored, automatic), "sobel_f32");
  for (i = 0; i < samples; ++i) {
    const int x = i % stride, y = i / stride;
    if (x < width) wrong += derivative[i] != sobel_along_y(x, y) || (double)floats_out[i] != sobel_along_y(x, y);
  }
  expect(wrong == 0, "sobel", "another result");
}

/* Each border by what it puts to the left of the first row. */
static void test_borders(void) {
  const int modes[] = {SPEEDWELL_BORDER_REFLECT_101, SPEEDWELL_BORDER_REFLECT, SPEEDWELL_BORDER_REPLICATE,
                       SPEEDWELL_BORDER_WRAP, SPEEDWELL_BORDER_CONSTANT};
  const float row[5] = {10, 20, 30, 40, 50}, two_to_the_left[5] = {1, 0, 0, 0, 0};
  const float expected[] = {30, 20, 10, 40, 7};
  float shifted[5];
  int i;
  for (i = 0; i < 5; ++i) {
    speedwell_border border;
    border.mode = modes[i];
    border.value = 7;
    expect_ok(speedwell_convolve_f32(row, speedwell_pixels(5, 1, 1), two_to_the_left, speedwell_rows(1, 5), 0, shifted,
                                     speedwell_pixels(5, 1, 1), border, automatic),
              "a border");
    expect(shifted[0] == expected[i] && shifted[4] == 30, "a border", "another sample beyond the edge");
  }
}

static void test_resize_and_gray(void) {
  const uint8_t colours[2 * 2 * 3] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
  const uint8_t squares[4 * 2] = {0, 10, 100, 100, 20, 30, 100, 200};
  uint8_t gray[4], smaller[2];
  float float_colours[12], float_gray[4], float_squares[8], float_smaller[2];
  int i;
  for (i = 0; i < 12; ++i) float_colours[i] = colours[i];
  for (i = 0; i < 8; ++i) float_squares[i] = squares[i];
  expect_ok(speedwell_rgb_to_gray_u8(colours, speedwell_pixels(2, 2, 3), gray, speedwell_pixels(2, 2, 1), automatic),
            "rgb_to_gray_u8");
  expect(gray[0] == 76 && gray[1] == 150 && gray[2] == 29 && gray[3] == 255, "rgb_to_gray_u8", "another result");
  expect_ok(speedwell_rgb_to_gray_f32(float_colours, speedwell_pixels(2, 2, 3), float_gray, speedwell_pixels(2, 2, 1),
                                      automatic),
            "rgb_to_gray_f32");
  expect(fabs(float_gray[1] - 0.587 * 255) < 1e-3, "rgb_to_gray_f32", "another result");

  expect_ok(speedwell_resize_u8(squares, speedwell_pixels(4, 2, 1), smaller, speedwell_pixels(2, 1, 1),
                                SPEEDWELL_LINEAR, automatic),
            "resize_u8");
  expect(smaller[0] == 15 && smaller[1] == 125, "resize_u8, linear", "another result");
  expect_ok(speedwell_resize_f32(float_squares, speedwell_pixels(4, 2, 1), float_smaller, speedwell_pixels(2, 1, 1),
                                 SPEEDWELL_NEAREST, automatic),
            "resize_f32");
  expect(float_smaller[0] == 0 && float_smaller[1] == 100, "resize_f32, nearest", "another result");
  expect_ok(speedwell_resize_f32(float_squares, speedwell_pixels(4, 2, 1), float_smaller, speedwell_pixels(1, 2, 1),
                                 SPEEDWELL_AREA, automatic),
            "resize_f32");
  expect(fabs(float_smaller[0] - 52.5) < 1e-4 && fabs(float_smaller[1] - 87.5) < 1e-4, "resize_f32, area",
         "another result");
}

static void *last_error_elsewhere(void *unused) {
  (void)unused;
  return strlen(speedwell_last_error()) == 0 ? NULL : "the text of another thread";
}

static void test_errors(void) {
  const speedwell_matrix square = speedwell_rows(2, 2);
  const speedwell_image four = speedwell_pixels(2, 2, 1);
  const speedwell_backend unknown = {5, 0}, too_many = {SPEEDWELL_THREADS, 1025};
  const speedwell_border no_border = {-1, 0};
  float a[4] = {1, 2, 3, 4}, c[4] = {5, 6, 7, 8};
  const float untouched[4] = {5, 6, 7, 8};
  uint8_t u[4] = {1, 2, 3, 4}, v[4] = {9, 9, 9, 9};
  pthread_t thread;
  void *other = NULL;
  expect(strlen(speedwell_last_error()) == 0, "last_error", "isn't empty before any error");
  expect_refused(speedwell_matmul_f32(1, a, square, a, speedwell_rows(3, 2), 0, c, square, automatic), "matmul",
                 "shapes");
  expect_refused(speedwell_matmul_f32(1, NULL, square, a, square, 0, c, square, automatic), "null", "null data");
  expect_refused(speedwell_matmul_f32(1, a, square, a, square, 0, a, square, automatic), "shares elements", "overlap");
  expect_refused(speedwell_matmul_f32(1, a, speedwell_rows(-2, 2), a, square, 0, c, square, automatic), "-2",
                 "a negative size");
  expect_refused(speedwell_matmul_f32(1, a, square, a, square, 0, c, square, unknown), "model is 5, expected 0 to 4",
                 "a model");
  expect_refused(speedwell_matmul_f32(1, a, square, a, square, 0, c, square, too_many), "1025", "threads");
  expect_refused(speedwell_gaussian_blur_u8(u, four, v, four, 1, 1, no_border, automatic),
                 "mode is -1, expected 0 to 4", "a border");
  expect_refused(speedwell_resize_u8(u, four, v, four, 3, automatic), "interpolation is 3, expected 0 to 2",
                 "an interpolation");
  expect_refused(speedwell_box_blur_u8(u, four, v, four, 2, 3, mirrored, automatic), "width", "an even window");
  expect_refused(speedwell_median_blur_u8(u, speedwell_pixels(PTRDIFF_MAX, 2, 3), v, four, 3, mirrored, automatic),
                 "fits in memory", "an overflow");
  expect_refused(speedwell_triad_f32(a, 1, a, NULL, 4, automatic), "null", "no output");
  expect(memcmp(c, untouched, sizeof c) == 0 && v[0] == 9 && v[3] == 9, "errors", "something was written");
  expect_ok(speedwell_matmul_f32(1, a, square, a, square, 0, c, square, automatic), "after errors");
  expect(c[0] == 7 && c[3] == 22, "after errors", "another result");
  expect(strstr(speedwell_last_error(), "null") != NULL, "last_error", "a call that succeeded took the text away");
  if (pthread_create(&thread, NULL, last_error_elsewhere, NULL) == 0) pthread_join(thread, &other);
  expect(other == NULL, "last_error", "another thread has it");
}

static void test_nothing_to_do(void) {
  expect_ok(speedwell_matmul_f64(1, NULL, speedwell_rows(0, 3), NULL, speedwell_rows(3, 0), 0, NULL,
                                 speedwell_rows(0, 0), automatic),
            "no elements");
  expect_ok(
      speedwell_sobel_u8(NULL, speedwell_pixels(0, 4, 1), NULL, speedwell_pixels(0, 4, 1), 1, 0, mirrored, automatic),
      "no pixels");
  expect_ok(speedwell_triad_f64(NULL, 1, NULL, NULL, 0, automatic), "no numbers");
}

int main(void) {
  expect(strcmp(speedwell_version(), VERSION) == 0, "version", speedwell_version());
  expect(speedwell_last_run().model == SPEEDWELL_AUTOMATIC, "last_run", "there was no call");
  test_errors();
  test_matmul();
  test_triad();
  test_backends();
  expect_ok(speedwell_shutdown(), "shutdown");
  test_backends();
  test_filters();
  test_borders();
  test_resize_and_gray();
  test_nothing_to_do();
  expect_ok(speedwell_shutdown(), "shutdown");
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
