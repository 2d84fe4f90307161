// SPDX-License-Identifier: Apache-2.0
#include "bench/report/figure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

// Okabe and Ito's colours, told apart by the colour-blind too; marker and dash say the same once more.
constexpr Look all_looks[] = {
    {"sequential", "#000000", "solid", 5},
    {"threads", "#0072B2", "solid", 7},
    {"openmp", "#D55E00", "(9,4)", 9},
    {"tbb", "#009E73", "(9,3,2,3)", 13},
};
constexpr Look other_backend{"", "#CC79A7", "(3,3)", 11};

constexpr double caption_line = 12.5;

// What every plot of ours has in common.
std::string common_settings() {
  return fmt::format(
      "  unset key\n"
      "  set border 3 lc rgb '{0}' lw 0.8\n"
      "  set tics out nomirror scale 0.5 textcolor rgb '{1}' font 'sans-serif,10.5'\n"
      "  set grid xtics ytics back lt 1 lc rgb '{2}' lw 0.7\n",
      soft, ink, faint);
}

// A script whose loop draws the same figure on both terminals; 2 pixels of PNG for one of SVG, for sharp screens.
// Fonts are in pixels in SVG and in points (4/3 pixels) in PNG.
std::string on_both_terminals(const std::string& name, double width, double height, const std::string& body) {
  return fmt::format(
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# Drawn from {0}.csv. To restyle it, edit this file and run gnuplot on it here.\n"
      "set encoding utf8\n"
      "set datafile separator comma\n"
      "do for [format in 'svg png'] {{\n"
      "  if (format eq 'svg') {{\n"
      "    set terminal svg noenhanced size {1:g},{2:g} font 'sans-serif,11' background '#FFFFFF'\n"
      "  }} else {{\n"
      "    set terminal pngcairo noenhanced size {3:g},{4:g} font 'sans-serif,11' fontscale 1.5 linewidth 2 "
      "dashlength 2 pointscale 2 background '#FFFFFF'\n"
      "  }}\n"
      "  set output '{0}.'.format\n"
      "{5}"
      "  unset output\n"
      "}}\n",
      name, width, height, 2 * width, 2 * height, body);
}

// With a true minus sign.
std::string signed_words(const std::string& number) {
  return number.starts_with('-') ? "\u2212" + number.substr(1) : number;
}

// No line ends between a number and its unit.
std::string with_units_kept(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool kept = text[i] == ' ' && i > 0 && std::isdigit(static_cast<unsigned char>(text[i - 1])) &&
                      (text.substr(i + 1).starts_with('%') || text.substr(i + 1).starts_with("µ") ||
                       (i + 1 < text.size() && std::isalpha(static_cast<unsigned char>(text[i + 1]))));
    out += kept ? std::string("\u00A0") : std::string(1, text[i]);
  }
  return out;
}

// Liang and Barsky's clipping: the part of a segment inside a box, as two parameters from 0 to 1; none if from > to.
std::pair<double, double> inside(const Box& box, double x0, double y0, double x1, double y1) {
  double from = 0, to = 1;
  const auto side = [&](double step, double room) {
    if (step == 0) {
      if (room < 0) to = -1;
    } else if (step < 0) {
      from = std::max(from, room / step);
    } else {
      to = std::min(to, room / step);
    }
  };
  side(x0 - x1, x0 - box.left);
  side(x1 - x0, box.right - x0);
  side(y0 - y1, y0 - box.bottom);
  side(y1 - y0, box.top - y0);
  return {from, to};
}

}  // namespace

std::span<const Look> looks() { return all_looks; }

Look look_of(std::string_view backend) {
  const auto found = std::ranges::find(all_looks, backend, &Look::series);
  return found == std::end(all_looks) ? other_backend : *found;
}

std::string grey(std::size_t i, std::size_t count) {
  const std::size_t shade = count < 2 ? 0x60 : 0xC0 - 0x90 * i / (count - 1);
  return fmt::format("#{0:02X}{0:02X}{0:02X}", shade);
}

double Axis::pixel(double value, double from, double to) const {
  const auto f = [this](double at) { return logarithmic ? std::log(at) : at; };
  return from + (f(value) - f(low)) / (f(high) - f(low)) * (to - from);
}

void Figure::text(std::string_view words, double left, double bottom, double size, std::string_view color,
                  std::string_view align, std::string_view more) {
  settings_ += fmt::format("  set label {} at screen {:.5f},{:.5f} {} font 'sans-serif,{:g}' tc rgb '{}'{}{}\n",
                           gnuplot_quoted(words), left / width, bottom / height, align, size, color,
                           more.empty() ? "" : " ", more);
}

