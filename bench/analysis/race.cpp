// SPDX-License-Identifier: Apache-2.0
#include "bench/analysis/race.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include <speedwell/backend.hpp>

#include "runtime/scaling/words.hpp"

namespace speedwell::bench {

using nlohmann::json;
using scaling::Ratio;

namespace {

// A kernel that is further from its roof has something to say for itself.
constexpr double far_from_roof_percent = 70;

Runner runner_of(const std::string& name, const json& point, const std::string& case_name) {
  Runner runner = {.name = name,
                   .version = point.value("version", ""),
                   .threads = point.at("threads").get<int>(),
                   .median_ns = point.at("median_ns").get<double>(),
                   .percent_of_roof = std::nullopt,
                   .bound = {},
                   .cell = {}};
  if (point.at("percent_of_roof").is_number()) runner.percent_of_roof = point["percent_of_roof"].get<double>();
  if (point.at("bound").is_string()) runner.bound = point["bound"].get<std::string>();
  runner.cell.name = fmt::format("{}/{}/{}", case_name, name, runner.threads);
  for (const json& sample : point.at("round_ns")) {
    runner.cell.rounds[sample.at(0).get<int>()].push_back(sample.at(1).get<double>());
  }
  return runner;
}

const Runner* fastest(const std::vector<Runner>& runners) {
  const auto found = std::min_element(runners.begin(), runners.end(),
                                      [](const Runner& a, const Runner& b) { return a.median_ns < b.median_ns; });
  return found == runners.end() ? nullptr : &*found;
}

// Keeps each name's fastest.
void enter(std::vector<Runner>& runners, Runner runner) {
  const auto found =
      std::find_if(runners.begin(), runners.end(), [&](const Runner& other) { return other.name == runner.name; });
  if (found == runners.end()) {
    runners.push_back(std::move(runner));
  } else if (runner.median_ns < found->median_ns) {
    *found = std::move(runner);
  }
}

// Nothing if no peer has the case, or shares a round with our fastest.
std::optional<RacedCase> race_on(const json& study, int threads) {
  RacedCase raced = {.name = study.at("case").get<std::string>(),
                     .kernel = study.at("kernel").get<std::string>(),
                     .variant = study.at("variant").get<std::string>(),
                     .size = study.at("size").get<std::string>(),
                     .threads = threads,
                     .flops = study.at("flops").get<double>(),
                     .models = {},
                     .peers = {},
                     .automatic = {},
                     .ratio = {},
                     .automatic_ratio = {},
                     .automatic_to_ours = {}};
  const auto may = [threads](const json& point) { return point.at("threads").get<int>() <= threads; };
  if (const json& sequential = study.at("sequential"); sequential.is_object()) {
    enter(raced.models, runner_of(std::string(Sequential::name), sequential, raced.name));
  }
  for (const json& curve : study.at("curves")) {
    for (const json& point : curve.at("points")) {
      if (may(point)) enter(raced.models, runner_of(curve.at("backend").get<std::string>(), point, raced.name));
    }
  }
  std::vector<Runner> automatic;
  for (const json& peer : study.at("peers")) {
    if (!may(peer)) continue;
    const std::string name = peer.at("name").get<std::string>();
    enter(name == Automatic::name ? automatic : raced.peers, runner_of(name, peer, raced.name));
  }
  const Runner* const ours = raced.ours();
  const Runner* const peer = raced.peer();
  if (ours == nullptr || peer == nullptr) return std::nullopt;
  raced.ratio = scaling::compare(peer->cell, ours->cell);
  if (raced.ratio.rounds == 0) return std::nullopt;
  if (!automatic.empty()) {
    raced.automatic = automatic.front();
    raced.automatic_ratio = scaling::compare(peer->cell, raced.automatic->cell);
    raced.automatic_to_ours = scaling::compare(raced.automatic->cell, ours->cell);
  }
  return raced;
}

std::set<int> thread_counts_of(const json& study) {
  std::set<int> counts;
  for (const json& peer : study.at("peers")) counts.insert(peer.at("threads").get<int>());
  return counts;
}

std::vector<std::string> names_of(std::span<const RacedCase> cases, std::vector<Runner> RacedCase::*runners) {
  std::vector<std::string> names;
  for (const RacedCase& each : cases) {
    for (const Runner& runner : each.*runners) {
      if (std::find(names.begin(), names.end(), runner.name) == names.end()) names.push_back(runner.name);
    }
  }
  return names;
}

const Runner* named(const std::vector<Runner>& runners, const std::string& name) {
  const auto found =
      std::find_if(runners.begin(), runners.end(), [&](const Runner& each) { return each.name == name; });
  return found == runners.end() ? nullptr : &*found;
}

std::string two(double value) { return fmt::format("{:.2f}", value); }

std::string ratio_text(const Ratio& ratio) {
  return fmt::format("{} ({}–{})", two(ratio.value), two(ratio.ci.low), two(ratio.ci.high));
}

std::string percent_text(const Runner& runner) {
  return runner.percent_of_roof ? fmt::format("{:.0f} %", *runner.percent_of_roof) : "–";
}

std::string time_text(const Runner* runner) {
  return runner == nullptr ? "–" : fmt::format("{} @{}", scaling::duration(runner->median_ns), runner->threads);
}

double rate_of(const RacedCase& each, const Runner& runner) { return each.flops / runner.median_ns; }

std::string table_of(std::span<const RacedCase> cases) {
  const std::vector<std::string> models = names_of(cases, &RacedCase::models);
  const bool automatic = std::any_of(cases.begin(), cases.end(), [](const RacedCase& c) { return c.automatic; });
  std::string head = "| case | cores | ratio | best peer | of its roof | ours | of the roof | bound | GFLOP/s |";
  std::string rule = "|---|--:|---|---|--:|---|--:|---|--:|";
  if (automatic) {
    head += " automatic |";
    rule += "---|";
  }
  for (const std::string& model : models) {
    head += fmt::format(" {} |", model);
    rule += "---|";
  }
  std::string table = head + "\n" + rule + "\n";
  for (const RacedCase& each : cases) {
    const Runner& ours = *each.ours();
    const Runner& peer = *each.peer();
    const char* const mark = is_lost(each.ratio) ? "**" : "";
    table += fmt::format("| {} | {} | {}{}{} | {} @{} | {} | {} @{} | {} | {} | {} |", each.name, each.threads, mark,
                         ratio_text(each.ratio), mark, peer.name, peer.threads, percent_text(peer), ours.name,
                         ours.threads, percent_text(ours), ours.bound.empty() ? "–" : ours.bound,
                         each.flops > 0 ? fmt::format("{:.1f}", rate_of(each, ours)) : "–");
    if (automatic) {
      table += each.automatic ? fmt::format(" {} |", ratio_text(*each.automatic_ratio)) : " – |";
    }
    for (const std::string& model : models) table += fmt::format(" {} |", time_text(named(each.models, model)));
    table += "\n";
  }
  return table;
}

struct Counts {
  std::size_t cases = 0, lost = 0, under = 0, far = 0, automatic = 0, automatic_lost = 0, automatic_behind = 0;
};

Counts count(std::span<const RacedCase> cases) {
  Counts counts;
  for (const RacedCase& each : cases) {
    ++counts.cases;
    counts.lost += is_lost(each.ratio);
    counts.under += each.ratio.value < lost_below;
    const auto& part = each.ours()->percent_of_roof;
    counts.far += part && *part < far_from_roof_percent;
    if (!each.automatic) continue;
    ++counts.automatic;
    counts.automatic_lost += is_lost(*each.automatic_ratio);
    counts.automatic_behind += each.automatic_to_ours->rounds > 1 && each.automatic_to_ours->ci.low > 1 / lost_below;
  }
  return counts;
}

std::string summary_of(std::span<const RacedCase> cases) {
  std::string text =
      "| | cases | geometric mean | surely below 0.97 | below 0.97 | ours under 70 % of the roof |\n"
      "|---|--:|--:|--:|--:|--:|\n";
  const auto line = [&](const std::string& name, const std::vector<RacedCase>& of) {
    const Counts counts = count(of);
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", name, counts.cases, two(geometric_mean(of)), counts.lost,
                        counts.under, counts.far);
  };
  std::map<std::pair<std::string, int>, std::vector<RacedCase>> groups;
  for (const RacedCase& each : cases) groups[{each.kernel + "/" + each.variant, each.threads}].push_back(each);
  for (const auto& [key, of] : groups) {
    line(fmt::format("{}, {} core{}", key.first, key.second, key.second == 1 ? "" : "s"), of);
  }
  line("**all**", {cases.begin(), cases.end()});
  return text;
}

std::string worst_of(std::span<const RacedCase> cases) {
  constexpr std::size_t shown = 8;
  std::vector<const RacedCase*> order;
  for (const RacedCase& each : cases) order.push_back(&each);
  std::stable_sort(order.begin(), order.end(),
                   [](const RacedCase* a, const RacedCase* b) { return a->ratio.value < b->ratio.value; });
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, order.size()); ++i) {
    const RacedCase& each = *order[i];
    text += fmt::format("- {} on {} core{}: {} of {} {} on {}\n", each.name, each.threads, each.threads == 1 ? "" : "s",
                        ratio_text(each.ratio), each.peer()->name, each.peer()->version, each.peer()->threads);
  }
  return text;
}

