// SPDX-License-Identifier: Apache-2.0
#include "bench/report/page_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include "bench/report/page_frame.hpp"
#include "bench/report/winners.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

struct Look {
  std::string_view backend, glyph;
};
constexpr Look looks[] = {{"sequential", "■"}, {"threads", "●"}, {"openmp", "▲"}, {"tbb", "◆"}};
constexpr Look other{"other", "✱"};

// Only names that page.css knows become classes.
const Look& look_of(const std::string& backend) {
  const auto found = std::ranges::find(looks, backend, &Look::backend);
  return found == std::end(looks) ? other : *found;
}

std::string plain_number(double value) { return number_words(value); }

std::string glyphs(const std::vector<const Curve*>& curves) {
  std::string names, marks;
  for (const Curve* curve : curves) {
    names += (names.empty() ? "" : ", ") + html(curve->backend);
    const Look& look = look_of(curve->backend);
    marks += fmt::format("<i class=\"{}\">{}</i>", look.backend, look.glyph);
  }
  return fmt::format("<span class=\"glyphs\" role=\"img\" aria-label=\"{0}\" title=\"{0}\">{1}</span>", names, marks);
}

std::string winner_cell(const Case& c, int threads, double noise) {
  const std::string column = html(counted(threads, "thread"));
  const Winner found = winner(c, threads, noise);
  if (!found.measured()) return fmt::format("<td data-n=\"{}\">–</td>", column);
  const std::string speedup = html(factor_words(found.speedup));
  if (found.none)
    return fmt::format("<td class=\"none\" data-n=\"{}\"><b>none</b> <small>{} {}</small></td>", column, speedup,
                       glyphs({found.fastest[0]}));
  if (found.tie()) {
    // In the curves' order, which is the same in every field.
    std::vector<const Curve*> tied = found.fastest;
    std::ranges::sort(tied);
    return fmt::format("<td class=\"tie\" data-n=\"{}\"><b>tie</b>{} <small>{}</small></td>", column, glyphs(tied),
                       speedup);
  }
  const std::string& backend = found.fastest[0]->backend;
  return fmt::format("<td class=\"{}\" data-n=\"{}\"><b>{}</b> <small>{}</small></td>", look_of(backend).backend,
                     column, html(backend), speedup);
}

// The cases of one kernel and variant, by rising sequential time.
struct Group {
  std::string name;
  std::vector<std::size_t> cases;
};

std::vector<Group> groups_of(const Run& run) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    const Case& c = run.cases[i];
    const std::string name = c.variant.empty() ? c.kernel : c.kernel + "/" + c.variant;
    auto group = std::ranges::find(groups, name, &Group::name);
    if (group == groups.end()) group = groups.insert(groups.end(), Group{name, {}});
    group->cases.push_back(i);
  }
  const auto time = [&](std::size_t i) {
    const double ns = run.cases[i].sequential.median_ns;
    return known(ns) ? ns : std::numeric_limits<double>::infinity();
  };
  for (Group& group : groups) std::ranges::stable_sort(group.cases, {}, time);
  return groups;
}

std::string key() {
  std::string out = "<p class=\"key\">The fastest model and its speedup over the best sequential version: ";
  for (const Look& look : looks)
    out += fmt::format("<i class=\"{0}\" aria-hidden=\"true\">{1}</i> {0} ", look.backend, look.glyph);
  return out +
         "— <b>tie</b>: the fastest isn’t surely faster than those named; <b>none</b>: no model is surely faster than "
         "the sequential version; <b>enough</b>: more threads gain less than 2 %.</p>\n";
}

// Of many thread counts, those that a shorter table shows.
bool worth_a_row(const Case& c, int threads) {
  return (threads & (threads - 1)) == 0 || threads == thread_counts(c).back() || threads == c.best.threads;
}

std::string rate(const Case& c, double flops_per_s, double bytes_per_s) {
  return html(c.flops > 0 ? rate_words(flops_per_s, "FLOP/s") : rate_words(bytes_per_s, "B/s"));
}

std::string roof_cell(const Point& p) {
  if (!known(p.percent_of_roof)) return p.bound.empty() ? "–" : html(p.bound);
  return html(percent_words(p.percent_of_roof)) + (p.bound.empty() ? "" : " <small>" + html(p.bound) + "</small>");
}

