// SPDX-License-Identifier: Apache-2.0
#include "bench/report/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "bench/report/page_parts.hpp"
#include "bench/report/sha256.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

using nlohmann::json;

// A page that mails and opens well.
constexpr std::size_t most_bytes = 1'500'000;

// Chart.js and the colour library inside it are both under this licence (Expat, also called MIT).
constexpr std::string_view chart_licence =
    R"(Chart.js, Copyright (c) 2014-2022 Chart.js Contributors
@kurkle/color (part of Chart.js), Copyright (c) 2022 Jukka Kurkela

The MIT License (MIT)

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.)";

using Parts = std::vector<std::pair<std::string_view, std::string>>;

// Replaces each {{name}} once; what is put in is not looked at again, so data can't name a part.
std::string filled(std::string_view frame, const Parts& parts) {
  std::string out;
  while (true) {
    const std::size_t open = frame.find("{{");
    out += frame.substr(0, open);
    if (open == std::string_view::npos) return out;
    const std::size_t close = frame.find("}}", open);
    const std::string_view name = frame.substr(open + 2, close - open - 2);
    out += std::ranges::find(parts, name, &Parts::value_type::first)->second;
    frame.remove_prefix(close + 2);
  }
}

// A case's name, which may be broken after each slash.
std::string name_html(std::string_view name) {
  std::string out;
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t slash = name.find('/', begin);
    const std::size_t end = slash == std::string_view::npos ? name.size() : slash + 1;
    out += html(name.substr(begin, end - begin));
    if (end < name.size()) out += "<wbr>";
    begin = end;
  }
  return out;
}

// Only names that page.css knows become classes.
std::string_view css_class(const std::string& backend) {
  for (const std::string_view name : {"sequential", "threads", "openmp", "tbb"})
    if (backend == name) return name;
  return "other";
}

std::string bracket(Interval interval, std::string (*words)(double)) {
  return known(interval)
             ? fmt::format(" <small>[{}, {}]</small>", html(words(interval.low)), html(words(interval.high)))
             : "";
}

std::string plain_number(double value) { return number_words(value); }

std::string model_words(const std::string& backend, int threads) {
  return backend == "sequential" ? backend : backend + ", " + counted(threads, "thread");
}

std::string machine_sentence(const Run& run) {
  std::string out = run.cpu.empty() ? "An unnamed processor" : run.cpu;
  if (known(run.physical_cores)) out += " with " + counted(run.physical_cores, "physical core") + " to use";
  if (known(run.quota_cpus)) out += fmt::format(", held to {:g} CPUs by a quota", run.quota_cpus);
  if (known(run.default_threads)) out += "; all threads means " + fmt::format("{:g}", run.default_threads);
  out += ".";
  if (!run.started.empty()) out += " Measured on " + run.day();
  if (known(run.rounds))
    out += (run.started.empty() ? " Measured" : "") + std::string(" in ") + counted(run.rounds, "round");
  if (!run.started.empty() || known(run.rounds)) out += ".";
  if (known(run.noise_floor))
    out += fmt::format(" Two identical cells differed by {}.", percent_words(100 * run.noise_floor));
  for (const auto& [what, words] : run.machine)
    if (what == "Cores, from" || what == "Quota, from") out += " " + what + ": " + words + ".";
  return out;
}

std::string verdicts(const Run& run) {
  if (run.cases.empty()) return "<p>No case was measured.</p>";
  std::string out = "<ul class=\"verdicts\">\n";
  for (std::size_t i = 0; i < run.cases.size(); ++i)
    out += fmt::format("<li><a href=\"#case-{}\">{}</a><span>{}</span></li>\n", i + 1, name_html(run.cases[i].name),
                       html(run.cases[i].verdict));
  return out + "</ul>";
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
        "<p>They are in no plot and in no verdict.</p>\n"
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Failed cells\"><table><caption>Failed cells "
        "and "
        "why</caption><thead><tr><th scope=\"col\">Cell</th><th scope=\"col\">Reason</th></tr></thead><tbody>\n" +
        rows + "</tbody></table></div></section>";
  if (rejected > 0)
    out += fmt::format(
        "<p class=\"facts\">{} rejected (the machine was disturbed, or other threads took part than asked "
        "for) and taken again.</p>",
        counted(rejected, "sample"));
  return out;
}

