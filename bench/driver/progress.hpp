// SPDX-License-Identifier: Apache-2.0
// What a sweep tells while it runs: on a terminal one line redrawn in place and below it a table of what is known so
// far, a line now and then elsewhere.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "bench/driver/live_table.hpp"

namespace speedwell::bench {

// "04:12", "1:02:03".
std::string clock_text(double seconds);

// Written to stderr. Nothing here runs by itself: nothing is written unless asked, so never while a sample is timed.
class Progress {
 public:
  // By what stderr is and by NO_COLOR and TERM.
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Where the sweep is, and the table. Shown if the last one was shown long enough ago to be read.
  void show(std::string_view text);
  // A sample that counts, for the table.
  void took(const Cell& cell, int round, double ns);
  // A line that stays.
  void say(std::string_view text);
  // A line that stays and must be noticed.
  void warn(std::string_view text);

 private:
  using Clock = std::chrono::steady_clock;

  void clear();
  void draw(std::string_view text, Clock::time_point now);

  bool redraws_;
  bool colours_;
  bool drawn_ = false;
  Clock::time_point began_;
  Clock::time_point shown_;
  LiveTable table_;
  std::vector<std::string> table_lines_;  // as drawn
  Clock::time_point tabled_;
};

}  // namespace speedwell::bench