std::string point_row(const Case& c, const Curve& curve, const Point& p) {
  std::string remarks;
  for (const std::string& warning : p.warnings) remarks += (remarks.empty() ? "" : ", ") + html(warning);
  return fmt::format(
      "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}{}</td><td>{}{}</td><td>{}</td><td>{}</td><td>{}</td>"
      "<td>{}</td><td>{}</td><td>{}</td><td class=\"words\">{}</td></tr>\n",
      html(curve.backend), p.threads, html(time_words(p.median_ns)), bracket(p.ns, time_words),
      html(factor_words(p.speedup)), curve.backend == "sequential" ? "" : bracket(p.speedup_ci, plain_number),
      html(percent_words(100 * p.efficiency)), html(factor_words(p.self_speedup)), html(number_words(p.karp_flatt)),
      rate(c, p.flops_per_s, p.bytes_per_s), roof_cell(p), p.samples, remarks);
}

std::string peer_row(const Case& c, const Peer& peer) {
  const double speedup = c.sequential.median_ns / peer.median_ns;
  const double per_second = 1e9 / peer.median_ns;
  const std::string ratio =
      known(peer.ratio) ? fmt::format("our best time here is {} of its", percent_words(100 * peer.ratio)) : "";
  return fmt::format(
      "<tr class=\"peer\"><th scope=\"row\">{} <small>{}</small></th><td>{}</td><td>{}{}</td><td>{}</td>"
      "<td>{}</td><td>–</td><td>–</td><td>{}</td><td>–</td><td>–</td><td class=\"words\">{}</td></tr>\n",
      html(peer.name), html(peer.version), peer.threads, html(time_words(peer.median_ns)), bracket(peer.ns, time_words),
      html(factor_words(speedup)), html(percent_words(100 * speedup / peer.threads)),
      rate(c, c.flops * per_second, c.bytes * per_second), html(ratio));
}

std::string cells_table(const Case& c, const std::string& id, Rows detail) {
  const bool few = detail == Rows::few;
  std::string rows;
  for (const Curve& curve : c.curves)
    for (const Point& p : curve.points)
      if (!few || worth_a_row(c, p.threads)) rows += point_row(c, curve, p);
  for (const Peer& peer : c.peers)
    if (!few || worth_a_row(c, peer.threads)) rows += peer_row(c, peer);
  const auto count = std::ranges::count(rows, '\n');
  return folded(
      id + "-cells",
      fmt::format("{} {} cells as a table{}", few ? "The main" : "All", count, few ? " (summary.csv has all)" : ""),
      table_html(c.name + ": medians with 95 % intervals in brackets; speedups are against the best sequential version",
                 {"Model", "Threads", "Time", "Speedup", "Efficiency", "Own speedup", "Karp–Flatt", "Rate", "Of roof",
                  "n", "Remarks"},
                 rows));
}

std::string law_name(const Law& law) {
  return law.law == "usl" ? "Universal scalability" : law.law == "amdahl" ? "Amdahl" : law.law;
}

std::string law_found(const Law& law) {
  const auto value = [](double x, Interval ci) { return html(number_words(x)) + bracket(ci, plain_number); };
  std::string found;
  if (law.law == "usl") {
    found = "contention σ = " + value(law.sigma, law.sigma_ci) + ", coherency κ = " + value(law.kappa, law.kappa_ci);
    found += known(law.peak_threads) ? ", peak at " + value(law.peak_threads, law.peak_threads_ci) + " threads"
                                     : ", no peak within what was measured";
  } else if (law.law == "amdahl") {
    found = "serial fraction = " + value(law.serial_fraction, law.serial_fraction_ci);
  }
  if (!law.reason.empty()) found += (found.empty() ? "" : "; ") + html(law.reason);
  return found;
}

std::string laws_table(const Case& c, const std::string& id, Rows detail) {
  std::string rows;
  for (const Curve& curve : c.curves) {
    if (curve.backend == "sequential") continue;
    const Law& law = curve.law;
    const std::string found = law_found(law);
    if (found.empty()) continue;
    std::string band;
    for (const Prediction& p : law.predicted)
      if (law.law != "none" && (detail == Rows::all || worth_a_row(c, p.threads)))
        band += fmt::format("{}{}: {}{}", band.empty() ? "" : ", ", p.threads, html(factor_words(p.speedup)),
                            bracket(p.band, plain_number));
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"words\">{}</td><td class=\"words\">{}</td><td "
        "class=\"words\">{}</td></tr>\n",
        html(curve.backend), law.law == "none" ? "none" : html(law_name(law)), found, band.empty() ? "–" : band);
  }
  if (rows.empty()) return {};
  return folded(id + "-laws", "Fitted scaling laws",
                table_html(c.name + ": fitted laws, 95 % intervals in brackets",
                           {"Model", "Law", "Found", "Speedup by the law, at threads"}, rows));
}

