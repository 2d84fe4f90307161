// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/plan.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <regex>
#include <set>

#include <speedwell/backend.hpp>
#include <speedwell/error.hpp>

#include "bench/case.hpp"
#include "bench/driver/children.hpp"
#include "bench/driver/progress.hpp"
#include "bench/driver/twins.hpp"

namespace speedwell::bench {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

constexpr std::string_view ceiling_kernel = "ceiling";

// Letters to insert, remove or replace to get from one word to the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

constexpr std::string_view all_models[] = {Sequential::name, Threads::name, OpenMp::name, Tbb::name};

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Weak scaling begins with the one thread of the case that it grows from. In the order of cases, those that aren't
// listed last.
std::vector<const Case*> with_strong_cases(const std::vector<const Case*>& selected) {
  std::set<std::string> names;
  for (const Case* one : selected) names.insert({one->name(), one->weak_of});
  std::vector<const Case*> all;
  for (const Case& one : cases()) {
    if (names.contains(one.name())) all.push_back(&one);
  }
  for (const Case* one : selected) {
    if (find_case(one->name()) == nullptr) all.push_back(one);
  }
  return all;
}

// The case whose whole name was given, if it isn't a listed one: it stays in `unlisted`.
const Case* unlisted_case(const std::string& name, std::deque<Case>& unlisted) {
  for (const Case& one : unlisted) {
    if (one.name() == name) return &one;
  }
  if (find_case(name) != nullptr) return nullptr;
  std::optional<Case> made = make_case(name);
  return made ? &unlisted.emplace_back(std::move(*made)) : nullptr;
}

std::vector<const Case*> select_cases(const Selection& selection, std::deque<Case>& unlisted) {
  std::vector<const Case*> candidates;
  for (const Case& one : cases()) {
    if (one.kernel != ceiling_kernel) candidates.push_back(&one);
  }
  const auto in_suite = [&](const Case* one) { return selection.full || one->quick; };
  if (selection.patterns.empty()) {
    std::erase_if(candidates, std::not_fn(in_suite));
    return with_strong_cases(candidates);
  }
  std::vector<const Case*> selected;
  for (const std::string& pattern : selection.patterns) {
    if (!pattern.starts_with("ceiling/") && unlisted_case(pattern, unlisted) != nullptr) continue;
    // Who gives all of a name means that one, though others begin with it.
    if (const Case* const listed = find_case(pattern); listed != nullptr && listed->kernel != ceiling_kernel) {
      selected.push_back(listed);
      continue;
    }
    std::regex expression;
    try {
      expression = std::regex(pattern);
    } catch (const std::regex_error& error) {
      throw UsageError(fmt::format("'{}' is not a regular expression: {}", pattern, error.what()));
    }
    std::vector<const Case*> matching;
    for (const Case* one : candidates) {
      if (std::regex_search(one->name(), expression)) matching.push_back(one);
    }
    if (matching.empty()) {
      std::vector<std::string> known;
      for (const Case* one : candidates) known.push_back(one->name());
      for (const Case* one : candidates) known.push_back(one->kernel);
      throw UsageError(
          fmt::format("no case matches '{}'{}; expected a part of one of the {} names that `{} bench --list "
                      "--full` shows, such as {}",
                      pattern, did_you_mean(pattern, known), candidates.size(), program_invocation_short_name,
                      candidates.empty() ? "none" : candidates.front()->name()));
    }
    // Who names a case that is only in the full suite means it.
    if (std::any_of(matching.begin(), matching.end(), in_suite)) std::erase_if(matching, std::not_fn(in_suite));
    selected.insert(selected.end(), matching.begin(), matching.end());
  }
  std::erase_if(candidates,
                [&](const Case* one) { return std::find(selected.begin(), selected.end(), one) == selected.end(); });
  for (const Case& one : unlisted) candidates.push_back(&one);
  return with_strong_cases(candidates);
}

// The backends to run by name, checked against what there is.
void check_backends(const Selection& selection, const std::vector<Peer>& peers) {
  const std::vector<std::string> built = backend_names();
  std::vector<std::string> known(std::begin(all_models), std::end(all_models));
  for (const Peer& peer : peers) known.push_back(peer.name);
  for (const std::string& given : selection.backends) {
    if (!contains(known, given)) {
      throw UsageError(fmt::format("unknown backend '{}'{}; expected one of {}", given, did_you_mean(given, known),
                                   fmt::join(known, ", ")));
    }
    if (contains({std::begin(all_models), std::end(all_models)}, given) && !contains(built, given)) {
      throw UsageError(fmt::format("backend '{}' was not built; configure with -DSPEEDWELL_{}=ON", given,
                                   given == OpenMp::name ? "OPENMP" : "TBB"));
    }
    for (const Peer& peer : peers) {
      if (given == peer.name && peer.program.empty()) {
        throw UsageError(fmt::format("backend '{}' was not built; its library was not found at configuration", given));
      }
    }
  }
}

Cell make_cell(const Case& of, std::string_view backend, int threads) {
  const Case there = of.at(threads);
  return {.name = cell_name(of, backend, threads),
          .case_name = of.name(),
          .backend = std::string(backend),
          .threads = threads,
          .version = {},
          .precision = of.precision,
          .flops = there.flops,
          .bytes = there.bytes,
          .written_bytes = there.written_bytes,
          .largest_share = of.largest_share && threads > 1 ? of.largest_share(threads) : 0,
          .twin_of = {},
          .traffic = of.traffic,
          .weak_of = of.weak_of,
          .weak_rule = of.rule,
          .weak_size = of.weak_of.empty() ? std::string() : there.size};
}

// The ceilings that bound the selected cases; of one that isn't listed it may be unlisted too.
std::vector<const Case*> ceilings_of(const std::vector<const Case*>& selected, std::deque<Case>& unlisted) {
  std::set<std::string_view> traffic;
  for (const Case* one : selected) traffic.insert(one->traffic);
  std::vector<const Case*> ceilings;
  for (const Case& one : cases()) {
    if (one.kernel == ceiling_kernel && (one.variant != "traffic" || traffic.contains(one.name()))) {
      ceilings.push_back(&one);
    }
  }
  for (const std::string_view name : traffic) {
    if (name.empty()) continue;
    if (const Case* const one = unlisted_case(std::string(name), unlisted)) ceilings.push_back(one);
  }
  return ceilings;
}

struct PresentPeer {
  std::string name;
  std::string version;
  std::string isa;
  std::vector<std::string> cases;
  bool one_thread;
  bool ours;

