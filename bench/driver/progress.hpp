// SPDX-License-Identifier: Apache-2.0
// What a sweep tells while it runs: one line redrawn in place on a terminal, a line now and then elsewhere.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

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

  // Where the sweep is. Shown if the last one was shown long enough ago to be read.
  void show(std::string_view text);
  // A line that stays.
  void say(std::string_view text);
  // A line that stays and must be noticed.
  void warn(std::string_view text);

 private:
  void clear();

  bool redraws_;
  bool colours_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace speedwell::bench
