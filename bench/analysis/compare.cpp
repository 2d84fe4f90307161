// SPDX-License-Identifier: Apache-2.0
#include "bench/analysis/compare.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/analysis/rank_tests.hpp"
#include "bench/journal.hpp"
#include "runtime/scaling/statistics.hpp"
#include "runtime/scaling/words.hpp"

namespace speedwell::bench {

using nlohmann::json;
using scaling::Interval;

namespace {

// Of the changes that are claimed, so many may be by chance.
constexpr double false_discoveries = 0.05;

// Enough for the 2.5 % tails to rest on 50 resamples each.
constexpr int resamples = 2000;

constexpr std::string_view ceiling_prefix = "ceiling/";
constexpr std::string_view against_suffix = "/against";

struct Cell {
  std::string name{}, case_name{}, backend{}, version{}, twin_of{};
  int threads = 1;
  double flops = 0;
  double bytes = 0;
  bool peer = false;
  bool against = false;
  std::map<int, std::vector<double>> rounds{};  // ns; more than one in a round only after a resume
  std::map<int, std::vector<double>> spins{};
  std::optional<std::string> failed{};
  std::optional<std::string> skipped{};

  bool measured() const { return !failed && !skipped && !rounds.empty(); }
  bool ceiling() const { return case_name.starts_with(ceiling_prefix); }
};

using Cells = std::map<std::string, Cell>;

template <class Value>
Value value_in(const json& object, const char* key, Value otherwise) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return otherwise;
  try {
    return found->get<Value>();
  } catch (const json::exception&) {
    return otherwise;
  }
}

Cells cells_of(const Journal& journal) {
  Cells cells;
  for (const json& entry : journal.header.at("cells")) {
    Cell cell{.name = value_in<std::string>(entry, "cell", ""),
              .case_name = value_in<std::string>(entry, "case", ""),
              .backend = value_in<std::string>(entry, "backend", ""),
              .version = value_in<std::string>(entry, "version", ""),
              .twin_of = value_in<std::string>(entry, "twin_of", ""),
              .threads = value_in(entry, "threads", 1),
              .flops = value_in(entry, "flops", 0.0),
              .bytes = value_in(entry, "bytes", 0.0),
              .peer = value_in(entry, "peer", false),
              .against = value_in(entry, "against", false)};
    cells.emplace(cell.name, std::move(cell));
  }
  for (const json& record : journal.records) {
    const auto found = cells.find(value_in<std::string>(record, "cell", ""));
    if (found == cells.end()) continue;
    Cell& cell = found->second;
    const std::string kind = value_in<std::string>(record, "kind", "");
    const std::string reason = value_in<std::string>(record, "reason", "no reason given");
    if (kind == "failed") cell.failed = reason;
    if (kind == "skipped") cell.skipped = reason;
    if (kind != "sample") continue;
    const int round = value_in(record, "round", 0);
    cell.rounds[round].push_back(value_in(record, "ns", 0.0));
    if (const double spin = value_in(record, "spin_ns", 0.0); spin > 0) cell.spins[round].push_back(spin);
  }
  return cells;
}

using Rounds = std::map<int, std::vector<double>>;

// One value a round, so that samples which were taken together don't count as independent.
std::vector<double> by_round(const Rounds& rounds) {
  std::vector<double> values;
  for (const auto& [round, all] : rounds) values.push_back(scaling::median(all));
  return values;
}

// New time over old time.
struct Change {
  double ratio = 1;
  Interval ci{};
  double p = 1;
  double old_ns = 0;
  double new_ns = 0;
  double drift = 0;  // logarithm of how far the thirds of a run lie apart
  int samples = 0;   // of the side that has fewer
};

// Samples are independent only as long as the machine stays as it is. A virtual machine whose cores are moved to other
// places by its host takes half as long for some minutes, and no interval of one run shows what the next will meet:
// what moved by so much within a run may do so between runs. Values are in the order of rounds.
double drift_of(const std::vector<double>& values) {
  constexpr std::size_t parts = 3;
  if (values.size() < parts) return 0;
  double least = std::numeric_limits<double>::infinity(), most = 0;
  for (std::size_t part = 0; part < parts; ++part) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(part * values.size() / parts);
    const auto end = values.begin() + static_cast<std::ptrdiff_t>((part + 1) * values.size() / parts);
    const double middle = scaling::median({begin, end});
    least = std::min(least, middle);
    most = std::max(most, middle);
  }
  return std::log(most / least);
}

