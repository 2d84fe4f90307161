// SPDX-License-Identifier: Apache-2.0
#include "bench/report/panels.hpp"

#include <algorithm>
#include <cmath>

namespace speedwell::bench::report {

Panels::Panels(Figure& f, std::size_t count, double heading) : f_(f), heading_(heading) {
  columns_ = count <= 2 ? count : count == 4 ? 2 : count <= 12 ? 3 : 4;
  rows_ = (count + columns_ - 1) / columns_;
  // At least as wide as its own heading needs.
  panel_width_ = columns_ == 1 ? 520 : columns_ == 2 ? 330 : 245;
  f.width = 16 + static_cast<double>(columns_) * panel_width_ + 14;
  const double inner = panel_width_ - 48;
  inner_height_ =
      std::clamp(inner * std::log(f.y.high / f.y.low) / std::log(f.x.high / f.x.low), 0.6 * inner, 1.1 * inner);
}

void Panels::enter(std::size_t i) {
  const double column = static_cast<double>(i % columns_), row = static_cast<double>(i / columns_);
  f_.box.left = 16 + column * panel_width_ + 34;
  f_.box.right = f_.box.left + panel_width_ - 48;
  f_.box.top = f_.height - header_height - 20 - row * (inner_height_ + heading_ + 30) - heading_;
  f_.box.bottom = f_.box.top - inner_height_;
}

}  // namespace speedwell::bench::report
