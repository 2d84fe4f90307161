// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/sweep.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <utility>

#include "bench/case.hpp"
#include "bench/driver/answers.hpp"
#include "bench/driver/fingerprint.hpp"
#include "bench/driver/progress.hpp"
#include "bench/driver/rounds.hpp"
#include "bench/journal.hpp"
#include "runtime/reasons.hpp"

namespace speedwell::bench {

using nlohmann::json;

namespace {

// Long against a tick of the kernel (4 ms) and a switch of threads, short enough for a hundred cells a round.
constexpr double usual_sample_ns = 50e6;
// Below this one interruption is more than what is to be seen.
constexpr double shortest_sample_ns = 1e6;
// A sample is taken this often before it counts as it is.
constexpr int most_attempts = 3;
// What a case may take that doesn't count its bytes.
constexpr double uncounted_memory = 256 << 20;
// What a case takes beside its data.
constexpr double least_memory = 1 << 20;
// A case is prepared this often before it counts as one whose second thread never comes.
constexpr int most_preparations = 20;
// How long a kernel may take whose speed isn't known yet: a naive loop on a slow core does this many operations a
// second.
constexpr double slowest_flops_per_s = 1e8;
// Disturbed samples are taken again for so much of a round's time. On a machine that is never quiet the rest are kept,
// and marked.
constexpr double most_reruns = 0.20;
// Results on the way may take so much of the time.
constexpr double part_for_results = 0.01;
// Part of a budget that samples of the usual length may plan on: the rest is for preparation and long calls.
constexpr double part_for_short_samples = 0.5;

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Children::Variant variant_of(const Cell& cell) {
  if (cell.against) return Children::Variant::against;
  return cell.twin_of.empty() ? Children::Variant::plain : Children::Variant::twin;
}

}  // namespace

struct Sweep::State {
  Cell cell;
  Children::Key child;
  bool out = false;  // failed or skipped
  bool failed = false;
  double memory_bytes = 0;        // that the child's cases may hold, all together
  long long calls = 1;            // of a sample
  double call_ns = 0;             // estimate
  std::string bits;               // of its output
  std::map<int, double> samples;  // by round