double median_of_resample(const std::vector<double>& values, std::vector<double>& resample, scaling::Random& random) {
  resample.resize(values.size());
  for (double& value : resample) {
    value = values[static_cast<std::size_t>(random.below(static_cast<int>(values.size())))];
  }
  return scaling::median(resample);
}

Change between_runs(const Rounds& older, const Rounds& newer, const std::string& name) {
  const std::vector<double> before = by_round(older);
  const std::vector<double> after = by_round(newer);
  Change change{.old_ns = scaling::median(before),
                .new_ns = scaling::median(after),
                .drift = std::max(drift_of(before), drift_of(after)),
                .samples = static_cast<int>(std::min(before.size(), after.size()))};
  change.ratio = change.new_ns / change.old_ns;
  scaling::Random random(scaling::seed_of(name));
  std::vector<double> ratios(resamples);
  std::vector<double> resample;
  for (double& ratio : ratios) {
    const double numerator = median_of_resample(after, resample, random);
    ratio = numerator / median_of_resample(before, resample, random);
  }
  std::sort(ratios.begin(), ratios.end());
  change.ci = {scaling::quantile(ratios, 0.025), scaling::quantile(ratios, 0.975)};
  change.p = mann_whitney_p(before, after);
  return change;
}

Change within_run(const Rounds& older, const Rounds& newer, const std::string& name) {
  Rounds before, after;
  std::vector<double> ratios, logs;
  for (const auto& [round, values] : newer) {
    const auto found = older.find(round);
    if (found == older.end()) continue;
    before.insert(*found);
    after.emplace(round, values);
    ratios.push_back(scaling::median(values) / scaling::median(found->second));
    logs.push_back(std::log(ratios.back()));
  }
  if (ratios.empty()) return {};
  Change change{.ratio = scaling::median(ratios),
                .ci = scaling::bootstrap_median(ratios, scaling::seed_of(name)),
                .old_ns = scaling::median(by_round(before)),
                .new_ns = scaling::median(by_round(after)),
                .drift = drift_of(ratios),
                .samples = static_cast<int>(ratios.size())};
  // Signed ranks see a change through a drift that both builds share, but nine rounds can't take them below 1/256,
  // which is no evidence among hundreds of cells; the U test can go lower, but not through a drift. Twice the smaller
  // pays for looking at both.
  change.p = std::min(1.0, 2 * std::min(signed_rank_p(logs), mann_whitney_p(by_round(before), by_round(after))));
  return change;
}

// Something that no change of code touches, in both runs.
struct Control {
  std::string name;
  int threads = 1;
  std::string of_bound{};  // on one thread only for cells that this holds; empty: any
  std::string of_case{};   // only for cells of this case; empty: any
  Change change{};

  bool concerns(const std::string& case_name, int cell_threads, const std::set<std::string>& bounds) const {
    // Bandwidths of several threads also tell how their cores lie, whether they share a cache or a bus: that is for
    // all.
    return threads == cell_threads && (of_case.empty() || of_case == case_name) && (threads > 1 || is_alike(bounds));
  }
  // By how much a cell may have moved with it: what lies within a control's own interval is no proof of another change.
  // Work that the control is not alike was seen to move up to 1.2 times as far (in logarithms): twice is on the safe
  // side.
  double shift(const std::set<std::string>& bounds) const {
    const double own = std::max(std::abs(std::log(change.ci.low)), std::abs(std::log(change.ci.high)));
    return is_alike(bounds) ? own : 2 * own;
  }
  bool is_alike(const std::set<std::string>& bounds) const { return of_bound.empty() || bounds.contains(of_bound); }
};

// "ceiling/triad/memory" is about cells that memory holds; arithmetic in registers is about all.
std::string bound_of_ceiling(const std::string& case_name) {
  const std::string last = case_name.substr(case_name.rfind('/') + 1);
  return last == "registers" ? "" : last;
}

