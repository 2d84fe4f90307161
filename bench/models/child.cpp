// SPDX-License-Identifier: Apache-2.0
// The program that `speedwell models` starts for each technique and nature: runs one job and prints what it took as one
// JSON object, which docs/run-folder.md describes.
#include <fmt/format.h>
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "bench/child/sampling.hpp"
#include "bench/models/board.hpp"
#include "bench/models/processes.hpp"
#include "bench/models/slices.hpp"
#include "bench/models/techniques.hpp"

namespace speedwell::bench::models {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view processes = "processes";

std::byte* aligned_block(std::size_t bytes) {
  constexpr std::size_t page = 4096;
  void* const block = std::aligned_alloc(page, (bytes + page - 1) / page * page);
  if (block == nullptr) throw std::bad_alloc();
  return static_cast<std::byte*>(block);
}

struct Free {
  void operator()(std::byte* block) const { std::free(block); }
};

ordered_json answer(const Job& job, Board& board, std::int64_t main_ns, std::int64_t start_ns, Usage after,
                    std::int64_t peak_bytes, std::string_view runtime) {
  const std::vector<Slice> slices = board.slices();
  std::int64_t first = board.began_ns(0), last = 0;
  std::vector<std::pair<std::int64_t, std::int64_t>> spans;
  ordered_json results = ordered_json::array();
  for (int task = 0; task < job.tasks; ++task) {
    if (board.ended_ns(task) == 0) throw std::runtime_error(fmt::format("task {} was left out", task));
    spans.emplace_back(board.began_ns(task), board.ended_ns(task));
    first = std::min(first, board.began_ns(task));
    last = std::max(last, board.ended_ns(task));
    results.push_back(std::to_string(board.result(task)));
  }
  Usage usage = after - board.ready_usage();
  for (int lane = 0; lane < board.lanes(); ++lane) {
    const WorkerReport& report = board.report(lane);
    usage.cpu_ns += report.usage.cpu_ns;
    usage.voluntary_switches += report.usage.voluntary_switches;
    usage.involuntary_switches += report.usage.involuntary_switches;
    peak_bytes += report.peak_bytes;
  }
  ordered_json list = ordered_json::array();
  for (const Slice& slice : slices) {
    list.push_back({slice.task, slice.lane, slice.begin_ns - first, slice.end_ns - first, slice.cpu ? "cpu" : "wait"});
  }
  return {{"schema", 1},
          {"technique", job.technique},
          {"nature", name(job.nature)},
          {"tasks", job.tasks},
          {"workers", job.workers},
          {"main_ns", main_ns},
          {"start_up_ns", board.ready_ns() - start_ns},
          {"wall_ns", last - first},
          {"cpu_ns", usage.cpu_ns},
          {"voluntary_switches", usage.voluntary_switches},
          {"involuntary_switches", usage.involuntary_switches},
          {"peak_rss_bytes", peak_bytes},
          {"in_flight", most_at_once(spans)},
          {"runtime", runtime},
          {"slices", std::move(list)},
          {"results", std::move(results)}};
}

ordered_json run_as_processes(const Job& job, std::int64_t main_ns) {
  const SharedMemory memory(inputs_offset(job) + Inputs::bytes(job));
  Board& board = *Board::make(memory.data(), job.tasks, job.workers);
  Inputs(job, memory.data() + inputs_offset(job)).fill();
  const std::int64_t start_ns = wall_ns();
  run_processes(job, board, memory);
  const Usage after = usage_of_process();
  const std::int64_t shared = static_cast<std::int64_t>(inputs_offset(job) + Inputs::bytes(job));
  return answer(job, board, main_ns, start_ns, after, peak_private_bytes() + shared, "posix_spawn, memfd_create");
}

ordered_json run_in_process(const Job& job, const Technique& technique, std::int64_t main_ns) {
  const std::unique_ptr<std::byte, Free> board_memory(aligned_block(Board::bytes(job.tasks, job.workers)));
  std::fill_n(board_memory.get(), Board::bytes(job.tasks, job.workers), std::byte{0});
  Board& board = *Board::make(board_memory.get(), job.tasks, job.workers);
  const std::unique_ptr<std::byte, Free> input_memory(aligned_block(Inputs::bytes(job) + 1));
  Inputs inputs(job, input_memory.get());
  inputs.fill();
  Stage stage = {inputs, board, {}};
  for (int lane = 0; lane < job.workers; ++lane) stage.lanes.emplace_back(inputs, board, lane);
  const std::int64_t start_ns = wall_ns();
  technique.run(stage);
  const Usage after = usage_of_process();
  return answer(job, board, main_ns, start_ns, after, peak_private_bytes(), technique.runtime);
}

int run(const std::vector<std::string>& words, std::int64_t main_ns) {
  if (!words.empty() && words.front() == worker_word) return run_worker({words.begin() + 1, words.end()});
  const Job job = job_from_words(words);
  ordered_json answer;
  if (job.technique == processes) {
    answer = run_as_processes(job, main_ns);
  } else {
    const std::vector<Technique> known = techniques();
    const auto technique = std::ranges::find(known, job.technique, &Technique::name);
    if (technique == known.end()) {
      std::vector<std::string_view> list = {processes};
      for (const Technique& one : known) list.push_back(one.name);
      throw std::invalid_argument(
          fmt::format("technique '{}', expected one of {}", job.technique, fmt::join(list, ", ")));
    }
    answer = run_in_process(job, *technique, main_ns);
  }
  fmt::print("{}\n", answer.dump());
  return std::fflush(stdout) == 0 ? 0 : 3;
}

}  // namespace
}  // namespace speedwell::bench::models

int main(int argc, char** argv) {
  const std::int64_t main_ns = speedwell::bench::wall_ns();
  try {
    return speedwell::bench::models::run({argv + 1, argv + argc}, main_ns);
  } catch (const std::invalid_argument& error) {
    fmt::print(stderr, "speedwell_models: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "speedwell_models: {}\n", error.what());
    return 3;
  }
}
