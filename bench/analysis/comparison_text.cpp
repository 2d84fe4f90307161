// SPDX-License-Identifier: Apache-2.0
// A comparison as text: for a terminal, and as Markdown for a pull request.
#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/analysis/compare.hpp"
#include "bench/terminal.hpp"
#include "runtime/scaling/words.hpp"

namespace speedwell::bench {

using nlohmann::json;

namespace {

constexpr int narrowest = 40;

// Of what can't be told so many are shown, those that differ most.
constexpr std::size_t most_inconclusive = 10;

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string percent(double part) { return fmt::format("{} %", scaling::number(100 * part)); }

// "results/a (0.3.0, 90a33ff1f2c3 modified, 2026-11-25T09:00:00Z)", of what is known.
std::string side_text(const json& side) {
  std::vector<std::string> known;
  for (const char* const key : {"version", "commit", "started"}) {
    std::string text = text_in(side, key);
    if (text.empty() || text == "unknown") continue;
    if (std::string_view(key) == "commit") {
      text.resize(std::min<std::size_t>(text.size(), 12));
      if (side.contains("dirty") && side["dirty"] == true) text += " modified";
    }
    known.push_back(text);
  }
  std::string name = text_in(side, "run");
  if (name.empty()) name = text_in(side, "path");
  return known.empty() ? name : fmt::format("{} ({})", name, fmt::join(known, ", "));
}

std::string machine_text(const json& comparison) {
  const json& machine = comparison.at("machine");
  std::string text = text_in(machine, "cpu");
  if (machine.contains("default_threads") && machine["default_threads"].is_number_integer()) {
    const int cores = machine["default_threads"].get<int>();
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", cores, cores == 1 ? "core" : "cores");
  }
  for (const char* const key : {"isa", "kernel_release"}) {
    if (const std::string more = text_in(machine, key); !more.empty()) text += ", " + more;
  }
  return text;
}

std::string rules_text(const json& comparison) {
  const json& noise = comparison.at("noise_floor");
  return fmt::format(
      "A change is claimed if its 95 % interval excludes 1, it exceeds {} and what identical work differs by ({}), and "
      "its p value, adjusted for {} cells, is at most 0.05 ({}).",
      percent(comparison.at("threshold").get<double>()),
      noise.is_null() ? std::string("not known: no twin") : percent(noise.get<double>()), comparison.at("cells").size(),
      comparison.at("paired") == true ? "builds in one sweep, paired by round" : "two runs, Mann-Whitney U");
}

struct Row {
  std::string verdict, cell, before, after, ratio, interval, p;
};

Row row_of(const json& cell) {
  const json& ci = cell.at("ratio_ci");
  const double p = cell.at("adjusted_p").get<double>();
  return {.verdict = cell.at("verdict").get<std::string>(),
          .cell = cell.at("cell").get<std::string>(),
          .before = scaling::duration(cell.at("old_median_ns").get<double>()),
          .after = scaling::duration(cell.at("new_median_ns").get<double>()),
          .ratio = fmt::format("{:.3f}", cell.at("ratio").get<double>()),
          .interval = fmt::format("({:.3f}–{:.3f})", ci.at(0).get<double>(), ci.at(1).get<double>()),
          .p = p < 0.001 ? "<0.001" : fmt::format("{:.3f}", p)};
}

std::string painted(const Ink& ink, const std::string& verdict, const std::string& text) {
  if (verdict == "regressed" || verdict == "failed") return ink.bad(text);
  if (verdict == "improved") return ink.good(text);
  return verdict == "inconclusive" ? ink.doubtful(text) : ink.faint(text);
}

std::string without_trailing_space(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

struct Columns {
  const char* title;
  std::string Row::*member;
  bool number;
};
constexpr Columns table[] = {{"verdict", &Row::verdict, false},
                             {"cell", &Row::cell, false},
                             {"old", &Row::before, true},
                             {"new", &Row::after, true},
                             {"new/old", &Row::ratio, true},
                             {"95 %", &Row::interval, false},
                             {"p", &Row::p, true}};

std::string rows_text(const std::vector<Row>& rows, const Ink& ink, int width) {
  int needed = -2;
  std::vector<int> widths;
  for (const Columns& column : table) {
    int widest = columns(column.title);
    for (const Row& row : rows) widest = std::max(widest, columns(row.*column.member));
    widths.push_back(widest);
    needed += widest + 2;
  }
  std::string text;
  if (needed > width) {
    for (const Row& row : rows) {
      text += fmt::format("{}\n  {} to {}, {} {}\n",
                          painted(ink, row.verdict, clipped(row.verdict + "  " + row.cell, width)), row.before,
                          row.after, row.ratio, row.interval);
    }
    return text;
  }
  const auto line = [&](const auto& field) {
    std::string out;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string each = field(table[i]);
      out += (i == 0 ? "" : "  ") + (table[i].number ? right(each, widths[i]) : padded(each, widths[i]));
    }
    return without_trailing_space(out);
  };
  text += ink.bold(line([](const Columns& column) { return std::string(column.title); })) + "\n";
  for (const Row& row : rows) {
    text += painted(ink, row.verdict, line([&](const Columns& column) { return row.*column.member; })) + "\n";
  }
  return text;
}

// Cells that aren't shown each.
struct Rest {
  std::size_t count = 0;
  double least = 0;
  double most = 0;

