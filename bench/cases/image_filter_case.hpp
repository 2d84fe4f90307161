// SPDX-License-Identifier: Apache-2.0
// The data of an image filter's case, for peers that compute it on them.
#pragma once

#include <vector>

#include <speedwell/view.hpp>

#include "bench/case.hpp"

namespace speedwell::bench {

// Borders are reflect_101, but replicate in the median, where OpenCV has no other.
enum class Filter {
  gaussian_blur,  // `width` x `width`, `sigma` in both directions
  sobel,          // d/dx, 3 x 3
  median_blur,    // 3 x 3
};

template <class S, class D>
class FilterWorkload : public Workload {
 public:
  virtual Filter filter() const = 0;
  virtual double sigma() const = 0;
  virtual int width() const = 0;
  virtual ImageView<const S> src() const = 0;
  virtual ImageView<D> dst() = 0;
};

std::vector<Case> image_filter_cases();

}  // namespace speedwell::bench
