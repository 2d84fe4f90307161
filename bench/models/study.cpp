// SPDX-License-Identifier: Apache-2.0
#include "bench/models/study.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <system_error>

#include <speedwell/machine.hpp>

#include "bench/child/sampling.hpp"
#include "bench/driver/plan.hpp"
#include "bench/files.hpp"
#include "bench/models/python.hpp"
#include "bench/models/server.hpp"
#include "runtime/built.hpp"
#include "runtime/scaling/statistics.hpp"

namespace speedwell::bench::models {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Of the CPU work of one task: some 10 ms of a core of today, in units that a lock's 5 ms are long against.
struct Size {
  int size = 0, units = 0;
};
Size size_of(Nature nature, Work work) {
  switch (nature) {
    case Nature::matmul:
      return work == Work::kernels ? Size{896, 16} : Size{56, 1};
    case Nature::filter:
      return work == Work::kernels ? Size{1024, 16} : Size{160, 1};
    case Nature::triad:
      // Whole, or coroutines would find in the caches what another one has just read.
      return work == Work::kernels ? Size{1 << 23, 1} : Size{1 << 16, 1};
    case Nature::mixed:
      return work == Work::kernels ? Size{1024, 8} : Size{96, 1};
    default:
      return {};
  }
}

constexpr const char* python_processes = "python_multiprocessing";
// Each takes a tenth of a second and some 25 MiB to start.
constexpr int most_interpreters = 8;

std::vector<Candidate> compiled_candidates() {
  std::vector<Candidate> list;
  const auto add = [&](const char* name) -> Candidate& {
    return list.emplace_back(Candidate{.name = name, .baseline = "sequential"});
  };
  add("sequential").alone = true;
  add("coroutines").alone = true;
  add("threads");
  add("global_lock");
  add("processes");
  if constexpr (runtime::built<OpenMp>) add("openmp").of_pool = true;
  if constexpr (runtime::built<Tbb>) add("tbb").of_pool = true;
  return list;
}

std::vector<Candidate> python_candidates(const std::vector<Interpreter>& interpreters, bool library) {
  std::vector<Candidate> list;
  const auto add = [&](const char* name, const fs::path& interpreter) -> Candidate& {
    return list.emplace_back(
        Candidate{.name = name, .baseline = "python_sequential", .work = Work::python, .interpreter = interpreter});
  };
  const auto usual = std::ranges::find(interpreters, false, &Interpreter::free_threaded);
  if (usual != interpreters.end()) {
    add("python_sequential", usual->path).alone = true;
    add("python_asyncio", usual->path).alone = true;
    add("python_threading", usual->path);
    add(python_processes, usual->path);
    if (library) {
      Candidate& ctypes = add("python_ctypes", usual->path);
      ctypes.work = Work::kernels;
      ctypes.baseline = "sequential";
      ctypes.only_computes = true;
    }
  }
  const auto free = std::ranges::find(interpreters, true, &Interpreter::free_threaded);
  if (free != interpreters.end()) add("python_free_threading", free->path);
  return list;
}

int workers_of(const Candidate& candidate, Nature nature, const Wish& wish, int cores) {
  if (candidate.alone) return 1;
  const int wanted = waits(nature) && !candidate.of_pool ? wish.tasks : cores;
  if (candidate.name == python_processes) return std::min({wanted, wish.tasks, most_interpreters});
  return std::min(wanted, wish.tasks);
}

// A duration that is there and that makes sense.
double number(const json& answer, const char* name) {
  const auto found = answer.find(name);
  if (found == answer.end() || !found->is_number())
    throw std::invalid_argument(fmt::format("its answer has no number '{}'", name));
  const double value = *found;
  if (!std::isfinite(value) || value < 0)
    throw std::invalid_argument(fmt::format("its answer says {} = {}", name, value));
  return value;
}

}  // namespace

