// SPDX-License-Identifier: Apache-2.0
// The sweep: every cell once a round, in an order shuffled anew for each round, one child working at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "bench/driver/children.hpp"
#include "bench/driver/cost.hpp"
#include "bench/driver/interrupts.hpp"
#include "bench/driver/plan.hpp"
#include "bench/driver/sentinel.hpp"

namespace speedwell::bench {

class JournalWriter;
class Progress;
struct Journal;

// The header's `config`, as far as the sweep goes by it.
struct SweepConfig {
  std::uint64_t seed = 0;
  int rounds = 9;         // a median's 95 % interval is between the second lowest and second highest of nine
  int most_rounds = 30;   // what is still wide after these is the machine's noise, not the sample's size
  double budget_s = 180;  // 0: none
};

SweepConfig config_from_json(const nlohmann::json& config);

struct SweepOutcome {
  int rounds = 0;  // complete ones
  int failed = 0;  // cells
  int signal = 0;  // that ended it early; 0: it is finished
  int cells = 0;   // with a sample
  Cost cost{};     // of this process
};

class Sweep {
 public:
  // Goes on from what `journal` holds: its header alone for a new run.
  Sweep(const Journal& journal, JournalWriter& writer, Children& children, Progress& progress, Interrupts& interrupts);
  ~Sweep();

  // `make_results` is called when each cell has its first sample, and again after rounds as long as it takes little of
  // the time: whatever happens to this process, there is something to look at.
  SweepOutcome run(const std::function<void()>& make_results);

 private:
  struct State;
  enum class Taken { sample, again, out };

  void share_memory();
  void prepare_all();
  bool prepare(State& cell);
  bool accept(State& cell, const nlohmann::json& answer);
  void drop(State& cell, const char* kind, const std::string& reason);
  bool same_bits_as_others(State& cell);

  nlohmann::json ask_to_prepare(const State& cell, double target_ns);
  void start_child(const State& cell);
  void refresh_results(const std::function<void()>& make_results);

  void fit_into_budget(int rounds_left);
  bool run_round(int round, const std::vector<State*>& order);
  void take_sample(State& cell, int round);
  Taken try_sample(State& cell, int round, int attempt);

  std::vector<State*> order_of(int round);
  std::set<std::string> cases_of(int round) const;
  double cost_s(const std::vector<State*>& order) const;
  double left_s() const;
  double elapsed_s() const;
  void show(int round, const std::vector<State*>& order, std::size_t position);

  JournalWriter& writer_;
  Children& children_;
  Progress& progress_;
  Interrupts& interrupts_;
  SweepConfig config_;
  Sentinel sentinel_ = sentinel_here();
  std::vector<State> cells_;
  std::map<std::string, std::string> bits_;  // of each case's output
  double began_s_ = 0;
  double overhead_s_ = 0;     // of a sample, beside the time that it measures
  double reruns_left_s_ = 0;  // of the round, for samples that were disturbed
  double results_s_ = 0;      // that results took so far
  bool said_too_little_ = false;
  Cost cost_;
};

}  // namespace speedwell::bench
