// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include <speedwell/advice.hpp>
#include <speedwell/backend.hpp>
#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>

#include "runtime/advice/neighbours.hpp"
#include "runtime/advice/thresholds.hpp"
#include "runtime/advice/window.hpp"
#include "runtime/scaling/statistics.hpp"
#include "runtime/workspace.hpp"

namespace speedwell {

namespace advice {

namespace {

// Of the budget; the rest is for what is begun in a window and ends after it, for threads and for memory.
constexpr double part_for_windows = 0.8;
// A few of the kernel's ticks.
constexpr double shortest_window_ns = 8e6;
constexpr int most_rounds = 9;
// Between two looks at the clock, which take some tens of nanoseconds.
constexpr double batch_ns = 20e3;
// In flight, of a task that waits: enough to tell that waits overlap from that they don't.
constexpr int fewest_in_flight = 8, most_in_flight = 64;
// New threads of a window are on different cores by then, mostly.
constexpr double settle_ns = 2e6;
// Of a last-level cache, where it isn't known; and what the vectors of all triads take at most.
constexpr std::size_t usual_cache = 32u << 20, most_memory = 512u << 20;
// If triad loses less than this beside triads, memory is not what the cores lack.
constexpr double loss_that_tells = 0.1;
// More switches a call than one copy alone has, up to which copies don't wait for each other.
constexpr double as_few_switches = 0.02;
// Of other programs' time, or of other threads', from where on a doubt says so.
constexpr double noticeable = 0.1;

enum class Beside { nothing, spinners, triads };

struct Subject {
  int copies = 1;
  bool triad = false;  // in the task's place
  Beside beside = Beside::nothing;
  std::vector<Outcome> outcomes{};  // by round
};

void check(const std::function<void()>& task, const ProfileOptions& options) {
  if (!task) throw InvalidArgument("profile: task is empty, expected a function");
  if (options.name.empty()) throw InvalidArgument("profile: name is empty, expected what the task is called");
  if (!(options.budget_s >= 0.05 && options.budget_s <= 3600)) {
    throw InvalidArgument(fmt::format("profile: budget_s is {}, expected 0.05 to 3600", options.budget_s));
  }
  if (options.most_threads < 0 || options.most_threads > max_threads) {
    throw InvalidArgument(
        fmt::format("profile: most_threads is {}, expected 0 to {}", options.most_threads, max_threads));
  }
}

std::string text_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return *error.what() != '\0' ? error.what() : "an exception without words";
  } catch (...) {
    return "an exception of a type that says nothing of itself";
  }
}

class Profiler {
 public:
  Profiler(const std::function<void()>& task, const ProfileOptions& options)
      : task_(task), options_(options), began_ns_(now_ns()) {
    available_ = machine().default_threads;
    cores_ = options.most_threads > 1 ? options.most_threads : available_;
  }

  Nature run() {
    nature_.name = options_.name;
    nature_.cores = cores_;
    look_for_other_threads();
    estimate();
    list_subjects();
    const double begin = now_ns(), busy = busy_ns(machine().allowed_cpus), own = process_cpu_ns();
    for (int round = 0; round < rounds_; ++round) take_round(round);
    const double others = busy_ns(machine().allowed_cpus) - busy - (process_cpu_ns() - own);
    nature_.other_load =
        std::max(others, 0.0) / ((now_ns() - begin) * static_cast<double>(machine().allowed_cpus.size()));
    sum_up();
    return nature_;
  }

 private:
  // Without the task: whether something else in the process takes CPU time. OpenMP's threads do for some milliseconds
  // after a region, and are waited for.
  void look_for_other_threads() {
    constexpr int tries = 25;
    for (int i = 0; i < tries; ++i) {
      const double begin = now_ns(), cpu = process_cpu_ns();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      if (process_cpu_ns() - cpu < noticeable * (now_ns() - begin)) return;
    }
    others_run_ = true;
    nature_.doubts.emplace_back(
        "Other threads of this process were running, so only the calling thread's CPU time is counted: whether the "
        "task is parallel itself wasn't seen.");
  }

  // Cores' worth of CPU time that copies took.
  double cores_busy(const Outcome& outcome, int copies) const {
    return others_run_ ? copies * outcome.cpu_ns / outcome.wall_ns : outcome.process_cpu_ns / outcome.process_wall_ns;
  }