  // Any size of a variant, where it has one and the variant takes any.
  bool has(const Case& of) const {
    if (contains(cases, of.name())) return true;
    const std::string variant = of.kernel + "/" + of.variant + "/";
    return of.of_size &&
           std::any_of(cases.begin(), cases.end(), [&](const std::string& name) { return name.starts_with(variant); });
  }
};

std::vector<PresentPeer> present_peers(const Selection& selection, Children& children, Progress& progress) {
  std::vector<PresentPeer> present;
  if (selection.peers == Selection::Peers::none) return present;
  for (const Peer& peer : children.peers()) {
    const bool named = contains(selection.backends, peer.name);
    const bool all = !peer.ours && (selection.backends.empty() || selection.peers == Selection::Peers::race);
    if (!named && !all) continue;
    if (peer.program.empty()) {
      progress.say(fmt::format("{} is not measured beside: its library was not found when this was built", peer.name));
      continue;
    }
    try {
      const json& hello = children.hello({peer.name, peer.one_thread ? 1 : selection.threads.front()});
      present.push_back({peer.name, hello.value("version", ""), hello.value("isa", ""),
                         hello.at("cases").get<std::vector<std::string>>(), peer.one_thread, peer.ours});
    } catch (const std::exception& error) {
      progress.warn(fmt::format("{} is not measured beside: {}", peer.name, error.what()));
    }
  }
  return present;
}

// The cases that one of the peers has; says which peers race.
void keep_raced(std::vector<const Case*>& selected, const std::vector<PresentPeer>& peers, const Children& children,
                Progress& progress) {
  std::vector<std::string> racing, names;
  std::vector<const PresentPeer*> others;
  for (const PresentPeer& peer : peers) {
    if (peer.ours) continue;
    others.push_back(&peer);
    names.push_back(peer.name);
    // Of a list of instruction sets the first, which is the newest.
    const std::string isa = peer.isa.substr(0, peer.isa.find(','));
    racing.push_back(fmt::format("{} {}{}", peer.name, peer.version, isa.empty() ? "" : " (" + isa + ")"));
  }
  if (others.empty()) {
    std::vector<std::string> known;
    for (const Peer& peer : children.peers()) {
      if (!peer.ours) known.push_back(peer.name);
    }
    throw ChildError(
        fmt::format("--peers: no other library is there to race, expected one of {}; bench/run installs them",
                    fmt::join(known, ", ")));
  }
  const std::size_t all = selected.size();
  std::erase_if(selected, [&](const Case* one) {
    return std::none_of(others.begin(), others.end(), [&](const PresentPeer* peer) { return peer->has(*one); });
  });
  if (selected.empty()) {
    throw UsageError(
        fmt::format("--peers: none of the {} selected cases is one that {} has", all, fmt::join(names, " or ")));
  }
  progress.say(
      fmt::format("racing {}: {} of {} cases have one of them", fmt::join(racing, ", "), selected.size(), all));
}

}  // namespace

