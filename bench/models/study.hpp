// SPDX-License-Identifier: Apache-2.0
// The same tasks by each technique, each time in a process of its own, in rounds: what `speedwell models` measures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "bench/driver/interrupts.hpp"
#include "bench/driver/progress.hpp"
#include "bench/models/job.hpp"
#include "bench/models/oracle.hpp"
#include "bench/models/process.hpp"

namespace speedwell::bench::models {

// A technique as the study knows it.
struct Candidate {
  std::string name;      // "coroutines", "python_asyncio"
  std::string baseline;  // what it is held against: the sequential version of the same work
  Work work = Work::kernels;
  // Python's interpreter and the program for it; both empty: our own program.
  std::filesystem::path interpreter = {};
  bool of_pool = false;        // as many workers as cores, whatever the tasks do
  bool alone = false;          // one worker always
  bool only_computes = false;  // natures without CPU work are nothing for it
};

// One stretch of a task on a lane.
struct Bar {
  int task = 0, lane = 0;
  double begin_ns = 0, end_ns = 0;  // from the first task's begin
  bool cpu = false;
};

// What a child said of one run.
struct Sample {
  double wall_ns = 0, cpu_ns = 0, start_up_ns = 0, spawn_ns = 0;
  double voluntary_switches = 0, involuntary_switches = 0, peak_rss_bytes = 0;
  int in_flight = 0;
  std::string runtime = {};
  std::vector<Bar> bars = {};
};
class WrongResult : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
// Throws WrongResult, or std::invalid_argument if that isn't an answer to the job; the message says what is amiss.
Sample sample_of(const Output& output, const Job& job, const std::vector<Expected>& expected);

// A technique on a nature, free or pinned to one core.
struct Cell {
  std::string technique;
  Nature nature = Nature::requests;
  bool pinned = false;
  std::string baseline;
  Job job;
  std::vector<Sample> samples = {};
  std::string failed = {};  // why there are no more
  bool wrong = false;       // because a result was

  bool stands() const { return !samples.empty() && failed.empty(); }
  double median(double Sample::*figure) const;
  int in_flight() const;
  // The run whose time is the median, or just below it.
  const Sample& typical() const;
};

struct Study {
  int tasks = 0, delay_ms = 0, cores = 0;
  std::vector<Cell> cells;            // in the order in which they are shown
  std::vector<std::string> left_out;  // what there is nothing of, and why
  int rounds = 0;                     // so many runs has every cell that didn't fail
  int signal = 0;                     // that ended it early
  bool out_of_time = false;           // before each cell was measured once

  const Cell* find(std::string_view technique, Nature nature, bool pinned) const;
  // Times as fast as the sequential version of the same work on the same nature, free to use all cores; NaN: unknown.
  double speedup(const Cell& cell) const;
};

struct Wish {
  int tasks = 16;
  int delay_ms = 25;
  int port = 0;
  double budget_s = 56;
  double limit_s = 20;                       // for one child
  std::vector<Nature> natures = {};          // none: all
  std::vector<std::string> techniques = {};  // none: all
  bool python = true;
  std::filesystem::path program = {};  // speedwell_models
  std::filesystem::path library = {};  // the C library, or empty
  std::filesystem::path scratch = {};  // a folder for what children read
};

// The names of all techniques that this build and this machine may have.
std::vector<std::string> technique_names();

Study measure(const Wish& wish, Progress& progress, Interrupts& interrupts);

}  // namespace speedwell::bench::models