void Figure::line(double x0, double y0, double x1, double y1, std::string_view color, double line_width,
                  std::string_view dash) {
  settings_ += fmt::format(
      "  set arrow from screen {:.5f},{:.5f} to screen {:.5f},{:.5f} nohead back lc rgb '{}' lw {:g} dt {}\n",
      x0 / width, y0 / height, x1 / width, y1 / height, color, line_width, dash);
}

void Figure::marker(const Look& look, double left, double bottom, double size) {
  settings_ += fmt::format("  set label '' at screen {:.5f},{:.5f} point pt {} ps {:g} lc rgb '{}'\n", left / width,
                           bottom / height, look.marker, size, look.color);
}

void Figure::rectangle(const Box& area, std::string_view color, double opacity) {
  settings_ += fmt::format(
      "  set object rectangle from screen {:.5f},{:.5f} to screen {:.5f},{:.5f} back fc rgb '{}' "
      "fs transparent solid {:g} noborder\n",
      area.left / width, area.bottom / height, area.right / width, area.top / height, color, opacity);
}

void Figure::straight(double x0, double y0, double x1, double y1, std::string_view color, double line_width,
                      std::string_view dash) {
  const double px0 = px(x0), py0 = py(y0), across = px(x1) - px0, up = py(y1) - py0;
  const auto [from, to] = inside(box, px0, py0, px0 + across, py0 + up);
  if (from < to) line(px0 + from * across, py0 + from * up, px0 + to * across, py0 + to * up, color, line_width, dash);
}

void Figure::ticks(char axis, const Ticks& at) {
  if (at.empty()) {
    settings_ += fmt::format("  unset {}tics\n", axis);
    return;
  }
  std::string list;
  for (const auto& [value, words] : at)
    list += fmt::format("{}{} {:.6g}", list.empty() ? "" : ", ", gnuplot_quoted(words), value);
  settings_ += fmt::format("  set {}tics ({})\n", axis, list);
}

void Figure::ticks(char axis, const std::vector<double>& values) {
  Ticks at;
  for (const double value : values) at.emplace_back(value, signed_words(fmt::format("{:g}", value)));
  ticks(axis, at);
}

void Figure::bare() { settings_ += "  unset border\n  unset tics\n  unset grid\n"; }

void Figure::titles(std::string_view of_x, std::string_view of_y) {
  text(of_x, (box.left + box.right) / 2, box.bottom - 36, 11, ink, "center");
  if (!of_y.empty()) text(of_y, 14, (box.bottom + box.top) / 2, 11, ink, "center", "rotate by 90");
}

void Figure::intervals(std::string_view x_expression, std::string_view low, std::string_view high,
                       std::string_view color, double line_width) {
  element(
      fmt::format("'{}.csv' using {}:({}):(0):({}-{}) with vectors heads nofilled size screen {:.5f},90 lc rgb '{}' "
                  "lw {:g}",
                  name, x_expression, low, high, low, 2.2 / width, color, line_width));
}

void Figure::finish_panel() {
  panels_ += fmt::format(
      "  set lmargin at screen {:.5f}\n  set rmargin at screen {:.5f}\n"
      "  set bmargin at screen {:.5f}\n  set tmargin at screen {:.5f}\n",
      box.left / width, box.right / width, box.bottom / height, box.top / height);
  panels_ += fmt::format("  {}\n  {}\n  set xrange [{:.6g}:{:.6g}]\n  set yrange [{:.6g}:{:.6g}]\n",
                         x.logarithmic ? "set logscale x 2" : "unset logscale x",
                         y.logarithmic ? "set logscale y 10" : "unset logscale y", x.low, x.high, y.low, y.high);
  panels_ += settings_ + "  plot \\\n";
  if (elements_.empty()) elements_.push_back("NaN");
  for (std::size_t i = 0; i < elements_.size(); ++i)
    panels_ += "    " + elements_[i] + " notitle" + (i + 1 < elements_.size() ? ", \\\n" : "\n");
  panels_ += "  unset label\n  unset arrow\n  unset object\n";
  settings_.clear();
  elements_.clear();
  ++panel_count_;
}

std::string Figure::script() {
  if (!elements_.empty() || !settings_.empty()) finish_panel();
  const bool several = panel_count_ > 1;
  return on_both_terminals(
      name, width, height,
      (several ? "  set multiplot\n" : "") + common_settings() + panels_ + (several ? "  unset multiplot\n" : ""));
}