double part_of_sample(const Cell& cell) { return is_ceiling(cell) ? 0.2 : 1; }

ordered_json to_json(const Cell& cell) {
  ordered_json json = {{"cell", cell.name},           {"case", cell.case_name},
                       {"backend", cell.backend},     {"threads", cell.threads},
                       {"peer", cell.peer},           {"version", cell.version},
                       {"precision", cell.precision}, {"flops", cell.flops},
                       {"bytes", cell.bytes},         {"written_bytes", cell.written_bytes}};
  if (cell.largest_share > 0) json["largest_share"] = cell.largest_share;
  for (const auto& [member, text] : {std::pair("twin_of", &cell.twin_of),
                                     {"traffic", &cell.traffic},
                                     {"weak_of", &cell.weak_of},
                                     {"weak_rule", &cell.weak_rule},
                                     {"weak_size", &cell.weak_size}}) {
    if (!text->empty()) json[member] = *text;
  }
  if (cell.against) json["against"] = true;
  return json;
}

Cell cell_from_json(const json& json) {
  return {.name = json.at("cell").get<std::string>(),
          .case_name = json.at("case").get<std::string>(),
          .backend = json.at("backend").get<std::string>(),
          .threads = json.at("threads").get<int>(),
          .peer = json.value("peer", false),
          .version = json.value("version", ""),
          .precision = json.value("precision", ""),
          .flops = json.at("flops").get<double>(),
          .bytes = json.at("bytes").get<double>(),
          .written_bytes = json.value("written_bytes", 0.0),
          .largest_share = json.value("largest_share", 0.0),
          .twin_of = json.value("twin_of", ""),
          .against = json.value("against", false),
          .traffic = json.value("traffic", ""),
          .weak_of = json.value("weak_of", ""),
          .weak_rule = json.value("weak_rule", ""),
          .weak_size = json.value("weak_size", "")};
}

int most_useful_threads(const Machine& machine, bool smt) {
  const std::size_t cpus = machine.core_cpus.size() + (smt ? machine.sibling_cpus.size() : 0);
  const int most = std::max(1, static_cast<int>(cpus));
  if (machine.quota_cpus <= 0) return most;
  return std::clamp(static_cast<int>(std::ceil(machine.quota_cpus)), 1, most);
}

