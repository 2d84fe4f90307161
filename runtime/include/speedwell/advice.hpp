// SPDX-License-Identifier: Apache-2.0
// Concurrency or parallelism? What kind of work a task is, measured, and what to do with many of its kind.
//
//   const Nature nature = profile([&] { answer(request); }, {.name = "answer"});
//   std::cout << advise(nature).reason << '\n';
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <speedwell/scaling.hpp>

namespace speedwell {

struct ProfileOptions {
  std::string name = "the task";  // what the reason calls it; not empty
  double budget_s = 2;            // wall time for all, 0.05 to 3600; one round is completed whatever it takes
  int most_threads = 0;    // cores to run copies on, 1 to 1024; 0: all that `threads = 0` means; 1: never beside itself
  std::uint64_t seed = 1;  // of the order within each round
};

// What running so many copies at once, each a call after the other on a thread of its own, came to.
struct CopiesAtOnce {
  int copies = 1;
  double calls_per_s = 0;         // of all together
  double gain = 1;                // over one copy: the median of the rounds' ratios
  ScalingInterval gain_range{};   // of those ratios: 95 % from six rounds on, else all of them
  double cores_busy = 0;          // CPU time over wall time
  double voluntary_switches = 0;  // times that a call gave its core away, to wait
};

// What the share of bandwidth rests on.
enum class BandwidthEvidence {
  none,
  counters,    // the processor's own count of cache misses, against triad's
  neighbours,  // what the task loses beside triads on all other cores, against what triad loses there
};

struct Nature {
  std::string name{};
  int cores = 1;          // that copies were run on, at most
  double other_load = 0;  // the part of the cores' time that other programs had meanwhile
  int rounds = 0;
  long long calls = 0;  // in all

  // A copy alone. What it stood in the queue for a core, because other programs had it, isn't counted.
  double call_ns = 0;  // median
  ScalingInterval call_range_ns{};
  double cpu_share = 0;                 // CPU time of the process over wall time: above 1 the task is parallel itself
  double voluntary_switches = 0;        // a call
  double involuntary_switches = 0;      // a call
  std::vector<CopiesAtOnce> at_once{};  // 1, 2, 4, ... cores; a task that waits has more copies than cores at the end

  // Whether copies were run beside each other. Not on one core, unless the task waits, and not with most_threads = 1.
  bool tried_beside_itself = false;
  // What a copy threw then, which alone it didn't; empty: nothing.
  std::string failed_beside_itself{};

  // Of the memory bandwidth that triad takes on one core (a = b + s c on vectors beyond the caches): 1 is as much. None
  // where it couldn't be told.
  std::optional<double> bandwidth_share{};
  BandwidthEvidence evidence = BandwidthEvidence::none;
  std::string evidence_text{};  // in words, with its numbers

  std::vector<std::string> doubts{};  // sentences
};

// Calls `task` over and over: first on the calling thread, then on threads made for it, one at a time and several at
// once. It must be one call's work, the same each time, and may be called from many threads at once, unless
// most_threads is 1.
//
// Each round has a window for every number of copies, in a shuffled order; if the task computes, also for the task and
// for a triad, each beside neighbours on all other cores that compute or that triad. A window's rate counts each call
// by the part of it that lies in the window. Ratios are taken within a round, and are medians over the rounds. What
// copies stood in the kernel's queue for a core (schedstat) is taken off, so that another program's load doesn't look
// like waiting or like a lock; but not where there are more of them than cores, or where they switch more often than
// one alone, as they may then have waited for each other. Where others had much of the machine, a doubt says so.
//
// Takes budget_s, or one round if that is longer. If the task computes, the vectors of triads take twice the last
// cache, at most 512 MB, which are kept for the next profile until shutdown(). Prints nothing.
//
// Throws InvalidArgument, before the first call, if task is empty or an option isn't what it says above. What task
// throws when it runs alone reaches the caller.
Nature profile(const std::function<void()>& task, const ProfileOptions& options = {});

enum class WorkKind {
  waiting,  // I/O-bound: its time is spent on something else than a core
  mixed,    // waits and computes
  computing,
  memory_bound,
  lock_bound,  // copies wait for each other
  parallel,    // keeps more than one core busy by itself
};

// "I/O-bound", "mixed", "CPU-bound", "memory-bound", "lock-bound", "parallel"
std::string_view name(WorkKind kind);

struct Advice {
  WorkKind kind = WorkKind::computing;
  std::string technique{};  // "sequential", "coroutines", "threads", "processes", "openmp" or "tbb"
  int cores = 1;            // to run on
  int at_once = 1;          // tasks to have begun and not ended at one time
  std::string reason{};     // a paragraph: what was seen, with its numbers, what follows, and the doubts
};

// What to do with many tasks of this nature. Thresholds, and why they are where they are:
//
// - CPU share below 0.3: I/O-bound, so coroutines on one thread. One core then serves more than three tasks at a time;
//   until it is full a second one gains nothing, and one thread needs no locks.
// - CPU share from 0.3 to 0.9: mixed, so threads, more than cores: as many as keep every core busy while others wait.
//   Above 0.9 overlap could gain a ninth at most, so the task is as good as CPU-bound.
// - CPU-bound, and copies on all cores gain more than a quarter of each further core: threads on the smallest number of
//   cores that comes within 5 % of the best. A call under 20 microseconds is less than a queue's hand-over is worth
//   (some microseconds): then a parallel loop, which hands out ranges.
// - Bandwidth share of at least 0.5, and the cores gain less than 0.85 of what they are: memory-bound, where bandwidth
//   ends the gain. Threads again, but capped where it stops, by the same 5 %: more only take room from others.
// - Copies gain less than a quarter of what each further one could, it isn't the memory, and a call gives its core away
//   a tenth of a time more often than alone, or four fifths of the cores are busy all the same: they wait for each
//   other, at a lock, asleep or spinning. Processes, each with a lock of its own, on all cores.
// - Waits that don't overlap, without that: what is waited for does one thing at a time, so one after the other.
// - A task that can't run beside itself is parallel only in processes, which share nothing.
// - CPU share above 1.2: it is parallel already, so one after the other.
//
// On one core, what computes is done one after the other: nothing else can gain.
Advice advise(const Nature& nature);

}  // namespace speedwell
