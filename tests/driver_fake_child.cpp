// SPDX-License-Identifier: Apache-2.0
// Stands in for the programs that a sweep measures, so that a sweep can be tested within seconds and with every kind of
// child that there may be. It speaks the protocol of bench/child/protocol.hpp, and makes up its times.
//
//   FAKE_FAULT=crash@sobel/      does what the word says in each case whose name contains the rest:
//     refuse_start crash_prepare hang_prepare wrong fewer one_thread other_bits       when preparing (or starting)
//     crash hang babble lie bits_change steal                                        when sampling
//   FAKE_SAMPLE_US=2000          how long a sample takes
//   FAKE_PIDS=FILE               a line with its process id is added when it starts
//   FAKE_ARGUMENTS=FILE          a line with its command line is added when it starts
//   FAKE_SPREAD=0.05             how much more than the right time a sample may say: 0.01 unless given
//   FAKE_FORK_JOIN_US=10         what several threads cost beside their share of one thread's time, which is a
//                                nanosecond an element then; else a call takes a millisecond, shared evenly
//
// In a folder of the name "other" it is another build: it lacks sobel, and its output has other bits.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include <unistd.h>

#include "bench/case.hpp"

namespace {

using nlohmann::json;

std::string setting(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

struct Fake {
  std::string backend;
  int threads = 1;
  bool other_build = false;
  double spread = 0.01;
  std::string fault = setting("FAKE_FAULT");
  unsigned sample_us = 0;
  int samples = 0;
  double fork_join_us = -1;  // below 0: not given
  std::uint64_t random = 88172645463325252u ^ static_cast<std::uint64_t>(::getpid());

  bool has(std::string_view word, const std::string& cell) const {
    return fault.substr(0, fault.find('@')) == word &&
           cell.find(fault.substr(fault.find('@') + 1)) != std::string::npos;
  }

  // Up to that much more than the right time, another each time.
  double noise() {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return 1 + spread * static_cast<double>(random % 1000) / 1e3;
  }

  std::string bits() const { return other_build ? "0000000000000005" : "0000000000000001"; }

  // Of "sum/f32/1000" or "matmul/f32/64x64x64"; 1 of a case without a size.
  static double elements(const std::string& name) {
    double product = 1;
    for (std::size_t at = name.find_last_of('/'); at != std::string::npos; at = name.find('x', at + 1)) {
      product *= std::max(std::atof(name.c_str() + at + 1), 1.0);
    }
    return product;
  }

  double right_ns(const std::string& name) const {
    if (fork_join_us < 0) return 1e6 / threads;
    return elements(name) / threads + (threads > 1 ? fork_join_us * 1e3 : 0);
  }

  json prepare(const std::string& name, const std::string& cell) {
    if (has("crash_prepare", cell)) {
      std::cerr << "free(): invalid pointer" << std::endl;
      std::abort();
    }
    if (has("hang_prepare", cell)) ::pause();
    if (has("wrong", cell)) return {{"ok", false}, {"verified", false}, {"error", "element 7 is 3, expected 4"}};
    int used = threads;
    if (has("fewer", cell) && threads > 2) used = 2;
    if (has("one_thread", cell)) used = 1;
    return {{"ok", true},
            {"calls", 3},
            {"ns", right_ns(name)},
            {"threads_used", used},
            {"verified", true},
            {"hash", has("other_bits", cell) && backend == "tbb" ? "0000000000000002" : bits()},
            {"reason", used == threads ? "as asked" : "fewer blocks than threads"}};
  }

  json sample(const std::string& name, const std::string& cell, double calls) {
    ++samples;
    ::usleep(sample_us);
    if (has("crash", cell)) std::abort();
    if (has("hang", cell)) ::pause();
    if (has("babble", cell)) {
      std::cout << "hello, world" << std::endl;
      ::pause();
    }
    const double ns = right_ns(name) * noise();
    return {{"ok", calls >= 1 && calls <= 3},
            {"ns", ns},
            {"cpu_ns", ns * threads},
            {"threads_used", has("lie", cell) ? threads + 1 : threads},
            {"hash", has("bits_change", cell) && samples > 5 ? "0000000000000009" : bits()},
            {"spin_ns", 1000},
            {"steal_ticks", has("steal", cell) ? 100 : 0},
            {"involuntary_switches", 0}};
  }

  json answer(const json& question) {
    const std::string what = question.at("do");
    const std::string name = question.value("case", "");
    const std::string cell = name + "/" + backend + "/" + std::to_string(threads);
    if (what == "hello") {
      if (has("refuse_start", cell)) return {{"ok", false}, {"error", "this processor lacks what I need"}};
      json names = json::array();
      for (const auto& known : speedwell::bench::cases()) {
        if (!other_build || known.kernel != "sobel") names.push_back(known.name());
      }
      return {{"ok", true},           {"pid", ::getpid()},     {"backend", backend},
              {"threads", threads},   {"version", "0.0-fake"}, {"cases", names},
              {"wait_policy", "none"}};
    }
    if (what == "prepare") return prepare(name, cell);
    if (what == "sample") return sample(name, cell, question.at("calls"));
    return {{"ok", true}};
  }
};

}  // namespace

int main(int argc, char** argv) {
  Fake fake;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--backend=")) fake.backend = argument.substr(10);
    if (argument.starts_with("--threads=")) fake.threads = std::atoi(argv[i] + 10);
  }
  fake.other_build = std::string_view(argv[0]).find("/other/") != std::string_view::npos;
  if (const std::string spread = setting("FAKE_SPREAD"); !spread.empty()) fake.spread = std::atof(spread.c_str());
  if (const std::string time = setting("FAKE_FORK_JOIN_US"); !time.empty()) fake.fork_join_us = std::atof(time.c_str());
  if (const std::string file = setting("FAKE_ARGUMENTS"); !file.empty()) {
    std::string line;
    for (int i = 0; i < argc; ++i) line += std::string(argv[i]) + " ";
    std::ofstream(file, std::ios::app) << line + "\n";
  }
  fake.sample_us = static_cast<unsigned>(std::atoi(setting("FAKE_SAMPLE_US").c_str()));
  if (const std::string file = setting("FAKE_PIDS"); !file.empty()) {
    std::ofstream(file, std::ios::app) << std::to_string(::getpid()) + "\n";
  }
  for (std::string line; std::getline(std::cin, line);) {
    const json question = json::parse(line);
    std::cout << fake.answer(question).dump() << std::endl;
    if (question.at("do") == "quit") break;
  }
  return 0;
}