std::vector<Control> controls_of(const Cells& older, const Cells& newer) {
  std::vector<Control> controls;
  std::map<int, std::pair<Rounds, Rounds>> spins;
  const auto add_spins = [](Rounds& to, const Cell& cell) {
    for (const auto& [round, values] : cell.spins) to[round].insert(to[round].end(), values.begin(), values.end());
  };
  for (const auto& [name, before] : older) add_spins(spins[before.threads].first, before);
  for (const auto& [name, after] : newer) add_spins(spins[after.threads].second, after);
  for (const auto& [threads, both] : spins) {
    if (both.first.empty() || both.second.empty()) continue;
    controls.push_back({.name = "calibration spin",
                        .threads = threads,
                        .change = between_runs(both.first, both.second, fmt::format("spin/{}", threads))});
  }
  for (const auto& [name, before] : older) {
    const auto found = newer.find(name);
    if (found == newer.end() || !before.measured() || !found->second.measured()) continue;
    const bool same_peer = before.peer && before.version == found->second.version;
    if (!before.ceiling() && !same_peer) continue;
    // One case's buffers; what the streams of a level tell is for all.
    if (before.case_name.starts_with("ceiling/traffic/")) continue;
    // A ceiling that is taken in another way tells nothing of the machine.
    if (before.flops != found->second.flops || before.bytes != found->second.bytes) continue;
    controls.push_back({.name = before.peer ? name : before.case_name,
                        .threads = before.threads,
                        .of_bound = before.peer ? "" : bound_of_ceiling(before.case_name),
                        .of_case = before.peer ? before.case_name : "",
                        .change = between_runs(before.rounds, found->second.rounds, name)});
  }
  return controls;
}

// What holds each cell, by the analysis.
std::map<std::string, std::string> bounds_of(const json& analysis) {
  std::map<std::string, std::string> bounds;
  for (const json& study : analysis.at("cases")) {
    const auto add = [&](const std::string& backend, const json& point) {
      const std::string name =
          fmt::format("{}/{}/{}", study.at("case").get<std::string>(), backend, point.at("threads").get<int>());
      bounds[name] = value_in<std::string>(point, "bound", "");
    };
    if (!study.at("sequential").is_null()) add("sequential", study.at("sequential"));
    for (const json& curve : study.at("curves")) {
      for (const json& point : curve.at("points")) add(curve.at("backend").get<std::string>(), point);
    }
  }
  return bounds;
}

// Parts of the time.
struct Limit {
  double value = 0;         // what a change must exceed
  double within_noise = 0;  // what is no change: the same, but that the machine changed is no proof that a cell didn't
  std::string from{};
};

struct Pair {
  const Cell* before = nullptr;
  const Cell* after = nullptr;
  Change change{};
  Limit limit{};
};

double adjusted_limit(double noise, double shift) { return (1 + noise) * std::exp(shift) - 1; }

// The control that may have moved a cell farthest, in logarithms.
struct Shift {
  const Control* control = nullptr;
  double size = 0;
};

Limit limit_of(double threshold, double noise, double drift, const Shift& shift) {
  const double floor = adjusted_limit(noise, std::max(drift, shift.size));
  const double within_noise = std::max(threshold, noise);
  if (floor <= threshold) return {threshold, within_noise, "threshold"};
  // Which of them the greater part is of.
  if (std::log1p(noise) >= std::max(drift, shift.size)) return {floor, within_noise, "noise floor"};
  return {floor, within_noise, drift >= shift.size ? "drift within a run" : shift.control->name};
}

const char* verdict_of(const Pair& pair, double p) {
  if (pair.change.samples < scaling::fewest_for_95_percent) return "inconclusive";
  const double ratio = pair.change.ratio;
  const Interval ci = pair.change.ci;
  const double most = 1 + pair.limit.value;
  if (p <= false_discoveries && !ci.contains(1)) {
    if (ratio > most) return "regressed";
    if (1 / ratio > most) return "improved";
  }
  const double no_change = 1 + pair.limit.within_noise;
  return ci.high <= no_change && ci.low >= 1 / no_change ? "within noise" : "inconclusive";
}

bool selected(const Cell& cell, const CompareRules& rules) {
  if (cell.ceiling() || cell.peer || !cell.twin_of.empty()) return false;
  return rules.cases.empty() || std::any_of(rules.cases.begin(), rules.cases.end(), [&](const std::regex& each) {
           return std::regex_search(cell.case_name, each);
         });
}

