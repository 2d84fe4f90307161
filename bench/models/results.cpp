// SPDX-License-Identifier: Apache-2.0
#include "bench/models/results.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include <speedwell/machine.hpp>

#include "bench/driver/build_info.hpp"
#include "bench/driver/fingerprint.hpp"
#include "bench/report/words.hpp"
#include "bench/terminal.hpp"

namespace speedwell::bench::models {

using nlohmann::ordered_json;
using report::counted;
using report::factor_words;
using report::number_words;
using report::percent_words;
using report::time_words;

namespace {

constexpr std::string_view not_known = "–";

ordered_json known(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(); }

double cores_busy(const Cell& cell) { return cell.median(&Sample::cpu_ns) / cell.median(&Sample::wall_ns); }

double switches(const Cell& cell) {
  return cell.median(&Sample::voluntary_switches) + cell.median(&Sample::involuntary_switches);
}

ordered_json cell_json(const Study& study, const Cell& cell) {
  ordered_json samples = ordered_json::array(), slices = ordered_json::array();
  for (const Sample& sample : cell.samples) samples.push_back(sample.wall_ns);
  const Sample& typical = cell.typical();
  for (const Bar& bar : typical.bars) {
    slices.push_back(
        {bar.task, bar.lane, std::llround(bar.begin_ns), std::llround(bar.end_ns), bar.cpu ? "cpu" : "wait"});
  }
  return {{"technique", cell.technique},
          {"title", proper_name(cell.technique)},
          {"nature", name(cell.nature)},
          {"nature_title", proper_name(cell.nature)},
          {"pinned", cell.pinned},
          {"workers", cell.job.workers},
          {"size", cell.job.size > 0 ? ordered_json(cell.job.size) : ordered_json()},
          {"runtime", typical.runtime},
          {"verified", true},
          {"wall_ns", cell.median(&Sample::wall_ns)},
          {"samples_ns", std::move(samples)},
          {"baseline", cell.baseline},
          {"speedup", known(study.speedup(cell))},
          {"cores_busy", cores_busy(cell)},
          {"cpu_ns", cell.median(&Sample::cpu_ns)},
          {"in_flight", cell.in_flight()},
          {"voluntary_switches", cell.median(&Sample::voluntary_switches)},
          {"involuntary_switches", cell.median(&Sample::involuntary_switches)},
          {"spawn_ns", cell.median(&Sample::spawn_ns)},
          {"start_up_ns", cell.median(&Sample::start_up_ns)},
          {"peak_rss_bytes", cell.median(&Sample::peak_rss_bytes)},
          {"slices", std::move(slices)}};
}

std::string memory_words(double bytes) {
  return bytes < 0 ? std::string(not_known) : number_words(bytes / (1 << 20)) + " MiB";
}

std::vector<Nature> natures_of(const Study& study) {
  std::vector<Nature> list;
  for (const Nature nature : all_natures) {
    const auto there = [&](const Cell& cell) { return cell.nature == nature && cell.stands(); };
    if (std::ranges::any_of(study.cells, there)) list.push_back(nature);
  }
  return list;
}

std::string row(const std::vector<std::string>& fields) {
  constexpr int widths[] = {10, 9, 8, 11, 10, 10, 10, 11};
  std::string text = padded(fields[0], 31);
  for (std::size_t i = 1; i < fields.size(); ++i) text += right(fields[i], widths[i - 1]);
  return text;
}

std::string what_it_is(Nature nature) {
  if (nature == Nature::mixed) return "fetches, then computes";
  if (nature == Nature::triad) return "memory-bound";
  return waits(nature) ? "I/O-bound" : "CPU-bound";
}

}  // namespace

std::string proper_name(std::string_view technique) {
  if (technique == "global_lock") return "threads, one lock";
  if (technique == "openmp") return "OpenMP";
  if (technique == "tbb") return "oneTBB";
  if (technique == "python_free_threading") return "Python: free threads";
  if (technique == "python_ctypes") return "Python: threads, ctypes";
  if (technique.starts_with("python_")) return "Python: " + std::string(technique.substr(7));
  return std::string(technique);
}

std::string proper_name(Nature nature) { return fmt::format("{} ({})", name(nature), what_it_is(nature)); }

ordered_json to_json(const Study& study, const std::string& started) {
  ordered_json measurements = ordered_json::array(), refused = ordered_json::array(), failed = ordered_json::array();
  for (const Cell& cell : study.cells) {
    if (cell.stands()) measurements.push_back(cell_json(study, cell));
    if (cell.failed.empty()) continue;
    (cell.wrong ? refused : failed)
        .push_back({{"technique", cell.technique},
                    {"nature", name(cell.nature)},
                    {"pinned", cell.pinned},
                    {"reason", cell.failed}});
  }
  return {{"schema", 1},
          {"started", started},
          {"machine", machine_fingerprint()},
          {"build", build_fingerprint({})},
          {"environment", measuring_environment()},
          {"tasks", study.tasks},
          {"delay_ms", study.delay_ms},
          {"cores", study.cores},
          {"rounds", study.rounds},
          {"interrupted", study.signal != 0},
          {"out_of_time", study.out_of_time},
          {"measurements", std::move(measurements)},
          {"refused", std::move(refused)},
          {"failed", std::move(failed)},
          {"left_out", study.left_out},
          {"reading", reading(study)}};
}

std::string table(const Study& study, bool colours, int width) {
  const Ink ink(colours);
  std::string text = fmt::format("{} tasks by each technique, on {}; delay {} ms\n", study.tasks,
                                 counted(study.cores, "core"), study.delay_ms);
  for (const Nature nature : natures_of(study)) {
    text += "\n" +
            ink.bold(row({proper_name(nature), "time", "speedup", "cores", "in flight", "switches", "start-up",
                          "memory", "on 1 core"})) +
            "\n";
    for (const Cell& cell : study.cells) {
      if (cell.nature != nature || cell.pinned || !cell.stands()) continue;
      const Cell* const pinned = study.find(cell.technique, nature, true);
      const double speedup = study.speedup(cell);
      text += row({proper_name(cell.technique), time_words(cell.median(&Sample::wall_ns)), factor_words(speedup),
                   fmt::format("{:.2f}", cores_busy(cell)), std::to_string(cell.in_flight()),
                   fmt::format("{:.0f}", switches(cell)),
                   time_words(cell.median(&Sample::spawn_ns) + cell.median(&Sample::start_up_ns)),
                   memory_words(cell.median(&Sample::peak_rss_bytes)),
                   pinned != nullptr && pinned->stands() ? time_words(pinned->median(&Sample::wall_ns))
                                                         : std::string(not_known)}) +
              "\n";
    }
  }
  text += "\n";
  for (const std::string& line : {std::string(
           "time: from the first task's begin to the last one's end, the median of the rounds. speedup: over the "
           "sequential version of the same work. cores: kept busy on average. in flight: tasks begun and not "
           "ended at one time, at most. start-up: of the process and of what the technique needs. memory: of "
           "all its processes, at most. Every result is verified.")}) {
    text += ink.faint(wrap(line, std::max(width, 40), "")) + "\n";
  }
  return text + "\n" + wrap(reading(study), std::max(width, 40), "") + "\n";
}

std::string to_csv(const Study& study) {
  std::string csv =
      "technique,nature,pinned,workers,runs,wall_ns,speedup,cores_busy,in_flight,voluntary_switches,involuntary_"
      "switches,"
      "spawn_ns,start_up_ns,peak_rss_bytes\n";
  for (const Cell& cell : study.cells) {
    if (!cell.stands()) continue;
    const double speedup = study.speedup(cell);
    csv += fmt::format("{},{},{},{},{},{:.0f},{},{:.4g},{},{:.0f},{:.0f},{:.0f},{:.0f},{:.0f}\n", cell.technique,
                       name(cell.nature), cell.pinned, cell.job.workers, cell.samples.size(),
                       cell.median(&Sample::wall_ns), std::isfinite(speedup) ? fmt::format("{:.4g}", speedup) : "",
                       cores_busy(cell), cell.in_flight(), cell.median(&Sample::voluntary_switches),
                       cell.median(&Sample::involuntary_switches), cell.median(&Sample::spawn_ns),
                       cell.median(&Sample::start_up_ns), cell.median(&Sample::peak_rss_bytes));
  }
  return csv;
}

}  // namespace speedwell::bench::models