std::string winner_map(const Run& run) {
  std::set<int> all;
  for (const Case& c : run.cases)
    for (const Curve& curve : c.curves)
      for (const Point& point : curve.points) all.insert(point.threads);
  std::string out =
      "<p class=\"facts\">The fastest model and its speedup over the best sequential version. <em>Tie</em>: the 95 % "
      "intervals overlap, and those that tie are named. <em>None</em>: even the fastest is slower than the best "
      "sequential "
      "version. <em>Enough</em>: the threads after which more gain less than "
      "2 %.</p>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Winners by case and thread "
      "count\"><table class=\"map\"><caption>Winners by case and thread count</caption><thead><tr><th scope=\"col\" "
      "rowspan=\"2\">Case</th><th scope=\"col\" rowspan=\"2\">Sequential</th>";
  out += fmt::format(
      "<th scope=\"colgroup\" colspan=\"{}\">Threads</th><th scope=\"col\" rowspan=\"2\">Enough</th></tr><tr>",
      std::max<std::size_t>(all.size(), 1));
  for (const int n : all) out += fmt::format("<th scope=\"col\">{}</th>", n);
  out += "</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    const Case& c = run.cases[i];
    out += fmt::format("<tr><th scope=\"row\"><a href=\"#case-{}\">{}</a></th><td>{}</td>", i + 1, name_html(c.name),
                       html(time_words(c.sequential.median_ns)));
    for (const int n : all) {
      const std::vector<const Curve*> fastest = winners(c, n);
      if (fastest.empty()) {
        out += "<td>–</td>";
        continue;
      }
      const Point& best = *at(*fastest[0], n);
      const std::string speedup = html(factor_words(best.speedup));
      const auto measured =
          std::ranges::count_if(c.curves, [n](const Curve& curve) { return at(curve, n) != nullptr; });
      if (best.speedup_ci.high < 1) {
        out += fmt::format("<td class=\"tie\"><b>none</b><small>{}</small><small>{}</small></td>", speedup,
                           html(fastest[0]->backend));
      } else if (fastest.size() == 1) {
        out += fmt::format("<td class=\"{}\"><b>{}</b><small>{}</small></td>", css_class(fastest[0]->backend),
                           html(fastest[0]->backend), speedup);
      } else {
        std::string names;
        for (const Curve* curve : fastest) names += (names.empty() ? "" : ", ") + html(curve->backend);
        if (std::cmp_equal(fastest.size(), measured)) names = "all";
        out += fmt::format("<td class=\"tie\"><b>tie</b><small>{}</small><small>{}</small></td>", speedup, names);
      }
    }
    out += known(c.enough_threads) ? fmt::format("<td>{:g}</td></tr>\n", c.enough_threads) : "<td>–</td></tr>\n";
  }
  return out + "</tbody></table></div>";
}

// How much a page holds: each level is smaller than the one before.
enum class Detail { everything, no_rounds, few_rows };

// Of many thread counts, those that a shorter table shows.
bool worth_a_row(const Case& c, int threads) {
  return (threads & (threads - 1)) == 0 || threads == thread_counts(c).back() || threads == c.best.threads;
}

