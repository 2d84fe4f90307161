// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <speedwell/advice.hpp>
#include <speedwell/backend.hpp>

#include "runtime/advice/thresholds.hpp"
#include "runtime/scaling/words.hpp"

namespace speedwell {

namespace advice {

namespace {

using scaling::duration;
using scaling::number;

// More tasks in flight than this are a matter of memory and of what is at the other end, not of cores.
constexpr double most_in_flight = 10'000;
// The work that a hand-over should carry, so that it is a tenth of it at most.
constexpr double worth_handing_over_ns = 50e3;

std::string cores_text(int cores) { return cores == 1 ? "one core" : fmt::format("{} cores", cores); }

class Adviser {
 public:
  explicit Adviser(const Nature& nature) : nature_(nature) {
    for (const CopiesAtOnce& each : nature.at_once) {
      if (each.copies <= nature.cores && each.copies > 1) all_cores_ = &each;
      if (each.copies > nature.cores) in_flight_ = &each;
    }
  }

  Advice advise() {
    decide();
    say(alone());
    conclude();
    for (const std::string& doubt : nature_.doubts) say(doubt);
    return advice_;
  }

 private:
  void decide() {
    const double share = nature_.cpu_share;
    if (share > parallel_above) {
      advice_.kind = WorkKind::parallel;
    } else if (waits_for_itself()) {
      advice_.kind = WorkKind::lock_bound;
    } else if (share < waits_below) {
      advice_.kind = WorkKind::waiting;
    } else if (share < as_good_as_computing) {
      advice_.kind = WorkKind::mixed;
    } else if (is_memory_bound()) {
      advice_.kind = WorkKind::memory_bound;
    }
  }

  // Of what so many copies could gain at best, each further one gains less than a quarter. (One that computes gains no
  // more than the cores, one that waits no more than fills them.)
  bool gains_nothing(const CopiesAtOnce& at_once) const {
    const double at_best = std::min<double>(at_once.copies, nature_.cores / std::max(nature_.cpu_share, 1e-6));
    return at_best > 1.2 && at_once.gain < 1 + least_gain_per_core * (at_best - 1);
  }

  // The copies that show best whether the task gets in its own way.
  const CopiesAtOnce* telling() const {
    return in_flight_ && nature_.cpu_share < as_good_as_computing ? in_flight_ : all_cores_;
  }

  bool spins(const CopiesAtOnce& at_once) const {
    return at_once.cores_busy > spinning * std::min(at_once.copies, nature_.cores);
  }

  bool waits_for_itself() const {
    const CopiesAtOnce* const seen = telling();
    if (!seen || !gains_nothing(*seen) || is_memory_bound()) return false;
    return seen->voluntary_switches > nature_.voluntary_switches + telling_switches || spins(*seen);
  }

  bool is_memory_bound() const {
    return all_cores_ && nature_.bandwidth_share.value_or(0) >= memory_share &&
           all_cores_->gain < full_gain * all_cores_->copies;
  }

  bool can_run_beside_itself() const { return nature_.tried_beside_itself && nature_.failed_beside_itself.empty(); }

  // The smallest number of cores that comes close to the best.
  const CopiesAtOnce* enough() const {
    const CopiesAtOnce* best = nullptr;
    const CopiesAtOnce* smallest = nullptr;
    for (const CopiesAtOnce& each : nature_.at_once) {
      if (each.copies <= nature_.cores && (!best || each.gain > best->gain)) best = &each;
    }
    for (const CopiesAtOnce& each : nature_.at_once) {
      if (each.copies > nature_.cores || each.gain * (1 + as_good) < best->gain) continue;
      if (!smallest || each.copies < smallest->copies) smallest = &each;
    }
    return smallest;
  }

  std::string alone() const {
    const double computes = 100 * std::min(nature_.cpu_share, 1.0);
    std::string text =
        fmt::format("{} is {}: a call takes {}", nature_.name, name(advice_.kind), duration(nature_.call_ns));
    if (nature_.cpu_share > parallel_above) {
      return text + fmt::format(", in which it takes {} cores' worth of CPU time.", number(nature_.cpu_share));
    }
    text += fmt::format(", of which it computes {:.0f} %", computes);
    if (nature_.cpu_share < as_good_as_computing) {
      text += fmt::format(" and waits the rest, giving its core away {} times", number(nature_.voluntary_switches));
    }
    return text + ".";
  }

