// SPDX-License-Identifier: Apache-2.0
// The ladder as a picture, and the folder that it goes to.
#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <string_view>
#include <system_error>

#include <speedwell/machine.hpp>

#include "bench/driver/build_info.hpp"
#include "bench/files.hpp"
#include "bench/ladder/results.hpp"
#include "bench/report/gnuplot.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::ladder {

namespace fs = std::filesystem;
using report::counted;
using report::factor_words;
using report::gnuplot_quoted;
using report::number_words;

namespace {

constexpr std::string_view ink = "#222222", soft = "#666666", grid = "#D8D8D8", white = "#FFFFFF";

// Okabe and Ito's colours: interpreted, plain C++, written with vectors, on all cores.
struct Look {
  std::string_view bar, text;
};
Look look_of(const Step& step) {
  if (step.name == "Python") return {"#E69F00", ink};
  if (step.name == "naive" || step.name == "reordered") return {"#56B4E9", ink};
  if (step.threads > 1) return {"#009E73", white};
  return {"#0072B2", white};
}

// Pixels, from the lower left. Letters are large, as the picture will be shrunk to the width of a page or a phone.
constexpr double width = 720, left = 20, bars_right = 590, peak_right = 630, right = 704;
constexpr double row = 55, bar = 25, header = 98, axis = 44, caption_line = 15, margin = 12;
constexpr double title_size = 19, name_size = 16, text_size = 13, caption_size = 11;
constexpr double change_left = 136;  // beyond the longest name
// The widest common sans-serif (DejaVu Sans) needs about this much of the font size a character.
constexpr double character_width = 0.58;

// To three significant digits, as a plain number.
std::string rounded(double value) {
  const double step = std::pow(10, std::max(std::floor(std::log10(value)) - 2, -2.0));
  return fmt::format("{:g}", std::round(value / step) * step);
}

class Figure {
 public:
  Figure(const Ladder& ladder, const std::string& started);
  std::string script() const;

 private:
  double x(double gflops) const {
    return left +
           (std::log10(gflops) - std::log10(low_)) / (std::log10(high_) - std::log10(low_)) * (bars_right - left);
  }
  double bar_bottom(std::size_t i) const { return top_ - row * static_cast<double>(i + 1) + 7; }

  void text(std::string_view words, double at, double bottom, double size, std::string_view color,
            std::string_view align = "left", bool bold = false) {
    // Bold is a word of gnuplot's markup: in the font's name, the SVG would ask for a family that nobody has.
    settings_ += fmt::format("  set label {} at screen {:.5f},{:.5f} {} font 'sans-serif,{:g}' tc rgb '{}' front {}\n",
                             gnuplot_quoted(bold ? fmt::format("{{/:Bold {}}}", words) : std::string(words)),
                             at / width, bottom / height_, align, size, color, bold ? "enhanced" : "noenhanced");
  }
  void vertical(double at, double from, double to, std::string_view color, double line_width, std::string_view dash) {
    settings_ += fmt::format(
        "  set arrow from screen {0:.5f},{1:.5f} to screen {0:.5f},{2:.5f} nohead back lc rgb '{3}' lw {4:g} dt {5}\n",
        at / width, from / height_, to / height_, color, line_width, dash);
  }
  void add_axis();
  void add_step(std::size_t i, const Step& step);
  void add_peak(const Peak& peak, double label_bottom);