std::string weak_table(const Case& c, const std::string& id) {
  std::string rows;
  for (const WeakCurve& curve : c.weak_scaling)
    for (const WeakPoint& p : curve.points)
      rows += fmt::format(
          "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}{}</td><td>{}{}</td><td>{}</td><td>{}</td></tr>\n",
          html(curve.backend), p.threads, html(p.size), html(time_words(p.median_ns)), bracket(p.ns, time_words),
          html(factor_words(p.scaled_speedup)), bracket(p.scaled_speedup_ci, plain_number),
          html(percent_words(100 * p.efficiency)), p.samples);
  if (rows.empty()) return {};
  const std::string& rule = c.weak_scaling[0].rule;
  return folded(
      id + "-weak", "Weak scaling as a table",
      table_html(fmt::format("{}: the work grows with the threads{}", c.name, rule.empty() ? "" : ", " + rule),
                 {"Model", "Threads", "Size", "Time", "Scaled speedup", "Efficiency", "n"}, rows));
}

std::string samples_table(const Case& c, std::size_t index, const std::string& id) {
  return fmt::format(
      "<details class=\"samples\" hidden id=\"{}-samples\" data-case=\"{}\"><summary>Every "
      "sample</summary>{}</details>\n",
      html(id), index,
      table_html(c.name + ": samples in the order of the rounds", {"Model", "Threads", "Unit", "From round", "Samples"},
                 ""));
}

}  // namespace

std::string winner_map(const Run& run, const std::vector<std::string>& ids) {
  if (run.cases.empty()) return "<p>No case was measured.</p>";
  std::set<int> all;
  for (const Case& c : run.cases)
    for (const Curve& curve : c.curves)
      for (const Point& point : curve.points) all.insert(point.threads);
  std::string out = key();
  if (run.rounds < 6) out += "<p class=\"key\">With fewer than 6 rounds nothing here is sure.</p>\n";
  out += fmt::format(
      "<table class=\"map\"><caption>Winners by case and thread count, and verdicts</caption><thead><tr>"
      "<th scope=\"col\" rowspan=\"2\">Case</th><th scope=\"col\" rowspan=\"2\">Sequential</th>"
      "<th scope=\"colgroup\" colspan=\"{}\">Fastest at so many threads</th><th scope=\"col\" rowspan=\"2\">Enough</th>"
      "<th scope=\"col\" rowspan=\"2\" class=\"verdict\">Verdict</th></tr><tr>",
      std::max<std::size_t>(all.size(), 1));
  if (all.empty()) out += "<td></td>";
  for (const int n : all) out += fmt::format("<th scope=\"col\">{}</th>", n);
  out += "</tr></thead>\n";
  for (const Group& group : groups_of(run)) {
    out +=
        fmt::format("<tbody class=\"group\"><tr class=\"group\"><th scope=\"rowgroup\" colspan=\"{}\">{}</th></tr>\n",
                    std::max<std::size_t>(all.size(), 1) + 4, name_html(group.name));
    for (const std::size_t i : group.cases) {
      const Case& c = run.cases[i];
      const bool by_size = c.name == group.name + "/" + c.size;
      out += fmt::format(
          "<tr data-name=\"{}\"><th scope=\"row\"><a href=\"#{}\">{}</a></th><td data-n=\"sequential\">{}</td>",
          html(c.name), html(ids[i]), name_html(by_size ? c.size : c.name), html(time_words(c.sequential.median_ns)));
      for (const int n : all) out += winner_cell(c, n, run.noise_floor);
      if (all.empty()) out += "<td></td>";
      out += fmt::format("<td data-n=\"enough\">{}</td><td class=\"verdict\">{}</td></tr>\n",
                         known(c.enough_threads) ? fmt::format("{:g}", c.enough_threads) : "–", html(c.verdict));
    }
    out += "</tbody>\n";
  }
  return out + "</table>";
}

std::string case_tables(const Case& c, std::size_t index, const std::string& id, Rows detail) {
  return cells_table(c, id, detail) + laws_table(c, id, detail) + weak_table(c, id) + samples_table(c, index, id);
}

