// SPDX-License-Identifier: Apache-2.0
#include "bench/report/plots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

// Okabe and Ito's colours, told apart by the colour-blind too; marker and dash say the same once more. One fixed look a
// backend, the same in page.css.
struct Look {
  std::string_view series, color, dash;
  int marker;  // gnuplot's numbers, the same in its svg and pngcairo terminals
};
constexpr Look looks[] = {
    {"sequential", "#000000", "solid", 5},
    {"threads", "#0072B2", "solid", 7},
    {"openmp", "#D55E00", "(9,4)", 9},
    {"tbb", "#009E73", "(9,3,2,3)", 13},
};
constexpr Look other_backend{"", "#CC79A7", "(3,3)", 11};
constexpr std::string_view peer_color = "#8A8A8A";
constexpr int peer_markers[] = {6, 4, 12, 8};
constexpr std::string_view ink = "#222222", soft = "#666666", faint = "#E4E4E4", reference = "#9A9A9A";

Look look_of(std::string_view backend) {
  const auto found = std::ranges::find(looks, backend, &Look::series);
  return found == std::end(looks) ? other_backend : *found;
}

// The widest common sans-serif (DejaVu Sans) needs about this much of the font size a character.
constexpr double character_width = 0.58;

struct Box {
  double left, right, bottom, top;
};  // pixels from the lower left

// One axis: data to pixels, linear or logarithmic.
struct Axis {
  double low, high;
  bool logarithmic;
  double pixel(double value, double from, double to) const {
    const auto f = [this](double x) { return logarithmic ? std::log(x) : x; };
    return from + (f(value) - f(low)) / (f(high) - f(low)) * (to - from);
  }
};

struct Figure {
  double width = 660, height = 480;
  Box box{62, 500, 96, 420};
  Axis x{1, 2, true}, y{1, 2, true};
  std::string settings;               // gnuplot commands
  std::vector<std::string> elements;  // of the plot command

  double px(double value) const { return x.pixel(value, box.left, box.right); }
  double py(double value) const { return y.pixel(value, box.bottom, box.top); }

  void text(std::string_view words, double left, double bottom, double size, std::string_view color,
            std::string_view align = "left", std::string_view more = "") {
    settings += fmt::format("  set label {} at screen {:.5f},{:.5f} {} font 'sans-serif,{:g}' tc rgb '{}' {}\n",
                            gnuplot_quoted(words), left / width, bottom / height, align, size, color, more);
  }
  void line(double x0, double y0, double x1, double y1, std::string_view color, double line_width = 0.8,
            std::string_view dash = "solid") {
    settings += fmt::format(
        "  set arrow from screen {:.5f},{:.5f} to screen {:.5f},{:.5f} nohead back lc rgb '{}' lw {:g} dt {}\n",
        x0 / width, y0 / height, x1 / width, y1 / height, color, line_width, dash);
  }
  void ticks(char axis, const std::vector<std::pair<double, std::string>>& at) {
    std::string list;
    for (const auto& [value, words] : at)
      list += fmt::format("{}{} {:.6g}", list.empty() ? "" : ", ", gnuplot_quoted(words), value);
    settings += fmt::format("  set {}tics ({})\n", axis, list);
  }
};

// A script whose loop draws the same figure on both terminals; 2 pixels of PNG for one of SVG, for sharp screens.
// Fonts are in pixels in SVG and in points (4/3 pixels) in PNG.
std::string script(const std::string& name, double width, double height, const std::string& body) {
  return fmt::format(
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# Drawn from {0}.csv. To restyle it, edit this file and run gnuplot on it here.\n"
      "set encoding utf8\n"
      "set datafile separator comma\n"
      "do for [format in 'svg png'] {{\n"
      "  if (format eq 'svg') {{\n"
      "    set terminal svg noenhanced size {1:g},{2:g} font 'sans-serif,11' background '#FFFFFF'\n"
      "  }} else {{\n"
      "    set terminal pngcairo noenhanced size {3:g},{4:g} font 'sans-serif,11' fontscale 1.5 linewidth 2 dashlength "
      "2 "
      "pointscale 2 background '#FFFFFF'\n"
      "  }}\n"
      "  set output '{0}.'.format\n"
      "{5}"
      "  unset output\n"
      "}}\n",
      name, width, height, 2 * width, 2 * height, body);
}

// What every plot of ours has in common.
std::string common_settings() {
  return fmt::format(
      "  unset key\n"
      "  set border 3 lc rgb '{0}' lw 0.8\n"
      "  set tics out nomirror scale 0.5 textcolor rgb '{1}'\n"
      "  set grid xtics ytics back lt 1 lc rgb '{2}' lw 0.7\n"
      "  set errorbars 0.7\n"
      // No white halo under the error bars' own (absent) points: it would cover the curves drawn before.
      "  set pointintervalbox 0\n"
      "  set samples 400\n",
      soft, ink, faint);
}

