// SPDX-License-Identifier: Apache-2.0
#include "bench/report/timelines.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>

#include "bench/report/figure.hpp"
#include "bench/report/page_frame.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::report {

using nlohmann::json;

namespace {

// What is up to so many times as long as the fastest is shown to its end.
constexpr double most_times_fastest = 5;

// Okabe and Ito's colours, the same in page.css; what waits is pale.
constexpr unsigned task_colors[] = {0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9};
constexpr double pale = 0.68;

unsigned color_of(const TimelineBar& bar) {
  const unsigned color = task_colors[static_cast<std::size_t>(bar.task) % std::size(task_colors)];
  if (bar.cpu) return color;
  unsigned mixed = 0;
  for (const int shift : {16, 8, 0}) {
    const double part = (color >> shift) & 0xFF;
    mixed |= static_cast<unsigned>(std::lround(part + (255 - part) * pale)) << shift;
  }
  return mixed;
}

std::string workers_words(const Timeline& t) {
  const bool processes = t.technique.find("process") != std::string::npos;
  if (processes) return fmt::format("{} process{}", t.workers, t.workers == 1 ? "" : "es");
  return counted(t.workers, "thread");
}

double number(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string memory_words(double bytes) { return known(bytes) ? number_words(bytes / (1 << 20)) + " MiB" : "–"; }

}  // namespace

double TimelineGroup::shown_ns(bool pinned) const {
  double fastest = std::numeric_limits<double>::infinity(), slowest = 0;
  for (const Timeline& t : timelines) {
    if (t.pinned != pinned) continue;
    fastest = std::min(fastest, t.wall_ns);
    slowest = std::max(slowest, t.wall_ns);
  }
  return std::min(slowest, most_times_fastest * fastest);
}

Models parse_models(const json& all) {
  if (!all.is_object() || all.value("schema", 0) != 1 || !all.contains("measurements"))
    throw std::invalid_argument("models.json isn't one that this version reads: expected schema 1 and measurements");
  Models models = {
      .tasks = all.value("tasks", 0), .cores = all.value("cores", 0), .delay_ms = all.value("delay_ms", 0)};
  models.started = all.value("started", "");
  models.reading = all.value("reading", "");
  if (const auto machine = all.find("machine"); machine != all.end()) models.cpu = machine->value("cpu", "");
  for (const json& words : all.value("left_out", json::array())) models.left_out.push_back(words);
  for (const json& one : all["measurements"]) {
    const std::string nature = one.at("nature");
    auto group = std::ranges::find(models.groups, nature, &TimelineGroup::nature);
    if (group == models.groups.end()) {
      models.groups.push_back({nature, one.value("nature_title", nature), {}});
      group = models.groups.end() - 1;
    }
    Timeline t = {.technique = one.at("technique"),
                  .title = one.value("title", one.at("technique").get<std::string>()),
                  .pinned = one.value("pinned", false),
                  .workers = one.value("workers", 1),
                  .in_flight = one.value("in_flight", 0),
                  .wall_ns = number(one, "wall_ns"),
                  .speedup = number(one, "speedup"),
                  .cores_busy = number(one, "cores_busy"),
                  .switches = number(one, "voluntary_switches") + number(one, "involuntary_switches"),
                  .start_up_ns = number(one, "start_up_ns"),
                  .spawn_ns = number(one, "spawn_ns"),
                  .peak_rss_bytes = number(one, "peak_rss_bytes"),
                  .bars = {}};
    for (const json& slice : one.value("slices", json::array()))
      t.bars.push_back({slice.at(0), slice.at(1), slice.at(2), slice.at(3), slice.at(4) == "cpu"});
    std::ranges::stable_sort(t.bars, {}, [](const TimelineBar& bar) { return bar.begin_ns; });
    group->timelines.push_back(std::move(t));
  }
  return models;
}

LaneLayout lay_out(const Timeline& timeline) {
  // Lanes that did nothing aren't shown.
  std::map<int, std::size_t> place;
  for (const TimelineBar& bar : timeline.bars) place.try_emplace(bar.lane);
  std::size_t count = 0;
  for (auto& [lane, at] : place) at = count++;

  // Each wait gets the first row of its lane that is free.
  std::vector<std::vector<double>> rows(count);
  std::vector<std::size_t> row_of(timeline.bars.size());
  for (std::size_t i = 0; i < timeline.bars.size(); ++i) {
    const TimelineBar& bar = timeline.bars[i];
    if (bar.cpu) continue;
    std::vector<double>& ends = rows[place[bar.lane]];
    const auto free = std::ranges::find_if(ends, [&](double end) { return end <= bar.begin_ns; });
    row_of[i] = static_cast<std::size_t>(free - ends.begin());
    if (free == ends.end()) {
      ends.push_back(bar.end_ns);
    } else {
      *free = bar.end_ns;
    }
  }

  LaneLayout layout;
  const double single = count <= 2 ? 15 : count <= 4 ? 11 : count <= 8 ? 7 : 4.5, gap = count <= 4 ? 3 : 1.5;
  for (const std::vector<double>& ends : rows) {
    const double height = ends.size() > 1 ? std::clamp(3.5 * static_cast<double>(ends.size()), single, 72.0) : single;
    if (layout.height > 0) layout.height += gap;
    layout.lanes.push_back({layout.height, layout.height + height});
    layout.height += height;
  }
  for (std::size_t i = 0; i < timeline.bars.size(); ++i) {
    const TimelineBar& bar = timeline.bars[i];
    const LaneLayout::Span lane = layout.lanes[place[bar.lane]];
    const std::size_t in_lane = rows[place[bar.lane]].size();
    if (bar.cpu || in_lane < 2) {
      layout.bars.push_back(lane);
      continue;
    }
    const double step = (lane.bottom - lane.top) / static_cast<double>(in_lane);
    const double top = lane.top + step * static_cast<double>(row_of[i]);
    layout.bars.push_back({top, top + 0.8 * step});
  }
  return layout;
}

namespace {

// Pixels: names on the left, figures on the right.
constexpr double names_width = 176, figures_width = 118, plot_width = 900, between = 15;

Plot timelines_plot(const Models& models, const TimelineGroup& group) {
  Plot plot{"models-" + group.nature, "models", "models", "", "", ""};
  plot.title = fmt::format("When each technique worked on {} tasks, {}:", models.tasks, group.title);
  const double shown_ns = group.shown_ns(false);
  Figure f(plot.name);
  f.width = plot_width;
  std::vector<const Timeline*> rows;
  std::vector<LaneLayout> layouts;
  double height = between / 2;
  for (const Timeline& t : group.timelines) {
    if (t.pinned || t.bars.empty()) continue;
    rows.push_back(&t);
    layouts.push_back(lay_out(t));
    height += std::max(layouts.back().height, 26.0) + between;
    plot.title += fmt::format(" {} {}{}", t.title, time_words(t.wall_ns), ",");
  }
  if (!rows.empty()) plot.title.back() = '.';
  const std::vector<std::string> caption = wrapped(
      fmt::format("Each grey lane is a thread or a process; colours are tasks, pale where a task waits and full "
                  "where it computes. What runs out at the right takes as long as its figure says. Figures: time "
                  "of all tasks, and speedup over the sequential version of the same work. {}, {}, {}.",
                  models.cpu.empty() ? "An unnamed processor" : models.cpu, counted(models.cores, "core"),
                  models.started.substr(0, 10)),
      static_cast<std::size_t>((f.width - 32) / (9 * character_width)));
  const double caption_height = 13 * static_cast<double>(caption.size()) + 12;
  f.box = {names_width, f.width - figures_width, caption_height + axis_height, caption_height + axis_height + height};
  f.height = std::ceil(f.box.top + 50);
  f.x = {0, shown_ns / 1e6, false};
  f.y = {0, height, false};
  f.text(fmt::format("{}: {} by each technique", group.title, counted(models.tasks, "task")), 16, f.height - 22, 14,
         ink);
  double at = caption_height - 14;
  for (const std::string& line : caption) {
    f.text(line, 16, at, 9, soft);
    at -= 13;
  }
  f.bare();
  std::vector<double> ticks = even_values(0, f.x.high);
  for (const double tick : ticks) f.line(f.px(tick), f.box.bottom, f.px(tick), f.box.top, faint, 0.8);
  for (const double tick : ticks) f.text(fmt::format("{:g}", tick), f.px(tick), f.box.bottom - 14, 10, soft, "center");
  f.text("milliseconds from the first task’s begin", (f.box.left + f.box.right) / 2, f.box.bottom - 32, 10, soft,
         "center");

  plot.csv = "technique,task,lane,kind,begin_ms,end_ms,low,high,color\n";
  double top = height - between / 2;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const Timeline& t = *rows[k];
    const LaneLayout& layout = layouts[k];
    const double room = std::max(layout.height, 26.0), lanes_top = top - (room - layout.height) / 2;
    const double middle = f.box.bottom + top - room / 2;
    f.text(t.title, 16, middle + 6, 11.5, ink);
    f.text(workers_words(t), 16, middle - 8, 9.5, soft);
    f.text(time_words(t.wall_ns), f.width - 16, middle + 6, 11.5, ink, "right");
    if (known(t.speedup)) f.text(factor_words(t.speedup), f.width - 16, middle - 8, 9.5, soft, "right");
    for (const LaneLayout::Span& lane : layout.lanes) {
      f.rectangle(
          {f.box.left, f.box.right, f.box.bottom + lanes_top - lane.bottom, f.box.bottom + lanes_top - lane.top},
          "#EDEDED");
    }
    if (t.wall_ns > 1.001 * shown_ns) {
      // It goes on beyond the edge.
      f.text("▸", f.box.right + 4, middle, 11, soft);
    }
    for (std::size_t i = 0; i < t.bars.size(); ++i) {
      const TimelineBar& bar = t.bars[i];
      if (bar.begin_ns >= shown_ns) continue;
      plot.csv += fmt::format("{},{},{},{},{:.4f},{:.4f},{:.2f},{:.2f},{}\n", csv(t.technique), bar.task, bar.lane,
                              bar.cpu ? "cpu" : "wait", bar.begin_ns / 1e6, std::min(bar.end_ns, shown_ns) / 1e6,
                              lanes_top - layout.bars[i].bottom, lanes_top - layout.bars[i].top, color_of(bar));
    }
    top -= room + between;
  }
  f.element(
      fmt::format("'{}.csv' using (($5+$6)/2):(($7+$8)/2):5:6:7:8:9 with boxxyerror fs solid 1 noborder lc rgb "
                  "variable",
                  plot.name));
  plot.script = f.script();
  return plot;
}

std::string models_table(const TimelineGroup& group) {
  std::string rows;
  for (const Timeline& t : group.timelines) {
    if (t.pinned) continue;
    const auto pinned = std::ranges::find_if(
        group.timelines, [&](const Timeline& other) { return other.pinned && other.technique == t.technique; });
    rows += fmt::format(
        "<tr><th scope=\"row\">{} <small>{}</small></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.0f}</td>"
        "<td>{}</td><td>{}</td><td>{}</td></tr>\n",
        html(t.title), workers_words(t), html(time_words(t.wall_ns)), html(factor_words(t.speedup)),
        html(number_words(t.cores_busy)), t.in_flight, t.switches, html(time_words(t.spawn_ns + t.start_up_ns)),
        html(memory_words(t.peak_rss_bytes)),
        pinned == group.timelines.end() ? "–" : html(time_words(pinned->wall_ns)));
  }
  return table_html(
      group.title,
      {"technique", "time", "speedup", "cores busy", "in flight", "switches", "start-up", "memory", "on one core"},
      rows);
}

}  // namespace

