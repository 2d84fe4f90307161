// SPDX-License-Identifier: Apache-2.0
// What a study says, in words. Each sentence is made of the numbers that it speaks of, and where they say otherwise
// than usual, so does it.
#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bench/models/results.hpp"
#include "bench/report/words.hpp"

namespace speedwell::bench::models {

using report::counted;
using report::factor_words;
using report::time_words;

namespace {

// What differs by less isn't told apart: rounds are few.
constexpr double about = 0.1;

std::string joined(const std::vector<std::string>& words) {
  if (words.size() < 2) return words.empty() ? "" : words.front();
  return fmt::format("{} and {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back());
}

class Reader {
 public:
  explicit Reader(const Study& study) : study_(study) {}

  std::string all() {
    waiting();
    files();
    computing("matmul", Nature::matmul);
    if (!has(Nature::matmul)) computing("filter", Nature::filter);
    memory();
    mixed();
    costs();
    python();
    doubts();
    return fmt::format("{}", fmt::join(sentences_, " "));
  }

 private:
  const Cell* cell(std::string_view technique, Nature nature, bool pinned = false) const {
    const Cell* const found = study_.find(technique, nature, pinned);
    return found != nullptr && found->stands() ? found : nullptr;
  }
  double speedup(std::string_view technique, Nature nature, bool pinned = false) const {
    const Cell* const found = cell(technique, nature, pinned);
    return found == nullptr ? NAN : study_.speedup(*found);
  }
  bool has(Nature nature) const { return cell("sequential", nature) != nullptr; }

  // "threads 1.95× and oneTBB 1.96×": of those that were measured.
  std::string factors(const std::vector<std::string_view>& techniques, Nature nature) const {
    std::vector<std::string> parts;
    for (const std::string_view technique : techniques) {
      const double factor = speedup(technique, nature);
      if (std::isfinite(factor)) parts.push_back(fmt::format("{} {}", proper_name(technique), factor_words(factor)));
    }
    return joined(parts);
  }

  // Tasks that wait: dealing with many at once is enough.
  void waiting() {
    const Nature nature = has(Nature::requests) ? Nature::requests : Nature::timers;
    const Cell* const coroutines = cell("coroutines", nature);
    if (coroutines == nullptr || !has(nature)) return;
    const double factor = speedup("coroutines", nature), pinned = speedup("coroutines", nature, true);
    std::string text = fmt::format(
        "Waiting ({}): coroutines on one thread had {} of {} tasks in flight and were {} as fast as one "
        "after the other",
        name(nature), coroutines->in_flight(), study_.tasks, factor_words(factor));
    if (std::isfinite(pinned)) {
      text += pinned > (1 - about) * factor ? fmt::format(", and just so on a single core ({})", factor_words(pinned))
                                            : fmt::format(", but only {} on a single core", factor_words(pinned));
    }
    if (const std::string others = factors({"threads", "global_lock", "processes"}, nature); !others.empty())
      text += fmt::format("; with a thread or process for each task: {}", others);
    text += ".";
    if (const double locked = speedup("global_lock", nature); std::isfinite(locked)) {
      text += locked > (1 - about) * speedup("threads", nature)
                  ? " The global lock costs nothing here, as it is let go while a task waits."
                  : " The global lock costs time here, although it is let go while a task waits.";
    }
    if (const std::string pools = factors({"openmp", "tbb"}, nature); !pools.empty())
      text += fmt::format(" A pool of as many threads as cores waits with few tasks at a time: {}.", pools);
    sentences_.push_back(text);
  }

  // A disk may be too fast for its waits to be worth anything.
  void files() {
    const Cell* const sequential = cell("sequential", Nature::files);
    const double threads = speedup("threads", Nature::files);
    if (sequential == nullptr || !std::isfinite(threads)) return;
    const double each_ns = sequential->median(&Sample::wall_ns) / study_.tasks;
    constexpr double short_ns = 1e6;
    sentences_.push_back(fmt::format("A file's block is there within {}{}: threads bring {}, coroutines {}.",
                                     time_words(each_ns),
                                     each_ns < short_ns ? ", which leaves hardly a wait to overlap" : "",
                                     factor_words(threads), factor_words(speedup("coroutines", Nature::files))));
  }

  // Tasks that compute: only doing many at once helps.
  void computing(std::string_view what, Nature nature) {
    if (!has(nature)) return;
    std::string text = fmt::format("Computing ({})", what);
    const double coroutines = speedup("coroutines", nature), locked = speedup("global_lock", nature);
    std::vector<std::string> gainless, gaining;
    for (const auto& [factor, technique] : {std::pair(coroutines, "coroutines"), std::pair(locked, "global_lock")}) {
      if (!std::isfinite(factor)) continue;
      (factor < 1 + about ? gainless : gaining)
          .push_back(fmt::format("{} ({})", proper_name(technique), factor_words(factor)));
    }
    if (!gainless.empty()) text += fmt::format(": {} gain nothing, as one task computes at a time", joined(gainless));
    if (!gaining.empty())
      text += fmt::format("{} {} seem to gain, which they can't: the sequential runs were disturbed",
                          gainless.empty() ? ":" : ", and", joined(gaining));
    const std::vector<std::string_view> parallel = {"threads", "processes", "openmp", "tbb"};
    if (const std::string factors_of_all = factors(parallel, nature); !factors_of_all.empty()) {
      text +=
          fmt::format("{} {} of {} that there are: {}", gainless.empty() && gaining.empty() ? ":" : "; those that use",
                      gainless.empty() && gaining.empty() ? "speedups" : "several cores reach,",
                      counted(study_.cores, "core"), factors_of_all);
    }
    sentences_.push_back(text + ".");
  }

  void memory() {
    const double threads = speedup("threads", Nature::triad);
    if (!std::isfinite(threads)) return;
    sentences_.push_back(
        threads < (1 - 2 * about) * study_.cores
            ? fmt::format("Moving memory (triad) lies between: {} cores bring {}, as they share the memory.",
                          study_.cores, factor_words(threads))
            : fmt::format("Moving memory (triad) gains as computing does here, {} with threads: {} don't use up what "
                          "this machine's memory gives.",
                          factor_words(threads), counted(study_.cores, "core")));
  }

  void mixed() {
    const double coroutines = speedup("coroutines", Nature::mixed), threads = speedup("threads", Nature::mixed);
    if (!std::isfinite(coroutines) || !std::isfinite(threads)) return;
    sentences_.push_back(
        threads > (1 + about) * coroutines
            ? fmt::format("Fetching and then computing (mixed): coroutines overlap the waiting ({}), threads the "
                          "computing too ({}).",
                          factor_words(coroutines), factor_words(threads))
            : fmt::format(
                  "Fetching and then computing (mixed): coroutines {}, threads {}: a second core brought no more "
                  "here.",
                  factor_words(coroutines), factor_words(threads)));
  }

  void costs() {
    const Nature nature = has(Nature::requests) ? Nature::requests
                          : has(Nature::timers) ? Nature::timers
                                                : Nature::matmul;
    std::vector<std::string> parts;
    for (const char* const technique : {"coroutines", "threads", "processes"}) {
      const Cell* const one = cell(technique, nature);
      if (one == nullptr) continue;
      parts.push_back(fmt::format("{} {} and {:.0f} MiB", technique, time_words(one->median(&Sample::start_up_ns)),
                                  one->median(&Sample::peak_rss_bytes) / (1 << 20)));
    }
    if (parts.size() > 1) {
      sentences_.push_back(fmt::format("Beforehand they cost, for {} ({}): {}.", counted(study_.tasks, "task"),
                                       name(nature), joined(parts)));
    }
  }

  void python() {
    const double threading = speedup("python_threading", Nature::matmul),
                 processes = speedup("python_multiprocessing", Nature::matmul),
                 waiting = speedup("python_asyncio", Nature::requests),
                 waiting_threads = speedup("python_threading", Nature::requests);
    std::vector<std::string> parts;
    if (std::isfinite(waiting)) parts.push_back(fmt::format("asyncio {} on requests", factor_words(waiting)));
    if (std::isfinite(waiting_threads))
      parts.push_back(fmt::format("threading {} on requests", factor_words(waiting_threads)));
    if (std::isfinite(threading)) parts.push_back(fmt::format("threading {} on matmul", factor_words(threading)));
    if (std::isfinite(processes)) parts.push_back(fmt::format("multiprocessing {}", factor_words(processes)));
    if (!parts.empty()) {
      std::string text = fmt::format("Python by itself: {}", joined(parts));
      if (std::isfinite(threading) && threading < 1 + about)
        text += "; its threads take turns under the interpreter's lock";
      sentences_.push_back(text + ".");
    }
    const Cell* const ctypes = cell("python_ctypes", Nature::matmul);
    const Cell* const threads = cell("threads", Nature::matmul);
    if (ctypes == nullptr || threads == nullptr) return;
    const double share = threads->median(&Sample::wall_ns) / ctypes->median(&Sample::wall_ns);
    sentences_.push_back(
        fmt::format("Python's threads that call Speedwell, which frees the lock, are {} as fast as "
                    "C++ threads on matmul.",
                    factor_words(share)));
    if (const double free = speedup("python_free_threading", Nature::matmul); std::isfinite(free))
      sentences_.push_back(fmt::format("Python without the lock: threads {} on matmul.", factor_words(free)));
  }

  void doubts() {
    const auto failed = std::ranges::count_if(study_.cells, [](const Cell& cell) { return !cell.failed.empty(); });
    const auto missing = std::ranges::count_if(
        study_.cells, [](const Cell& cell) { return cell.failed.empty() && cell.samples.empty(); });
    if (failed > 0)
      sentences_.push_back(fmt::format("{} failed and {} in no figure.",
                                       counted(static_cast<double>(failed), "measurement"),
                                       failed == 1 ? "is" : "are"));
    if (missing > 0)
      sentences_.push_back(fmt::format(
          "{} not taken: {}.", counted(static_cast<double>(missing), "measurement") + (missing == 1 ? " was" : " were"),
          study_.signal != 0 ? "it was interrupted" : "the time was up"));
    const auto single = std::ranges::count_if(study_.cells, [](const Cell& cell) { return cell.samples.size() == 1; });
    if (single > static_cast<std::ptrdiff_t>(study_.cells.size()) / 2)
      sentences_.push_back("Most figures are of a single run, so small differences say nothing.");
  }

  const Study& study_;
  std::vector<std::string> sentences_;
};

}  // namespace

std::string reading(const Study& study) { return Reader(study).all(); }

}  // namespace speedwell::bench::models
