// SPDX-License-Identifier: Apache-2.0
#include "bench/models/job.hpp"

#include <fmt/format.h>
#include <charconv>
#include <map>
#include <stdexcept>

namespace speedwell::bench::models {

namespace {

constexpr std::string_view names[] = {"requests", "timers", "files", "matmul", "filter", "triad", "mixed"};

// Beyond these a slip is likelier than a wish, and sums of them would overflow.
constexpr int most_tasks = 4096, most_size = 1 << 28;

struct Number {
  int Job::*member;
  int least, most;
};
const std::map<std::string_view, Number> numbers = {
    {"--tasks", {&Job::tasks, 1, most_tasks}}, {"--workers", {&Job::workers, 1, most_tasks}},
    {"--port", {&Job::port, 1, 65535}},        {"--delay-ms", {&Job::delay_ms, 0, 60000}},
    {"--size", {&Job::size, 1, most_size}},    {"--units", {&Job::units, 1, most_size}}};

}  // namespace

std::string_view name(Nature nature) { return names[static_cast<int>(nature)]; }

Nature nature_from_name(std::string_view given) {
  for (const Nature nature : all_natures) {
    if (name(nature) == given) return nature;
  }
  throw std::invalid_argument(
      fmt::format("nature '{}', expected one of {}", given, fmt::join(std::begin(names), std::end(names), ", ")));
}

std::vector<std::string> words_of(const Job& job) {
  std::vector<std::string> words = {job.technique, std::string(name(job.nature))};
  for (const auto& [word, number] : numbers) {
    if (job.*number.member > 0) words.insert(words.end(), {std::string(word), std::to_string(job.*number.member)});
  }
  if (!job.file.empty()) words.insert(words.end(), {"--file", job.file});
  if (!job.library.empty()) words.insert(words.end(), {"--library", job.library});
  return words;
}

Job job_from_words(const std::vector<std::string>& words) {
  if (words.size() < 2) throw std::invalid_argument("expected a technique, a nature and options");
  Job job = {.technique = words[0], .nature = nature_from_name(words[1])};
  for (std::size_t i = 2; i < words.size(); i += 2) {
    const std::string& word = words[i];
    if (i + 1 == words.size()) throw std::invalid_argument(fmt::format("{} without a value", word));
    const std::string& value = words[i + 1];
    if (word == "--file") {
      job.file = value;
    } else if (word == "--library") {
      job.library = value;
    } else if (const auto number = numbers.find(word); number != numbers.end()) {
      int& member = job.*number->second.member;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), member);
      if (error != std::errc{} || end != value.data() + value.size() || member < number->second.least ||
          member > number->second.most) {
        throw std::invalid_argument(fmt::format("{} {}, expected a number from {} to {}", word, value,
                                                number->second.least, number->second.most));
      }
    } else {
      throw std::invalid_argument(fmt::format("unknown option {}", word));
    }
  }
  if (job.tasks == 0 || job.workers == 0) throw std::invalid_argument("--tasks and --workers are needed");
  return job;
}

}  // namespace speedwell::bench::models