json to_json(const Pair& pair, double adjusted_p) {
  const Change& change = pair.change;
  return {{"cell", pair.after->name},
          {"case", pair.after->case_name},
          {"backend", pair.after->backend},
          {"threads", pair.after->threads},
          {"samples", change.samples},
          {"old_median_ns", change.old_ns},
          {"new_median_ns", change.new_ns},
          {"ratio", change.ratio},
          {"ratio_ci", {change.ci.low, change.ci.high}},
          {"p", change.p},
          {"adjusted_p", adjusted_p},
          {"limit", pair.limit.value},
          {"limit_from", pair.limit.from},
          {"verdict", verdict_of(pair, adjusted_p)}};
}

json to_json(const Control& control) {
  return {{"name", control.name},
          {"threads", control.threads},
          {"bound", control.of_bound.empty() ? json(nullptr) : json(control.of_bound)},
          {"case", control.of_case.empty() ? json(nullptr) : json(control.of_case)},
          {"ratio", control.change.ratio},
          {"ratio_ci", {control.change.ci.low, control.change.ci.high}}};
}

// What came of both sides, before it is told.
struct Matched {
  std::vector<Pair> pairs{};
  json failed = json::array();       // ran in the old, failed in the new
  json only_in_old = json::array();  // and why, if that is known
  json only_in_new = json::array();
};

// `name_in_old` gives the name by which the old side knows a cell of the new one.
template <class NameInOld>
Matched match(const std::vector<const Cell*>& older, const std::vector<const Cell*>& newer,
              const NameInOld& name_in_old) {
  std::map<std::string, const Cell*> before_by_name;
  for (const Cell* cell : older) before_by_name[cell->name] = cell;
  Matched matched;
  const auto absent = [](const Cell& cell, const std::string& name) -> json {
    const std::string reason = cell.skipped  ? "skipped: " + *cell.skipped
                               : cell.failed ? "failed: " + *cell.failed
                                             : "not measured";
    return {{"cell", name}, {"case", cell.case_name}, {"reason", reason}};
  };
  std::set<const Cell*> seen;
  for (const Cell* after : newer) {
    const auto found = before_by_name.find(name_in_old(*after));
    const Cell* before = found == before_by_name.end() ? nullptr : found->second;
    seen.insert(before);
    const bool ran = before != nullptr && before->measured();
    if (ran && after->measured()) {
      matched.pairs.push_back({.before = before, .after = after});
    } else if (ran && after->failed) {
      matched.failed.push_back({{"cell", after->name}, {"reason", *after->failed}});
    } else if (ran) {
      matched.only_in_old.push_back(absent(*after, after->name));
    } else if (after->measured()) {
      matched.only_in_new.push_back(
          absent(before != nullptr ? *before : Cell{.case_name = after->case_name}, after->name));
    }
  }
  for (const Cell* before : older) {
    if (!seen.contains(before) && before->measured()) {
      matched.only_in_old.push_back(absent(Cell{.case_name = before->case_name}, before->name));
    }
  }
  return matched;
}

int severity(const json& cell) {
  const std::string verdict = cell.at("verdict").get<std::string>();
  static constexpr std::string_view order[] = {"regressed", "improved", "inconclusive", "within noise"};
  return static_cast<int>(std::find(std::begin(order), std::end(order), verdict) - std::begin(order));
}

// Worst first; of the others the greatest change first.
bool worse(const json& a, const json& b) {
  const int first = severity(a), second = severity(b);
  if (first != second) return first < second;
  return std::abs(std::log(a.at("ratio").get<double>())) > std::abs(std::log(b.at("ratio").get<double>()));
}

std::string percent(double part) { return fmt::format("{} %", scaling::number(100 * part)); }