std::vector<Plot> models_plots(const Models& models) {
  std::vector<Plot> plots;
  for (const TimelineGroup& group : models.groups) {
    const auto drawn = [](const Timeline& t) { return !t.pinned && !t.bars.empty(); };
    if (std::ranges::any_of(group.timelines, drawn)) plots.push_back(timelines_plot(models, group));
  }
  return plots;
}

std::string models_section(const Models& models) {
  std::string out =
      "<section id=\"models\" aria-labelledby=\"models-title\"><h2 id=\"models-title\">Concurrency and "
      "parallelism</h2>\n" +
      fmt::format("<p class=\"lead\">{}</p>\n", html(models.reading)) +
      "<p class=\"facts\">Each lane is a thread or a process, and each colour a task: pale where it waits, full where "
      "it computes. Dealing with many tasks is many pale bars above each other; doing many is full bars above each "
      "other.</p>\n<p class=\"timeline-controls\" hidden></p>\n";
  for (std::size_t i = 0; i < models.groups.size(); ++i) {
    const TimelineGroup& group = models.groups[i];
    out += fmt::format(
        "<article class=\"case\" id=\"models-{0}\"><h3>{1} <a class=\"here\" href=\"#models-{0}\" aria-label=\"Link to "
        "{1}\">#</a></h3>\n<div class=\"timelines\" data-nature=\"{2}\"></div>\n{3}</article>\n",
        html(group.nature), html(group.title), i, folded("", "As a table", models_table(group)));
  }
  if (!models.left_out.empty()) {
    out += "<p class=\"facts\">Left out. ";
    for (const std::string& words : models.left_out) out += html(words) + ". ";
    out += "</p>\n";
  }
  return out + "</section>\n";
}