std::string in_series(std::string_view series, std::string_view value) {
  return fmt::format("(strcol(1) eq {} ? {} : NaN)", gnuplot_quoted(series), value);
}

std::string series_name(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == ',' || c == '"' || static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return out.empty() ? "unnamed" : out;
}

std::string field(double value) { return known(value) ? fmt::format("{:.7g}", value) : ""; }

std::vector<double> even_values(double low, double high, int wanted) {
  const double ideal = (high - low) / wanted;
  if (!(ideal > 0)) return {low};
  const double decade = std::pow(10, std::floor(std::log10(ideal)));
  double step = 10 * decade;
  for (const double candidate : {5.0, 2.0, 1.0})
    if (candidate * decade >= ideal * 0.999) step = candidate * decade;
  std::vector<double> out;
  // From whole steps, so that zero is zero.
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i) out.push_back(i * step + 0.0);
  return out;
}

std::vector<double> round_values(double low, double high) {
  if (high / low < 12) return even_values(low, high);
  std::vector<double> out;
  const bool sparse = high / low > 2000;
  for (int decade = static_cast<int>(std::floor(std::log10(low))); decade <= std::ceil(std::log10(high)); ++decade)
    for (const double step : {1.0, 2.0, 5.0})
      if (!sparse || step == 1.0) out.push_back(step * std::pow(10, decade));
  std::erase_if(out, [&](double value) { return value < low * 0.999 || value > high * 1.001; });
  return out;
}

std::vector<double> speedup_values(double low, double high) {
  if (high / low < 5) return round_values(low, high);
  std::vector<double> out;
  for (double value = std::exp2(std::floor(std::log2(low))); value <= high; value *= 2)
    if (value >= low) out.push_back(value);
  return out;
}

void end_labels(Figure& f, std::vector<EndLabel> labels) {
  constexpr double spacing = 14.5;
  std::ranges::stable_sort(labels, {}, &EndLabel::y);
  for (EndLabel& label : labels) label.at = std::clamp(label.y, f.box.bottom, f.box.top);
  // Touching neighbours become one block, centred on where its labels would like to be, until no blocks touch.
  struct Block {
    std::size_t first, count;
    double centre;
    double half() const { return static_cast<double>(count - 1) * spacing / 2; }
  };
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    blocks.push_back({i, 1, labels[i].at});
    while (blocks.size() > 1) {
      Block& below = blocks[blocks.size() - 2];
      const Block& above = blocks.back();
      if (above.centre - above.half() - (below.centre + below.half()) >= spacing) break;
      const double n = static_cast<double>(below.count), m = static_cast<double>(above.count);
      below.centre = (below.centre * n + above.centre * m) / (n + m);
      below.count += above.count;
      const double half = below.half();
      below.centre = std::max(below.centre, f.box.bottom + half - 6);
      below.centre = std::min(below.centre, std::max(f.box.top - half + 6, f.box.bottom + half - 6));
      blocks.pop_back();
    }
  }
  const double left = f.box.right + 20;
  for (const Block& block : blocks)
    for (std::size_t i = 0; i < block.count; ++i) {
      EndLabel& label = labels[block.first + i];
      label.at = block.centre - block.half() + static_cast<double>(i) * spacing;
      f.line(label.x + 5, label.y, left - 4, label.at, label.color, 0.6);
      f.text(shortened(label.words, static_cast<std::size_t>((f.width - left) / (11 * character_width))), left,
             label.at, 11, label.color);
    }
}

void key(Figure& f, const std::vector<std::pair<Look, std::string>>& entries, double left, double bottom) {
  for (const auto& [look, words] : entries) {
    if (!look.dash.empty()) f.line(left - 10, bottom, left + 10, bottom, look.color, 1.7, look.dash);
    f.marker(look, left, bottom, 0.8);
    f.text(words, left + 16, bottom, 11, ink);
    left += 48 + 11 * character_width * static_cast<double>(words.size());
  }
}

std::vector<std::pair<Look, std::string>> backends_of(const Run& run) {
  std::vector<std::pair<Look, std::string>> out;
  for (const Look& look : all_looks) {
    const std::string name(look.series);
    if (std::ranges::any_of(run.cases, [&](const Case& c) { return c.curve(name) != nullptr; }))
      out.emplace_back(look, name);
  }
  return out;
}

