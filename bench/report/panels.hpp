// SPDX-License-Identifier: Apache-2.0
// Many small panels of the same size and axes, row by row.
#pragma once

#include "bench/report/figure.hpp"

namespace speedwell::bench::report {

class Panels {
 public:
  // Sets the figure's width; its axes must be set.
  Panels(Figure& f, std::size_t count, double heading);
  // Of all panels, with what lies between them, for frame().
  double height() const { return static_cast<double>(rows_) * (inner_height_ + heading_ + 30) + 28 - axis_height; }
  // Makes the figure's box that of the i-th panel; after frame().
  void enter(std::size_t i);
  double panel_width() const { return panel_width_; }
  // Where a panel's heading begins, left of its box, and how much of it there is room for.
  double heading_left() const { return f_.box.left - 28; }
  std::size_t characters(double font) const {
    return static_cast<std::size_t>((panel_width_ - 14) / (font * character_width));
  }

 private:
  Figure& f_;
  double heading_, panel_width_ = 0, inner_height_ = 0;
  std::size_t columns_ = 1, rows_ = 1;
};

}  // namespace speedwell::bench::report