  // How long a call takes, and roughly how much of that is computing. The first call, slower than those to come, is
  // left out.
  void estimate() {
    const double enough_ns = 0.05 * options_.budget_s * 1e9;
    task_();
    const Usage before = usage_of_this_thread();
    const double cpu_before = process_cpu_ns(), begin = now_ns();
    double calls = 0;
    while (calls == 0 || now_ns() - begin < enough_ns) {
      // By and by so many that looking at the clock takes no time.
      const double batch = std::max(1.0, std::floor(calls / 4));
      for (double i = 0; i < batch; ++i) task_();
      calls += batch;
    }
    const double wall = now_ns() - begin;
    const Usage used = usage_of_this_thread() - before;
    const double cpu = others_run_ ? used.cpu_ns : process_cpu_ns() - cpu_before;
    call_ns_ = std::max(wall / calls, 1.0);
    share_ = cpu / std::max(wall - used.queue_ns, 1.0);
    calls_ = 1 + static_cast<long long>(calls);
  }

  void list_subjects() {
    const bool beside_itself = options_.most_threads != 1;
    subjects_.push_back({.copies = 1});
    if (beside_itself) {
      for (int copies = 2; copies < cores_; copies *= 2) subjects_.push_back({.copies = copies});
      if (cores_ > 1) subjects_.push_back({.copies = cores_});
      if (share_ < as_good_as_computing) {
        subjects_.push_back({.copies = std::max(fewest_in_flight, std::min(2 * cores_, most_in_flight))});
      }
    }
    nature_.tried_beside_itself = subjects_.size() > 1;
    if (share_ >= waits_below && share_ <= parallel_above && cores_ > 1) {
      make_triads();
      for (const bool triad : {false, true}) {
        for (const Beside beside : {Beside::spinners, Beside::triads}) {
          subjects_.push_back({.copies = 1, .triad = triad, .beside = beside});
        }
      }
    }
    const double left_ns = std::max(options_.budget_s * 1e9 - (now_ns() - began_ns_), 0.0) * part_for_windows;
    const double one_round_ns =
        static_cast<double>(subjects_.size()) * std::max(call_ns_, shortest_window_ns + settle_ns);
    rounds_ = static_cast<int>(std::clamp(left_ns / one_round_ns, 1.0, double{most_rounds}));
    const double slot_ns = left_ns / (rounds_ * static_cast<double>(subjects_.size()));
    window_ns_ = std::max(slot_ns - settle_ns, shortest_window_ns / 2);
  }

  // Vectors that together are twice what the cache holds, so that little of them is found there.
  void make_triads() {
    const std::vector<Cache>& caches = machine().caches;
    const std::size_t last = caches.empty() ? usual_cache : std::max(caches.back().bytes, usual_cache / 4);
    const std::size_t one = 3 * Triad::piece * sizeof(float), cores = static_cast<std::size_t>(cores_);
    const std::size_t each = std::max(std::min(2 * last, most_memory) / cores / one, std::size_t{1}) * one;
    memory_.emplace(each * cores);
    for (std::size_t i = 0; i < cores; ++i) triads_.emplace_back(memory_->data() + i * each, each);
  }

  std::function<void()> triad(std::size_t i) {
    return [&triad = triads_[i]] { triad(); };
  }

  void take_round(int round) {
    std::vector<Subject*> order;
    for (Subject& subject : subjects_) order.push_back(&subject);
    scaling::Random random(options_.seed * 1'000'003 + static_cast<std::uint64_t>(round));
    for (int i = static_cast<int>(order.size()); i > 1; --i) {
      std::swap(order[static_cast<std::size_t>(i - 1)], order[static_cast<std::size_t>(random.below(i))]);
    }
    for (Subject* const subject : order) {
      if (subject->copies > 1 && !nature_.failed_beside_itself.empty()) continue;
      take(*subject);
    }
    ++nature_.rounds;
  }