  void add(double ratio) {
    least = count == 0 ? ratio : std::min(least, ratio);
    most = count == 0 ? ratio : std::max(most, ratio);
    ++count;
  }
};

// Lines about cells that only one side has, those of one case together.
std::vector<std::string> absences(const json& comparison) {
  const char* const what = comparison.at("paired") == true ? "build" : "run";
  std::vector<std::string> lines;
  for (const auto& [key, side] : {std::pair("only_in_old", "new"), std::pair("only_in_new", "old")}) {
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> together;
    for (const json& cell : comparison.at(key)) {
      together[{cell.at("case").get<std::string>(), cell.at("reason").get<std::string>()}].push_back(
          cell.at("cell").get<std::string>());
    }
    for (const auto& [about, cells] : together) {
      const std::string subject =
          cells.size() == 1 ? cells.front() : fmt::format("{}, {} cells", about.first, cells.size());
      lines.push_back(fmt::format("missing in the {} {}: {} ({})", side, what, subject, about.second));
    }
  }
  return lines;
}

// Within a cell of a Markdown table.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '>' || c == '`' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string markdown_rows(const std::vector<Row>& rows) {
  std::string text = "|";
  for (const Columns& column : table) text += fmt::format(" {} |", column.title);
  text += "\n|";
  for (const Columns& column : table) text += column.number ? "--:|" : "---|";
  text += "\n";
  for (const Row& row : rows) {
    text += "|";
    for (const Columns& column : table) {
      const bool changed = row.verdict == "regressed" || row.verdict == "improved";
      const std::string plain = escaped(row.*column.member);
      const std::string_view title = column.title;
      text += fmt::format(" {} |", title == "cell"                 ? "`" + row.cell + "`"
                                   : title == "verdict" && changed ? "**" + plain + "**"
                                                                   : plain);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string render_comparison(const json& comparison, bool colour, int width, bool all) {
  width = std::max(width, narrowest);
  const Ink ink(colour);
  std::string text = wrap("old: " + side_text(comparison.at("old")), width, "");
  text += wrap("new: " + side_text(comparison.at("new")), width, "");
  text += wrap(machine_text(comparison), width, "") + "\n";

  std::vector<Row> rows;
  std::map<std::string, Rest> rest;
  std::size_t doubtful = 0;
  for (const json& cell : comparison.at("cells")) {
    const Row row = row_of(cell);
    const bool hidden =
        row.verdict == "within noise" || (row.verdict == "inconclusive" && ++doubtful > most_inconclusive);
    if (hidden && !all) {
      rest[row.verdict].add(cell.at("ratio").get<double>());
    } else {
      rows.push_back(row);
    }
  }
  for (const json& failed : comparison.at("failed")) {
    const std::string line =
        fmt::format("failed  {}: {}", failed.at("cell").get<std::string>(), failed.at("reason").get<std::string>());
    text += painted(ink, "failed", wrap(line, width, ""));
  }
  if (!rows.empty()) text += rows_text(rows, ink, width);
  for (const auto& [verdict, cells] : rest) {
    text += ink.faint(wrap(fmt::format("{}: {} more, {:.3f} to {:.3f} times as long; compare --all shows them", verdict,
                                       cells.count, cells.least, cells.most),
                           width, ""));
  }
  for (const std::string& line : absences(comparison)) text += ink.faint(wrap(line, width, ""));
  text += "\n" + wrap(rules_text(comparison), width, "");
  for (const json& note : comparison.at("notes")) text += wrap(note.get<std::string>(), width, "");
  std::string sentence = wrap(comparison.at("sentence").get<std::string>(), width, "");
  sentence.pop_back();
  return text + "\n" + ink.bold(sentence) + "\n";
}

std::string comparison_markdown(const json& comparison) {
  std::vector<Row> changed, everything;
  for (const json& cell : comparison.at("cells")) {
    const Row row = row_of(cell);
    everything.push_back(row);
    if (row.verdict == "regressed" || row.verdict == "improved") changed.push_back(row);
  }
  std::string text = fmt::format("**speedwell:** {}\n\n", comparison.at("sentence").get<std::string>());
  for (const json& failed : comparison.at("failed")) {
    text += fmt::format("- **failed** `{}`: {}\n", failed.at("cell").get<std::string>(),
                        escaped(failed.at("reason").get<std::string>()));
  }
  if (!comparison.at("failed").empty()) text += "\n";
  if (!changed.empty()) text += markdown_rows(changed) + "\n";
  for (const json& note : comparison.at("notes")) text += fmt::format("- {}\n", escaped(note.get<std::string>()));
  if (!comparison.at("notes").empty()) text += "\n";
  text += fmt::format("<details><summary>All {} cells, machine and commits</summary>\n\n", everything.size());
  text +=
      fmt::format("- old: {}\n- new: {}\n- {}\n\n{}\n\n", escaped(side_text(comparison.at("old"))),
                  escaped(side_text(comparison.at("new"))), escaped(machine_text(comparison)), rules_text(comparison));
  if (!everything.empty()) text += markdown_rows(everything) + "\n";
  for (const std::string& line : absences(comparison)) text += fmt::format("- {}\n", escaped(line));
  return text + "\n</details>\n";
}

}  // namespace speedwell::bench