  double sample_ns() const { return static_cast<double>(calls) * call_ns; }
};

SweepConfig config_from_json(const json& config) {
  SweepConfig defaults;
  return {.seed = config.value("seed", defaults.seed),
          .rounds = std::max(1, config.value("rounds", defaults.rounds)),
          .most_rounds = config.value("most_rounds", defaults.most_rounds),
          .budget_s = config.value("budget_s", defaults.budget_s)};
}

Sweep::Sweep(const Journal& journal, JournalWriter& writer, Children& children, Progress& progress,
             Interrupts& interrupts)
    : writer_(writer),
      children_(children),
      progress_(progress),
      interrupts_(interrupts),
      config_(config_from_json(journal.header.at("config"))) {
  std::map<std::string, std::size_t> by_name;
  for (const json& entry : journal.header.at("cells")) {
    State state;
    state.cell = cell_from_json(entry);
    state.child = {state.cell.backend, state.cell.threads, variant_of(state.cell)};
    by_name[state.cell.name] = cells_.size();
    cells_.push_back(std::move(state));
  }
  share_memory();
  for (const json& record : journal.records) {
    if (!record.contains("cell")) continue;
    State& state = cells_[by_name.at(record["cell"].get<std::string>())];
    const std::string kind = record["kind"].get<std::string>();
    if (kind == "sample") {
      const int round = record["round"].get<int>();
      state.samples[round] = record["ns"].get<double>();
      progress_.took(state.cell, round, state.samples[round]);
    }
    if (kind == "failed" || kind == "skipped") state.out = true;
    if (kind == "failed") state.failed = true;
  }
}

Sweep::~Sweep() = default;

// Children keep their cases from round to round, as making one anew takes longer than many a sample. Where there isn't
// the memory, each gets the same part of what it would like to have.
void Sweep::share_memory() {
  // What a case reads and writes, and as much again for copies that put an input back. Ceilings of a child share
  // theirs, which holds the longest of each kind of stream beside what the next one asks for.
  std::map<Children::Key, double> wanted, of_ceilings;
  for (const State& state : cells_) {
    const double bytes = (state.cell.bytes > 0 ? 2 * state.cell.bytes : uncounted_memory) + least_memory;
    if (is_ceiling(state.cell)) {
      of_ceilings[state.child] = std::max(of_ceilings[state.child], 2 * bytes);
    } else {
      wanted[state.child] += bytes;
    }
  }
  double all = 0;
  for (const auto& [child, bytes] : of_ceilings) wanted[child] += bytes;
  for (const auto& [child, bytes] : wanted) all += bytes;
  const double part = part_of_memory(all);
  for (State& state : cells_) state.memory_bytes = std::floor(part * wanted[state.child]);
}

double Sweep::elapsed_s() const { return now_s() - began_s_; }

double Sweep::left_s() const {
  return config_.budget_s > 0 ? config_.budget_s - elapsed_s() : std::numeric_limits<double>::infinity();
}

void Sweep::drop(State& cell, const char* kind, const std::string& reason) {
  cell.out = true;
  cell.failed = std::string_view(kind) == "failed";
  writer_.append({{"kind", kind}, {"cell", cell.cell.name}, {"reason", reason}});
  const std::string line = fmt::format("{} {}: {}", kind, cell.cell.name, reason);
  cell.failed ? progress_.warn(line) : progress_.say(line);
}

// Speedwell promises the same bits on every backend and thread count, though not in every version. Ceilings compute
// something else on each thread, and peers promise nothing.
bool Sweep::same_bits_as_others(State& cell) {
  if (cell.cell.peer || cell.bits.empty() || is_ceiling(cell.cell)) return true;
  const std::string build = cell.cell.against ? "/against" : "";
  // With the work of weak scaling, so that each thread count's has bits of its own.
  const auto [first, inserted] = bits_.try_emplace(cell.cell.case_name + cell.cell.weak_size + build, cell.bits);
  if (first->second == cell.bits) return true;
  drop(cell, "failed",
       fmt::format("its output has the bits {}, expected {} as on the backends before it", cell.bits, first->second));
  return false;
}

json Sweep::ask_to_prepare(const State& cell, double target_ns) {
  start_child(cell);
  const double began = now_s();
  json answer = children_.ask(
      cell.child,
      {{"do", "prepare"}, {"case", cell.cell.case_name}, {"target_ns", target_ns}, {"memory", cell.memory_bytes}},
      cell.cell.flops / slowest_flops_per_s);
  cost_.add_preparation(answer, now_s() - began);
  return answer;
}

void Sweep::start_child(const State& cell) {
  const double began = now_s();
  children_.hello(cell.child);
  cost_.planned_s += now_s() - began;
}

// Leaves the cell verified in its child; false if the cell is out.
bool Sweep::prepare(State& cell) {
  json answer;
  try {
    if (children_.prepared(cell.child).contains(cell.cell.case_name)) return true;
    const double target_ns =
        config_.budget_s > 0
            ? std::clamp(part_for_short_samples * config_.budget_s * 1e9 /
                             static_cast<double>(cells_.size() * static_cast<std::size_t>(config_.rounds)),
                         shortest_sample_ns, usual_sample_ns)
            : usual_sample_ns;
    // On a busy machine a second thread may come too late for every call of a small case. Only one that never comes is
    // a fault of the model, unless there is no work for it.
    const auto alone = [&] {
      return answer["ok"].get<bool>() && cell.cell.threads > 1 && number_or(answer, "threads_used", 0) == 1 &&
             string_or_empty(answer, "reason") != runtime::too_few_blocks;
    };
    for (int attempt = 1; attempt == 1 || (attempt <= most_preparations && alone()); ++attempt) {
      answer = ask_to_prepare(cell, target_ns * part_of_sample(cell.cell));
    }
  } catch (const ChildError& error) {
    drop(cell, "failed", error.what());
    return false;
  }
  return accept(cell, answer);
}

// Whether the prepared cell can be measured; if so, that is in the journal.
bool Sweep::accept(State& cell, const json& answer) {
  const bool ok = answer["ok"].get<bool>();
  if (!ok || answer.value("verified", json(false)) != true) {
    const std::string error = string_or_empty(answer, "error");
    drop(cell, "failed", ok || error.empty() ? "its output was not verified" : error);
    return false;
  }
  const int threads_used = static_cast<int>(number_or(answer, "threads_used", cell.cell.threads));
  if (threads_used != cell.cell.threads) {
    const std::string reason = string_or_empty(answer, "reason");
    const std::string counts = fmt::format("{} took part of {} threads asked for", threads_used, cell.cell.threads);
    // A model that stays on one thread is broken, unless that is all there is work for; one that runs out of work for
    // the last ones isn't.
    const bool out_of_work = threads_used > 1 || reason == runtime::too_few_blocks;
    const bool explained = threads_used < cell.cell.threads && out_of_work;
    drop(cell, explained ? "skipped" : "failed", reason.empty() ? counts : counts + ": " + reason);
    return false;
  }
  cell.bits = string_or_empty(answer, "hash");
  if (!same_bits_as_others(cell)) return false;
  if (cell.call_ns == 0) {
    cell.call_ns = std::max(number_or(answer, "ns", 1), 1.0);
    cell.calls = std::max(1LL, static_cast<long long>(number_or(answer, "calls", 1)));
  }
  children_.prepared(cell.child).insert(cell.cell.case_name);
  writer_.append({{"kind", "ready"},
                  {"cell", cell.cell.name},
                  {"calls", cell.calls},
                  {"verified", true},
                  {"threads_used", threads_used},
                  {"hash", cell.bits}});
  return true;
}

void Sweep::prepare_all() {
  std::set<Children::Key> broken;
  for (std::size_t i = 0; i < cells_.size() && interrupts_.signal() == 0; ++i) {
    State& cell = cells_[i];
    if (cell.out) continue;
    progress_.show(fmt::format("[{}/{}] {} prepare and verify", i + 1, cells_.size(), cell.cell.name));
    if (broken.contains(cell.child)) {
      drop(cell, "failed", "its child doesn't start");
      continue;
    }
    try {
      start_child(cell);
    } catch (const ChildError& error) {
      broken.insert(cell.child);
      drop(cell, "failed", error.what());
      continue;
    }
    prepare(cell);
  }
  writer_.sync();
}

// Seconds that a sample of each takes.
double Sweep::cost_s(const std::vector<State*>& order) const {
  double seconds = 0;
  for (const State* cell : order) seconds += cell->sample_ns() / 1e9 + overhead_s_;
  return seconds;
}

// Shortens the samples where the rounds that are to be don't fit, and says so if even that isn't enough.
void Sweep::fit_into_budget(int rounds_left) {
  std::vector<State*> all;
  for (State& cell : cells_) {
    if (!cell.out && cell.call_ns > 0) all.push_back(&cell);
  }
  const double left = left_s();
  if (!std::isfinite(left) || all.empty() || rounds_left <= 0) return;
  for (double target_ns = usual_sample_ns; rounds_left * cost_s(all) > left && target_ns > shortest_sample_ns;) {
    target_ns = std::max(target_ns / 1.25, shortest_sample_ns);
    for (State* cell : all) {
      cell->calls = std::clamp(static_cast<long long>(std::ceil(target_ns / cell->call_ns)), 1LL, cell->calls);
    }
  }
  if (rounds_left * cost_s(all) > left && !std::exchange(said_too_little_, true)) {
    const int fit = std::max(1, static_cast<int>(left / cost_s(all))) + config_.rounds - rounds_left;
    progress_.warn(
        fmt::format("the budget of {:.4g} s has room for about {} of {} rounds ({:.1f} s each, {:.0f} s are gone): "
                    "intervals will be wide; a higher --budget or fewer cases help",
                    config_.budget_s, fit, config_.rounds, cost_s(all), elapsed_s()));
  }
}

// The cases that have a sample of each of their cells in the round.
std::set<std::string> Sweep::cases_of(int round) const {
  struct Wanting {
    std::vector<CellSamples> cells;
    double cost_s = 0;
    bool begun = false;
  };
  std::map<std::string, Wanting> cases;
  for (const State& cell : cells_) {
    if (cell.out) continue;
    Wanting& wanting = cases[cell.cell.case_name];
    const bool races = !cell.cell.peer && !cell.cell.against && cell.cell.twin_of.empty() && !is_ceiling(cell.cell);
    wanting.cells.push_back({races ? std::string_view(cell.cell.backend) : std::string_view(), &cell.samples});
    wanting.cost_s += cell.sample_ns() / 1e9 + overhead_s_;
    // A case that the round was begun with stays in it.
    wanting.begun = wanting.begun || cell.samples.contains(round);
  }
  std::vector<std::string> names;
  std::vector<Wish> wishes;
  for (const auto& [name, wanting] : cases) {
    double need = wanting.begun ? std::numeric_limits<double>::infinity() : need_of(wanting.cells, config_.rounds);
    // Who asked for a number of rounds gets no more.
    if (std::isfinite(need) && config_.most_rounds <= config_.rounds) need = 0;
    names.push_back(name);
    wishes.push_back({need, wanting.cost_s});
  }
  std::set<std::string> taken;
  for (const std::size_t index : taken_into_round(wishes, left_s())) taken.insert(names[index]);
  return taken;
}

// The cells of the round that have no sample in it yet. The order depends on the seed and the round alone.
std::vector<Sweep::State*> Sweep::order_of(int round) {
  const std::set<std::string> wanted = cases_of(round);
  std::vector<State*> order;
  for (State& cell : cells_) order.push_back(&cell);
  std::mt19937_64 random(config_.seed * 1'000'003 + static_cast<std::uint64_t>(round));
  // Not std::shuffle, whose outcome each standard library may choose. The modulo's bias is below 2^-40.
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  std::erase_if(order, [&](const State* cell) {
    return cell->out || cell->samples.contains(round) || !wanted.contains(cell->cell.case_name);
  });
  return order;
}

void Sweep::show(int round, const std::vector<State*>& order, std::size_t position) {
  // Rounds beyond those that are sure may still come: then the time left is this round's.
  const double part_done = static_cast<double>(position) / static_cast<double>(order.size());
  const double rounds_left = std::max(config_.rounds - round, 0) + 1 - part_done;
  const std::string of = round <= config_.rounds ? fmt::format("/{}", config_.rounds) : std::string();
  progress_.show(fmt::format("[{}/{}] {} round {}{} ETA {}", position + 1, order.size(), order[position]->cell.name,
                             round, of, clock_text(rounds_left * cost_s(order))));
}

Sweep::Taken Sweep::try_sample(State& cell, int round, int attempt) {
  json answer;
  try {
    // Twenty times the estimate: a machine may slow down that much under another's load, and still answer.
    answer = children_.ask(cell.child, {{"do", "sample"}, {"case", cell.cell.case_name}, {"calls", cell.calls}},
                           20 * cell.sample_ns() / 1e9);
  } catch (const ChildError& error) {
    drop(cell, "failed", error.what());
    return Taken::out;
  }
  if (!answer["ok"].get<bool>() || !answer.contains("ns") || number_or(answer, "ns", 0) <= 0) {
    const std::string error = string_or_empty(answer, "error");
    drop(cell, "failed", error.empty() ? "its child gave no time for a sample" : error);
    return Taken::out;
  }
  if (const std::string bits = string_or_empty(answer, "hash"); !bits.empty() && bits != cell.bits) {
    drop(cell, "failed",
         fmt::format("its output has the bits {} in round {}, expected {} as when it was verified", bits, round,
                     cell.bits));
    return Taken::out;
  }
  const int threads_used = static_cast<int>(number_or(answer, "threads_used", cell.cell.threads));
  const double ns = number_or(answer, "ns", 0);
  const Surroundings around = surroundings_of(answer, ns * static_cast<double>(cell.calls), cell.cell.threads);
  cost_.add_sample(answer, around.wall_ns / 1e9);
  const Case* const of = find_case(cell.cell.case_name);
  const std::string disturbed = of != nullptr && of->loaded ? "" : sentinel_.judge(cell.child, around);
  std::string reason;
  if (threads_used != cell.cell.threads) {
    reason = fmt::format("{} threads took part, {} were asked for", threads_used, cell.cell.threads);
    if (attempt == most_attempts) {
      writer_.append({{"kind", "rejected"}, {"round", round}, {"cell", cell.cell.name}, {"reason", reason}});
      // All came when it was prepared, so with fewer the model isn't broken: its calls are over before the others wake.
      drop(cell, threads_used < cell.cell.threads ? "skipped" : "failed",
           fmt::format("{}, in {} samples one after the other", reason, most_attempts));
      return Taken::out;
    }
  } else if (const double again_s = cell.sample_ns() / 1e9 + overhead_s_;
             !disturbed.empty() && attempt < most_attempts && again_s <= reruns_left_s_) {
    reruns_left_s_ -= again_s;
    reason = disturbed;
  }
  if (!reason.empty()) {
    writer_.append({{"kind", "rejected"}, {"round", round}, {"cell", cell.cell.name}, {"reason", reason}});
    return Taken::again;
  }
  nlohmann::ordered_json record = {{"kind", "sample"},
                                   {"round", round},
                                   {"cell", cell.cell.name},
                                   {"ns", ns},
                                   {"calls", cell.calls},
                                   {"cpu_ns", number_or(answer, "cpu_ns", 0)},
                                   {"threads_used", threads_used},
                                   {"spin_ns", around.spin_ns},
                                   {"spin_after_ns", around.spin_after_ns},
                                   {"steal_ticks", number_or(answer, "steal_ticks", 0)},
                                   {"others_running", around.others_running},
                                   {"voluntary_switches", around.voluntary_switches},
                                   {"involuntary_switches", around.involuntary_switches}};
  if (!disturbed.empty()) record["tainted"] = true;
  writer_.append(record);
  cell.samples[round] = ns;
  progress_.took(cell.cell, round, ns);
  return Taken::sample;
}

void Sweep::take_sample(State& cell, int round) {
  // A child that was started anew has to verify first.
  if (!prepare(cell)) return;
  for (int attempt = 1; try_sample(cell, round, attempt) == Taken::again; ++attempt) {
  }
}

// False if it was interrupted.
bool Sweep::run_round(int round, const std::vector<State*>& order) {
  const double began = now_s();
  double samples_s = 0;
  reruns_left_s_ = most_reruns * cost_s(order);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (interrupts_.signal() != 0) return false;
    show(round, order, i);
    take_sample(*order[i], round);
    samples_s += order[i]->sample_ns() / 1e9;
  }
  writer_.sync();
  if (!order.empty()) overhead_s_ = std::max(0.0, (now_s() - began - samples_s) / static_cast<double>(order.size()));
  return true;
}