std::string counted(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string ratio_text(const json& cell) {
  const json& ci = cell.at("ratio_ci");
  return fmt::format("{:.3f} ({:.3f}–{:.3f})", cell.at("ratio").get<double>(), ci.at(0).get<double>(),
                     ci.at(1).get<double>());
}

// One sentence, of what is sure.
std::string sentence_of(const json& cells, const json& failed, double within_noise) {
  std::map<std::string, std::size_t> counts;
  std::map<std::string, const json*> extreme;  // they are sorted, so the first of each verdict
  for (const json& cell : cells) {
    const std::string verdict = cell.at("verdict").get<std::string>();
    ++counts[verdict];
    extreme.try_emplace(verdict, &cell);
  }
  std::vector<std::string> parts;
  if (!failed.empty()) {
    parts.push_back(fmt::format("{} failed that ran before", counted(failed.size(), "cell")));
  }
  for (const char* const verdict : {"regressed", "improved"}) {
    if (counts[verdict] == 0) continue;
    parts.push_back(fmt::format("{} of {} {}, most of all {}, which takes {} times as long", counts[verdict],
                                counted(cells.size(), "cell"), verdict, extreme[verdict]->at("cell").get<std::string>(),
                                ratio_text(*extreme[verdict])));
  }
  if (parts.empty()) parts.emplace_back("Nothing changed that these samples show");
  if (counts["within noise"] > 0) {
    parts.push_back(fmt::format("{} within ±{}", counts["within noise"], percent(within_noise)));
  }
  if (counts["inconclusive"] > 0) parts.push_back(fmt::format("{} inconclusive", counts["inconclusive"]));
  return fmt::format("{}.", fmt::join(parts, "; "));
}

void complete(json& comparison, Matched& matched) {
  std::vector<double> p_values;
  for (const Pair& pair : matched.pairs) p_values.push_back(pair.change.p);
  const std::vector<double> adjusted = false_discovery_adjusted(p_values);
  json cells = json::array();
  for (std::size_t i = 0; i < matched.pairs.size(); ++i) cells.push_back(to_json(matched.pairs[i], adjusted[i]));
  std::stable_sort(cells.begin(), cells.end(), worse);
  json counts = {{"regressed", 0}, {"improved", 0}, {"within noise", 0}, {"inconclusive", 0}};
  for (const json& cell : cells) {
    json& count = counts[cell.at("verdict").get<std::string>()];
    count = count.get<int>() + 1;
  }
  counts["failed"] = matched.failed.size();
  const double within_noise =
      std::max(comparison.at("threshold").get<double>(), value_in(comparison, "noise_floor", 0.0));
  comparison["sentence"] = sentence_of(cells, matched.failed, within_noise);
  comparison["counts"] = std::move(counts);
  comparison["cells"] = std::move(cells);
  comparison["failed"] = std::move(matched.failed);
  comparison["only_in_old"] = std::move(matched.only_in_old);
  comparison["only_in_new"] = std::move(matched.only_in_new);
}

json side_of(const Run& run) {
  const json& header = run.journal.header;
  const json& build = header.at("build");
  return {{"run", header.at("run")},
          {"started", header.at("started")},
          {"version", value_in<std::string>(build, "version", "")},
          {"commit", value_in<std::string>(build, "commit", "")},
          {"dirty", value_in(build, "dirty", false)},
          {"compiler", value_in<std::string>(build, "compiler", "")},
          {"rounds", run.analysis.at("rounds")},
          {"finished", run.journal.finished},
          {"noise_floor", run.analysis.at("noise_floor")}};
}

struct Member {
  const char* section;
  const char* name;
};
// What may explain a change, though it is no reason not to compare.
constexpr Member worth_a_note[] = {{"machine", "kernel_release"},
                                   {"machine", "governor"},
                                   {"build", "libraries"},
                                   {"config", "wait_policy"},
                                   {"config", "environment"}};
constexpr Member must_be_equal[] = {{"machine", "cpu"},
                                    {"machine", "isa"},
                                    {"machine", "physical_cores"},
                                    {"machine", "core_cpus"},
                                    {"machine", "default_threads"},
                                    {"machine", "quota_cpus"},
                                    {"machine", "caches"},
                                    {"machine", "numa_nodes"},
                                    {"machine", "virtualization"},
                                    {"build", "compiler"},
                                    {"build", "flags"},
                                    {"config", "pinned"}};

const json& member_of(const json& header, const Member& member) {
  static const json nothing;
  const json& section = header.at(member.section);
  const auto found = section.find(member.name);
  return found == section.end() ? nothing : *found;
}

std::string differs(const std::string& name, const json& before, const json& after) {
  return fmt::format("{} is {} in the old run, {} in the new one", name, before.dump(), after.dump());
}

std::string difference_in(const json& older, const json& newer, const Member& member) {
  const json& before = member_of(older, member);
  const json& after = member_of(newer, member);
  return before == after ? std::string() : differs(fmt::format("{}.{}", member.section, member.name), before, after);
}

// Of two lists of names and values only what differs. A library or a model that only one run used explains nothing of
// the cells that both have; a variable of the environment may.
void add_differences(json& notes, const json& older, const json& newer, const Member& member) {
  const std::string name = fmt::format("{}.{}", member.section, member.name);
  const json& before = member_of(older, member);
  const json& after = member_of(newer, member);
  if (!before.is_object() || !after.is_object()) {
    if (before != after) notes.push_back(differs(name, before, after) + ".");
    return;
  }
  json all = before;
  all.update(after);
  const bool environment = std::string_view(member.name) == "environment";
  for (const auto& [key, ignored] : all.items()) {
    const bool in_both = before.contains(key) && after.contains(key);
    const json one = before.value(key, json()), other = after.value(key, json());
    if (one != other && (in_both || environment)) notes.push_back(differs(name + "." + key, one, other) + ".");
  }
}

// How the machine itself differs, where that raised a limit: the limit is the value.
void add_shifts(json& notes, const std::map<const Control*, double>& raised) {
  const Control* least = nullptr;
  const Control* most = nullptr;
  std::size_t peers = 0;
  double lowest = 0, highest = 0;
  for (const auto& [control, limit] : raised) {
    if (control->of_case.empty()) {
      notes.push_back(fmt::format(
          "The machine itself differs at {}: {} takes {:.3f} times as long ({:.3f}–{:.3f}), which no change of code "
          "explains. There, a change{} has to exceed up to {}.",
          counted(static_cast<std::size_t>(control->threads), "thread"), control->name, control->change.ratio,
          control->change.ci.low, control->change.ci.high,
          control->of_bound.empty() || control->threads > 1 ? "" : " of what " + control->of_bound + " holds",
          percent(limit)));
      continue;
    }
    if (least == nullptr || control->change.ratio < least->change.ratio) least = control;
    if (most == nullptr || control->change.ratio > most->change.ratio) most = control;
    lowest = peers == 0 ? limit : std::min(lowest, limit);
    highest = std::max(highest, limit);
    ++peers;
  }
  if (peers == 1) {
    notes.push_back(
        fmt::format("The machine itself differs: {} takes {:.3f} times as long, though that library is the "
                    "same. On as many threads, a change of that case has to exceed {}.",
                    least->name, least->change.ratio, percent(lowest)));
  } else if (peers > 1) {
    notes.push_back(fmt::format(
        "The machine itself differs: {} cells of peer libraries take {:.3f} ({}) to {:.3f} ({}) "
        "times as long, though the libraries are the same. On as many threads, a change of "
        "their cases has to exceed {} to {}.",
        peers, least->change.ratio, least->name, most->change.ratio, most->name, percent(lowest), percent(highest)));
  }
}

double noise_of(const Run& run) { return value_in(run.analysis, "noise_floor", 0.0); }

}  // namespace