  void take(Subject& subject) {
    std::vector<std::function<void()>> others;
    if (subject.beside != Beside::nothing) {
      for (std::size_t i = 1; i < static_cast<std::size_t>(cores_); ++i) {
        others.push_back(subject.beside == Beside::triads ? triad(i) : spin);
      }
    }
    const Neighbours neighbours(others);
    const std::function<void()> one = subject.triad ? triad(0) : [this] { task_(); };
    const std::vector<std::function<void()>> tasks(static_cast<std::size_t>(subject.copies), one);
    const double calls = subject.triad ? 1 : std::clamp(batch_ns / call_ns_, 1.0, 1e6);
    const Outcome outcome = run_window(tasks, {.settle_ns = settle_ns,
                                               .length_ns = window_ns_,
                                               .batch = static_cast<int>(calls),
                                               .count_misses = subject.beside == Beside::spinners});
    if (outcome.thrown) {
      if (subject.copies == 1) std::rethrow_exception(outcome.thrown);
      nature_.failed_beside_itself = text_of(outcome.thrown);
      return;
    }
    if (!subject.triad) calls_ += static_cast<long long>(outcome.calls);
    subject.outcomes.push_back(outcome);
  }

  void sum_up() {
    nature_.calls = calls_;
    sum_up_alone();
    sum_up_copies();
    if (!triads_.empty()) sum_up_bandwidth();
    doubt_rounds_and_load();
  }

  // The median over the outcomes of what `of` makes of each.
  template <class Of>
  static double middle(const std::vector<Outcome>& outcomes, Of of) {
    std::vector<double> values;
    for (const Outcome& outcome : outcomes) values.push_back(of(outcome));
    return scaling::median(values);
  }

  void sum_up_alone() {
    const std::vector<Outcome>& alone = subjects_.front().outcomes;
    // One copy queues for a core only behind other programs, or behind threads of its own.
    std::vector<double> call_ns;
    for (const Outcome& each : alone) call_ns.push_back(each.wall_ns / each.calls * each.out_of_queue());
    nature_.call_ns = scaling::median(call_ns);
    const scaling::Interval interval = scaling::median_interval(call_ns);
    nature_.call_range_ns = {interval.low, interval.high};
    nature_.cpu_share = middle(alone, [&](const Outcome& each) { return cores_busy(each, 1) / each.out_of_queue(); });
    nature_.voluntary_switches =
        middle(alone, [](const Outcome& each) { return each.voluntary_switches / each.calls; });
    nature_.involuntary_switches =
        middle(alone, [](const Outcome& each) { return each.involuntary_switches / each.calls; });
  }

  // Whether what copies stood in the queue was not their own doing: other programs had the cores, or the kernel had two
  // copies on one and didn't see. Not where there are more of them than cores; nor where they give their cores away
  // more than one alone does, as then they queue behind whom they woke.
  bool queue_comes_off(const Subject& subject) const {
    if (subject.copies > available_) return false;
    const double switches =
        middle(subject.outcomes, [](const Outcome& each) { return each.voluntary_switches / each.calls; });
    return subject.copies == 1 || switches < nature_.voluntary_switches + as_few_switches;
  }

  void sum_up_copies() {
    const Subject& alone = subjects_.front();
    const auto rates = [&](const Subject& subject) {
      const bool comes_off = queue_comes_off(subject);
      std::vector<double> each;
      for (const Outcome& outcome : subject.outcomes) {
        each.push_back(outcome.calls_per_s / (comes_off ? outcome.out_of_queue() : 1));
      }
      return each;
    };
    const std::vector<double> alone_rates = rates(alone);
    for (const Subject& subject : subjects_) {
      if (subject.beside != Beside::nothing || subject.outcomes.size() < alone.outcomes.size()) continue;
      const std::vector<double> subject_rates = rates(subject);
      std::vector<double> gains;
      for (std::size_t i = 0; i < alone_rates.size(); ++i) gains.push_back(subject_rates[i] / alone_rates[i]);
      const scaling::Interval interval = scaling::median_interval(gains);
      nature_.at_once.push_back(
          {.copies = subject.copies,
           .calls_per_s = scaling::median(subject_rates),
           .gain = scaling::median(gains),
           .gain_range = {interval.low, interval.high},
           .cores_busy =
               middle(subject.outcomes, [&](const Outcome& each) { return cores_busy(each, subject.copies); }),
           .voluntary_switches =
               middle(subject.outcomes, [](const Outcome& each) { return each.voluntary_switches / each.calls; })});
    }
  }

  const Subject& subject_beside(bool triad, Beside beside) const {
    return *std::find_if(subjects_.begin(), subjects_.end(),
                         [&](const Subject& each) { return each.triad == triad && each.beside == beside; });
  }