Sample sample_of(const Output& output, const Job& job, const std::vector<Expected>& expected) {
  // The last line that isn't empty.
  std::string_view text = output.text;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const std::size_t before = text.find_last_of('\n');
  if (before != std::string_view::npos) text.remove_prefix(before + 1);
  const json answer = json::parse(text, nullptr, false);
  if (!answer.is_object()) {
    throw std::invalid_argument(
        fmt::format("it said '{}', expected one JSON object", text.substr(0, std::min<std::size_t>(text.size(), 80))));
  }
  if (answer.value("schema", 0) != 1 || answer.value("technique", "") != job.technique ||
      answer.value("nature", "") != name(job.nature) || answer.value("tasks", 0) != job.tasks) {
    throw std::invalid_argument("it answered another question than it was asked");
  }
  const auto results = answer.find("results");
  if (results == answer.end() || !results->is_array()) throw std::invalid_argument("its answer has no results");
  std::vector<std::string> texts;
  for (const json& result : *results) texts.push_back(result.is_string() ? result.get<std::string>() : result.dump());
  if (const std::string wrong = mistake(texts, expected); !wrong.empty()) throw WrongResult(wrong);

  Sample sample = {.wall_ns = number(answer, "wall_ns"),
                   .cpu_ns = number(answer, "cpu_ns"),
                   .start_up_ns = number(answer, "start_up_ns"),
                   .spawn_ns = std::max(0.0, number(answer, "main_ns") - static_cast<double>(output.started_ns)),
                   .voluntary_switches = number(answer, "voluntary_switches"),
                   .involuntary_switches = number(answer, "involuntary_switches"),
                   .peak_rss_bytes = number(answer, "peak_rss_bytes"),
                   .in_flight = static_cast<int>(number(answer, "in_flight")),
                   .runtime = answer.value("runtime", "")};
  if (sample.wall_ns <= 0 || sample.in_flight < 1 || sample.in_flight > job.tasks)
    throw std::invalid_argument(
        fmt::format("it says {} ns for all, and {} tasks in flight", sample.wall_ns, sample.in_flight));
  for (const json& slice : answer.value("slices", json::array())) {
    const bool whole = slice.is_array() && slice.size() == 5 && slice[0].is_number_integer() &&
                       slice[1].is_number_integer() && slice[2].is_number() && slice[3].is_number() &&
                       slice[4].is_string();
    if (!whole) throw std::invalid_argument(fmt::format("its answer has the slice {}", slice.dump()));
    const Bar bar = {slice[0], slice[1], slice[2], slice[3], slice[4] == "cpu"};
    if (bar.task < 0 || bar.task >= job.tasks || bar.lane < 0 || bar.lane >= job.tasks + job.workers ||
        bar.end_ns < bar.begin_ns)
      throw std::invalid_argument(fmt::format("its answer has the slice {}", slice.dump()));
    sample.bars.push_back(bar);
  }
  return sample;
}

double Cell::median(double Sample::*figure) const {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(sample.*figure);
  return values.empty() ? std::numeric_limits<double>::quiet_NaN() : scaling::median(values);
}

int Cell::in_flight() const {
  int most = 0;
  for (const Sample& sample : samples) most = std::max(most, sample.in_flight);
  return most;
}

const Sample& Cell::typical() const {
  std::vector<const Sample*> order;
  for (const Sample& sample : samples) order.push_back(&sample);
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>((order.size() - 1) / 2);
  std::ranges::nth_element(order, middle, {}, [](const Sample* sample) { return sample->wall_ns; });
  return **middle;
}

const Cell* Study::find(std::string_view technique, Nature nature, bool pinned) const {
  const auto found = std::ranges::find_if(cells, [&](const Cell& cell) {
    return cell.technique == technique && cell.nature == nature && cell.pinned == pinned;
  });
  return found == cells.end() ? nullptr : &*found;
}

double Study::speedup(const Cell& cell) const {
  const Cell* const baseline = find(cell.baseline, cell.nature, false);
  if (baseline == nullptr || !baseline->stands() || !cell.stands()) return std::numeric_limits<double>::quiet_NaN();
  return baseline->median(&Sample::wall_ns) / cell.median(&Sample::wall_ns);
}

std::vector<std::string> technique_names() {
  std::vector<std::string> names;
  for (const Candidate& candidate : compiled_candidates()) names.push_back(candidate.name);
  for (const char* const name : {"python_sequential", "python_asyncio", "python_threading", "python_multiprocessing",
                                 "python_ctypes", "python_free_threading"})
    names.push_back(name);
  return names;
}

namespace {

// Measures, cell by cell and round by round.
class Measuring {
 public:
  Measuring(const Wish& wish, Progress& progress, Interrupts& interrupts)
      : wish_(wish), progress_(progress), interrupts_(interrupts), began_ns_(wall_ns()) {
    study_.tasks = wish.tasks;
    study_.delay_ms = wish.delay_ms;
    study_.cores = most_useful_threads(machine());
  }