std::string margins(const Figure& f) {
  return fmt::format(
      "  set lmargin at screen {:.5f}\n  set rmargin at screen {:.5f}\n"
      "  set bmargin at screen {:.5f}\n  set tmargin at screen {:.5f}\n",
      f.box.left / f.width, f.box.right / f.width, f.box.bottom / f.height, f.box.top / f.height);
}

std::string axes(const Figure& f) {
  return fmt::format("  {}\n  {}\n  set xrange [{:.6g}:{:.6g}]\n  set yrange [{:.6g}:{:.6g}]\n",
                     f.x.logarithmic ? "set logscale x 2" : "unset logscale x",
                     f.y.logarithmic ? "set logscale y 10" : "unset logscale y", f.x.low, f.x.high, f.y.low, f.y.high);
}

std::string plot_command(const std::vector<std::string>& elements) {
  std::string out = "  plot \\\n";
  for (std::size_t i = 0; i < elements.size(); ++i)
    out += "    " + elements[i] + " notitle" + (i + 1 < elements.size() ? ", \\\n" : "\n");
  return out;
}

std::string whole_script(const std::string& name, const Figure& f) {
  return script(name, f.width, f.height,
                common_settings() + margins(f) + axes(f) + f.settings + plot_command(f.elements));
}

// Rows of NAME.csv whose first field is `series`; `columns` is gnuplot's `using` after the x value.
std::string rows(const std::string& name, const std::string& series, std::string_view x, std::string_view columns) {
  return fmt::format("'{}.csv' using (strcol(1) eq {} ? {} : NaN):{}", name, gnuplot_quoted(series), x, columns);
}

// A series' name in the CSV: what gnuplot's CSV reader can't misread.
std::string series_name(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == ',' || c == '"' || static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return out.empty() ? "unnamed" : out;
}

std::string field(double value) { return known(value) ? fmt::format("{:.7g}", value) : ""; }

// Ticks at the measured counts only. Where the labels would touch, powers of two and the last count keep theirs.
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
  std::vector<std::pair<double, std::string>> at;
  for (const int n : counts) at.emplace_back(n, std::ranges::count(labelled, n) ? std::to_string(n) : "");
  f.ticks('x', at);
}

// Round values that suit the range: 1-2-5 steps over decades, even steps within one.
std::vector<double> round_values(double low, double high) {
  std::vector<double> out;
  if (high / low >= 12) {
    const bool sparse = high / low > 2000;
    for (int decade = static_cast<int>(std::floor(std::log10(low))); decade <= std::ceil(std::log10(high)); ++decade)
      for (const double step : {1.0, 2.0, 5.0})
        if (!sparse || step == 1.0) out.push_back(step * std::pow(10, decade));
  } else {
    const double ideal = (high - low) / 6;
    const double decade = std::pow(10, std::floor(std::log10(ideal)));
    double step = 10 * decade;
    for (const double candidate : {1.0, 2.0, 5.0})
      if (candidate * decade >= ideal) {
        step = candidate * decade;
        break;
      }
    for (double value = std::ceil(low / step) * step; value <= high * 1.0001; value += step) out.push_back(value);
  }
  std::erase_if(out, [&](double value) { return value < low * 0.999 || value > high * 1.001; });
  return out;
}

// Values for a speedup axis: powers of two over many octaves, finer below.
std::vector<double> speedup_values(double low, double high) {
  if (high / low < 5) return round_values(low, high);
  std::vector<double> out;
  for (double value = std::exp2(std::floor(std::log2(low))); value <= high; value *= 2)
    if (value >= low) out.push_back(value);
  return out;
}

struct EndLabel {
  std::string words;
  std::string_view color;
  double x, y;   // pixels of the curve's last point
  double at{0};  // where the label ends up
};

// Labels at the right edge, moved apart so that none touches another, with a hairline to what each one names.
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

// Height that title, caption and axis need besides the box itself.
constexpr double header_height = 58, axis_height = 48, caption_line = 12.5;

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
  return low == high ? fmt::format("n = {}", low) : fmt::format("n = {} to {}", low, high);
}

// Sets the figure's height from the box's, then title, subtitle and caption.
void frame(Figure& f, const Run& run, double box_height, const std::string& title, const std::string& subtitle,
           const std::string& caption) {
  const auto per_line = [&](double size) {
    return static_cast<std::size_t>((f.width - 32) / (size * character_width));
  };
  const std::vector<std::string> lines = wrapped(caption, per_line(9));
  const double caption_height = static_cast<double>(lines.size()) * caption_line + 12;
  f.box.bottom = caption_height + axis_height;
  f.box.top = f.box.bottom + box_height;
  f.height = std::ceil(f.box.top + header_height);
  const std::size_t tag = run.label.empty() ? 0 : 16;
  f.text(shortened(title, per_line(14) - tag), 16, f.height - 20, 14, ink);
  f.text(shortened(subtitle, per_line(10.5)), 16, f.height - 40, 10.5, soft);
  if (!run.label.empty()) f.text(shortened(run.label, 16), f.width - 16, f.height - 20, 12, "#B00020", "right");
  double bottom = caption_height - 14;
  for (const std::string& line : lines) {
    f.text(line, 16, bottom, 9, soft);
    bottom -= caption_line;
  }
}