void Sweep::refresh_results(const std::function<void()>& make_results) {
  const double began = now_s();
  // The next take no longer than all before them together.
  if (2 * results_s_ > part_for_results * elapsed_s()) return;
  make_results();
  results_s_ += now_s() - began;
}

SweepOutcome Sweep::run(const std::function<void()>& make_results) {
  began_s_ = now_s();
  prepare_all();

  // A round that was cut comes first.
  int round = 1;
  bool one_is_complete = false;
  for (const State& cell : cells_) {
    if (!cell.samples.empty()) round = std::max(round, cell.samples.rbegin()->first);
  }
  for (const State& cell : cells_) {
    one_is_complete = one_is_complete || (!cell.samples.empty() && cell.samples.begin()->first < round);
  }
  // The spin, the warm call and the way there and back, until a round has shown it.
  overhead_s_ = 3e-3;
  if (interrupts_.signal() == 0) fit_into_budget(config_.rounds - round + 1);

  bool first_here = true;
  for (; interrupts_.signal() == 0 && round <= std::max(config_.most_rounds, config_.rounds); ++round) {
    const std::vector<State*> order = order_of(round);
    const bool begun = std::any_of(cells_.begin(), cells_.end(),
                                   [&](const State& cell) { return !cell.out && cell.samples.contains(round); });
    if (order.empty() && !begun) break;
    if (one_is_complete && cost_s(order) > left_s()) break;
    if (!run_round(round, order)) break;
    one_is_complete = true;
    refresh_results(make_results);
    if (std::exchange(first_here, false)) fit_into_budget(config_.rounds - round);
  }

  cost_.wall_s = elapsed_s();
  SweepOutcome outcome = {.rounds = round - 1, .signal = interrupts_.signal(), .cost = cost_};
  for (const State& cell : cells_) {
    outcome.failed += cell.failed && !cell.cell.against ? 1 : 0;
    outcome.cells += cell.samples.empty() ? 0 : 1;
  }
  if (outcome.signal == 0) {
    writer_.append({{"kind", "finished"},
                    {"at", utc_now()},
                    {"rounds", outcome.rounds},
                    {"wall_s", cost_.wall_s},
                    {"kernel_s", cost_.kernel_s},
                    {"planned_s", cost_.planned_s},
                    {"instrument_s", cost_.instrument_s()}});
  }
  writer_.sync();
  return outcome;
}

}  // namespace speedwell::bench
