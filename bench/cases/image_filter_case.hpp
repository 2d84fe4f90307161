// SPDX-License-Identifier: Apache-2.0
// The data of an image filter's case, for peers that compute it on them.
#pragma once

#include <vector>

#include <speedwell/view.hpp>

#include "bench/case.hpp"

namespace speedwell::bench {

// Borders are reflect_101, but replicate in the median, where OpenCV has no other, and neutral in erosion and dilation.
enum class Filter {
  bilateral_filter,    // diameter `width`, `sigma` in space, `sigma_color`
  box_blur,            // `width` x `height`
  convolve,            // `width` x `height` `weights`, by rows
  convolve_separable,  // `width` `weights` of the row, then `height` of the column
  dilate,              // `width` x `height`
  equalize,
  erode,          // `width` x `height`
  gaussian_blur,  // `width` x `height`, `sigma` in both directions
  histogram,      // the result: 256 pixels, each the counts of one value, a channel for each of the image's
  median_blur,    // `width` x `width`
  resize_area,
  resize_linear,
  resize_nearest,
  rgb_to_gray,  // from three channels
  sobel,        // d/dx, 3 x 3
};

struct FilterTask {
  Filter filter;
  int width = 3;
  int height = 3;
  double sigma = 0;
  std::vector<float> weights = {};
  double sigma_color = 0;
};

template <class S, class D>
class FilterWorkload : public Workload {
 public:
  virtual const FilterTask& task() const = 0;
  virtual ImageView<const S> src() const = 0;
  virtual ImageView<D> dst() = 0;
};

}  // namespace speedwell::bench