// A vertical hairline where the machine's cores or quota end, named along it.
void limits(Figure& f, const Run& run, bool at_top) {
  std::vector<std::pair<double, std::string>> lines;
  if (known(run.physical_cores)) lines.emplace_back(run.physical_cores, "physical cores");
  if (known(run.quota_cpus)) {
    if (!lines.empty() && lines[0].first == run.quota_cpus) {
      lines[0].second = "cores and quota";
    } else {
      lines.emplace_back(run.quota_cpus, "quota");
    }
  }
  for (const auto& [value, words] : lines) {
    if (value < f.x.low || value > f.x.high) continue;
    f.line(f.px(value), f.box.bottom, f.px(value), f.box.top, reference, 0.9, "(2,4)");
    f.text(words, f.px(value) - 8, at_top ? f.box.top - 4 : f.box.bottom + 5, 9, soft, at_top ? "right" : "left",
           "rotate by 90");
  }
}

void thread_axis(Figure& f, const std::vector<int>& counts) {
  const double octaves = std::log2(static_cast<double>(counts.back()) / counts.front());
  const double pad = std::exp2(octaves > 0 ? 0.06 * octaves : 0.5);
  f.x = {counts.front() / pad, counts.back() * pad, true};
}

void axis_titles(Figure& f, std::string_view x, std::string_view y) {
  f.text(x, (f.box.left + f.box.right) / 2, f.box.bottom - 36, 11, ink, "center");
  f.text(y, 14, (f.box.bottom + f.box.top) / 2, 11, ink, "center", "rotate by 90");
}

// Parallel backends side by side, so that overlapping intervals are seen: the factor for a curve's thread counts.
double set_apart(const Figure& f, const Case& c, const Curve& curve) {
  if (curve.backend == "sequential") return 1;
  double place = 0, last = -1;
  for (const Curve& other : c.curves) {
    if (other.backend == "sequential") continue;
    ++last;
    if (&other == &curve) place = last;
  }
  return std::exp2((place - last / 2) * 0.012 * std::log2(f.x.high / f.x.low));
}

void backend_elements(Figure& f, const std::string& name, const Case& c, const Curve& curve, const std::string& y,
                      const std::string& low, const std::string& high) {
  const Look look = look_of(curve.backend);
  const std::string x = fmt::format("$2*{:.5f}", set_apart(f, c, curve));
  const std::string series = series_name(curve.backend);
  f.elements.push_back(rows(name, series, x, fmt::format("{}:{}:{}", y, low, high)) +
                       fmt::format(" with yerrorbars pt 0 lc rgb '{}' lw 1.1", look.color));
  f.elements.push_back(rows(name, series, x, y) +
                       fmt::format(" with linespoints pt {} ps {:g} lc rgb '{}' lw 1.7 dt {}", look.marker,
                                   curve.backend == "sequential" ? 1.0 : 0.75, look.color, look.dash));
}

struct PeerCurve {
  std::string name;
  std::vector<const Peer*> points;
};

std::vector<PeerCurve> peer_curves(const Case& c) {
  std::vector<PeerCurve> out;
  for (const Peer& peer : c.peers) {
    if (!(peer.median_ns > 0) || !known(peer.median_ns)) continue;
    if (out.empty() || out.back().name != peer.name) out.push_back({peer.name, {}});
    out.back().points.push_back(&peer);
  }
  return out;
}

void peer_element(Figure& f, const std::string& name, const PeerCurve& peer, std::size_t i, const std::string& y) {
  f.elements.push_back(rows(name, series_name("peer " + peer.name), "$2", y) +
                       fmt::format(" with linespoints pt {} ps 0.7 lc rgb '{}' lw 1.2 dt (4,3)",
                                   peer_markers[i % std::size(peer_markers)], peer_color));
}

const Curve* best_fitted(const Case& c) {
  const Curve* curve = c.curve(c.best.backend);
  return curve && curve->law.law != "none" && !curve->law.predicted.empty() ? curve : nullptr;
}

std::string law_words(const std::string& law) {
  return law == "usl" ? "universal scalability law" : law == "amdahl" ? "Amdahl's law" : law + " law";
}