std::string peers_of(std::span<const RacedCase> cases) {
  std::vector<std::string> named;
  for (const RacedCase& each : cases) {
    for (const Runner& peer : each.peers) {
      const std::string name = peer.version.empty() ? peer.name : peer.name + " " + peer.version;
      if (std::find(named.begin(), named.end(), name) == named.end()) named.push_back(name);
    }
  }
  return scaling::list(named);
}

std::string text_in(const json& object, const char* group, const char* member) {
  const json& inner = object.at(group);
  return inner.is_object() && inner.contains(member) && inner[member].is_string() ? inner[member].get<std::string>()
                                                                                  : std::string("not known");
}

std::string number_of(double value) { return std::isfinite(value) ? fmt::format("{:.6g}", value) : std::string(); }

}  // namespace

const Runner* RacedCase::ours() const { return fastest(models); }
const Runner* RacedCase::peer() const { return fastest(peers); }

bool is_lost(const Ratio& ratio) { return ratio.rounds > 1 && ratio.ci.high < lost_below; }

std::vector<RacedCase> race_of(std::span<const json> analyses) {
  std::vector<RacedCase> cases;
  for (const json& analysis : analyses) {
    for (const json& study : analysis.at("cases")) {
      for (const int threads : thread_counts_of(study)) {
        if (std::optional<RacedCase> raced = race_on(study, threads)) cases.push_back(std::move(*raced));
      }
    }
  }
  return cases;
}