std::string why_not_comparable(const Journal& older, const Journal& newer) {
  if (older.header.at("label") != newer.header.at("label")) {
    return fmt::format("label is {} in the old run, {} in the new one", older.header["label"].dump(),
                       newer.header["label"].dump());
  }
  for (const Member& member : must_be_equal) {
    if (std::string difference = difference_in(older.header, newer.header, member); !difference.empty()) {
      return difference;
    }
  }
  return {};
}

bool has_second_build(const Journal& journal) {
  const json& cells = journal.header.at("cells");
  return std::any_of(cells.begin(), cells.end(), [](const json& cell) { return value_in(cell, "against", false); });
}

json compare_runs(const Run& older, const Run& newer, const CompareRules& rules) {
  const Cells before = cells_of(older.journal);
  const Cells after = cells_of(newer.journal);
  const auto chosen = [&](const Cells& cells) {
    std::vector<const Cell*> list;
    for (const auto& [name, cell] : cells) {
      if (!cell.against && selected(cell, rules)) list.push_back(&cell);
    }
    return list;
  };
  Matched matched = match(chosen(before), chosen(after), [](const Cell& cell) { return cell.name; });
  const std::vector<Control> controls = controls_of(before, after);
  const std::map<std::string, std::string> old_bounds = bounds_of(older.analysis);
  const std::map<std::string, std::string> new_bounds = bounds_of(newer.analysis);
  const double noise = std::max(noise_of(older), noise_of(newer));
  std::map<const Control*, double> raised;
  for (Pair& pair : matched.pairs) {
    const Cell& cell = *pair.after;
    std::set<std::string> bounds;
    for (const auto* of : {&old_bounds, &new_bounds}) {
      if (const auto found = of->find(cell.name); found != of->end()) bounds.insert(found->second);
    }
    Shift shift;
    for (const Control& control : controls) {
      if (!control.concerns(cell.case_name, cell.threads, bounds)) continue;
      if (const double size = control.shift(bounds); size > shift.size) shift = {&control, size};
    }
    pair.change = between_runs(pair.before->rounds, cell.rounds, cell.name);
    pair.limit = limit_of(rules.threshold, noise, pair.change.drift, shift);
    if (shift.control != nullptr && shift.control->name == pair.limit.from) {
      double& most = raised[shift.control];
      most = std::max(most, pair.limit.value);
    }
  }

  json notes = json::array();
  if (!rules.despite.empty()) notes.push_back("Compared although these runs can't be: " + rules.despite + ".");
  if (older.analysis.at("noise_floor").is_null() || newer.analysis.at("noise_floor").is_null()) {
    notes.push_back("A run has no twin, so its noise floor isn't known: a change may be smaller than it seems.");
  }
  add_shifts(notes, raised);
  for (const Member& member : worth_a_note) {
    add_differences(notes, older.journal.header, newer.journal.header, member);
  }
  json listed = json::array();
  for (const Control& control : controls) listed.push_back(to_json(control));
  json comparison = {
      {"schema", 1},
      {"paired", false},
      {"old", side_of(older)},
      {"new", side_of(newer)},
      {"machine", newer.journal.header.at("machine")},
      {"threshold", rules.threshold},
      {"noise_floor", older.analysis.at("noise_floor").is_null() && newer.analysis.at("noise_floor").is_null()
                          ? json(nullptr)
                          : json(noise)},
      {"forced", rules.despite.empty() ? json(nullptr) : json(rules.despite)},
      {"controls", std::move(listed)},
      {"notes", std::move(notes)}};
  complete(comparison, matched);
  return comparison;
}