std::string crossover_table(const Run& run) {
  std::string rows;
  for (const Crossover& crossover : run.crossovers)
    for (const CrossoverCase& c : crossover.cases)
      rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}{}</td><td class=\"words\">{}</td></tr>\n",
                          name_html(c.name), html(time_words(c.sequential_ns)), html(factor_words(c.best_speedup)),
                          bracket(c.best_speedup_ci, plain_number),
                          !c.pays   ? "the intervals don’t say"
                          : *c.pays ? "pays"
                                    : "doesn’t pay");
  if (rows.empty()) return {};
  std::string summary;
  for (const Crossover& crossover : run.crossovers) {
    if (crossover.smallest_paying.empty()) continue;
    summary += fmt::format("{}{}", summary.empty() ? "" : "; ", name_html(crossover.smallest_paying));
  }
  const std::string sentence =
      summary.empty() ? "<p class=\"facts\">No measured size surely gains from more than one thread.</p>"
                      : "<p class=\"facts\">The smallest measured sizes that surely gain: " + summary + ".</p>";
  return sentence + folded("run-crossovers", "Where parallel pays, as a table",
                           table_html("Best speedup by size, 95 % intervals in brackets",
                                      {"Case", "Sequential", "Best speedup", "In parallel"}, rows));
}

std::string roofline_table(const Run& run) {
  std::string rows;
  int number = 0;
  for (const Case& c : run.cases) {
    ++number;
    if (!(c.flops > 0) || !(c.intensity > 0) || !known(c.sequential.median_ns)) continue;
    const Curve* const curve = c.curve(c.best.backend);
    const Point* const best = curve ? at(*curve, c.best.threads) : nullptr;
    rows += fmt::format(
        "<tr><th scope=\"row\">{} <small>{}</small></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        name_html(c.name), number, html(number_words(c.intensity)),
        html(rate_words(c.flops / c.sequential.median_ns * 1e9, "FLOP/s")),
        html(rate_words(c.flops / c.best_point.median_ns * 1e9, "FLOP/s")),
        c.best.backend.empty() ? "–" : html(c.best.backend) + ", " + std::to_string(c.best.threads),
        best ? roof_cell(*best) : "–");
  }
  if (rows.empty()) return {};
  return table_html("Arithmetic intensity and rate of every case",
                    {"Case, number", "FLOP/byte", "Sequential", "Best", "Model, threads", "Of roof"}, rows);
}

std::string ceilings_table(const Run& run) {
  if (run.ceilings.empty()) return {};
  std::set<int> levels;
  for (const Ceiling& c : run.ceilings)
    for (const CacheCeiling& cache : c.caches) levels.insert(cache.level);
  std::vector<std::string> caches;
  for (const int level : levels) caches.push_back(fmt::format("L{}, triad", level));
  std::vector<std::string_view> head{"Threads", "FMA, float", "FMA, double", "Load", "Copy", "Triad"};
  head.insert(head.end(), caches.begin(), caches.end());
  std::string rows;
  for (const Ceiling& c : run.ceilings) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
                        c.threads, rate_words(c.fma_f32, "FLOP/s"), rate_words(c.fma_f64, "FLOP/s"),
                        rate_words(c.load, "B/s"), rate_words(c.copy, "B/s"), rate_words(c.triad, "B/s"));
    for (const int level : levels) {
      const auto cache = std::ranges::find(c.caches, level, &CacheCeiling::level);
      rows += fmt::format("<td>{}</td>", cache == c.caches.end() ? "–" : rate_words(cache->triad, "B/s"));
    }
    rows += "</tr>\n";
  }
  return table_html(
      "Measured ceilings: register-only fused multiply-adds, and bandwidth from memory (counted bytes, written past "
      "the "
      "caches)" +
          std::string(levels.empty() ? "" : " and from the caches, all threads together"),
      head, rows);
}

std::string failures(const Run& run) {
  std::string rows;
  double rejected = 0;
  for (const Case& c : run.cases) {
    rejected += c.rejected_samples;
    for (const auto& [cell, reason] : c.failed_cells)
      rows +=
          fmt::format("<tr><th scope=\"row\">{}</th><td class=\"words\">{}</td></tr>\n", name_html(cell), html(reason));
  }
  std::string out;
  if (!rows.empty())
    out +=
        "<section class=\"alarm\" aria-labelledby=\"failed-title\"><h2 id=\"failed-title\">Cells that failed</h2>\n"
        "<p>They are in no plot and in no verdict.</p>\n" +
        table_html("Failed cells and why", {"Cell", "Reason"}, rows) + "</section>";
  if (rejected > 0)
    out += fmt::format(
        "<p class=\"facts\">{} rejected (the machine was disturbed, or other threads took part than asked "
        "for) and taken again.</p>",
        counted(rejected, "sample"));
  return out;
}

}  // namespace speedwell::bench::report
