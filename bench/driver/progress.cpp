// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/progress.hpp"

#include <fmt/format.h>
#include <algorithm>

#include <unistd.h>

#include "bench/terminal.hpp"

namespace speedwell::bench {

namespace {

// Redrawing more often than the eye follows would only disturb the machine.
constexpr auto redraw_every = std::chrono::milliseconds(200);
constexpr auto table_every = std::chrono::seconds(1);
// Where the cases don't fit, the next ones come after a while.
constexpr auto page_every = std::chrono::seconds(5);
// In a log: often enough to see that it lives, seldom enough that hours don't fill a screen.
constexpr auto line_every = std::chrono::seconds(15);

Screen screen() { return screen_of(STDERR_FILENO, 80); }

void put(std::string_view text) {
  // Progress that can't be written is no reason to stop.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

std::string clock_text(double seconds) {
  const long long s = static_cast<long long>(std::max(seconds, 0.0) + 0.5);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{:02}:{:02}", s / 60, s % 60);
}

Progress::Progress()
    : redraws_(screen().terminal),
      colours_(screen().colour),
      began_(Clock::now()),
      shown_(began_ - line_every),
      tabled_(began_ - table_every) {}

Progress::~Progress() { clear(); }

// What is drawn ends at the end of the screen, and the cursor is at its beginning.
void Progress::clear() {
  if (drawn_) put("\r\x1b[J");
  drawn_ = false;
}

// One write, and each line is overwritten before what is left of it is cleared: nothing flickers.
void Progress::draw(std::string_view text, Clock::time_point now) {
  const Screen screen = bench::screen();
  // The last column stays free: some terminals go to the next line after it.
  const int width = screen.width - 1;
  if (!drawn_ || now - tabled_ >= table_every) {
    // One line for the progress, and one of what was there before stays in sight.
    const auto page = static_cast<int>((now - began_) / page_every);
    table_lines_ = table_.lines(screen.height - 2, width, page);
    tabled_ = now;
  }
  std::string out = "\r" + clipped(text, width) + "\x1b[K";
  for (const std::string& line : table_lines_) out += "\n" + clipped(line, width) + "\x1b[K";
  out += "\x1b[J";
  if (!table_lines_.empty()) out += fmt::format("\x1b[{}A", table_lines_.size());
  out += "\r";
  put(screen.unicode ? out : in_ascii(out));
  drawn_ = true;
}

void Progress::show(std::string_view text) {
  const auto now = Clock::now();
  if (redraws_) {
    if (drawn_ && now - shown_ < redraw_every) return;
    draw(text, now);
  } else {
    if (now - shown_ < line_every) return;
    put(fmt::format("{}\n", text));
  }
  shown_ = now;
}

void Progress::took(const Cell& cell, int round, double ns) {
  if (redraws_) table_.add(cell, round, ns);
}

void Progress::say(std::string_view text) {
  clear();
  put(fmt::format("{}\n", text));
}

void Progress::warn(std::string_view text) {
  clear();
  put(colours_ ? fmt::format("\x1b[33m{}\x1b[0m\n", text) : fmt::format("{}\n", text));
}

}  // namespace speedwell::bench