std::string cells_table(const Case& c, Detail detail) {
  const bool few = detail == Detail::few_rows;
  const bool flops = c.flops > 0;
  std::string rows;
  for (const Curve& curve : c.curves)
    for (const Point& p : curve.points) {
      if (few && !worth_a_row(c, p.threads)) continue;
      std::string warnings;
      for (const std::string& warning : p.warnings) warnings += (warnings.empty() ? "" : ", ") + html(warning);
      const std::string roof = known(p.percent_of_roof)
                                   ? html(percent_words(p.percent_of_roof)) +
                                         (p.bound.empty() ? "" : " <small>" + html(p.bound) + "</small>")
                                   : "–";
      rows += fmt::format(
          "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}{}</td><td>{}{}</td><td>{}</td><td>{}</td><td>{}</td>"
          "<td>{}</td><td>{}</td><td>{}</td><td class=\"words\">{}</td></tr>\n",
          html(curve.backend), p.threads, html(time_words(p.median_ns)), bracket(p.ns, time_words),
          html(factor_words(p.speedup)), curve.backend == "sequential" ? "" : bracket(p.speedup_ci, plain_number),
          html(percent_words(100 * p.efficiency)), html(factor_words(p.self_speedup)), html(number_words(p.karp_flatt)),
          html(flops ? rate_words(p.flops_per_s, "FLOP/s") : rate_words(p.bytes_per_s, "B/s")), roof, p.samples,
          warnings);
    }
  for (const Peer& peer : c.peers) {
    if (few && !worth_a_row(c, peer.threads)) continue;
    const double speedup = c.sequential.median_ns / peer.median_ns;
    const double per_second = (flops ? c.flops : c.bytes) / peer.median_ns * 1e9;
    const std::string ratio =
        known(peer.ratio) ? fmt::format("our best time here is {} of its", percent_words(100 * peer.ratio)) : "";
    rows += fmt::format(
        "<tr class=\"peer\"><th scope=\"row\">{} <small>{}</small></th><td>{}</td><td>{}{}</td><td>{}</td>"
        "<td>{}</td><td>–</td><td>–</td><td>{}</td><td>–</td><td>–</td><td class=\"words\">{}</td></tr>\n",
        html(peer.name), html(peer.version), peer.threads, html(time_words(peer.median_ns)),
        bracket(peer.ns, time_words), html(factor_words(speedup)), html(percent_words(100 * speedup / peer.threads)),
        html(rate_words(per_second, flops ? "FLOP/s" : "B/s")), html(ratio));
  }
  const std::size_t count = static_cast<std::size_t>(std::ranges::count(rows, '\n'));
  // A short table is open from the start.
  return fmt::format(
      "<details{}><summary>{} {} cells of {} as a table{}</summary><div class=\"scroll\" tabindex=\"0\" "
      "role=\"region\" "
      "aria-label=\"Cells of {}\"><table><caption>{}: medians with 95 % intervals in brackets; speedups are against "
      "the best "
      "sequential version</caption><thead><tr><th scope=\"col\">Model</th><th scope=\"col\">Threads</th><th "
      "scope=\"col\">Time</th><th scope=\"col\">Speedup</th><th scope=\"col\">Efficiency</th><th scope=\"col\">Own "
      "speedup</th><th scope=\"col\">Karp–Flatt</th><th scope=\"col\">Rate</th><th scope=\"col\">Of roof</th><th "
      "scope=\"col\">n</th><th scope=\"col\">Remarks</th></tr></thead><tbody>\n{}</tbody></table></div></details>\n",
      count <= 12 ? " open" : "", few ? "The main" : "All", count, html(c.name), few ? " (summary.csv has all)" : "",
      html(c.name), html(c.name), rows);
}

std::string law_name(const Law& law) {
  return law.law == "usl" ? "Universal scalability" : law.law == "amdahl" ? "Amdahl" : law.law;
}

std::string laws(const Case& c) {
  std::string rows;
  for (const Curve& curve : c.curves) {
    const Law& law = curve.law;
    if (curve.backend == "sequential") continue;
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
    if (found.empty()) continue;
    rows += fmt::format("<tr><th scope=\"row\">{}</th><td class=\"words\">{}</td><td class=\"words\">{}</td></tr>\n",
                        html(curve.backend), law.law == "none" ? "none" : html(law_name(law)), found);
  }
  if (rows.empty()) return {};
  return fmt::format(
      "<details><summary>Scaling laws fitted to {}</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Laws of {}\"><table><caption>Fitted laws, 95 % intervals in brackets</caption><thead><tr><th "
      "scope=\"col\">Model</th><th scope=\"col\">Law</th><th "
      "scope=\"col\">Found</th></tr></thead><tbody>\n{}</tbody></table>"
      "</div></details>\n",
      html(c.name), html(c.name), rows);
}

// A drawn plot inside the page. gnuplot gives the same ids in every picture, so each gets a prefix of its own.
std::string inlined(std::string svg, std::size_t number) {
  const std::size_t begin = svg.find("<svg");
  if (begin == std::string::npos) return {};
  svg.erase(0, begin);
  const std::string prefix = fmt::format("p{}-", number);
  for (const std::string_view before : {"id=\"", "id='", "href='#", "href=\"#", "url(#"})
    for (std::size_t at = svg.find(before); at != std::string::npos; at = svg.find(before, at + before.size()))
      svg.insert(at + before.size(), prefix);
  return svg.replace(0, 4, "<svg class=\"static\" role=\"img\"");
}

struct ChartKind {
  std::string_view name, title, note;
  bool linear;
};
constexpr ChartKind kinds[] = {
    {"speedup", "Speedup against threads", "higher is better", true},
    {"efficiency", "Efficiency against threads", "higher is better", true},
    {"time", "Time of one call against threads", "lower is better", true},
    {"rounds", "Round by round, against the cell’s median", "flat is better", false},
};