Plot speedup_plot(const Run& run, const Case& c, const std::string& stem) {
  Plot plot{stem + "_speedup", c.name, "speedup", "Speedup of " + c.name + " against threads", "", ""};
  const std::vector<int> counts = thread_counts(c);
  const std::vector<PeerCurve> peers = peer_curves(c);
  Figure f;
  thread_axis(f, counts);

  plot.csv = "series,threads,speedup,low,high,samples\n";
  double low = 1, high = counts.back();
  const auto add = [&](const std::string& series, int threads, double value, Interval interval, int samples) {
    if (!known(value) || value <= 0) return;
    const bool sound = known(interval) && interval.low > 0;
    if (!sound) interval = {value, value};
    plot.csv += fmt::format("{},{},{},{},{},{}\n", csv(series), threads, field(value), field(interval.low),
                            field(interval.high), samples ? std::to_string(samples) : "");
    low = std::min(low, interval.low);
    high = std::max(high, interval.high);
  };
  for (const Curve& curve : c.curves)
    for (const Point& p : curve.points) add(series_name(curve.backend), p.threads, p.speedup, p.speedup_ci, p.samples);
  for (const PeerCurve& peer : peers)
    for (const Peer* p : peer.points)
      add(series_name("peer " + peer.name), p->threads, c.sequential.median_ns / p->median_ns, {}, 0);
  const Curve* fitted = best_fitted(c);
  if (fitted)
    for (const Prediction& p : fitted->law.predicted)
      if (known(p.band) && p.band.low > 0)
        plot.csv += fmt::format("law {},{},{},{},{},\n", csv(series_name(fitted->backend)), p.threads, field(p.speedup),
                                field(p.band.low), field(p.band.high));
  Roof last_roof;
  double last_roof_threads = 0;
  for (const int threads : counts) {
    const Roof r = roof(c, threads);
    if (!known(r.speedup)) continue;
    plot.csv += fmt::format("roof,{},{},,,\n", threads, field(r.speedup));
    last_roof = r;
    last_roof_threads = threads;
    high = std::max(high, std::min(r.speedup, 1.3 * counts.back()));
  }

  const double octaves = std::log2(f.x.high / f.x.low);
  f.y = {low / std::exp2(0.06 * octaves), high * std::exp2(0.06 * octaves), true};
  const double across = f.box.right - f.box.left;
  // One octave of speedup is as long as one of threads, unless the picture would become a strip.
  const double box_height = std::clamp(across * std::log2(f.y.high / f.y.low) / octaves, 0.6 * across, 1.15 * across);
  std::string caption = fmt::format(
      "Median, {}, 95 % bootstrap interval of ratios paired by round. Speedup is against the best sequential version "
      "({}; black square). {}. Grey line: ideal.",
      sample_words(c), time_words(c.sequential.median_ns), where_words(run));
  if (fitted) caption += fmt::format(" Band: 95 % of {} fitted to {}.", law_words(fitted->law.law), fitted->backend);
  if (known(last_roof.speedup)) caption += " Dotted: the most that the measured ceilings allow.";
  if (!peers.empty()) caption += " Grey, dashed: other libraries.";
  if (c.curves.size() > 1) caption += " Markers are set apart sideways.";
  frame(f, run, box_height, c.name, "Speedup against threads · higher is better", caption);
  axis_titles(f, "threads", "speedup");
  thread_ticks(f, counts);
  std::vector<std::pair<double, std::string>> y_ticks;
  for (const double value : speedup_values(f.y.low, f.y.high)) y_ticks.emplace_back(value, fmt::format("{:g}", value));
  f.ticks('y', y_ticks);
  limits(f, run, false);

  if (fitted) {
    const std::string series = "law " + series_name(fitted->backend);
    f.elements.push_back(rows(plot.name, series, "$2", "4:5") +
                         fmt::format(" with filledcurves fc rgb '{}' fs transparent solid 0.15 noborder",
                                     look_of(fitted->backend).color));
  }
  f.elements.push_back(fmt::format("x with lines lc rgb '{}' lw 1", reference));
  if (known(last_roof.speedup))
    f.elements.push_back(rows(plot.name, "roof", "$2", "3") +
                         fmt::format(" with lines lc rgb '{}' lw 1.6 dt (1.5,3)", ink));
  std::vector<EndLabel> labels{{"ideal", soft, f.px(counts.back()), f.py(counts.back())}};
  if (known(last_roof.speedup) && last_roof.speedup < f.y.high && last_roof.speedup > f.y.low)
    labels.push_back({last_roof.bound + " roof", ink, f.px(last_roof_threads), f.py(last_roof.speedup)});
  for (std::size_t i = 0; i < peers.size(); ++i) {
    peer_element(f, plot.name, peers[i], i, "3");
    const Peer& last = *peers[i].points.back();
    labels.push_back({peers[i].name, "#6E6E6E", f.px(last.threads), f.py(c.sequential.median_ns / last.median_ns)});
  }
  for (const Curve& curve : c.curves) {
    if (!has_speedups(curve)) continue;
    backend_elements(f, plot.name, c, curve, "3", "4", "5");
    const Point& last = curve.points.back();
    if (!known(last.speedup)) continue;
    if (curve.backend != "sequential")
      labels.push_back({curve.backend + "  " + factor_words(last.speedup), look_of(curve.backend).color,
                        f.px(last.threads), f.py(last.speedup)});
  }
  end_labels(f, std::move(labels));
  plot.script = whole_script(plot.name, f);
  return plot;
}