json models_data(const Models& models) {
  json natures = json::array();
  for (const TimelineGroup& group : models.groups) {
    json rows = json::array();
    for (const Timeline& t : group.timelines) {
      const LaneLayout layout = lay_out(t);
      json lanes = json::array(), bars = json::array();
      for (const LaneLayout::Span& lane : layout.lanes)
        lanes.push_back({number_json(lane.top, 4), number_json(lane.bottom - lane.top, 4)});
      for (std::size_t i = 0; i < t.bars.size(); ++i) {
        const TimelineBar& bar = t.bars[i];
        // Microseconds: a lane has a thousand pixels or so.
        bars.push_back({bar.task, std::llround(bar.begin_ns / 1e3),
                        std::max(1LL, std::llround((bar.end_ns - bar.begin_ns) / 1e3)), bar.cpu ? 1 : 0,
                        number_json(layout.bars[i].top, 4),
                        number_json(layout.bars[i].bottom - layout.bars[i].top, 3)});
      }
      rows.push_back({{"title", t.title},
                      {"workers", workers_words(t)},
                      {"pinned", t.pinned},
                      {"wall", number_json(t.wall_ns / 1e3, 6)},
                      {"time", time_words(t.wall_ns)},
                      {"speedup", known(t.speedup) ? factor_words(t.speedup) : ""},
                      {"inFlight", t.in_flight},
                      {"height", number_json(layout.height, 4)},
                      {"lanes", std::move(lanes)},
                      {"bars", std::move(bars)}});
    }
    natures.push_back(
        {{"title", group.title},
         {"shown", {number_json(group.shown_ns(false) / 1e3, 6), number_json(group.shown_ns(true) / 1e3, 6)}},
         {"rows", std::move(rows)}});
  }
  return {{"tasks", models.tasks}, {"natures", std::move(natures)}};
}

std::string make_models_page(const Models& models) {
  std::vector<std::pair<std::string, std::string>> strip = {{"Tasks", std::to_string(models.tasks)},
                                                            {"Cores", std::to_string(models.cores)},
                                                            {"Delay", fmt::format("{} ms", models.delay_ms)},
                                                            {"Measured", models.started.substr(0, 10)}};
  std::string lead = "<dl class=\"strip\">";
  for (const auto& [what, words] : strip) lead += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", what, html(words));
  std::string nav;
  for (const TimelineGroup& group : models.groups)
    nav += fmt::format("<a href=\"#models-{0}\">{0}</a> ", html(group.nature));
  return framed({.title = "Concurrency or parallelism" + (models.cpu.empty() ? "" : " on " + models.cpu),
                 .label = "",
                 .nav = nav,
                 .lead = lead + "</dl>",
                 .content = models_section(models),
                 .data = {{"limits", json::array()},
                          {"noise", nullptr},
                          {"cases", json::array()},
                          {"ceilings", json::array()},
                          {"crossovers", json::array()},
                          {"models", models_data(models)}}},
                "");
}

}  // namespace speedwell::bench::report
