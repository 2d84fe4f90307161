// SPDX-License-Identifier: Apache-2.0
#include "bench/report/page.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "bench/report/page_data.hpp"
#include "bench/report/page_frame.hpp"
#include "bench/report/page_parts.hpp"
#include "bench/report/page_tables.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {

using nlohmann::json;

namespace {

constexpr std::string_view nav =
    "<a href=\"#verdicts\">Verdicts</a> <a href=\"#cases\">Cases</a> <a href=\"#reading\">How to read this</a> <a "
    "href=\"#run\">Machine and run</a>";

std::string plain_number(double value) { return number_words(value); }

std::string model_words(const std::string& backend, int threads) {
  return backend == "sequential" ? backend : backend + ", " + counted(threads, "thread");
}

// What the numbers rest on, in one strip.
std::string lead(const Run& run) {
  std::vector<std::pair<std::string, std::string>> strip;
  if (known(run.physical_cores)) strip.emplace_back("Physical cores", fmt::format("{:g} to use", run.physical_cores));
  if (known(run.quota_cpus)) strip.emplace_back("Quota", counted(run.quota_cpus, "CPU"));
  for (const auto& [what, words] : run.machine) {
    if (what == "Quota, from") strip.emplace_back(known(run.quota_cpus) ? "Quota, from" : "Quota", words);
    if (what == "Instruction set" || what == "Caches") strip.emplace_back(what, words);
  }
  if (!run.started.empty()) strip.emplace_back("Measured", run.day());
  if (known(run.rounds)) strip.emplace_back("Rounds", fmt::format("{:g}", run.rounds));
  strip.emplace_back("Noise floor",
                     known(run.noise_floor) ? percent_words(100 * run.noise_floor) : std::string("not measured"));
  if (known(run.cost.instrument_share))
    strip.emplace_back("Instrument’s own time", percent_words(100 * run.cost.instrument_share));
  std::string out = "<dl class=\"strip\">";
  for (const auto& [what, words] : strip)
    out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", html(what), html(words));
  return out + "</dl>";
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

// The pictures of one case, or with an empty name those of the run, for a page that can't draw. They may fill half of
// it.
std::string pictures(const std::vector<Plot>& plots, const std::vector<std::string>& svgs, const std::string& of,
                     std::size_t& used) {
  std::string out;
  for (std::size_t k = 0; k < plots.size(); ++k) {
    if (plots[k].of != of || plots[k].what == "overview" || svgs[k].empty() ||
        used + svgs[k].size() > most_bytes_of_page / 2)
      continue;
    used += svgs[k].size();
    out += "<figure>" + inlined(svgs[k], k) + "</figure>\n";
  }
  return out;
}

std::string case_facts(const Case& c) {
  std::string out =
      "Best sequential version: " + html(time_words(c.sequential.median_ns)) + bracket(c.sequential.ns, time_words);
  if (!c.best.backend.empty())
    out += "; best of all: " + html(model_words(c.best.backend, c.best.threads)) + ", " +
           html(time_words(c.best_point.median_ns)) + ", " + html(factor_words(c.best_point.speedup)) +
           bracket(c.best_point.speedup_ci, plain_number);
  if (c.flops > 0) out += "; " + html(rate_words(c.flops, "FLOP")) + " a call";
  if (c.bytes > 0) out += "; " + html(rate_words(c.bytes, "B")) + " of compulsory traffic";
  return out + ".";
}

std::string list(const Run& run, const std::vector<Plot>& plots, const std::vector<std::string>& svgs,
                 const std::vector<std::string>& ids, bool interactive, Rows detail, std::size_t& used) {
  std::string out;
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    const Case& c = run.cases[i];
    const std::string charts = interactive ? fmt::format("<div class=\"charts\" data-case=\"{}\"></div>", i)
                                           : "<div class=\"charts\">" + pictures(plots, svgs, c.name, used) + "</div>";
    out += fmt::format(
        "<article class=\"case\" id=\"{0}\" data-name=\"{1}\"><h3>{2} <a class=\"here\" href=\"#{0}\" "
        "aria-label=\"Link to {1}\">#</a></h3>\n<p>{3}</p>\n<p class=\"facts\">{4}</p>\n<p class=\"actions\" "
        "data-case=\"{5}\"></p>\n{6}\n{7}</article>\n",
        html(ids[i]), html(c.name), name_html(c.name), html(c.verdict), case_facts(c), i, charts,
        case_tables(c, i, ids[i], detail));
  }
  return out;
}

// What concerns all cases together: from which size on parallel pays, and how near to the machine's ceilings they are.
std::string whole_run(const Run& run, const std::vector<Plot>& plots, const std::vector<std::string>& svgs,
                      bool interactive, std::size_t& used) {
  const std::string roofs = roofline_table(run) + ceilings_table(run);
  const std::string tables =
      crossover_table(run) + (roofs.empty() ? "" : folded("run-ceilings", "Roofline and ceilings as tables", roofs));
  if (tables.empty()) return {};
  return "<section id=\"whole\" aria-labelledby=\"whole-title\"><h2 id=\"whole-title\">The run as a whole</h2>\n" +
         (interactive ? "<div class=\"charts\" data-run></div>"
                      : "<div class=\"charts\">" + pictures(plots, svgs, "", used) + "</div>") +
         tables + "</section>";
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
  if (known(run.cost.wall))
    out += fmt::format(
        "<h3>Where the time went</h3>\n<p class=\"facts\">{} in all: {} in kernels, {} in planned warm-up, first touch "
        "and verification, {} in the instrument itself.</p>\n",
        html(time_words(run.cost.wall * 1e9)), html(time_words(run.cost.kernel * 1e9)),
        html(time_words(run.cost.planned * 1e9)), html(time_words(run.cost.instrument * 1e9)));
  return out;
}

}  // namespace

std::string make_page(const Run& run, const std::vector<Plot>& plots, const std::vector<std::string>& svgs,
                      const std::string& chart_library, const std::optional<Models>& models) {
  const bool interactive = !chart_library.empty();
  std::vector<std::string> names;
  for (const Case& c : run.cases) names.push_back(c.name);
  const std::vector<std::string> ids = case_ids(names);
  const auto assembled = [&](Rows detail, bool with_samples) {
    std::size_t used = 0;
    const std::string whole = whole_run(run, plots, svgs, interactive, used);
    const std::string content = filled(run_html, {{"filter", run.cases.size() > 1 ? filter_field() : ""},
                                                  {"map", winner_map(run, ids)},
                                                  {"failures", failures(run)},
                                                  {"whole", whole},
                                                  {"cases", list(run, plots, svgs, ids, interactive, detail, used)},
                                                  {"models", models ? models_section(*models) : ""},
                                                  {"facts", facts(run)}});
    json data = run_data(run, ids, with_samples);
    if (models) data["models"] = models_data(*models);
    return framed({.title = run.cpu.empty() ? "How it scales" : "How it scales on " + run.cpu,
                   .label = run.label,
                   .nav = std::string(nav) + (models ? " <a href=\"#models\">Concurrency and parallelism</a>" : ""),
                   .lead = lead(run),
                   .content = content,
                   .data = std::move(data)},
                  chart_library);
  };
  // Cells and samples are in summary.csv and the journal too; a page too large to mail does with fewer rows, and if
  // that isn't enough, without the samples.
  std::string page = assembled(Rows::all, true);
  if (page.size() > most_bytes_of_page) page = assembled(Rows::few, true);
  if (page.size() > most_bytes_of_page) page = assembled(Rows::few, false);
  return page;
}

}  // namespace speedwell::bench::report
