/* SPDX-License-Identifier: Apache-2.0 */
/* A disc is blurred, and its edge found: Speedwell from C. */
#include <speedwell.h>
#include <stdio.h>
#include <stdlib.h>

enum { width = 640, height = 480, radius = 150 };

static uint8_t picture[width * height], blurred[width * height];
static int16_t slope[width * height];

int main(void) {
  const speedwell_image layout = speedwell_pixels(width, height, 1);
  const speedwell_border border = {SPEEDWELL_BORDER_REFLECT_101, 0};
  const speedwell_backend backend = {SPEEDWELL_AUTOMATIC, 0}, no_such_backend = {99, 0};
  int x, y, steepest = 0;
  for (y = 0; y < height; ++y) {
    for (x = 0; x < width; ++x) {
      const int dx = x - width / 2, dy = y - height / 2;
      picture[y * width + x] = dx * dx + dy * dy < radius * radius ? 255 : 0;
    }
  }

  if (speedwell_gaussian_blur_u8(picture, layout, blurred, layout, 2, 0, border, backend) != SPEEDWELL_OK ||
      speedwell_sobel_u8(blurred, layout, slope, layout, 1, 0, border, backend) != SPEEDWELL_OK) {
    fprintf(stderr, "%s\n", speedwell_last_error());
    return EXIT_FAILURE;
  }
  y = height / 2;
  for (x = 0; x < width; ++x) {
    if (slope[y * width + x] > slope[y * width + steepest]) steepest = x;
  }
  printf("Speedwell %s: the disc begins %d pixels left of its centre\n", speedwell_version(), width / 2 - steepest);

  /* What can't be done is refused, in words. */
  if (speedwell_sobel_u8(blurred, layout, slope, layout, 1, 0, border, no_such_backend) != SPEEDWELL_INVALID_ARGUMENT) {
    return EXIT_FAILURE;
  }
  printf("refused: %s\n", speedwell_last_error());
  return abs(width / 2 - steepest - radius) <= 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
