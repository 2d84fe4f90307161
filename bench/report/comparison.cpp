// SPDX-License-Identifier: Apache-2.0
#include "bench/report/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "bench/report/page_data.hpp"
#include "bench/report/page_frame.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {
namespace {

using nlohmann::json;

constexpr std::string_view nav =
    "<a href=\"#verdicts\">Summary</a> <a href=\"#machines\">Machines</a> <a href=\"#cases\">Cases</a>";

// A, B, …, Z, then R27.
std::string letter(std::size_t run) {
  return run < 26 ? std::string(1, static_cast<char>('A' + run)) : fmt::format("R{}", run + 1);
}

// As many tones and glyphs as page.css and page.js know of.
std::string mark(std::size_t run) {
  constexpr std::string_view shapes[] = {"●", "▲", "◆", "■", "✱"};
  return fmt::format("<i class=\"n{}\" aria-hidden=\"true\">{}</i>", run % 7, shapes[run % std::size(shapes)]);
}

// What a run has of a case: the curve of its best model, and on it the best point.
struct Entry {
  std::size_t run;
  const Case* c;
  const Curve* curve;
  const Point* best;
};

struct Compared {
  std::string name;
  std::vector<Entry> entries;
};

// Where no model is surely faster than the sequential version, the parallel curve is still what there is to see.
const Curve* curve_to_show(const Case& c) {
  const Curve* shown = nullptr;
  const auto fastest = [](const Curve& curve) {
    return std::ranges::min(curve.points, {}, &Point::median_ns).median_ns;
  };
  if (c.best.backend != "sequential") shown = c.curve(c.best.backend);
  if (!shown)
    for (const Curve& curve : c.curves)
      if (curve.backend != "sequential" && (!shown || fastest(curve) < fastest(*shown))) shown = &curve;
  return shown ? shown : c.curve("sequential");
}

std::vector<Compared> compared_cases(const std::vector<Run>& runs) {
  std::vector<Compared> cases;
  for (std::size_t i = 0; i < runs.size(); ++i)
    for (const Case& c : runs[i].cases) {
      const Curve* const curve = curve_to_show(c);
      if (!curve) continue;
      const Curve* const winner = c.curve(c.best.backend);
      const Point* best = winner ? at(*winner, c.best.threads) : nullptr;
      if (!best) best = &*std::ranges::min_element(curve->points, {}, &Point::median_ns);
      auto found = std::ranges::find(cases, c.name, &Compared::name);
      if (found == cases.end()) found = cases.insert(cases.end(), Compared{c.name, {}});
      found->entries.push_back({i, &c, curve, best});
    }
  return cases;
}

// The one whose interval lies below all others': none where they overlap, or where there is nothing to compare.
const Entry* surely_fastest(const Compared& compared) {
  if (compared.entries.size() < 2) return nullptr;
  const auto& fastest =
      *std::ranges::min_element(compared.entries, {}, [](const Entry& e) { return e.best->median_ns; });
  for (const Entry& each : compared.entries)
    if (&each != &fastest && !(fastest.best->ns.high < each.best->ns.low)) return nullptr;
  return &fastest;
}

std::string best_words(const Entry& entry) {
  const std::string& backend = entry.c->best.backend.empty() ? entry.curve->backend : entry.c->best.backend;
  std::string out = html(backend);
  if (backend != "sequential") out += ", " + counted(entry.best->threads, "thread");
  if (known(entry.best->speedup)) out += ", " + html(factor_words(entry.best->speedup));
  return out;
}

std::string summary(const std::vector<Run>& runs, const std::vector<Compared>& cases,
                    const std::vector<std::string>& ids) {
  std::string out =
      "<p class=\"key\">Each run’s best time with its 95 % interval, the model, threads and speedup over its own "
      "sequential version; then the time over that of the first run that has the case. <b>Bold</b>: its interval "
      "lies "
      "below all others. Runs at different times share no rounds, so these ratios have no interval.</p>\n"
      "<table class=\"map runs\"><caption>Best time of each case in each "
      "run</caption><thead><tr><th scope=\"col\">Case</th>";
  for (std::size_t i = 0; i < runs.size(); ++i) out += fmt::format("<th scope=\"col\">{} {}</th>", mark(i), letter(i));
  out += "</tr></thead><tbody>\n";
  for (std::size_t k = 0; k < cases.size(); ++k) {
    const Entry* const fastest = surely_fastest(cases[k]);
    out += fmt::format("<tr data-name=\"{}\"><th scope=\"row\"><a href=\"#{}\">{}</a></th>", html(cases[k].name),
                       html(ids[k]), name_html(cases[k].name));
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const auto entry = std::ranges::find(cases[k].entries, i, &Entry::run);
      if (entry == cases[k].entries.end()) {
        out += fmt::format("<td data-n=\"{}\">–</td>", letter(i));
        continue;
      }
      const std::string time = html(time_words(entry->best->median_ns));
      const Entry& first = cases[k].entries.front();
      const std::string ratio =
          &first == &*entry
              ? ""
              : fmt::format(" · {} of {}’s time", html(factor_words(entry->best->median_ns / first.best->median_ns)),
                            letter(first.run));
      out += fmt::format("<td data-n=\"{}\">{}{}<small>{}{}</small></td>", letter(i),
                         fastest == &*entry ? "<b>" + time + "</b>" : time, bracket(entry->best->ns, time_words),
                         best_words(*entry), ratio);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table>\n";
}

std::string fact(const Run& run, std::string_view what) {
  for (const auto* list : {&run.machine, &run.build, &run.config})
    for (const auto& [name, words] : *list)
      if (name == what) return words;
  return {};
}

std::string machines(const std::vector<Run>& runs) {
  std::string rows;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    rows += fmt::format("<tr><th scope=\"row\">{} {}</th>", mark(i), letter(i));
    for (const std::string& words :
         {run.cpu, run.name + (run.label.empty() ? "" : " (" + run.label + ")"), run.day(),
          number_words(run.physical_cores, 1), known(run.quota_cpus) ? fmt::format("{:g}", run.quota_cpus) : "none",
          fact(run, "Caches"), fact(run, "Instruction set"), fact(run, "Compiler"), number_words(run.rounds, 1),
          percent_words(100 * run.noise_floor)})
      rows += fmt::format("<td class=\"words\">{}</td>", html(words));
    rows += "</tr>\n";
  }
  return table_html("The machines and their runs",
                    {"Run", "Processor", "Name", "Measured", "Cores", "Quota", "Caches", "Instruction set", "Compiler",
                     "Rounds", "Noise floor"},
                    rows);
}

std::string points_table(const Compared& compared, const std::string& id) {
  std::string rows;
  for (const Entry& entry : compared.entries)
    for (const Point& p : entry.curve->points)
      rows += fmt::format(
          "<tr><th scope=\"row\">{} {}</th><td>{}</td><td>{}{}</td><td>{}{}</td><td>{}</td><td>{}</td></tr>\n",
          letter(entry.run), html(entry.curve->backend), p.threads, html(time_words(p.median_ns)),
          bracket(p.ns, time_words), html(factor_words(p.speedup)),
          bracket(p.speedup_ci, [](double value) { return number_words(value); }),
          html(percent_words(100 * p.efficiency)), p.samples);
  return folded(id + "-cells", "These curves as a table",
                table_html(compared.name + ": medians with 95 % intervals in brackets",
                           {"Run, model", "Threads", "Time", "Speedup", "Efficiency", "n"}, rows));
}

std::string articles(const std::vector<Compared>& cases, const std::vector<std::string>& ids) {
  std::string out;
  for (std::size_t k = 0; k < cases.size(); ++k) {
    std::string words;
    for (const Entry& entry : cases[k].entries)
      words += fmt::format("<li>{} <b>{}</b> {}</li>", mark(entry.run), letter(entry.run), html(entry.c->verdict));
    out += fmt::format(
        "<article class=\"case\" id=\"{0}\" data-name=\"{1}\"><h3>{2} <a class=\"here\" href=\"#{0}\" "
        "aria-label=\"Link to {1}\">#</a></h3>\n<ul class=\"says\">{3}</ul>\n<div class=\"charts\" "
        "data-case=\"{4}\"></div>\n{5}</article>\n",
        html(ids[k]), html(cases[k].name), name_html(cases[k].name), words, k, points_table(cases[k], ids[k]));
  }
  return out;
}

json chart_data(const std::vector<Compared>& cases, const std::vector<std::string>& ids) {
  json out = json::array();
  for (std::size_t k = 0; k < cases.size(); ++k) {
    json curves = json::array();
    for (const Entry& entry : cases[k].entries) {
      json points = json::array();
      for (const Point& p : entry.curve->points) points.push_back(point_json(p));
      curves.push_back({{"name", letter(entry.run) + " " + entry.curve->backend},
                        {"run", entry.run},
                        {"points", std::move(points)},
                        {"samples", json::array()},
                        {"law", json::array()}});
    }
    const Case& first = *cases[k].entries.front().c;
    out.push_back({{"name", cases[k].name},
                   {"id", ids[k]},
                   {"flops", number_json(first.flops, 9)},
                   {"bytes", number_json(first.bytes, 9)},
                   {"sequential", nullptr},
                   {"rounds", json::array()},
                   {"curves", std::move(curves)},
                   {"peers", json::array()},
                   {"roof", json::array()},
                   {"weak", json::array()}});
  }
  return {{"limits", json::array()},
          {"noise", nullptr},
          {"cases", std::move(out)},
          {"ceilings", json::array()},
          {"crossovers", json::array()}};
}

std::string lead(const std::vector<Run>& runs, std::size_t cases) {
  std::string out = "<ul class=\"says lead\">";
  for (std::size_t i = 0; i < runs.size(); ++i)
    out += fmt::format("<li>{} <b>{}</b> {}{}, {}</li>", mark(i), letter(i),
                       html(runs[i].cpu.empty() ? "An unnamed processor" : runs[i].cpu),
                       known(runs[i].physical_cores) ? ", " + counted(runs[i].physical_cores, "core") : "",
                       html(runs[i].name.empty() ? runs[i].day() : runs[i].name));
  return out + fmt::format("</ul>\n<p class=\"facts\">{} in all; each is shown with the best model of each run.</p>",
                           counted(static_cast<double>(cases), "case"));
}

}  // namespace

