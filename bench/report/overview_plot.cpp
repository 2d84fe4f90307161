// SPDX-License-Identifier: Apache-2.0
// Speedup against threads of every case, in small panels.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/report/panels.hpp"
#include "bench/report/plot_kinds.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {

std::optional<Plot> overview_plot(const Run& run) {
  Plot plot{"overview", "", "overview", "Speedup against threads, every case", "", ""};
  const std::vector<int> counts = thread_counts(run);
  double low = 1, high = counts.back();
  plot.csv = "case,backend,threads,speedup,low,high,samples\n";
  for (const Case& c : run.cases)
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

  Figure f(plot.name);
  thread_axis(f, counts);
  const double octaves = std::log2(f.x.high / f.x.low);
  f.y = {low / std::exp2(0.06 * octaves), high * std::exp2(0.06 * octaves), true};
  Panels panels(f, run.cases.size(), 24);
  frame(f, run, panels.height(), "Speedup against threads",
        "Upwards: speedup; to the right: threads · higher is better",
        fmt::format(
            "Both axes are logarithmic and the same in every panel. Medians with 95 % intervals; grey line: ideal; "
            "speedup is against the best sequential version of the same case, whose time stands in the panel. {}.",
            where_words(run)));
  key(f, backends_of(run), 28, f.height - 64);
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    const Case& c = run.cases[i];
    panels.enter(i);
    f.text(shortened(c.name, panels.characters(10)), panels.heading_left(), f.box.top + 9, 10, ink);
    f.text(time_words(c.sequential.median_ns), f.box.left + 6, f.box.top - 8, 9, soft);
    thread_ticks(f, counts);
    f.ticks('y', speedup_values(f.y.low, f.y.high));
    f.straight(f.x.low, f.x.low, f.x.high, f.x.high, reference);
    std::vector<const Curve*> curves;
    for (const Curve& curve : c.curves)
      if (has_speedups(curve)) curves.push_back(&curve);
    // The sequential version first, and not set apart.
    const std::size_t first = !curves.empty() && curves[0]->backend == "sequential" ? 1 : 0;
    for (std::size_t k = 0; k < curves.size(); ++k) {
      const Look look = look_of(curves[k]->backend);
      const std::string x =
          fmt::format("(strcol(1) eq {} && strcol(2) eq {} ? $3*{:.5f} : NaN)", gnuplot_quoted(series_name(c.name)),
                      gnuplot_quoted(series_name(curves[k]->backend)),
                      k < first ? 1 : set_apart(f, k - first, curves.size() - first));
      f.intervals(x, "$5", "$6", look.color, 1);
      f.element(fmt::format("'overview.csv' using {}:4 with linespoints pt {} ps 0.6 lc rgb '{}' lw 1.4 dt {}", x,
                            look.marker, look.color, look.dash));
    }
    f.finish_panel();
  }
  plot.script = f.script();
  return plot;
}

}  // namespace speedwell::bench::report