  // The part of its rate that a subject loses beside triads.
  double loss(bool triad) const {
    const std::vector<Outcome>& free = subject_beside(triad, Beside::spinners).outcomes;
    const std::vector<Outcome>& pressed = subject_beside(triad, Beside::triads).outcomes;
    std::vector<double> losses;
    for (std::size_t i = 0; i < free.size(); ++i) {
      // By the time on a core: whether neighbours let it have one is another matter.
      losses.push_back(1 - pressed[i].calls_per_s / pressed[i].out_of_queue() /
                               (free[i].calls_per_s / free[i].out_of_queue()));
    }
    return std::max(scaling::median(losses), 0.0);
  }

  void sum_up_bandwidth() {
    if (count_bandwidth()) return;
    const double task = loss(false), triad = loss(true);
    const std::string others =
        cores_ == 2 ? "a triad on the other core" : fmt::format("triads on {} other cores", cores_ - 1);
    nature_.evidence_text =
        fmt::format("beside {} it loses {:.0f} % of its rate, triad itself {:.0f} %", others, 100 * task, 100 * triad);
    if (triad < loss_that_tells) {
      nature_.doubts.push_back(fmt::format(
          "Triads on all cores take no more than {:.0f} % from each other, so bandwidth isn't short here, and a "
          "task's share of it can't be told by what is lost.",
          100 * triad));
      return;
    }
    nature_.bandwidth_share = std::min(task / triad, 1.0);
    nature_.evidence = BandwidthEvidence::neighbours;
  }

  // By the processor's counter, if there is one, and if it sees of triad about what triad must move: many virtual
  // machines have none, and some processors count other things under that name.
  bool count_bandwidth() {
    const std::vector<Outcome>& task = subject_beside(false, Beside::spinners).outcomes;
    const std::vector<Outcome>& triad = subject_beside(true, Beside::spinners).outcomes;
    const auto counted = [](const Outcome& each) { return each.misses >= 0; };
    if (!std::all_of(task.begin(), task.end(), counted) || !std::all_of(triad.begin(), triad.end(), counted))
      return false;
    const double line = machine().caches.empty() ? 64 : static_cast<double>(machine().caches.back().line_bytes);
    const auto rate = [&](const Outcome& each) { return each.misses * line / each.cpu_ns; };
    const double seen = middle(triad, [&](const Outcome& each) { return each.misses * line / each.calls; });
    if (seen < 0.5 * Triad::bytes_per_call || seen > 2 * Triad::bytes_per_call) return false;
    const double task_rate = middle(task, rate), triad_rate = middle(triad, rate);
    nature_.bandwidth_share = task_rate / triad_rate;
    nature_.evidence = BandwidthEvidence::counters;
    nature_.evidence_text = fmt::format("by the processor's count of cache misses it moves {:.1f} GB/s, triad {:.1f}",
                                        task_rate, triad_rate);
    return true;
  }

  void doubt_rounds_and_load() {
    if (nature_.rounds < 3) {
      nature_.doubts.push_back(fmt::format("There was time for {} only: no median, no range.",
                                           nature_.rounds == 1 ? "one round" : "two rounds"));
    }
    if (nature_.other_load < noticeable) return;
    nature_.doubts.push_back(
        fmt::format("Other programs had {:.0f} % of the cores' time meanwhile. What the task stood in the queue for a "
                    "core was taken off, but measure again when it is quiet.",
                    100 * nature_.other_load));
  }

  const std::function<void()>& task_;
  const ProfileOptions& options_;
  double began_ns_;
  int available_ = 1;
  int cores_ = 1;
  bool others_run_ = false;
  double call_ns_ = 1;
  double share_ = 1;
  std::vector<Subject> subjects_;  // the first: one copy alone
  std::optional<runtime::LeasedBuffer> memory_;
  std::vector<Triad> triads_;
  int rounds_ = 1;
  double window_ns_ = shortest_window_ns;
  long long calls_ = 0;
  Nature nature_;
};

}  // namespace

}  // namespace advice

Nature profile(const std::function<void()>& task, const ProfileOptions& options) {
  advice::check(task, options);
  return advice::Profiler(task, options).run();
}

}  // namespace speedwell