  Study run() {
    try {
      prepare();
      run_passes();
    } catch (const Interrupted&) {
      study_.signal = interrupts_.signal();
    }
    study_.rounds = std::numeric_limits<int>::max();
    for (const Cell& cell : study_.cells) {
      if (cell.failed.empty()) study_.rounds = std::min(study_.rounds, static_cast<int>(cell.samples.size()));
    }
    if (study_.cells.empty()) study_.rounds = 0;
    study_.out_of_time = study_.signal == 0 && study_.rounds == 0;
    return std::move(study_);
  }

 private:
  struct Place {
    std::size_t cell;
    const Candidate* candidate;
    double took_s = 0;  // the last time, with all there was around it
  };

  double elapsed_s() const { return static_cast<double>(wall_ns() - began_ns_) / 1e9; }

  void leave_out(const std::string& why) {
    study_.left_out.push_back(why);
    progress_.warn(why);
  }

  bool wanted(Nature nature) const {
    return wish_.natures.empty() || std::ranges::find(wish_.natures, nature) != wish_.natures.end();
  }
  bool wanted(const std::string& technique) const {
    return wish_.techniques.empty() || std::ranges::find(wish_.techniques, technique) != wish_.techniques.end();
  }

  void prepare() {
    natures_.assign(std::begin(all_natures), std::end(all_natures));
    std::erase_if(natures_, [this](Nature nature) { return !wanted(nature); });
    const auto fetches = [](Nature nature) { return nature == Nature::requests || nature == Nature::mixed; };
    if (std::ranges::any_of(natures_, fetches)) try {
        server_.emplace(wish_.port);
      } catch (const std::system_error& error) {
        // A port that was asked for and can't be had is a mistake; a machine without a loopback is one without
        // requests.
        if (wish_.port != 0) {
          throw std::system_error(error.code(), fmt::format("cannot serve requests at 127.0.0.1:{}", wish_.port));
        }
        std::erase_if(natures_, fetches);
        leave_out(fmt::format("requests and mixed: no server on the loopback: {}", error.what()));
      }
    if (std::ranges::find(natures_, Nature::files) != natures_.end())
      write_blocks(wish_.scratch / "blocks", wish_.tasks);
    find_candidates();
    add_cells();
  }

  void find_candidates() {
    candidates_ = compiled_candidates();
    if (wish_.python) {
      const fs::path program = wish_.scratch / "speedwell_models.py";
      write_file_atomically(program, python_program);
      std::vector<std::string> complaints;
      const std::vector<Interpreter> interpreters = find_interpreters(machine().allowed_cpus, interrupts_, complaints);
      for (const std::string& complaint : complaints) leave_out(complaint);
      if (!interpreters.empty() && wish_.library.empty())
        leave_out("Python with Speedwell: there is no libspeedwell_c.so beside this command");
      for (Candidate& candidate : python_candidates(interpreters, !wish_.library.empty()))
        candidates_.push_back(std::move(candidate));
    }
    // What a wanted one is held against is wanted too.
    std::vector<std::string> names;
    for (const Candidate& candidate : candidates_) {
      if (wanted(candidate.name)) names.insert(names.end(), {candidate.name, candidate.baseline});
    }
    std::erase_if(candidates_,
                  [&](const Candidate& candidate) { return std::ranges::find(names, candidate.name) == names.end(); });
  }

  void add_cells() {
    for (const bool pinned : {false, true}) {
      for (const Nature nature : natures_) {
        for (const Candidate& candidate : candidates_) {
          if (candidate.only_computes && !computes(nature)) continue;
          places_.push_back({study_.cells.size(), &candidate});
          study_.cells.push_back({.technique = candidate.name,
                                  .nature = nature,
                                  .pinned = pinned,
                                  .baseline = candidate.baseline,
                                  .job = job_of(candidate, nature)});
        }
      }
    }
  }

  Job job_of(const Candidate& candidate, Nature nature) const {
    const Size size = size_of(nature, candidate.work);
    Job job = {.technique = candidate.name,
               .nature = nature,
               .tasks = wish_.tasks,
               .workers = workers_of(candidate, nature, wish_, study_.cores),
               .delay_ms = waits(nature) ? wish_.delay_ms : 0,
               .size = size.size,
               .units = size.units};
    if (server_) job.port = server_->port();
    if (nature == Nature::files) job.file = (wish_.scratch / "blocks").string();
    if (!candidate.interpreter.empty() && candidate.work == Work::kernels) job.library = wish_.library.string();
    return job;
  }