std::string canvases(const Case& c, std::size_t index, bool with_rounds) {
  std::string out = "<div class=\"charts\">\n";
  for (const ChartKind& kind : kinds) {
    if (kind.name == "rounds" ? !with_rounds || c.curves.empty()
        : kind.name == "time" ? c.curves.empty()
                              : !has_speedups(c))
      continue;
    out += fmt::format(
        "<figure class=\"{0}\" data-chart=\"{0}\" "
        "data-case=\"{1}\"><figcaption><h4>{2}</h4><span>{3}</span>{4}</figcaption>"
        "<div class=\"legend\" role=\"group\" aria-label=\"Curves shown\"></div><div class=\"plot\"><canvas "
        "role=\"img\" "
        "aria-label=\"{2} for {5}; the numbers are in the table of cells\">{2}: the numbers are in the table of "
        "cells.</canvas>"
        "</div></figure>\n",
        kind.name, index, kind.title, kind.note,
        kind.linear ? "<button type=\"button\" aria-pressed=\"false\" hidden>Linear axes</button>" : "", html(c.name));
  }
  return out + "</div>\n";
}

std::string cases(const Run& run, const std::vector<Plot>& plots, const std::vector<std::string>& svgs,
                  bool interactive, Detail detail) {
  std::string out;
  std::size_t in_pictures = 0;
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    const Case& c = run.cases[i];
    out += fmt::format("<article class=\"case\" id=\"case-{}\"><h3>{}</h3>\n<p>{}</p>\n<p class=\"facts\">", i + 1,
                       html(c.name), html(c.verdict));
    out +=
        "Best sequential version: " + html(time_words(c.sequential.median_ns)) + bracket(c.sequential.ns, time_words);
    if (!c.best.backend.empty())
      out += "; best of all: " + html(model_words(c.best.backend, c.best.threads)) + ", " +
             html(time_words(c.best_point.median_ns)) + ", " + html(factor_words(c.best_point.speedup)) +
             bracket(c.best_point.speedup_ci, plain_number);
    if (c.flops > 0) out += "; " + html(rate_words(c.flops, "FLOP")) + " a call";
    if (c.bytes > 0) out += "; " + html(rate_words(c.bytes, "B")) + " of compulsory traffic";
    out += ".</p>\n";
    if (interactive) {
      out += canvases(c, i, detail == Detail::everything);
    } else {
      out += "<div class=\"charts\">";
      for (std::size_t k = 0; k < plots.size(); ++k) {
        if (plots[k].of != c.name || svgs[k].empty() || in_pictures + svgs[k].size() > most_bytes / 2) continue;
        in_pictures += svgs[k].size();
        out += "<figure>" + inlined(svgs[k], k) + "</figure>";
      }
      out += "</div>\n";
    }
    out += cells_table(c, detail) + laws(c) + "</article>\n";
  }
  return out;
}

std::string run_plots(const std::vector<Plot>& plots, const std::vector<std::string>& svgs) {
  std::string out;
  for (std::size_t k = 0; k < plots.size(); ++k)
    if (plots[k].what == "roofline" && !svgs[k].empty()) out += "<figure>" + inlined(svgs[k], k) + "</figure>";
  return out.empty() ? out : "<div class=\"run-plots\">" + out + "</div>";
}

std::string facts(const Run& run) {
  std::string out;
  for (const auto& [title, rows] :
       {std::pair("Machine", &run.machine), std::pair("Build", &run.build), std::pair("Run", &run.config)}) {
    if (rows->empty()) continue;
    out += fmt::format("<h3>{}</h3>\n<dl class=\"facts\">", title);
    for (const auto& [what, words] : *rows) out += fmt::format("<dt>{}</dt><dd>{}</dd>", html(what), html(words));
    out += "</dl>\n";
  }
  if (run.ceilings.empty()) return out;
  out +=
      "<h3>Measured ceilings</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Measured "
      "ceilings\">"
      "<table><caption>Register-only fused multiply-adds, and bandwidth from memory (counted bytes, written past the "
      "caches)</caption><thead><tr><th "
      "scope=\"col\">Threads</th><th scope=\"col\">FMA, float</th><th scope=\"col\">FMA, double</th><th "
      "scope=\"col\">Load</th><th scope=\"col\">Copy</th><th scope=\"col\">Triad</th></tr></thead><tbody>\n";
  for (const Ceiling& c : run.ceilings)
    out += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                       c.threads, rate_words(c.fma_f32, "FLOP/s"), rate_words(c.fma_f64, "FLOP/s"),
                       rate_words(c.load, "B/s"), rate_words(c.copy, "B/s"), rate_words(c.triad, "B/s"));
  return out + "</tbody></table></div>\n";
}

// Five significant digits: no eye and no pixel sees more, and the page is a third of the size.
json brief(double value) {
  if (!known(value)) return nullptr;
  return json::parse(fmt::format("{:.5g}", value));
}