Plot efficiency_plot(const Run& run, const Case& c, const std::string& stem) {
  Plot plot{
      stem + "_efficiency", c.name, "efficiency", "Parallel efficiency of " + c.name + " against threads", "", ""};
  const std::vector<int> counts = thread_counts(c);
  Figure f;
  thread_axis(f, counts);
  double high = 110;
  plot.csv = "series,threads,efficiency_percent,low,high,samples\n";
  for (const Curve& curve : c.curves)
    for (const Point& p : curve.points) {
      if (!known(p.speedup)) continue;
      const double scale = 100.0 / p.threads;
      const Interval interval = known(p.speedup_ci) ? p.speedup_ci : Interval{p.speedup, p.speedup};
      plot.csv +=
          fmt::format("{},{},{},{},{},{}\n", csv(series_name(curve.backend)), p.threads, field(p.speedup * scale),
                      field(interval.low * scale), field(interval.high * scale), p.samples);
      high = std::max(high, interval.high * scale * 1.05);
    }
  f.y = {0, high, false};
  std::string caption = fmt::format(
      "Speedup over the best sequential version ({}; black square), divided by threads. Median, {}, 95 % bootstrap "
      "interval. {}.",
      time_words(c.sequential.median_ns), sample_words(c), where_words(run));
  if (high > 110) caption += " Above 100 %: more than the cores explain, such as more cache in all.";
  frame(f, run, 260, c.name, "Efficiency against threads · higher is better", caption);
  axis_titles(f, "threads", "efficiency (%)");
  thread_ticks(f, counts);
  std::vector<std::pair<double, std::string>> y_ticks;
  const double step = high > 200 ? 50 : 25;
  for (double value = 0; value <= high; value += step) y_ticks.emplace_back(value, fmt::format("{:g}", value));
  f.ticks('y', y_ticks);
  limits(f, run, false);
  f.elements.push_back(fmt::format("100 with lines lc rgb '{}' lw 1", reference));
  std::vector<EndLabel> labels{{"ideal", soft, f.box.right - 5, f.py(100)}};
  for (const Curve& curve : c.curves) {
    if (!has_speedups(curve)) continue;
    backend_elements(f, plot.name, c, curve, "3", "4", "5");
    const Point& last = curve.points.back();
    if (!known(last.speedup)) continue;
    const double percent = 100 * last.speedup / last.threads;
    if (curve.backend != "sequential")
      labels.push_back({fmt::format("{}  {}", curve.backend, percent_words(percent)), look_of(curve.backend).color,
                        f.px(last.threads), f.py(percent)});
  }
  end_labels(f, std::move(labels));
  plot.script = whole_script(plot.name, f);
  return plot;
}

struct TimeUnit {
  std::string_view name;
  double ns;
};

TimeUnit time_unit(double ns) {
  if (ns < 1e3) return {"ns", 1};
  if (ns < 1e6) return {"µs", 1e3};
  if (ns < 1e9) return {"ms", 1e6};
  return {"s", 1e9};
}

Plot time_plot(const Run& run, const Case& c, const std::string& stem) {
  Plot plot{stem + "_time", c.name, "time", "Time of " + c.name + " against threads", "", ""};
  const std::vector<int> counts = thread_counts(c);
  const std::vector<PeerCurve> peers = peer_curves(c);
  Figure f;
  thread_axis(f, counts);
  plot.csv = "series,threads,median_ns,low_ns,high_ns,samples\n";
  double low = c.sequential.median_ns, high = c.sequential.median_ns;
  const auto add = [&](const std::string& series, int threads, double ns, Interval interval, int samples) {
    if (!known(interval) || interval.low <= 0) interval = {ns, ns};
    plot.csv += fmt::format("{},{},{},{},{},{}\n", csv(series), threads, field(ns), field(interval.low),
                            field(interval.high), samples ? std::to_string(samples) : "");
    low = known(low) ? std::min(low, interval.low) : interval.low;
    high = known(high) ? std::max(high, interval.high) : interval.high;
  };
  for (const Curve& curve : c.curves)
    for (const Point& p : curve.points) add(series_name(curve.backend), p.threads, p.median_ns, p.ns, p.samples);
  for (const PeerCurve& peer : peers)
    for (const Peer* p : peer.points) add(series_name("peer " + peer.name), p->threads, p->median_ns, p->ns, 0);
  const TimeUnit unit = time_unit(low);
  const double pad = std::pow(high / low, 0.07) * 1.03;
  f.y = {low / pad / unit.ns, high * pad / unit.ns, true};
  std::string caption = fmt::format(
      "Median, {}, 95 % interval by binomial ranks. Grey line: the best sequential version ({}) "
      "divided by threads. {}.",
      sample_words(c), time_words(c.sequential.median_ns), where_words(run));
  if (!peers.empty()) caption += " Grey, dashed: other libraries.";
  frame(f, run, 320, c.name, "Time of one call against threads · lower is better", caption);
  axis_titles(f, "threads", fmt::format("time ({})", unit.name));
  thread_ticks(f, counts);
  std::vector<std::pair<double, std::string>> y_ticks;
  for (const double value : round_values(f.y.low, f.y.high)) y_ticks.emplace_back(value, fmt::format("{:g}", value));
  f.ticks('y', y_ticks);
  limits(f, run, true);
  std::vector<EndLabel> labels;
  if (known(c.sequential.median_ns)) {
    const double sequential = c.sequential.median_ns / unit.ns;
    f.elements.push_back(fmt::format("{:.7g}/x with lines lc rgb '{}' lw 1", sequential, reference));
    const double end = sequential / counts.back();
    if (end > f.y.low) labels.push_back({"ideal", soft, f.px(counts.back()), f.py(end)});
  }
  const std::string scaled = fmt::format("($3/{:g})", unit.ns);
  for (std::size_t i = 0; i < peers.size(); ++i) {
    peer_element(f, plot.name, peers[i], i, scaled);
    const Peer& last = *peers[i].points.back();
    labels.push_back({peers[i].name, "#6E6E6E", f.px(last.threads), f.py(last.median_ns / unit.ns)});
  }
  for (const Curve& curve : c.curves) {
    backend_elements(f, plot.name, c, curve, scaled, fmt::format("($4/{:g})", unit.ns),
                     fmt::format("($5/{:g})", unit.ns));
    const Point& last = curve.points.back();
    labels.push_back({curve.backend + "  " + time_words(last.median_ns), look_of(curve.backend).color,
                      f.px(last.threads), f.py(last.median_ns / unit.ns)});
  }
  end_labels(f, std::move(labels));
  plot.script = whole_script(plot.name, f);
  return plot;
}