std::vector<int> parse_threads(std::string_view text) {
  const auto refuse = [&](std::string_view part) {
    throw UsageError(
        fmt::format("'{}' in --threads {} is not a thread count; expected numbers from 1 to {}, such as "
                    "1,2,4 or 1-8",
                    part, text, max_threads));
  };
  const auto number = [&](std::string_view digits, std::string_view part) {
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < 1 || value > max_threads) refuse(part);
    return value;
  };
  std::vector<int> threads;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    // A dash at the front is a minus sign.
    const std::size_t dash = part.find('-', 1);
    const int first = number(part.substr(0, dash), part);
    const int last = dash < part.size() ? number(part.substr(dash + 1), part) : first;
    if (last < first) refuse(part);
    for (int value = first; value <= last; ++value) threads.push_back(value);
    begin = end + 1;
  }
  std::sort(threads.begin(), threads.end());
  threads.erase(std::unique(threads.begin(), threads.end()), threads.end());
  return threads;
}

std::string did_you_mean(std::string_view given, const std::vector<std::string>& known) {
  // A third of the letters wrong is still a slip; more is another word.
  const std::size_t most = std::max<std::size_t>(1, given.size() / 3);
  std::size_t best = most + 1;
  std::string_view word;
  for (const std::string& candidate : known) {
    if (const std::size_t distance = edit_distance(given, candidate); distance < best) {
      best = distance;
      word = candidate;
    }
  }
  return best <= most ? fmt::format(", did you mean '{}'?", word) : std::string();
}

std::vector<Cell> plan_cells(const Selection& selection, Children& children, Progress& progress) {
  check_backends(selection, children.peers());
  std::deque<Case> unlisted;
  std::vector<const Case*> selected = select_cases(selection, unlisted);
  const std::vector<PresentPeer> peers = present_peers(selection, children, progress);
  if (selection.peers == Selection::Peers::race) keep_raced(selected, peers, children, progress);

  std::vector<Cell> cells;
  for (const Case* one : selected) {
    const bool weak = !one->weak_of.empty();
    if (!weak) cells.push_back(make_cell(*one, Sequential::name, 1));
    for (const std::string& backend : backend_names()) {
      const bool wanted = selection.backends.empty() || contains(selection.backends, backend);
      if (backend == Sequential::name || !wanted || !runs_on(*one, backend)) continue;
      for (const int threads : selection.threads) {
        if (!weak || threads > 1) cells.push_back(make_cell(*one, backend, threads));
      }
    }
    for (const PresentPeer& peer : peers) {
      if (!peer.has(*one)) continue;
      for (const int threads : selection.threads) {
        if (peer.one_thread && threads > 1) continue;
        cells.push_back(make_cell(*one, peer.name, threads));
        cells.back().peer = true;
        cells.back().version = peer.version;
      }
    }
  }
  std::vector<Cell> again = twins_of(cells, static_cast<int>(machine().core_cpus.size()));
  if (!children.other_build().empty()) {
    std::vector<Cell> against = against_of(cells, children, progress);
    if (against.empty()) {
      throw ChildError(fmt::format("nothing to compare: {} has none of the {} selected cases, expected one at least",
                                   children.other_build().string(), selected.size()));
    }
    again.insert(again.end(), against.begin(), against.end());
  }
  cells.insert(cells.end(), again.begin(), again.end());
  std::vector<int> ceiling_threads = selection.threads;
  if (ceiling_threads.front() != 1) ceiling_threads.insert(ceiling_threads.begin(), 1);
  for (const Case* one : ceilings_of(selected, unlisted)) {
    for (const int threads : ceiling_threads) {
      cells.push_back(make_cell(*one, threads == 1 ? Sequential::name : Threads::name, threads));
    }
  }
  return cells;
}

}  // namespace speedwell::bench