void frame(Figure& f, const Run& run, double box_height, const std::string& title, const std::string& subtitle,
           const std::string& caption) {
  const auto per_line = [&](double size) {
    return static_cast<std::size_t>((f.width - 32) / (size * character_width));
  };
  const std::vector<std::string> lines = wrapped(with_units_kept(caption), per_line(9));
  const double caption_height = static_cast<double>(lines.size()) * caption_line + 12;
  f.box.bottom = caption_height + axis_height;
  f.box.top = f.box.bottom + box_height;
  f.height = std::ceil(f.box.top + header_height);
  const std::size_t tag = run.label.empty() ? 0 : 16;
  f.text(shortened(title, per_line(14) - tag), 16, f.height - 20, 14, ink);
  f.text(shortened(subtitle, per_line(10.5)), 16, f.height - 40, 10.5, soft);
  if (!run.label.empty()) f.text(shortened(run.label, 16), f.width - 16, f.height - 20, 12, warning_color, "right");
  double bottom = caption_height - 14;
  for (const std::string& line : lines) {
    f.text(line, 16, bottom, 9, soft);
    bottom -= caption_line;
  }
}

std::string where_words(const Run& run) {
  std::string out = run.cpu.empty() ? "an unnamed processor" : run.cpu;
  if (known(run.physical_cores)) out += ", " + counted(run.physical_cores, "core");
  if (known(run.quota_cpus)) out += fmt::format(", quota of {:g} CPUs", run.quota_cpus);
  return out + (run.started.empty() ? "" : ", " + run.day());
}

std::string sample_words(const Case& c) {
  int low = 1 << 30, high = 0;
  const auto add = [&](const Point& p) {
    if (p.samples == 0) return;
    low = std::min(low, p.samples);
    high = std::max(high, p.samples);
  };
  add(c.sequential);
  for (const Curve& curve : c.curves) std::ranges::for_each(curve.points, add);
  if (high == 0) return "n not known";
  return low == high ? fmt::format("n\u00A0=\u00A0{}", low)
                     : fmt::format("n\u00A0=\u00A0{}\u00A0to\u00A0{}", low, high);
}

std::vector<int> thread_counts(const Run& run) {
  std::set<int> all;
  for (const Case& c : run.cases)
    for (const int n : thread_counts(c)) all.insert(n);
  return {all.begin(), all.end()};
}

void thread_axis(Figure& f, const std::vector<int>& counts) {
  const double octaves = std::log2(static_cast<double>(counts.back()) / counts.front());
  const double pad = std::exp2(octaves > 0 ? 0.06 * octaves : 0.5);
  f.x = {counts.front() / pad, counts.back() * pad, true};
}

void thread_ticks(Figure& f, const std::vector<int>& counts) {
  std::vector<int> by_rank = counts;
  const auto rank = [&](int n) { return n == counts.back() ? 0 : n == 1 ? 1 : (n & (n - 1)) == 0 ? 2 : 3; };
  std::ranges::stable_sort(by_rank, {}, rank);
  std::vector<int> labelled;
  for (const int n : by_rank) {
    const double room = 11 * character_width * static_cast<double>(std::to_string(n).size()) + 8;
    if (std::ranges::all_of(labelled, [&](int other) { return std::fabs(f.px(n) - f.px(other)) >= room; }))
      labelled.push_back(n);
  }
  Ticks at;
  for (const int n : counts) at.emplace_back(n, std::ranges::count(labelled, n) ? std::to_string(n) : "");
  f.ticks('x', at);
}

double set_apart(const Figure& f, std::size_t i, std::size_t count) {
  const double place = static_cast<double>(i) - static_cast<double>(count - 1) / 2;
  return std::exp2(place * 0.012 * std::log2(f.x.high / f.x.low));
}

void limits(Figure& f, const Run& run) {
  std::vector<std::pair<double, std::string>> lines;
  if (known(run.physical_cores)) lines.emplace_back(run.physical_cores, "physical cores");
  if (known(run.quota_cpus)) {
    if (!lines.empty() && lines[0].first == run.quota_cpus) {
      lines[0].second = "cores and quota";
    } else {
      lines.emplace_back(run.quota_cpus, "quota");
    }
  }
  std::erase_if(lines, [&](const auto& line) { return line.first < f.x.low || line.first > f.x.high; });
  std::ranges::sort(lines);
  // Two names that would touch grow away from each other.
  const bool close = lines.size() == 2 && f.px(lines[1].first) - f.px(lines[0].first) < 65;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const double place = f.px(lines[i].first);
    f.line(place, f.box.bottom, place, f.box.top + 2, reference, 0.9, "(2,4)");
    const double aside = !close ? 0 : i == 0 ? 4 : -4;
    f.text(lines[i].second, place + aside, f.box.top + 8, 9, soft, !close ? "center" : i == 0 ? "right" : "left");
  }
}

}  // namespace speedwell::bench::report