// The key of a plot with several panels, along the top: markers with names.
void key(Figure& f, const std::vector<std::pair<Look, std::string>>& entries, double left, double bottom) {
  for (const auto& [look, words] : entries) {
    f.line(left - 10, bottom, left + 10, bottom, look.color, 1.7, look.dash);
    f.settings += fmt::format(
        "  set label {} at screen {:.5f},{:.5f} left offset 1.6,0 font 'sans-serif,11' tc rgb '{}' point pt {} ps 0.8 "
        "lc rgb "
        "'{}'\n",
        gnuplot_quoted(words), left / f.width, bottom / f.height, ink, look.marker, look.color);
    left += 48 + 11 * character_width * static_cast<double>(words.size());
  }
}

Plot overview_plot(const Run& run) {
  Plot plot{"overview", "", "overview", "Speedup against threads, every case", "", ""};
  const std::size_t panels = run.cases.size();
  const std::size_t columns = panels <= 2 ? panels : panels == 4 ? 2 : panels <= 12 ? 3 : 4;
  const std::size_t lines = (panels + columns - 1) / columns;
  // At least as wide as its own heading needs.
  const double panel_width = columns == 1 ? 520 : columns == 2 ? 330 : 245;
  std::set<int> all_counts;
  double low = 1, high = 1;
  plot.csv = "case,backend,threads,speedup,low,high,samples\n";
  for (const Case& c : run.cases) {
    for (const int n : thread_counts(c)) all_counts.insert(n);
    for (const Curve& curve : c.curves)
      for (const Point& p : curve.points) {
        if (!known(p.speedup) || p.speedup <= 0) continue;
        const Interval interval =
            known(p.speedup_ci) && p.speedup_ci.low > 0 ? p.speedup_ci : Interval{p.speedup, p.speedup};
        plot.csv += fmt::format("{},{},{},{},{},{},{}\n", csv(series_name(c.name)), csv(series_name(curve.backend)),
                                p.threads, field(p.speedup), field(interval.low), field(interval.high), p.samples);
        low = std::min(low, interval.low);
        high = std::max(high, interval.high);
      }
  }
  const std::vector<int> counts(all_counts.begin(), all_counts.end());
  high = std::max(high, static_cast<double>(counts.back()));

  Figure f;
  thread_axis(f, counts);
  const double octaves = std::log2(f.x.high / f.x.low);
  f.y = {low / std::exp2(0.06 * octaves), high * std::exp2(0.06 * octaves), true};
  f.width = 16 + static_cast<double>(columns) * panel_width + 14;
  const double inner = panel_width - 48;
  const double inner_height = std::clamp(inner * std::log2(f.y.high / f.y.low) / octaves, 0.6 * inner, 1.1 * inner);
  const double panel_height = inner_height + 54;
  const std::string caption = fmt::format(
      "Both axes are logarithmic and the same in every panel. Medians with 95 % intervals; grey line: ideal; speedup "
      "is "
      "against the best sequential version of the same case, whose time stands in the panel. {}.",
      where_words(run));
  const double body = static_cast<double>(lines) * panel_height;
  frame(f, run, body + 6 - axis_height + 22, "Speedup against threads",
        "Upwards: speedup; to the right: threads · higher is better", caption);
  std::vector<std::pair<Look, std::string>> entries;
  for (const Look& look : looks)
    for (const Case& c : run.cases)
      if (c.curve(std::string(look.series))) {
        entries.emplace_back(look, look.series);
        break;
      }
  // The frame's box spans all panels; here it becomes each panel in turn.
  const double top = f.height - header_height - 20;
  key(f, entries, 28, f.height - 64);
  std::string out = fmt::format("  set multiplot\n{}", common_settings());
  out += "  set tics font 'sans-serif,9.5'\n";
  for (std::size_t i = 0; i < panels; ++i) {
    const Case& c = run.cases[i];
    const double column = static_cast<double>(i % columns), line = static_cast<double>(i / columns);
    f.box.left = 16 + column * panel_width + 34;
    f.box.right = f.box.left + inner;
    f.box.top = top - line * panel_height - 24;
    f.box.bottom = f.box.top - inner_height;
    f.elements.clear();
    f.text(shortened(c.name, static_cast<std::size_t>(panel_width / (10 * character_width))), f.box.left, f.box.top + 9,
           10, ink);
    f.text(time_words(c.sequential.median_ns), f.box.left + 6, f.box.top - 8, 9, soft);
    thread_ticks(f, counts);
    std::vector<std::pair<double, std::string>> y_ticks;
    for (const double value : speedup_values(f.y.low, f.y.high))
      y_ticks.emplace_back(value, fmt::format("{:g}", value));
    f.ticks('y', y_ticks);
    f.elements.push_back(fmt::format("x with lines lc rgb '{}' lw 1", reference));
    for (const Curve& curve : c.curves) {
      if (!has_speedups(curve)) continue;
      const Look look = look_of(curve.backend);
      const std::string x =
          fmt::format("(strcol(1) eq {} && strcol(2) eq {} ? $3*{:.5f} : NaN)", gnuplot_quoted(series_name(c.name)),
                      gnuplot_quoted(series_name(curve.backend)), set_apart(f, c, curve));
      f.elements.push_back(
          fmt::format("'overview.csv' using {}:4:5:6 with yerrorbars pt 0 lc rgb '{}' lw 1", x, look.color));
      f.elements.push_back(
          fmt::format("'overview.csv' using {}:4 with linespoints pt {} ps 0.6 lc rgb '{}' lw 1.4 dt {}", x,
                      look.marker, look.color, look.dash));
    }
    out += margins(f) + axes(f) + f.settings + plot_command(f.elements) + "  unset label\n  unset arrow\n";
    f.settings.clear();
  }
  out += "  unset multiplot\n";
  plot.script = script(plot.name, f.width, f.height, out);
  return plot;
}