json compare_builds(const Run& run, const CompareRules& rules) {
  const Cells cells = cells_of(run.journal);
  std::vector<const Cell*> older, newer;
  for (const auto& [name, cell] : cells) {
    if (selected(cell, rules)) (cell.against ? older : newer).push_back(&cell);
  }
  // Cells that have no other half were not asked for in both builds.
  std::erase_if(newer, [&](const Cell* cell) { return !cells.contains(cell->name + std::string(against_suffix)); });
  Matched matched = match(older, newer, [](const Cell& cell) { return cell.name + std::string(against_suffix); });
  for (Pair& pair : matched.pairs) {
    pair.change = within_run(pair.before->rounds, pair.after->rounds, pair.after->name);
    pair.limit = limit_of(rules.threshold, noise_of(run), pair.change.drift, {});
  }
  json notes = json::array();
  if (run.analysis.at("noise_floor").is_null()) {
    notes.push_back("The run has no twin, so its noise floor isn't known: a change may be smaller than it seems.");
  }
  json old_side = value_in(run.journal.header.at("config"), "against", json::object());
  json comparison = {{"schema", 1},
                     {"paired", true},
                     {"old", std::move(old_side)},
                     {"new", side_of(run)},
                     {"machine", run.journal.header.at("machine")},
                     {"threshold", rules.threshold},
                     {"noise_floor", run.analysis.at("noise_floor")},
                     {"forced", nullptr},
                     {"controls", json::array()},
                     {"notes", std::move(notes)}};
  complete(comparison, matched);
  return comparison;
}

bool has_regression(const json& comparison) {
  const json& counts = comparison.at("counts");
  return counts.at("regressed").get<int>() > 0 || counts.at("failed").get<int>() > 0;
}

}  // namespace speedwell::bench