std::string make_comparison(const std::vector<Run>& runs, const std::string& chart_library) {
  const std::vector<Compared> cases = compared_cases(runs);
  std::vector<std::string> names;
  for (const Compared& compared : cases) names.push_back(compared.name);
  const std::vector<std::string> ids = case_ids(names);
  const bool simulated = std::ranges::any_of(runs, [](const Run& run) { return !run.label.empty(); });
  return framed(
      {.title = fmt::format("How {} runs compare", runs.size()),
       .label = simulated ? "not all measured" : "",
       .nav = std::string(nav),
       .lead = lead(runs, cases.size()),
       .content = "<section id=\"verdicts\" aria-labelledby=\"verdicts-title\"><div class=\"top\"><h2 "
                  "id=\"verdicts-title\">Summary</h2>\n" +
                  filter_field() + "</div>\n" + summary(runs, cases, ids) +
                  "</section>\n<section id=\"machines\" aria-labelledby=\"machines-title\"><h2 "
                  "id=\"machines-title\">Machines</h2>\n" +
                  machines(runs) +
                  "</section>\n<section id=\"cases\" aria-labelledby=\"cases-title\"><h2 id=\"cases-title\">Case by "
                  "case</h2>\n" +
                  articles(cases, ids) + "</section>",
       .data = chart_data(cases, ids)},
      chart_library);
}

}  // namespace speedwell::bench::report