double geometric_mean(std::span<const RacedCase> cases) {
  double sum = 0;
  for (const RacedCase& each : cases) sum += std::log(each.ratio.value);
  return cases.empty() ? std::numeric_limits<double>::quiet_NaN() : std::exp(sum / static_cast<double>(cases.size()));
}

std::string race_markdown(std::span<const RacedCase> cases, std::span<const json> analyses) {
  const json& first = analyses.front();
  std::string text = fmt::format(
      "# Race\n\n{}, {}, built by {} from {}. Peers: {}.\n\n"
      "The ratio is the fastest peer's time over our fastest model's, with its 95 % interval, each on as many cores as "
      "it "
      "likes up to those named: above 1, we are faster; **bold**: surely below {}. `@` says on how many threads. The "
      "roof "
      "is the measured FMA peak at that number of threads, or the traffic's own ceiling, whichever takes longer.\n\n",
      text_in(first, "machine", "cpu"), first.at("started").get<std::string>(), text_in(first, "build", "compiler"),
      text_in(first, "build", "commit").substr(0, 12), peers_of(cases), lost_below);
  text += summary_of(cases);
  const Counts counts = count(cases);
  if (counts.automatic > 0) {
    text += fmt::format(
        "\nThe library's own choice, in {} cases: surely below {} of the best peer in {}, surely slower than our best "
        "model by more than 3 % in {}.\n",
        counts.automatic, lost_below, counts.automatic_lost, counts.automatic_behind);
  }
  text += "\nThe lowest ratios:\n\n" + worst_of(cases) + "\n" + table_of(cases);
  return text;
}

std::string race_csv(std::span<const RacedCase> cases) {
  const std::vector<std::string> models = names_of(cases, &RacedCase::models);
  const std::vector<std::string> peers = names_of(cases, &RacedCase::peers);
  std::string csv =
      "case,kernel,variant,size,cores,ratio,ratio_low,ratio_high,rounds,model,model_threads,model_ns,"
      "model_percent_of_roof,bound,gflop_per_s,peer,peer_version,peer_threads,peer_ns,peer_percent_of_roof,"
      "automatic_ns,automatic_ratio,automatic_ratio_low,automatic_ratio_high";
  for (const std::string& name : models) csv += "," + name + "_ns";
  for (const std::string& name : peers) csv += "," + name + "_ns";
  csv += "\n";
  constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  for (const RacedCase& each : cases) {
    const Runner& ours = *each.ours();
    const Runner& peer = *each.peer();
    csv += fmt::format("{},{},{},{},{},{},{},{},{}", each.name, each.kernel, each.variant, each.size, each.threads,
                       number_of(each.ratio.value), number_of(each.ratio.ci.low), number_of(each.ratio.ci.high),
                       each.ratio.rounds);
    csv += fmt::format(",{},{},{},{},{},{}", ours.name, ours.threads, number_of(ours.median_ns),
                       number_of(ours.percent_of_roof.value_or(unknown)), ours.bound, number_of(rate_of(each, ours)));
    csv += fmt::format(",{},{},{},{},{}", peer.name, peer.version, peer.threads, number_of(peer.median_ns),
                       number_of(peer.percent_of_roof.value_or(unknown)));
    const Ratio own = each.automatic_ratio.value_or(Ratio{.value = unknown});
    csv += fmt::format(",{},{},{},{}", number_of(each.automatic ? each.automatic->median_ns : unknown),
                       number_of(own.value), number_of(own.ci.low), number_of(own.ci.high));
    for (const auto& [names, runners] : {std::pair(&models, &each.models), {&peers, &each.peers}}) {
      for (const std::string& name : *names) {
        const Runner* const runner = named(*runners, name);
        csv += "," + number_of(runner == nullptr ? unknown : runner->median_ns);
      }
    }
    csv += "\n";
  }
  return csv;
}

}  // namespace speedwell::bench