  void conclude() {
    switch (advice_.kind) {
      case WorkKind::waiting:
        return conclude_waiting();
      case WorkKind::mixed:
        return conclude_mixed();
      case WorkKind::computing:
        return conclude_computing();
      case WorkKind::memory_bound:
        return conclude_memory_bound();
      case WorkKind::lock_bound:
        return conclude_lock_bound();
      case WorkKind::parallel:
        return choose(
            "sequential", nature_.cores, 1,
            fmt::format("It is parallel already, so call it one after the other: copies would only take the {} "
                        "from each other.",
                        cores_text(nature_.cores)));
    }
  }

  void conclude_waiting() {
    const int fill = static_cast<int>(std::clamp(1 / std::max(nature_.cpu_share, 1e-9), 1.0, most_in_flight));
    if (!nature_.failed_beside_itself.empty()) return isolate();
    if (in_flight_ && gains_nothing(*in_flight_)) {
      return choose(
          "sequential", 1, 1,
          fmt::format("{} at once did only {} times as much as one, though they didn't wait for each other: what "
                      "they wait for does one thing at a time. No technique changes that; ask for more at once, "
                      "or for less.",
                      in_flight_->copies, number(in_flight_->gain)));
    }
    if (in_flight_) {
      say(fmt::format("{} at once did {} times as much as one, so the waits overlap.", in_flight_->copies,
                      number(in_flight_->gain)));
    }
    choose(
        "coroutines", 1, fill,
        fmt::format("Coroutines on one thread are enough: about {} tasks in flight fill one core, and until then a "
                    "second one gains nothing. If the calls block and can't be made to await, as many threads do the "
                    "same, at a stack and two switches each.",
                    fill));
    if (!in_flight_) say("Whether the waits overlap wasn't tried, as it wasn't to be run beside itself.");
  }

  void conclude_mixed() {
    if (!can_run_beside_itself()) return isolate();
    const int fill = static_cast<int>(std::ceil(nature_.cores / nature_.cpu_share));
    if (in_flight_) {
      say(fmt::format("{} at once did {} times as much as one.", in_flight_->copies, number(in_flight_->gain)));
    }
    choose(
        nature_.cores > 1 ? "threads" : "coroutines", nature_.cores, fill,
        nature_.cores > 1
            ? fmt::format("While some wait others can compute, on all of {}: about {} threads keep them busy. "
                          "Coroutines for the waits that pass the computing on to a pool of {} do the same, and scale "
                          "to more tasks.",
                          cores_text(nature_.cores), fill, nature_.cores)
            : fmt::format("There is one core, so computing can't gain, but while one task waits another can compute: "
                          "about {} coroutines keep it busy.",
                          fill));
  }

  void conclude_computing() {
    if (nature_.cores == 1) return on_one_core();
    if (!can_run_beside_itself()) return isolate();
    const CopiesAtOnce& chosen = *enough();
    say_gain();
    if (nature_.bandwidth_share) {
      say_evidence(*nature_.bandwidth_share < memory_share
                       ? "so its bound is the core, not the memory"
                       : "but so many cores still have bandwidth enough; on more the memory may become its bound");
    }
    if (chosen.copies == 1) {
      return choose(
          "sequential", 1, 1,
          "More cores gained nothing, and neither a lock nor the memory shows as the reason: stay on one until "
          "it is known.");
    }
    if (nature_.call_ns >= shortest_task_ns) {
      return choose(
          "threads", chosen.copies, chosen.copies,
          fmt::format("A pool of {} threads, one a core; an OpenMP or oneTBB loop over the tasks does as well. "
                      "More threads than cores gain nothing.",
                      chosen.copies));
    }
    const char* const loop = is_built(OpenMp{}) ? "openmp" : is_built(Tbb{}) ? "tbb" : "threads";
    choose(
        loop, chosen.copies, chosen.copies,
        fmt::format("But handing a task over takes microseconds, as long as some calls: let a parallel loop hand out "
                    "ranges of {} calls or more.",
                    static_cast<long long>(std::ceil(worth_handing_over_ns / nature_.call_ns))));
  }