// Work against traffic for the cases of one precision. Nothing without ceilings or cases.
std::optional<Plot> roofline_plot(const Run& run, const std::string& precision) {
  struct Mark {
    const Case* c;
    double x, sequential, best;
    std::string number;
  };
  std::vector<Mark> marks;
  for (const Case& c : run.cases) {
    if (c.precision != precision || !(c.flops > 0) || !(c.intensity > 0) || !known(c.sequential.median_ns)) continue;
    const double best_ns = known(c.best_point.median_ns) ? c.best_point.median_ns : c.sequential.median_ns;
    marks.push_back(
        {&c, c.intensity, c.flops / c.sequential.median_ns, c.flops / best_ns, std::to_string(marks.size() + 1)});
  }
  struct Ceil {
    int threads;
    double peak, bandwidth;  // GFLOP/s, GB/s
  };
  std::vector<Ceil> ceilings;
  for (const Ceiling& ceiling : run.ceilings) {
    const double peak = precision == "f64" ? ceiling.fma_f64 : ceiling.fma_f32;
    if (known(peak) && known(ceiling.triad)) ceilings.push_back({ceiling.threads, peak / 1e9, ceiling.triad / 1e9});
  }
  if (marks.empty() || ceilings.empty()) return std::nullopt;

  Plot plot{"roofline_" + precision, "", "roofline", "Roofline, " + precision, "", ""};
  plot.csv = "kind,name,backend,threads,intensity_flop_per_byte,gflop_per_s,gb_per_s\n";
  double x_low = marks[0].x, x_high = marks[0].x, y_low = marks[0].sequential, y_high = 0;
  for (const Ceil& ceiling : ceilings) {
    plot.csv += fmt::format("ceiling,,,{},,{},{}\n", ceiling.threads, field(ceiling.peak), field(ceiling.bandwidth));
    const double ridge = ceiling.peak / ceiling.bandwidth;
    x_low = std::min(x_low, ridge);
    x_high = std::max(x_high, ridge);
    y_high = std::max(y_high, ceiling.peak);
  }
  for (const Mark& mark : marks) {
    const Case& c = *mark.c;
    plot.csv += fmt::format("sequential,{},sequential,1,{},{},\n", csv(series_name(c.name)), field(mark.x),
                            field(mark.sequential));
    plot.csv += fmt::format("best,{},{},{},{},{},\n", csv(series_name(c.name)), csv(series_name(c.best.backend)),
                            c.best.threads, field(mark.x), field(mark.best));
    x_low = std::min(x_low, mark.x);
    x_high = std::max(x_high, mark.x);
    y_low = std::min({y_low, mark.sequential, mark.best});
    y_high = std::max({y_high, mark.sequential, mark.best});
  }
  Figure f;
  f.width = 820;
  f.box.left = 72;
  f.box.right = 505;
  f.x = {x_low / 2, x_high * 2, true};
  f.y = {y_low / 1.7, y_high * 1.5, true};
  const std::string caption = fmt::format(
      "Hollow: the best sequential version; filled: the best of all, both {}. Lines: ceilings measured at each thread "
      "count, "
      "register-only fused multiply-adds and triad bandwidth; darker means more threads. Intensity counts compulsory "
      "traffic "
      "only, so a case that fits in cache may stand above the slope. {}.",
      sample_words(*marks[0].c), where_words(run));
  frame(f, run, 360, "Roofline, " + precision, "Arithmetic speed against intensity · higher is better", caption);
  axis_titles(f, "arithmetic intensity (FLOP/byte, compulsory traffic)", "GFLOP/s");
  for (const char axis : {'x', 'y'}) {
    const Axis& range = axis == 'x' ? f.x : f.y;
    std::vector<std::pair<double, std::string>> at;
    for (const double value : round_values(range.low, range.high)) at.emplace_back(value, fmt::format("{:g}", value));
    f.ticks(axis, at);
  }
  std::vector<EndLabel> labels;
  const bool every = ceilings.size() <= 10;
  for (std::size_t i = 0; i < ceilings.size(); ++i) {
    const Ceil& ceiling = ceilings[i];
    // From light to dark grey with rising thread count.
    const int shade = ceilings.size() == 1 ? 0x60 : 0xC0 - static_cast<int>(0x90 * i / (ceilings.size() - 1));
    f.elements.push_back(
        fmt::format("(x*{0:.6g} < {1:.6g} ? x*{0:.6g} : {1:.6g}) with lines lc rgb '#{2:02X}{2:02X}{2:02X}' lw 1.2",
                    ceiling.bandwidth, ceiling.peak, shade));
    const int n = ceiling.threads;
    if (every || i + 1 == ceilings.size() || (n & (n - 1)) == 0)
      labels.push_back({fmt::format("{}: {}", counted(n, "thread"), number_words(ceiling.peak)), soft, f.box.right - 6,
                        f.py(ceiling.peak)});
  }
  for (const Mark& mark : marks) {
    const Look look = look_of(mark.c->best.backend);
    const std::string series = gnuplot_quoted(series_name(mark.c->name));
    const auto point = [&](std::string_view kind) {
      return fmt::format("'{}.csv' using (strcol(1) eq '{}' && strcol(2) eq {} ? $5 : NaN):6", plot.name, kind, series);
    };
    f.line(f.px(mark.x), f.py(mark.sequential), f.px(mark.x), f.py(mark.best), look.color, 0.8);
    f.elements.push_back(point("sequential") + fmt::format(" with points pt 6 ps 0.8 lw 1.2 lc rgb '{}'", ink));
    f.elements.push_back(point("best") + fmt::format(" with points pt {} ps 0.9 lc rgb '{}'", look.marker, look.color));
  }
  // Numbers below the points, where fewer lines run than above, each moved down past those already there.
  std::vector<std::pair<double, double>> taken;
  std::vector<std::size_t> order(marks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return -std::min(marks[i].best, marks[i].sequential); });
  for (const std::size_t i : order) {
    const double px = f.px(marks[i].x);
    double py = f.py(std::min(marks[i].best, marks[i].sequential)) - 12;
    while (std::ranges::any_of(taken, [&](const auto& other) {
      return std::fabs(other.first - px) < 14 && std::fabs(other.second - py) < 11;
    }))
      py -= 4;
    taken.emplace_back(px, py);
    f.text(marks[i].number, px, py, 9.5, ink, "center");
  }
  end_labels(f, std::move(labels));
  // The names beside the plot, as far as the height lets.
  const double left = f.box.right + 128;
  const auto room = static_cast<std::size_t>((f.box.top - f.box.bottom) / 13.5);
  double bottom = f.box.top - 4;
  for (std::size_t i = 0; i < marks.size(); ++i, bottom -= 13.5) {
    if (i + 1 == room && marks.size() > room) {
      f.text(fmt::format("and {} more, in the CSV", marks.size() - i), left, bottom, 9, soft);
      break;
    }
    f.text(marks[i].number, left + 12, bottom, 9, ink, "right");
    f.text(shortened(marks[i].c->name, static_cast<std::size_t>((f.width - left - 24) / (9 * character_width))),
           left + 18, bottom, 9, ink);
  }
  plot.script = whole_script(plot.name, f);
  return plot;
}

}  // namespace

std::vector<Plot> make_plots(const Run& run) {
  std::vector<Plot> plots;
  if (run.cases.empty()) return plots;
  plots.push_back(overview_plot(run));
  for (const char* precision : {"f32", "f64"})
    if (std::optional<Plot> plot = roofline_plot(run, precision)) plots.push_back(*std::move(plot));
  std::set<std::string> taken;
  for (const Case& c : run.cases) {
    // Different names may look the same as file names.
    std::string stem = file_stem(c.name);
    for (int i = 2; !taken.insert(stem).second; ++i) stem = fmt::format("{}-{}", file_stem(c.name), i);
    if (has_speedups(c)) {
      plots.push_back(speedup_plot(run, c, stem));
      plots.push_back(efficiency_plot(run, c, stem));
    }
    if (!c.curves.empty()) plots.push_back(time_plot(run, c, stem));
  }
  return plots;
}

}  // namespace speedwell::bench::report