  const std::vector<Expected>& expected(const Cell& cell, const Candidate& candidate) {
    auto& known = expected_[{cell.nature, candidate.work}];
    if (known.empty()) known = expected_results(cell.job, candidate.work);
    return known;
  }

  // What tells most comes first, so that a short time is spent well: everything once; then on one core, and what
  // computes a second time, as small differences count there; Python's processes on one core, which take the longest,
  // last.
  void run_passes() {
    using Filter = bool (*)(const Cell& cell, const Candidate& candidate);
    const Filter free = [](const Cell& cell, const Candidate&) { return !cell.pinned; };
    const Filter ours_on_one_core = [](const Cell& cell, const Candidate& candidate) {
      return cell.pinned && candidate.interpreter.empty();
    };
    const Filter python_on_one_core = [](const Cell& cell, const Candidate& candidate) {
      return cell.pinned && !candidate.interpreter.empty() && candidate.name != python_processes;
    };
    const Filter computing = [](const Cell& cell, const Candidate& candidate) {
      return !cell.pinned && computes(cell.nature) && candidate.work == Work::kernels;
    };
    const Filter python_processes_on_one_core = [](const Cell& cell, const Candidate& candidate) {
      return cell.pinned && candidate.name == python_processes;
    };
    for (const Filter filter : {free, ours_on_one_core, python_on_one_core, computing, python_processes_on_one_core})
      pass(filter);
    const Filter all = [](const Cell&, const Candidate&) { return true; };
    for (int i = 0; i < most_passes && pass(all); ++i) {
    }
  }

  // Whether there was time for every cell.
  bool pass(bool (*filter)(const Cell&, const Candidate&)) {
    bool whole = true;
    for (Place& place : places_) {
      Cell& cell = study_.cells[place.cell];
      if (!cell.failed.empty() || !filter(cell, *place.candidate)) continue;
      // The first time of a cell is guessed by the one before it.
      const double needed_s = place.took_s > 0 ? place.took_s : last_s_;
      if (elapsed_s() + needed_s > wish_.budget_s) {
        whole = false;
        continue;
      }
      if (interrupts_.signal() != 0) throw Interrupted();
      const double before_s = elapsed_s();
      take(cell, *place.candidate);
      place.took_s = last_s_ = elapsed_s() - before_s;
    }
    return whole;
  }

  void take(Cell& cell, const Candidate& candidate) {
    progress_.show(fmt::format("{}: {} by {}{}", clock_text(elapsed_s()), name(cell.nature), cell.technique,
                               cell.pinned ? ", on one core" : ""));
    std::vector<std::string> words = words_of(cell.job);
    fs::path program = wish_.program;
    if (!candidate.interpreter.empty()) {
      program = candidate.interpreter;
      // -I, -S: without the user's own modules and settings.
      words.insert(words.begin(), {"-I", "-S", (wish_.scratch / "speedwell_models.py").string()});
    }
    const std::vector<Expected>& right = expected(cell, candidate);
    const std::vector<int> cpus = cell.pinned ? std::vector{machine().core_cpus.front()} : machine().allowed_cpus;
    try {
      cell.samples.push_back(sample_of(run_program(program, words, cpus, wish_.limit_s, interrupts_), cell.job, right));
    } catch (const ProcessError& error) {
      cell.failed = error.what();
    } catch (const std::invalid_argument& error) {
      cell.failed = error.what();
    } catch (const WrongResult& error) {
      cell.failed = error.what();
      cell.wrong = true;
    }
    if (!cell.failed.empty()) {
      progress_.warn(fmt::format("{} by {}{} {}: {}", name(cell.nature), cell.technique,
                                 cell.pinned ? " on one core" : "", cell.wrong ? "is refused, wrong result" : "failed",
                                 cell.failed));
    }
  }

  static constexpr int most_passes = 9;

  const Wish& wish_;
  Progress& progress_;
  Interrupts& interrupts_;
  const std::int64_t began_ns_;
  Study study_;
  std::vector<Nature> natures_;
  std::vector<Candidate> candidates_;
  std::vector<Place> places_;
  std::optional<Server> server_;
  std::map<std::pair<Nature, Work>, std::vector<Expected>> expected_;
  double last_s_ = 0;
};

}  // namespace

Study measure(const Wish& wish, Progress& progress, Interrupts& interrupts) {
  return Measuring(wish, progress, interrupts).run();
}

}  // namespace speedwell::bench::models
