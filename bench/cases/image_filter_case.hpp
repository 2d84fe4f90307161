// SPDX-License-Identifier: Apache-2.0
// The data of an image filter's case, for peers that compute it on them.
#pragma once

#include <speedwell/view.hpp>

#include "bench/case.hpp"

namespace speedwell::bench {

// Borders are reflect_101, but replicate in the median, where OpenCV has no other.
enum class Filter {
  gaussian_blur,     // `width` x `height`, `sigma` in both directions
  sobel,             // d/dx, 3 x 3
  median_blur,       // `width` x `width`
  bilateral_filter,  // diameter `width`, `sigma` in space, `sigma_color`
};

struct FilterTask {
  Filter filter;
  int width = 3;
  int height = 3;
  double sigma = 0;
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