json chart_data(const Run& run, bool with_rounds) {
  json limits = json::array();
  if (known(run.physical_cores))
    limits.push_back({run.physical_cores, run.physical_cores == run.quota_cpus ? "cores and quota" : "physical cores"});
  if (known(run.quota_cpus) && run.physical_cores != run.quota_cpus) limits.push_back({run.quota_cpus, "quota"});
  json cases = json::array();
  for (const Case& c : run.cases) {
    json curves = json::array();
    for (const Curve& curve : c.curves) {
      json points = json::array(), law = json::array();
      for (const Point& p : curve.points) {
        json rounds = json::array();
        if (with_rounds)
          for (const auto& [round, ns] : p.rounds) {
            rounds.push_back(round);
            rounds.push_back(brief(ns));
          }
        points.push_back({p.threads, p.samples, brief(p.median_ns), brief(p.ns.low), brief(p.ns.high), brief(p.speedup),
                          brief(p.speedup_ci.low), brief(p.speedup_ci.high), std::move(rounds)});
      }
      if (curve.law.law != "none")
        for (const Prediction& p : curve.law.predicted)
          if (known(p.band)) law.push_back({p.threads, brief(p.speedup), brief(p.band.low), brief(p.band.high)});
      curves.push_back({{"name", curve.backend}, {"points", std::move(points)}, {"law", std::move(law)}});
    }
    json peers = json::array();
    for (const Peer& peer : c.peers) {
      if (!(peer.median_ns > 0) || !known(peer.median_ns)) continue;
      if (peers.empty() || peers.back()["name"] != peer.name)
        peers.push_back({{"name", peer.name}, {"points", json::array()}});
      peers.back()["points"].push_back({peer.threads, brief(peer.median_ns)});
    }
    json roofs = json::array();
    for (const int threads : thread_counts(c))
      if (const Roof r = roof(c, threads); known(r.speedup)) roofs.push_back({threads, brief(r.speedup)});
    cases.push_back({{"sequential", brief(c.sequential.median_ns)},
                     {"best", c.best.backend},
                     {"curves", std::move(curves)},
                     {"peers", std::move(peers)},
                     {"roof", std::move(roofs)}});
  }
  return {{"limits", std::move(limits)}, {"noise_floor", brief(run.noise_floor)}, {"cases", std::move(cases)}};
}

// JSON that can stand inside a script element: no text in it can end the element or open a comment.
std::string for_script(const json& value) {
  std::string out;
  for (const char c : value.dump(-1, ' ', false, json::error_handler_t::replace)) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

std::string hash_source(std::string_view text) { return "'sha256-" + sha256_base64(text) + "'"; }

}  // namespace

std::string make_page(const Run& run, const std::vector<Plot>& plots, const std::vector<std::string>& svgs,
                      const std::string& chart_library) {
  const bool interactive = !chart_library.empty();
  // Nothing is fetched, and only these very scripts and styles count, whatever a name in the data may hold. gnuplot's
  // pictures carry style attributes.
  std::string policy = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src " +
                       hash_source(page_css) + "; style-src-attr 'unsafe-inline'; script-src " + hash_source(page_js);
  if (interactive) policy += " " + hash_source(chart_library);
  const auto assembled = [&](Detail detail) {
    const std::string title = run.cpu.empty() ? "How it scales" : "How it scales on " + run.cpu;
    return filled(
        page_html,
        {{"policy", policy},
         {"title", html(title)},
         {"style", std::string(page_css)},
         {"label", run.label.empty() ? "" : "<span class=\"tag\">" + html(run.label) + "</span>"},
         {"machine_sentence", html(machine_sentence(run))},
         {"verdicts", verdicts(run)},
         {"failures", failures(run)},
         {"map", winner_map(run)},
         {"run_plots", run_plots(plots, svgs)},
         {"cases", cases(run, plots, svgs, interactive, detail)},
         {"facts", facts(run)},
         {"notices", interactive
                         ? "<section id=\"notices\" aria-labelledby=\"notices-title\"><h2 id=\"notices-title\">"
                           "Third-party notices</h2><p>The charts on this page are drawn by Chart.js, which this "
                           "page contains.</p><pre>" +
                               html(chart_licence) + "</pre></section>"
                         : ""},
         {"data", for_script(chart_data(run, interactive && detail == Detail::everything))},
         {"chart_library", interactive ? "<script>" + chart_library + "</script>" : ""},
         {"script", std::string(page_js)}});
  };
  // Samples and cells are in the journal and in summary.csv too; a page too large to mail does with fewer.
  std::string page = assembled(Detail::everything);
  for (const Detail detail : {Detail::no_rounds, Detail::few_rows})
    if (page.size() > most_bytes) page = assembled(detail);
  return page;
}

}  // namespace speedwell::bench::report
