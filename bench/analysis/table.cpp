// SPDX-License-Identifier: Apache-2.0
// The analysis as text for a terminal: a table of two lines a case, then the verdicts.
#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/analysis/analysis.hpp"
#include "bench/terminal.hpp"
#include "runtime/scaling/words.hpp"

namespace speedwell::bench {

using nlohmann::json;

namespace words = scaling;

namespace {

// Below this many columns there is nothing to be gained by breaking lines.
constexpr int narrowest = 40;

std::string without_trailing_space(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

// Two decimals below ten, as a column of speedups is read by comparing.
std::string factor(double value) { return fmt::format("{:.{}f}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0); }

enum class Rank { other, tied, fastest };

struct Entry {
  std::string figure;    // "1.94×@2"
  std::string interval;  // "(1.91–1.96)"
  Rank rank = Rank::other;
};

// A model's best point.
Entry entry_of(const json& study, const std::string& backend) {
  for (const json& curve : study.at("curves")) {
    if (curve.at("backend") != backend) continue;
    const json* best = nullptr;
    for (const json& point : curve.at("points")) {
      if (point.at("speedup").is_null()) continue;
      if (best == nullptr || point.at("speedup").get<double>() > best->at("speedup").get<double>()) best = &point;
    }
    if (best == nullptr) break;
    Entry entry;
    entry.figure = fmt::format("{}×@{}", factor(best->at("speedup").get<double>()), best->at("threads").get<int>());
    const json& ci = best->at("speedup_ci");
    entry.interval = fmt::format("({})", factor(ci.at(0).get<double>()) + "–" + factor(ci.at(1).get<double>()));
    const json& winner = study.at("best");
    if (winner.is_object()) {
      bool tied = false;
      for (const json& other : winner.at("tied_with")) tied = tied || other.at("backend") == backend;
      const bool first = winner.at("backend") == backend;
      if (tied || (first && !winner.at("tied_with").empty())) {
        entry.rank = Rank::tied;
      } else if (first) {
        entry.rank = Rank::fastest;
      }
    }
    return entry;
  }
  for (const json& failed : study.at("failed_cells")) {
    if (failed.at("cell").get<std::string>().find("/" + backend + "/") != std::string::npos)
      return {.figure = "failed", .interval = ""};
  }
  return {.figure = "-", .interval = ""};
}

// The fastest peer for its thread count, as its speed over ours there.
std::string peer_of(const json& study) {
  const json* best = nullptr;
  for (const json& peer : study.at("peers")) {
    if (peer.at("ratio").is_null()) continue;
    if (best == nullptr || peer.at("ratio").get<double>() > best->at("ratio").get<double>()) best = &peer;
  }
  if (best == nullptr) return "";
  return fmt::format("{}@{} is {}× as fast", best->at("name").get<std::string>(), best->at("threads").get<int>(),
                     factor(best->at("ratio").get<double>()));
}

std::string sequential_of(const json& study) {
  const json& sequential = study.at("sequential");
  return sequential.is_null() ? "-" : words::duration(sequential.at("median_ns").get<double>());
}

std::string paint(const Ink& ink, Rank rank, const std::string& text) {
  return rank == Rank::other ? text : ink.good(text);
}

std::string mark_of(Rank rank) { return rank == Rank::fastest ? "*" : rank == Rank::tied ? "=" : " "; }

std::string head_of(const json& analysis, int width) {
  const json& machine = analysis.at("machine");
  const auto text_in = [&](const char* key) {
    return machine.is_object() && machine.contains(key) && machine[key].is_string() ? machine[key].get<std::string>()
                                                                                    : "";
  };
  std::string head = text_in("cpu");
  if (machine.is_object() && machine.contains("default_threads") && machine["default_threads"].is_number_integer()) {
    const int cores = machine["default_threads"].get<int>();
    head += fmt::format("{}{} {}", head.empty() ? "" : ", ", cores, cores == 1 ? "core" : "cores");
  }
  const int rounds = analysis.at("rounds").get<int>();
  head += fmt::format("{}{} {}", head.empty() ? "" : ", ", rounds, rounds == 1 ? "round" : "rounds");
  if (!analysis.at("finished").get<bool>()) head += ", not finished";
  if (analysis.at("noise_floor").is_number()) {
    head += fmt::format(", noise floor {} %", words::number(100 * analysis.at("noise_floor").get<double>()));
  }
  const std::string label = analysis.at("label").get<std::string>();
  if (!label.empty()) head = fmt::format("[{}] {}", label, head);
  return wrap(head, width, "");
}

// What is shown of one case.
struct Row {
  std::string name, sequential, peer;
  std::vector<Entry> entries;  // in the backends' order
};

struct Widths {
  int name, time, cell;
};

// Two lines a case: figures, then intervals.
std::string wide_row(const Row& row, const Widths& widths, const Ink& ink) {
  std::string figures = fmt::format("{:<{}} {:>{}}", row.name, widths.name, row.sequential, widths.time);
  std::string intervals = fmt::format(" {:<{}} {:>{}}", row.peer, widths.name - 1, "", widths.time);
  for (const Entry& entry : row.entries) {
    const std::string figure = fmt::format("{:>{}}{}", entry.figure, widths.cell - 1, mark_of(entry.rank));
    figures += fmt::format(" {}", paint(ink, entry.rank, figure));
    intervals += fmt::format(" {:>{}}", entry.interval, widths.cell);
  }
  return fmt::format("{}\n{}\n", without_trailing_space(figures), ink.faint(without_trailing_space(intervals)));
}

// A line a model, for a terminal that the table doesn't fit.
std::string narrow_row(const Row& row, const std::vector<std::string>& backends, const Ink& ink) {
  std::string text = fmt::format("{}\n  sequential {}\n", ink.bold(row.name), row.sequential);
  for (std::size_t i = 0; i < backends.size(); ++i) {
    const Entry& entry = row.entries[i];
    const std::string line =
        fmt::format("  {:<10} {:<9} {} {}", backends[i], entry.figure, mark_of(entry.rank), entry.interval);
    text += fmt::format("{}\n", paint(ink, entry.rank, without_trailing_space(line)));
  }
  return row.peer.empty() ? text : fmt::format("{}  {}\n", text, row.peer);
}

constexpr std::string_view unbreakable = "\u00a0";

// Each model's speedup against threads, a bar a count, and what threads alone would give: "openmp ▂▄▇  ideal ▂▄█".
std::string plot_of(const json& study, int width) {
  std::set<int> counts;
  for (const json& curve : study.at("curves")) {
    for (const json& point : curve.at("points")) {
      if (point.at("speedup").is_number()) counts.insert(point.at("threads").get<int>());
    }
  }
  if (counts.size() < 2) return "";
  const double most = *counts.rbegin();
  std::string text = fmt::format("speedup on {} threads:", fmt::join(counts, ", "));
  for (const json& curve : study.at("curves")) {
    std::map<int, double> speedups;
    for (const json& point : curve.at("points")) {
      if (point.at("speedup").is_number()) speedups[point.at("threads").get<int>()] = point.at("speedup").get<double>();
    }
    std::vector<double> heights;
    for (const int count : counts) {
      heights.push_back(speedups.contains(count) ? speedups[count] : std::numeric_limits<double>::quiet_NaN());
    }
    text += fmt::format(" {}{}{}", curve.at("backend").get<std::string>(), unbreakable, bars(heights, most));
  }
  text += fmt::format(" ideal{}{}", unbreakable, bars(std::vector<double>(counts.begin(), counts.end()), most));
  // A name and its bars were kept on one line.
  std::string wrapped = wrap(text, width, "  ");
  for (std::size_t at = 0; (at = wrapped.find(unbreakable, at)) != std::string::npos;) {
    wrapped.replace(at, unbreakable.size(), " ");
  }
  return wrapped;
}

constexpr const char* legend =
    "N×@P: N times the speed of the best sequential version, on P threads (95 % interval of the median, paired by "
    "round). * fastest, = tied for fastest; none marked: sequential is. Peers: their speed over our best on as many "
    "threads.";

}  // namespace

std::string render_table(const json& analysis, bool colour, int width) {
  width = std::max(width, narrowest);
  const Ink ink(colour);
  const json& cases = analysis.at("cases");
  std::vector<std::string> backends;
  for (const json& study : cases) {
    for (const json& curve : study.at("curves")) {
      const std::string backend = curve.at("backend").get<std::string>();
      if (std::find(backends.begin(), backends.end(), backend) == backends.end()) backends.push_back(backend);
    }
  }
  Widths widths{.name = columns("case"), .time = columns("sequential"), .cell = 0};
  for (const std::string& backend : backends) widths.cell = std::max(widths.cell, columns(backend) + 1);
  std::vector<Row> rows;
  for (const json& study : cases) {
    Row& row = rows.emplace_back(Row{study.at("case").get<std::string>(), sequential_of(study), peer_of(study), {}});
    widths.name = std::max({widths.name, columns(row.name), columns(row.peer) + 1});
    for (const std::string& backend : backends) {
      const Entry& entry = row.entries.emplace_back(entry_of(study, backend));
      widths.cell = std::max({widths.cell, columns(entry.figure) + 1, columns(entry.interval)});
    }
  }

  std::string text = head_of(analysis, width) + "\n";
  const bool fits = widths.name + 1 + widths.time + static_cast<int>(backends.size()) * (widths.cell + 1) <= width;
  if (fits) {
    std::string head = fmt::format("{:<{}} {:>{}}", "case", widths.name, "sequential", widths.time);
    for (const std::string& backend : backends) head += fmt::format(" {:>{}} ", backend, widths.cell - 1);
    text += fmt::format("{}\n", ink.bold(without_trailing_space(head)));
  }
  for (const Row& row : rows) text += fits ? wide_row(row, widths, ink) : narrow_row(row, backends, ink);
  text += fmt::format("\n{}\n", wrap(legend, width, ""));
  for (const json& study : cases) {
    text += fmt::format("{}\n{}{}", ink.bold(study.at("case").get<std::string>()), plot_of(study, width),
                        wrap(study.at("verdict").get<std::string>(), width, "  "));
    if (const int rejected = study.at("rejected_samples").get<int>(); rejected > 0) {
      const std::string note =
          fmt::format("  {} sample{} rejected and taken again", rejected, rejected == 1 ? "" : "s");
      text += fmt::format("{}\n", ink.faint(note));
    }
  }
  return text;
}

}  // namespace speedwell::bench