  void conclude_memory_bound() {
    const CopiesAtOnce& chosen = *enough();
    say_gain();
    say_evidence("so what they share is the memory's bandwidth");
    choose(
        "threads", chosen.copies, chosen.copies,
        fmt::format("{} {} enough: more gain less than {:.0f} % and take bandwidth from whatever else runs. What helps "
                    "is to move less: smaller types, blocks that stay in the cache, several steps in one pass.",
                    chosen.copies == 1 ? "One thread" : fmt::format("{} threads", chosen.copies),
                    chosen.copies == 1 ? "is" : "are", 100 * as_good));
  }

  void conclude_lock_bound() {
    const CopiesAtOnce& seen = *telling();
    say(fmt::format(
        "{} at once did {} times as much as one, and gave their cores away {} times a call, where one alone "
        "did {}.",
        seen.copies, number(seen.gain), number(seen.voluntary_switches), number(nature_.voluntary_switches)));
    if (nature_.bandwidth_share && !nature_.evidence_text.empty()) say_evidence("so it isn't the memory");
    if (spins(seen)) {
      say("All cores were busy meanwhile, so if it is a lock, they spin on it; or they write to the same cache lines.");
    } else {
      say(fmt::format("Only {} cores' worth of time was used, so they stood and waited for each other.",
                      number(seen.cores_busy)));
    }
    choose("processes", nature_.cores, nature_.cpu_share < as_good_as_computing ? seen.copies : nature_.cores,
           "Threads can't gain while they share that lock. Processes have one each; or make what it guards smaller, or "
           "one for each thread.");
  }

  void on_one_core() {
    choose(
        "sequential", 1, 1,
        "There is one core here, so nothing is faster than one task after the other. Whether it would gain from more "
        "cores can't be seen on this machine.");
  }

  void isolate() {
    const std::string why =
        nature_.failed_beside_itself.empty()
            ? std::string("It wasn't to be run beside itself, so what copies gain isn't known.")
            : fmt::format("Beside itself it fails ('{}'), which alone it doesn't: copies share something.",
                          nature_.failed_beside_itself);
    if (nature_.cores == 1 && nature_.cpu_share >= as_good_as_computing) return on_one_core();
    choose("processes", nature_.cores, nature_.cores,
           why +
               " In processes, which share nothing, it can run on all cores; what a task needs and returns has to be "
               "copied then, or lie in shared memory.");
  }

  void say_gain() {
    std::string gains;
    for (const CopiesAtOnce& each : nature_.at_once) {
      if (each.copies == 1 || each.copies > nature_.cores) continue;
      if (!gains.empty()) gains += ", ";
      gains += fmt::format("{} times as much on {} ({} to {})", number(each.gain), cores_text(each.copies),
                           number(each.gain_range.low), number(each.gain_range.high));
    }
    say(fmt::format("Copies did {}.", gains));
  }

  void say_evidence(std::string_view conclusion) {
    if (nature_.evidence_text.empty()) return;
    std::string text = nature_.evidence_text;
    text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
    say(fmt::format("{}, {}.", text, conclusion));
  }

  void choose(const char* technique, int cores, int at_once, std::string_view reason) {
    advice_.technique = technique;
    advice_.cores = cores;
    advice_.at_once = at_once;
    say(reason);
  }

  void say(std::string_view sentence) {
    if (!advice_.reason.empty()) advice_.reason += ' ';
    advice_.reason += sentence;
  }

  const Nature& nature_;
  const CopiesAtOnce* all_cores_ = nullptr;
  const CopiesAtOnce* in_flight_ = nullptr;
  Advice advice_;
};

}  // namespace

}  // namespace advice

std::string_view name(WorkKind kind) {
  switch (kind) {
    case WorkKind::waiting:
      return "I/O-bound";
    case WorkKind::mixed:
      return "mixed";
    case WorkKind::computing:
      return "CPU-bound";
    case WorkKind::memory_bound:
      return "memory-bound";
    case WorkKind::lock_bound:
      return "lock-bound";
    case WorkKind::parallel:
      return "parallel";
  }
  return "";
}

Advice advise(const Nature& nature) { return advice::Adviser(nature).advise(); }

}  // namespace speedwell
