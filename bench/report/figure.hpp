// SPDX-License-Identifier: Apache-2.0
// What every plot is made of: looks, axes, labels, captions, panels, and the gnuplot script around them. Positions are
// pixels from the lower left of the SVG.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/report/model.hpp"

namespace speedwell::bench::report {

inline constexpr std::string_view ink = "#222222", soft = "#666666", faint = "#E4E4E4", reference = "#9A9A9A",
                                  peer_color = "#8A8A8A", warning_color = "#B00020";

// The widest common sans-serif (DejaVu Sans) needs about this much of the font size a character.
inline constexpr double character_width = 0.58;

// Height that title and axis need besides the box itself.
inline constexpr double header_height = 58, axis_height = 48;

// One fixed look a backend, the same in page.css.
struct Look {
  std::string_view series, color, dash;
  int marker;  // gnuplot's numbers, the same in its svg and pngcairo terminals
};
std::span<const Look> looks();
Look look_of(std::string_view backend);

// From light to dark grey: `i` of `count`.
std::string grey(std::size_t i, std::size_t count);

struct Box {
  double left, right, bottom, top;
  double width() const { return right - left; }
  double height() const { return top - bottom; }
};

// One axis: data to pixels, linear or logarithmic.
struct Axis {
  double low, high;
  bool logarithmic;
  double pixel(double value, double from, double to) const;
};

using Ticks = std::vector<std::pair<double, std::string>>;

struct Figure {
  explicit Figure(std::string file_name) : name(std::move(file_name)) {}

  std::string name;  // of the files, without extension
  double width = 660, height = 480;
  Box box{62, 500, 96, 420};
  Axis x{1, 2, true}, y{1, 2, true};

  double px(double value) const { return x.pixel(value, box.left, box.right); }
  double py(double value) const { return y.pixel(value, box.bottom, box.top); }

  // At a place in pixels.
  void text(std::string_view words, double left, double bottom, double size, std::string_view color,
            std::string_view align = "left", std::string_view more = "");
  void line(double x0, double y0, double x1, double y1, std::string_view color, double line_width = 0.8,
            std::string_view dash = "solid");
  void marker(const Look& look, double left, double bottom, double size);
  void rectangle(const Box& area, std::string_view color, double opacity = 1);

  // Straight between two places in data, as far as it lies inside the box.
  void straight(double x0, double y0, double x1, double y1, std::string_view color, double line_width = 1,
                std::string_view dash = "solid");

  void ticks(char axis, const Ticks& at);                    // none: no ticks
  void ticks(char axis, const std::vector<double>& values);  // each with its value
  void bare();  // without border, ticks and grid, for this panel and the next
  void titles(std::string_view of_x, std::string_view of_y);

  // What the plot command draws; `rows` is a `using` of NAME.csv with x and y.
  void element(std::string text) { elements_.push_back(std::move(text)); }
  // Bars with caps from `low` to `high`, which are gnuplot expressions. gnuplot's own error bars put a white disc under
  // each point, which covers the curves drawn before.
  void intervals(std::string_view x_expression, std::string_view low, std::string_view high, std::string_view color,
                 double line_width);

  // Ends one panel; what follows belongs to the next, in a box of its own.
  void finish_panel();
  std::string script();

 private:
  std::string settings_, panels_;
  std::size_t panel_count_ = 0;
  std::vector<std::string> elements_;
};

// A gnuplot expression: `value` in rows of the CSV whose first field is `series`, else nothing.
std::string in_series(std::string_view series, std::string_view value);

// A series' name in the CSV: what gnuplot's CSV reader can't misread.
std::string series_name(std::string_view text);

// A number of the CSV; empty if it isn't known.
std::string field(double value);

// Round values that suit the range: 1-2-5 steps over decades, even steps within one.
std::vector<double> round_values(double low, double high);
std::vector<double> even_values(double low, double high, int wanted = 6);
// Values for a speedup axis: powers of two over many octaves, finer below.
std::vector<double> speedup_values(double low, double high);

struct EndLabel {
  std::string words;
  std::string_view color;
  double x, y;   // pixels of what it names
  double at{0};  // where the label ends up
};

// Labels at the right edge, moved apart so that none touches another, with a hairline to what each one names.
void end_labels(Figure& f, std::vector<EndLabel> labels);

// A row of markers with names, from a place on.
void key(Figure& f, const std::vector<std::pair<Look, std::string>>& entries, double left, double bottom);

// The backends that the run has, in their fixed order.
std::vector<std::pair<Look, std::string>> backends_of(const Run& run);

// Sets the figure's height from the box's, then title, subtitle and caption.
void frame(Figure& f, const Run& run, double box_height, const std::string& title, const std::string& subtitle,
           const std::string& caption);

std::string where_words(const Run& run);
std::string sample_words(const Case& c);

// Every thread count of the run, ascending.
std::vector<int> thread_counts(const Run& run);

void thread_axis(Figure& f, const std::vector<int>& counts);
// Ticks at the measured counts only. Where the labels would touch, powers of two and the last count keep theirs.
void thread_ticks(Figure& f, const std::vector<int>& counts);
// Parallel backends side by side, so that overlapping intervals are seen: the factor for the `i`-th's thread counts.
double set_apart(const Figure& f, std::size_t i, std::size_t count);
// A vertical hairline where the machine's cores or quota end, named above the box, where no curve runs.
void limits(Figure& f, const Run& run);

}  // namespace speedwell::bench::report