  const Ladder& ladder_;
  double low_ = 1, high_ = 1;
  double bottom_, top_, height_;
  std::string settings_, bars_;
};

// What was measured on what, for the line below the picture.
std::string caption(const Ladder& ladder, const std::string& started) {
  const BuildInfo& build = build_info();
  std::vector<std::string> fewer;
  std::size_t most = 0;
  for (const Step& step : ladder.steps) most = std::max(most, step.times.ns.size());
  for (const Step& step : ladder.steps) {
    if (step.times.ns.size() < most) fewer.push_back(fmt::format("{} {}", step.name, step.times.ns.size()));
  }
  std::string words = fmt::format(
      "speedwell ladder --size {}, {}. {}; {} {}; vectors: {}. Each rung verified, then timed in turns with the "
      "others: "
      "medians of {}",
      ladder.n, started.substr(0, 10), machine().cpu, build.compiler, build.flags, name(machine().isa),
      counted(static_cast<double>(most), "round"));
  if (!fewer.empty()) words += fmt::format(" ({})", fmt::join(fewer, ", "));
  for (const Step& step : ladder.steps) {
    if (step.rows < ladder.n) words += fmt::format("; {} on {} of {} rows", step.name, step.rows, ladder.n);
  }
  return words + ". Peak: fused multiply-adds in registers.";
}

Figure::Figure(const Ladder& ladder, const std::string& started) : ladder_(ladder) {
  double slowest = ladder.steps.front().flops_per_s / 1e9, fastest = slowest;
  for (const Step& step : ladder.steps) {
    slowest = std::min(slowest, step.flops_per_s / 1e9);
    fastest = std::max(fastest, step.flops_per_s / 1e9);
  }
  for (const Peak& peak : ladder.peaks) fastest = std::max(fastest, peak.flops_per_s / 1e9);
  // The slowest rung still has a bar to be seen.
  low_ = std::pow(10, std::floor(std::log10(slowest / 1.5)));
  high_ = fastest * 1.15;

  const std::vector<std::string> lines = report::wrapped(
      caption(ladder, started), static_cast<std::size_t>((right - left) / (caption_size * character_width)));
  bottom_ = margin + caption_line * static_cast<double>(lines.size()) + axis;
  top_ = bottom_ + row * static_cast<double>(ladder.steps.size());
  height_ = std::ceil(top_ + header);

  const Step &first = ladder.steps.front(), &last = ladder.steps.back();
  text(fmt::format("One matrix product, {} times as fast as {}", rounded(last.over_first),
                   first.name == "Python" ? "plain Python" : "a naive loop"),
       left, height_ - 32, title_size, ink, "left", true);
  text(fmt::format("C = A B on {0} × {0} floats, GFLOP/s on a logarithmic axis", ladder.n), left, height_ - 54,
       text_size, soft);
  text("of", peak_right, height_ - 66, caption_size, soft, "right");
  text("peak", peak_right, height_ - 79, caption_size, soft, "right");
  text("over the", right, height_ - 66, caption_size, soft, "right");
  text("rung before", right, height_ - 79, caption_size, soft, "right");
  double bottom = margin + caption_line * (static_cast<double>(lines.size()) - 1) + 3;
  for (const std::string& line : lines) {
    text(line, left, bottom, caption_size, soft);
    bottom -= caption_line;
  }
  add_axis();
  double label_bottom = top_ + 8;
  for (const Peak& peak : ladder.peaks) {
    add_peak(peak, label_bottom);
    label_bottom += 14;
  }
  for (std::size_t i = 0; i < ladder.steps.size(); ++i) add_step(i, ladder.steps[i]);
}

void Figure::add_axis() {
  for (double value = low_; value < high_; value *= 10) {
    // Behind the bars only, so that no line runs through words.
    for (std::size_t i = 0; i < ladder_.steps.size(); ++i) {
      vertical(x(value), bar_bottom(i), bar_bottom(i) + bar, grid, 0.9, "solid");
    }
    text(fmt::format("{:g}", value), x(value), bottom_ - 13, text_size - 1, soft, value == low_ ? "left" : "center");
  }
  text("GFLOP/s", bars_right, bottom_ - 30, text_size - 1, soft, "right");
}

void Figure::add_peak(const Peak& peak, double label_bottom) {
  const double at = x(peak.flops_per_s / 1e9);
  vertical(at, bottom_, label_bottom + 4, ink, 1, "(3,3)");
  text(fmt::format("peak of {}: {}", counted(peak.threads, "core"), number_words(peak.flops_per_s / 1e9)), at - 5,
       label_bottom, text_size - 1, ink, "right");
}

void Figure::add_step(std::size_t i, const Step& step) {
  const Look look = look_of(step);
  const double end = x(step.flops_per_s / 1e9), bottom = bar_bottom(i), middle = bottom + bar / 2;
  bars_ += fmt::format(
      "{}  'ladder.csv' using (strcol(1) eq 'rung' && $2 == {} ? ($12) : NaN):({:g}):({:g}):12:({:g}):({:g}) "
      "with boxxyerror fs solid 1 noborder lc rgb '{}' notitle",
      bars_.empty() ? "" : ", \\\n  ", i + 1, middle - bottom_, low_, bottom - bottom_, bottom + bar - bottom_,
      look.bar);
  const std::string name = fmt::format("{} {}", i + 1, step.name);
  text(name, left, bottom + bar + 11.5, name_size, ink, "left", true);
  text(step.change, left + change_left, bottom + bar + 11.5, text_size, soft);
  std::string value = number_words(step.flops_per_s / 1e9);
  if (i == 0) value += " GFLOP/s";
  const bool inside = end - left > 120;
  text(value, inside ? end - 8 : end + 7, middle, name_size, inside ? look.text : ink, inside ? "right" : "left", true);
  if (i > 0) text(factor_words(step.over_previous), right, middle, name_size, ink, "right", true);
  if (step.percent_of_peak >= 1) {
    text(fmt::format("{:.0f} %", step.percent_of_peak), peak_right, middle, text_size, soft, "right");
  }
}

std::string Figure::script() const {
  return fmt::format(
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# Drawn from ladder.csv. To restyle it, edit this file and run gnuplot on it here.\n"
      "set encoding utf8\n"
      "set datafile separator comma\n"
      "do for [format in 'svg png'] {{\n"
      "  if (format eq 'svg') {{\n"
      "    set terminal svg enhanced size {0:g},{1:g} font 'sans-serif,11' background '#FFFFFF'\n"
      "  }} else {{\n"
      "    set terminal pngcairo enhanced size {2:g},{3:g} font 'sans-serif,11' fontscale 1.5 linewidth 2 dashlength "
      "2 "
      "background '#FFFFFF'\n"
      "  }}\n"
      "  set output 'ladder.'.format\n"
      "  unset key\n  unset border\n  unset tics\n"
      "  set lmargin at screen {4:.5f}\n  set rmargin at screen {5:.5f}\n"
      "  set bmargin at screen {6:.5f}\n  set tmargin at screen {7:.5f}\n"
      "  set logscale x 10\n  set xrange [{8:.6g}:{9:.6g}]\n  set yrange [0:{10:g}]\n"
      "{11}"
      "  plot {12}\n"
      "  unset output\n"
      "}}\n",
      width, height_, 2 * width, 2 * height_, left / width, bars_right / width, bottom_ / height_, top_ / height_, low_,
      high_, top_ - bottom_, settings_, bars_);
}

void draw(const fs::path& folder, const std::string& title, std::ostream& messages, const std::string& gnuplot) {
  const report::GnuplotResult result = report::run_gnuplot(gnuplot, folder, "ladder.gp", std::chrono::minutes(1));
  if (!result.found) {
    messages << "no plot: there is no gnuplot (`" << gnuplot
             << "`); to have it: sudo apt-get install gnuplot-nox, then run gnuplot on ladder.gp there\n";
    return;
  }
  if (!result.ok || !result.said.empty()) {
    messages << "gnuplot " << (result.ok ? "warned: " : "failed: ") << result.said << '\n';
  }
  if (!result.ok) {
    for (const char* const file : {"ladder.svg", "ladder.png"}) fs::remove(folder / file);
    return;
  }
  constexpr std::size_t most_bytes = std::size_t{64} << 20;
  const fs::path svg = folder / "ladder.svg";
  write_file_atomically(svg, report::described(read_file(svg, most_bytes), title));
}

}  // namespace

std::string plot_script(const Ladder& ladder, const std::string& started) { return Figure(ladder, started).script(); }

void write_folder(const fs::path& folder, const Ladder& ladder, const std::string& started, std::ostream& messages,
                  const std::string& gnuplot) {
  const fs::path parent = folder.has_parent_path() ? folder.parent_path() : fs::path(".");
  fs::create_directories(parent);
  ScratchFolder scratch(parent);
  write_file_atomically(scratch.path() / "ladder.json", to_json(ladder, started).dump(2) + "\n");
  write_file_atomically(scratch.path() / "ladder.csv", to_csv(ladder));
  write_file_atomically(scratch.path() / "ladder.gp", plot_script(ladder, started));
  std::string title = fmt::format("One matrix product on {0} x {0} floats:", ladder.n);
  for (const Step& step : ladder.steps) {
    title += fmt::format(" {} {} GFLOP/s{}", step.name, number_words(step.flops_per_s / 1e9),
                         &step == &ladder.steps.back() ? "" : ",");
  }
  draw(scratch.path(), title, messages, gnuplot);
  scratch.become(folder);
}

}  // namespace speedwell::bench::ladder
