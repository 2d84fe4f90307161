// SPDX-License-Identifier: Apache-2.0
// The fastest model of every case at every thread count, as a map.
#include <fmt/format.h>

#include <algorithm>

#include "bench/report/figure.hpp"
#include "bench/report/plot_kinds.hpp"
#include "bench/report/winners.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

constexpr double row_height = 20, marker_step = 12;
constexpr std::string_view tie_color = "#9A9A9A";
constexpr double tint = 0.18;

struct Answer {
  std::vector<std::string> fastest;  // several: a tie
  double speedup = unknown;
};

// Nobody where nothing was measured.
Answer answer(const Case& c, int threads, double noise) {
  const Winner found = winner(c, threads, noise);
  if (!found.measured()) return {};
  if (found.none) return {{"sequential"}, found.speedup};
  Answer out{{}, found.speedup};
  for (const Look& look : looks())
    for (const Curve* curve : found.fastest)
      if (curve->backend == look.series) out.fastest.push_back(curve->backend);
  for (const Curve* curve : found.fastest)
    if (!std::ranges::count(out.fastest, curve->backend)) out.fastest.push_back(curve->backend);
  return out;
}

// The markers of those named, in a row that begins at `left`.
void markers(Figure& f, const std::vector<std::string>& backends, double left, double middle) {
  for (const std::string& backend : backends) {
    f.marker(look_of(backend), left, middle, 0.75);
    left += marker_step;
  }
}

void fill(Figure& f, const std::vector<std::string>& backends, const Box& cell) {
  const bool tie = backends.size() > 1;
  f.rectangle({cell.left + 1, cell.right - 1, cell.bottom + 1, cell.top - 1},
              tie ? tie_color : look_of(backends[0]).color,
              tie                           ? 0.22
              : backends[0] == "sequential" ? 0.1
                                            : tint);
}

}  // namespace

std::optional<Plot> winners_plot(const Run& run) {
  if (std::ranges::none_of(run.cases, [](const Case& c) { return has_speedups(c); })) return std::nullopt;
  Plot plot{"winners", "", "winners", "The fastest model of every case at every thread count", "", ""};
  plot.csv = "case,threads,fastest,speedup\n";
  const std::vector<int> counts = thread_counts(run);
  std::size_t longest = 8, most_tied = 1;
  std::vector<std::vector<Answer>> answers;
  for (const Case& c : run.cases) {
    longest = std::max(longest, std::min<std::size_t>(c.name.size(), 40));
    answers.emplace_back();
    for (const int n : counts) {
      answers.back().push_back(answer(c, n, run.noise_floor));
      const Answer& each = answers.back().back();
      most_tied = std::max(most_tied, each.fastest.size());
      std::string names;
      for (const std::string& name : each.fastest) names += (names.empty() ? "" : " = ") + name;
      if (!names.empty())
        plot.csv +=
            fmt::format("{},{},{},{}\n", csv(series_name(c.name)), n, csv(series_name(names)), field(each.speedup));
    }
  }
  // Numbers only where they have room.
  const bool numbers = counts.size() <= 12;
  const double number_width = numbers ? 46 : 0;
  const double column = 12 + marker_step * static_cast<double>(most_tied) + number_width;
  const double times_right = 16 + 10 * character_width * static_cast<double>(longest) + 74;
  const double left = times_right + 12, right = left + column * static_cast<double>(counts.size());

  Figure f(plot.name);
  f.width = std::max(560.0, right + 16);
  constexpr double above = 44;
  frame(f, run, above + row_height * static_cast<double>(run.cases.size()) - axis_height + 12, "Who is fastest",
        numbers ? "The fastest model and its speedup, by case and threads" : "The fastest model, by case and threads",
        fmt::format(
            "Several markers: a tie, none of them is surely faster by its 95 % interval and the noise floor. A black "
            "square alone: no parallel model is surely faster than the best sequential version, whose time "
            "stands beside the case.{} {}.",
            numbers ? " Numbers: speedup over that version, in a tie the highest; in brackets that of a model which "
                      "isn't surely faster."
                    : "",
            where_words(run)));
  f.box = {left, f.width - 16, f.box.bottom - axis_height + 12, f.box.top};
  f.bare();

  // What the markers mean, on tints like those of the cells.
  std::vector<std::pair<std::vector<std::string>, std::string>> meanings;
  std::vector<std::string> all;
  for (const auto& [look, name] : backends_of(run)) {
    meanings.push_back({{name}, name});
    if (name != "sequential") all.push_back(name);
  }
  if (all.size() > 1) meanings.push_back({{all[all.size() - 2], all.back()}, "tie"});
  double at = 16;
  for (const auto& [backends, words] : meanings) {
    const double width = 12 + marker_step * static_cast<double>(backends.size());
    fill(f, backends, {at, at + width, f.box.top - 14, f.box.top + 4});
    markers(f, backends, at + 12, f.box.top - 5);
    f.text(words, at + width + 6, f.box.top - 5, 11, ink);
    at += width + 22 + 11 * character_width * static_cast<double>(words.size());
  }

  const double header = f.box.top - above + 12;
  f.text("threads", left - 12, header, 9.5, soft, "right");
  for (std::size_t i = 0; i < counts.size(); ++i)
    f.text(std::to_string(counts[i]), left + column * (static_cast<double>(i) + 0.5), header, 11, ink, "center");
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    const Case& c = run.cases[i];
    const double top = f.box.top - above - row_height * static_cast<double>(i), middle = top - row_height / 2;
    if (i == 0 || c.kernel != run.cases[i - 1].kernel) f.line(16, top, right, top, faint, 1);
    f.text(shortened(c.name, 40), 16, middle, 10, ink);
    f.text(time_words(c.sequential.median_ns), times_right, middle, 9, soft, "right");
    for (std::size_t k = 0; k < counts.size(); ++k) {
      const Answer& each = answers[i][k];
      if (each.fastest.empty()) continue;
      const double cell_left = left + column * static_cast<double>(k);
      fill(f, each.fastest, {cell_left, cell_left + column, top - row_height, top});
      markers(f, each.fastest, cell_left + 12, middle);
      const bool none = each.fastest[0] == "sequential" && counts[k] > 1;
      const std::string factor = none ? fmt::format("({})", factor_words(each.speedup)) : factor_words(each.speedup);
      if (numbers) f.text(factor, cell_left + column - 6, middle, 9, ink, "right");
    }
  }
  plot.script = f.script();
  return plot;
}

}  // namespace speedwell::bench::report
